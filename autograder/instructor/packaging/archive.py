"""Files as a zip archive. The same files give the same bytes."""

import io
import stat
import zipfile
from collections.abc import Collection, Mapping

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can hold


def pack(files: Mapping[str, bytes], executable: Collection[str] = ()) -> bytes:
    """`name -> content` as a zip archive, sorted by name, without a trace of clock, user or umask.

    Args:
        executable: names that get mode 0755; all others get 0644.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever this runs: only then do modes count
            mode = 0o755 if name in executable else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()
