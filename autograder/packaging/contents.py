"""Which files of the kit an archive needs, and that none of them gives the solution away."""

import ast
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from .. import diagnosis, references
from ..starter import PROBLEMS, generate, region_lines

KIT = Path(__file__).resolve().parents[2]
# What `python -m autograder grade` starts from: the command, and what it starts or finds by name.
GRADER = ("autograder.__main__", "autograder.worker.server", "autograder.worker.child")
# What stays at home, whoever imports it: __main__ has its other commands where they are there.
AT_HOME = ("autograder.classroom", "autograder.instructor", "autograder.misconceptions",
           "autograder.packaging")
DATA = (".toml", ".ini", ".json", ".html", ".css", ".js", ".svg")
OPAQUE = (".npz", ".png", ".pdf")  # all that an archive may hold beside text
TELLING = 40  # characters; a shorter line of the solution tells nothing on its own


class Leak(ValueError):
    """A file that must not leave gives the solution away; the message has file and line."""


def grader(kit: Path = KIT, extra: Iterable[str] = (),
           starts: Iterable[str] = GRADER) -> dict[str, bytes]:
    """The files that grading needs: `autograder/grade.py` -> content.

    They are found by following imports from the command (and from `extra`, names of modules), so
    that a new module comes along where it is needed and stays at home where it is not. So do data
    files beside them that one of them names. References are added by those who know which.
    """
    checks = [f"autograder.checks.{path.stem}" for path in (kit / "autograder/checks").glob("*.py")]
    waiting, modules = [*starts, *checks, *extra], {}
    while waiting:
        name = waiting.pop()
        path = _source(kit, name)
        if name in modules or path is None or name.startswith(AT_HOME):
            continue
        modules[name] = path
        waiting += [name.rpartition(".")[0], *_imports(name, path)]
    texts = b"\n".join(path.read_bytes() for path in modules.values())
    data = [path for folder in {path.parent for path in modules.values()}
            for path in folder.iterdir() if path.suffix in DATA and path.name.encode() in texts]
    return {path.relative_to(kit).as_posix(): path.read_bytes()
            for path in sorted([*modules.values(), *data])}


def shared_references() -> list[Path]:
    """The references that students may have: the public ones, and the bank of mistakes."""
    return [path for name in ("public", diagnosis.FILE)
            for path in sorted(references.FOLDER.glob(f"{name}.*"))
            if path.suffix in (".json", ".npz")]


def _source(kit: Path, module: str) -> Path | None:
    """The file of a module of the autograder, or None if there is no such module."""
    if module.split(".")[0] != "autograder":
        return None
    path = kit.joinpath(*module.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


def _imports(module: str, path: Path) -> list[str]:
    """All that a source may import by name, wherever in it: modules, and what might be one."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[:len(package.split(".")) + 1 - node.level]
                base = ".".join([*above, *filter(None, [node.module])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def refuse_leaks(files: Mapping[str, bytes], solution: Path = KIT / "solution") -> None:
    """Look for lines and files of the solution in what is about to leave.

    What counts is a line that stands in a region of the solution (`starter.region_lines`) and
    nowhere in the starter; of short ones, which anyone might write, two in a row.

    Raises:
        Leak: at the first one found.
        BadMarkers: the solution's regions cannot be told from what is given.
    """
    known, secret = set(), set()
    for text in generate(solution).values():
        known |= {_digest(text.encode()), *(line.strip() for line in text.splitlines())}
    for path in sorted(p for problem in PROBLEMS for p in (solution / problem).rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            secret.add(_digest(path.read_bytes()))
            if path.suffix == ".py":
                secret |= region_lines(path.read_text(encoding="utf-8"))
    secret -= known
    for name, content in files.items():
        if _digest(content) in secret:
            raise Leak(f"{name} is a file of the solution")
        if name.endswith(OPAQUE):
            continue
        before = False
        for number, line in enumerate(_lines(name, content), 1):
            here = line.strip() in secret
            if here and (before or len(line.strip()) > TELLING):
                raise Leak(f"{name}, line {number} stands in the solution: {line.strip()!r}")
            before = here


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _lines(name: str, content: bytes) -> list[str]:
    """The lines of a file as a reader sees them.

    Raises:
        Leak: it is no text, so that nobody can say what it holds.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Leak(f"{name} is no text and none of {', '.join(OPAQUE)}") from None
    if name.endswith(".ipynb"):
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    elif name.endswith(".html"):
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return text.splitlines()
