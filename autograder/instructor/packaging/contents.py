"""What both archives hold, and that no file of them gives the solution away."""

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ... import KIT
from ...assignment import ASSIGNMENT
from ...engine import diagnosis
from ..starter import generate, region_lines

ROOMS = ("engine", "assignment")  # the folders of the autograder that students get
# What of them stays at home. Some references leave all the same: whoever packs adds them.
AT_HOME = ("assignment/mistakes/", "assignment/references/")
SINGLE = ("handout/rules.md", "starter/report.py", "requirements.txt", "requirements-torch.txt")
OPAQUE = (".npz", ".png", ".pdf")  # all that an archive may hold beside text
TELLING = 40  # characters; a shorter line of the solution tells nothing on its own


def grader(kit: Path = KIT, rooms: Iterable[str] = ROOMS) -> dict[str, bytes]:
    """The files that grading needs in these rooms of the autograder, without references and
    manuals: `autograder/engine/grade.py` -> content."""
    package = kit / "autograder"
    patterns = ["*.py", *(f"{room}/**/*" for room in rooms)]
    found = {}
    for path in sorted(path for pattern in patterns for path in package.glob(pattern)):
        name = path.relative_to(package).as_posix()
        if (path.is_file() and "__pycache__" not in path.parts and not name.startswith(AT_HOME)
                and path.suffix != ".md"):
            found[f"autograder/{name}"] = path.read_bytes()
    return found


def shared() -> dict[str, bytes]:
    """The files of both archives: what grades on public inputs, the starter, and `SINGLE`.

    Raises:
        ValueError: the starter cannot be generated from the solution.
    """
    found = grader()
    for name in ("public", diagnosis.FILE):
        for path in (ASSIGNMENT.references / f"{name}.json", ASSIGNMENT.references / f"{name}.npz"):
            found[reference_name(path)] = path.read_bytes()
    for name, text in generate(KIT / "solution").items():
        found[f"starter/{name}"] = text.encode()
    for path in [*KIT.glob("datasets/*.py"), *(KIT / name for name in SINGLE)]:
        found[path.relative_to(KIT).as_posix()] = path.read_bytes()
    return found


def reference_name(path: Path) -> str:
    """Where a file of references lies in an archive."""
    return (ASSIGNMENT.references / path.name).relative_to(KIT).as_posix()


def refuse_leaks(files: Mapping[str, bytes]) -> None:
    """Look for lines and files of the solution in what is about to leave.

    A line counts if it stands in a region of the solution (`starter.region_lines`) and nowhere in
    the starter. Short lines, which anyone might write, count only where two follow each other.

    Raises:
        ValueError: at the first one found, with file and line; or the markers of the solution's
            regions are broken.
    """
    solution, known, secret = KIT / "solution", set(), set()
    for text in generate(solution).values():
        known |= {_digest(text.encode()), *(line.strip() for line in text.splitlines())}
    for path in (p for problem in ASSIGNMENT.problems for p in (solution / problem).rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            secret.add(_digest(path.read_bytes()))
            if path.suffix == ".py":
                secret |= region_lines(path.read_text(encoding="utf-8"))
    secret -= known
    for name, content in files.items():
        if _digest(content) in secret:
            raise ValueError(f"{name} is a file of the solution")
        if name.endswith(OPAQUE):
            continue
        before = False
        for number, line in enumerate(_lines(name, content), 1):
            here = line.strip() in secret
            if here and (before or len(line.strip()) > TELLING):
                raise ValueError(f"{name}, line {number} stands in the solution: {line.strip()!r}")
            before = here


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _lines(name: str, content: bytes) -> list[str]:
    """The lines of a file as a reader sees them; ValueError where it is no text, so that nobody can
    say what it holds."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name} is no text and none of {', '.join(OPAQUE)}") from None
    if name.endswith(".ipynb"):
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    elif name.endswith(".html"):
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return text.splitlines()
