"""Build what students download: starter, handout, data generator, grader, public references.

No solution, nothing hidden, no tests of the kit, no instructor's command.
"""

import re
import sys
import tempfile
from pathlib import Path

from datasets import term

from ... import KIT
from ...assignment import ASSIGNMENT
from ...engine import archive, references
from ...engine.files import write_whole
from . import contents

DATE, EPOCH = re.compile(rb"\(D:\d{14}"), b"(D:19800101000000"
NAME = "homework1"  # folder that the zip file unpacks to
STUDENT = Path(__file__).with_name("student")
SINGLE = ("handout/walkthrough.py", "venv.mk", ".devcontainer/devcontainer.json")
CHANGES = "CHANGELOG.md"  # of the kit; students get what corrections of their term say to them
CORRECTION = re.compile(r"^## \[(\d+\.\d+)\] - (\S+)\n\n### For students\n\n(.*?)(?=^#|\Z)",
                        re.M | re.S)
TEMPLATES = {"README.md": "README.md", "Makefile": "Makefile", "gitignore": ".gitignore",
             "AGENTS.md": "AGENTS.md",
             "classroom.yml": ".github/workflows/classroom.yml"}


def corrections(kit: Path = KIT) -> list[tuple[str, str, str]]:
    """Version, date and text of the corrections of this term, the newest first."""
    found = CORRECTION.findall((kit / CHANGES).read_text(encoding="utf-8"))
    return [entry for entry in found if entry[0].startswith(f"{term.SEED}.")]


def files() -> dict[str, bytes]:
    """The files of the release as they stand in the kit: `starter/problem1/utils.py` -> content.

    Raises:
        BadReferences: the public references are missing, damaged or stale.
        ValueError: a file would give the solution away, or the starter cannot be generated from it.
    """
    references.load(ASSIGNMENT, "public")
    found = contents.shared()
    for path in [*KIT.glob("handout/*.ipynb"), *(KIT / name for name in SINGLE)]:
        found[path.relative_to(KIT).as_posix()] = path.read_bytes()
    for template, name in TEMPLATES.items():
        text = (STUDENT / template).read_text(encoding="utf-8")
        found[name] = text.replace("{{ total }}", f"{ASSIGNMENT.points.total:g}").encode()
    corrected = [f"## {version} ({when})\n\n{says}" for version, when, says in corrections()]
    found[CHANGES] = "\n".join(["# Changes since the first version\n",
                                *(corrected or ["None.\n"])]).encode()
    contents.refuse_leaks(found)
    return found


def build(out: Path) -> int:
    """Write all, and the handout as a page and as a PDF where Chromium is, into a zip file; return
    its size in bytes.

    Raises:
        BadReferences, ValueError: see `files`.
    """
    from handout import chromium, page  # needs what requirements-dev.txt installs

    found = files()
    handout = {"handout/handout.html": page.build().encode()}
    contents.refuse_leaks(handout)
    with tempfile.TemporaryDirectory() as folder:
        html, pdf = Path(folder) / "handout.html", Path(folder) / "handout.pdf"
        html.write_bytes(handout["handout/handout.html"])
        if chromium.find():
            chromium.print_pdf(html, pdf)
            # Without the time, so that the same handout gives the same bytes.
            handout["handout/handout.pdf"] = DATE.sub(EPOCH, pdf.read_bytes())
        else:
            print("there is no Chromium, so that handout.pdf is left out: run `make browser`, "
                  "then this again", file=sys.stderr)
    content = archive.pack({f"{NAME}/{name}": text for name, text in (found | handout).items()})
    write_whole(out, content)
    return len(content)
