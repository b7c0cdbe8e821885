"""Bare systems to rehearse on, as trees of debootstrap: what the platform offers, and Debian."""

import re
import shutil
import sys
from pathlib import Path

APT = Path("/etc/apt")
# What debootstrap does for all suites of a distribution, also those that are newer than itself.
DISTRIBUTIONS = {"debian": "/usr/share/debootstrap/scripts/sid",
                 "ubuntu": "/usr/share/debootstrap/scripts/gutsy"}
# Base -> distribution, suite and components.
BASES = {"ubuntu-22.04": ("ubuntu", "jammy", "main,universe"),
         "ubuntu-24.04": ("ubuntu", "noble", "main,universe"),
         "debian-12": ("debian", "bookworm", "main"),
         "debian-13": ("debian", "trixie", "main")}


class CannotRehearse(ValueError):
    """This machine or these files do not allow a rehearsal; the message is one line."""


def tree(base: str, folder: Path) -> Path:
    """The tree of a base, made once in a folder.

    Raises:
        CannotRehearse: debootstrap is missing, or fails.
    """
    distribution, suite, components = BASES[base]
    made = folder / base
    if made.exists():
        return made
    if shutil.which("debootstrap") is None:
        raise CannotRehearse(f"--base {base} needs debootstrap: apt-get install debootstrap")
    from .namespaces import logged  # which needs Linux

    partial, log = folder / f"{base}.partial", folder / "debootstrap.log"
    shutil.rmtree(partial, ignore_errors=True)
    print(f"Making {made} (a minute or two, the first time)", file=sys.stderr)
    source = mirror(distribution)
    code = logged(["debootstrap", "--variant=minbase", f"--components={components}", suite,
                   str(partial), source, DISTRIBUTIONS[distribution]], log)
    if code:
        raise CannotRehearse(f"debootstrap ended with {code}, see {log}; it looked for {suite} at "
                             f"{source}")
    partial.rename(made)
    return made


def mirror(distribution: str, apt: Path = APT) -> str:
    """Where this machine's own apt finds a distribution, or may: a mirror of one often has both.

    Raises:
        CannotRehearse: apt has no mirror of either.
    """
    texts = [path.read_text() for path in (
        apt / "sources.list", *sorted(apt.glob("sources.list.d/*"))) if path.is_file()]
    for name in (distribution, *DISTRIBUTIONS):
        found = re.search(rf"^[^#\n]*?(https?://\S+)/{name}/?(\s|$)", "\n".join(texts), re.M)
        if found:
            return f"{found[1]}/{distribution}"
    raise CannotRehearse("this base needs a mirror of Debian or Ubuntu in /etc/apt")
