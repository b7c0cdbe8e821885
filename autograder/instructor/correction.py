"""A correction in mid-term: a mended check, sentence or tolerance, for students and Gradescope.

The term keeps its seeds. Who has handed in already is graded again, and no score is lowered unless
the instructor says so.

    build/term-SEED/correction-N/autograder.zip, homework1.zip   what replaces the earlier ones
    build/term-SEED/correction-N/grades/                         of the submissions at hand
    CHANGELOG.md                                                 a dated entry for students
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path

from .. import KIT
from ..engine.files import write_whole
from .classroom import changes
from .classroom.command import FUNCTIONAL
from .classroom.entry import Entry, load_all
from .new_term.facts import facts
from .new_term.steps import lost
from .new_term.term import RELEASE, UPLOAD, Settings
from .packaging import release, upload
from .packaging.release import CHANGES, corrections

Command = Callable[[list[str]], int]


class NotCorrected(ValueError):
    """Nothing is released; the message is one line."""


def correct(seed: int, note: str, submissions: Path, grades: Path, lower: bool,
            command: Command | None = None, kit: Path = KIT) -> str:
    """Make the archives of a correction; says which they are. Only if `lower` may scores become
    lower; `command` runs a command of the kit.

    Raises:
        NotCorrected: the solution or somebody loses points, or the term was not made here.
    """
    command, term = command or _command, kit / "build" / f"term-{seed}"
    if not note.strip():
        raise NotCorrected("the note is empty: say in a sentence what students read of it")
    old, settings = changes.earlier(grades), _settings(term, seed, kit)
    number = len(corrections(kit)) + 1
    out = term / f"correction-{number}"
    out.mkdir(parents=True, exist_ok=True)
    _done(command, ["references"])
    graded = out / "solution.json"
    _done(command, ["grade", "solution", "--json", str(graded)])
    if numbers := lost(json.loads(graded.read_text(encoding="utf-8"))["tests"]):
        raise NotCorrected(f"the solution loses points in check {', '.join(numbers)}")
    regraded = out / "grades"
    kind = next(iter(old.values())).version
    only = [word for word in kind["only"].split() if word != FUNCTIONAL]
    if "hidden" in kind["tiers"]:
        _done(command, ["references", "--tier", "hidden", "--seed", str(settings.hidden_seed)])
    _done(command, ["classroom", str(submissions.absolute()),
                    "--out", str(regraded), "--compare", str(grades.absolute()),
                    "--tier", "all" if "hidden" in kind["tiers"] else "public",
                    *["--functional"] * (FUNCTIONAL in kind["only"]),
                    *(["--only", *only] if only else [])])
    fallen = _fallen(old, load_all(regraded))
    if fallen and not lower:
        raise NotCorrected(f"{len(fallen)} scores would become lower: {', '.join(fallen[:10])}. "
                           f"See {regraded / changes.FILE}; if your note says so, add --lower")
    before = (kit / CHANGES).read_text(encoding="utf-8")
    head, mark, rest = before.partition("\n## [")
    first, mark_2, rest = rest.partition("\n## [")  # what is not released yet stays on top
    entry = (f"\n## [{seed}.{number}] - {date.today().isoformat()}\n\n### For students\n\n"
             f"- Changed: {note}\n")
    try:
        write_whole(kit / CHANGES, head + mark + first + entry + mark_2 + rest)
        upload.build(out / UPLOAD, settings.hidden_seed, settings.leaderboard, settings.torch_index)
        release.build(out / RELEASE)
    except BaseException:
        write_whole(kit / CHANGES, before)
        (out / UPLOAD).unlink(missing_ok=True)
        raise
    return (f"wrote {out / UPLOAD} and {out / RELEASE}, version {seed}.{number}: put both where "
            "the former ones are, and have Gradescope regrade all submissions")


def _settings(term: Path, seed: int, kit: Path) -> Settings:
    """What the term was made of."""
    if facts(kit)["seed"] != seed:
        raise NotCorrected(f"this checkout is of term {facts(kit)['seed']}, not of {seed}")
    try:
        state = json.loads((term / "state.json").read_text(encoding="utf-8"))
        return Settings(**state["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        raise NotCorrected(f"{term}/state.json, which has the hidden seed of the term, cannot be "
                           "read: correct it where the term was made") from None


def _command(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "autograder", *arguments], cwd=KIT).returncode


def _done(command: Command, arguments: list[str]) -> None:
    if command(arguments):
        raise NotCorrected(f"{' '.join(arguments[:2])} did not pass, see above")


def _fallen(old: dict[str, Entry], new: list[Entry]) -> list[str]:
    """Who has fewer points for the same work."""
    difference: dict[str, float] = defaultdict(float)
    for change in changes.between(old, new):
        if not change.other:
            difference[change.student] += change.after - change.before
    return sorted(student for student, points in difference.items() if points < -1e-9)
