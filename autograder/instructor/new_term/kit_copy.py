"""The copy of the kit in which a term is made, and the way back to the checkout."""

import fnmatch
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...engine.files import PARTIAL, write_whole
from .facts import TERM
from .term import Settings, Step, Term

IGNORED = {".git", ".venv", "build", "__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis"}
REFERENCES = "autograder/assignment/references/*"
RESULTS = "solution/*/results/*"
REPORT = "solution/report.md"


def files(kit: Path) -> Iterator[str]:
    """Names of all files of a kit but its environment, caches, archives and drawn images."""
    for directory, folders, names in os.walk(kit):
        here = Path(directory).relative_to(kit)
        drawn = here == Path("datasets")  # all in it but the code
        folders[:] = [] if drawn else sorted(set(folders) - IGNORED)
        for name in sorted(names):
            if not name.endswith((".zip", PARTIAL)) and (name.endswith(".py") or not drawn):
                yield (here / name).as_posix()


def _is_made(path: str, settings: Settings) -> bool:
    """Whether a step makes this file."""
    patterns = [TERM, REFERENCES, REPORT, *([] if settings.keep_weights else [RESULTS])]
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def copy_kit(term: Term) -> None:
    """Bring the copy up to date with the checkout, except for what the steps make."""
    for path in files(term.kit):
        if not _is_made(path, term.settings):
            (term.kit / path).unlink()
    for path in files(term.checkout):
        if not _is_made(path, term.settings) or (
                path == REPORT and not (term.kit / path).exists()):  # a step only fills it in
            (term.kit / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(term.checkout / path, term.kit / path)
    (term.kit / TERM).write_text(
        (term.checkout / TERM).read_text(encoding="utf-8").split("\n\n")[0]
        + f'\n\nSEED = {term.settings.seed}\nPROFILE = "{term.settings.profile}"\n',
        encoding="utf-8")


def adopt(term: Term) -> list[str]:
    """Let the checkout take over seed, references and weights; names of the files that changed."""
    changed = []
    for path in files(term.kit):
        source, target = term.kit / path, term.checkout / path
        if _is_made(path, term.settings) and not (
                target.exists() and target.read_bytes() == source.read_bytes()):
            mode = source.stat().st_mode & 0o777  # hidden references are closed to others
            write_whole(target, source.read_bytes(), mode)
            changed.append(path)
    return changed


def digest_of(term: Term, step: Step) -> str:
    """Digest of all that a step depends on; references follow from the rest and are left out."""
    settings = {name: getattr(term.settings, name) for name in step.settings}
    digest = hashlib.sha256(json.dumps(settings).encode())
    for path in files(term.kit):
        if any(fnmatch.fnmatch(path, pattern) for pattern in step.inputs) and not fnmatch.fnmatch(
                path, REFERENCES):
            digest.update(path.encode() + hashlib.sha256((term.kit / path).read_bytes()).digest())
    return digest.hexdigest()
