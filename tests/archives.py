"""Unpack an archive as others do who get it."""

import zipfile
from pathlib import Path


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack as `unzip` does, with modes, and return the folder."""
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            path = Path(content.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    return folder
