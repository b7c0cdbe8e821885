"""Excuses: comments of the solution about mutants that no check should catch.

    overlap = compute_iou(box, others)[0]  # mutants: equivalent ([0] -> [-1]), there is one row
    # mutants: free, what a picture shows

An excuse at the end of a line is about this line. On a line of its own it is about the lines below,
up to the end of the block or to a blank line at the same depth; directly below `# BEGIN SOLUTION`
it is about the whole region. Its kind says why no check should catch the mutants:

    equivalent   They do the same as the solution. Each change is listed.
    free         They do something else, which the rules allow. Checks may catch some of them: a
                 change can also break the code.
    unasked      They are in code that no check runs.

Changes are listed in brackets, with `; ` between them; an excuse without brackets is about every
change. `old -> new` and `without old` change one place in a line, `swap a, b` makes `b, a` of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..starter import BEGIN, END, EXCUSE, sources
from .mutation import Mutant

KINDS = {
    "equivalent": "do the same",
    "free": "do what the rules leave free",
    "unasked": "are in code that no check runs",
}
FORM = re.compile(r"# mutants: (\w+)(?: \((.+)\))?, (.+)")


@dataclass(frozen=True)
class Excuse:
    """Mutants that no check should catch.

    Args:
        file: `problem1/utils.py`; line: of the comment, from 1.
        kind: one of KINDS.
        changes: as written; empty for every change.
        reason: why.
        lines: numbers of the lines that it is about.
    """

    file: str
    line: int
    kind: str
    changes: tuple[str, ...]
    reason: str
    lines: range

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.kind}"

    def fits(self, mutant: Mutant) -> bool:
        """Whether the mutant is one of those that are excused."""
        return (mutant.file == self.file and mutant.line in self.lines
                and (not self.changes or any(is_made_by(c, mutant) for c in self.changes)))


def is_made_by(change: str, mutant: Mutant) -> bool:
    """Whether one of the listed changes, at one place, makes the mutant."""
    return any(mutant.original[:place.start()] + new + mutant.original[place.end():]
               == mutant.mutated
               for old, new in _meanings(change)
               for place in re.finditer(re.escape(old), mutant.original))


def _meanings(change: str) -> Iterator[tuple[str, str]]:
    """`(old, new)`; a swap has several, since an argument may hold a comma itself."""
    if change.startswith("swap "):
        old = change.removeprefix("swap ")
        for comma in re.finditer(", ", old):
            yield old, f"{old[comma.end():]}, {old[:comma.start()]}"
    elif change.startswith("without "):
        old = change.removeprefix("without ")
        yield old, ""
        yield f"{old}, ", ""  # an argument before others
    elif " -> " in change:
        old, new = change.split(" -> ", 1)
        yield old, new


def excuses_of_solution(solution: Path) -> list[Excuse]:
    """Every excuse of every file.

    Raises:
        ValueError: a comment begins like an excuse and has another form.
    """
    return [excuse for file, source in sources(solution).items() if file.endswith(".py")
            for excuse in excuses_of(source, file)]


def excuses_of(source: str, file: str) -> list[Excuse]:
    """The excuses of one file.

    Raises:
        ValueError: see `excuses_of_solution`.
    """
    lines = source.splitlines()
    return [_read(comment.group().strip(), file, number, _about(lines, number))
            for number, line in enumerate(lines, 1) if (comment := EXCUSE.search(line))]


def _read(comment: str, file: str, line: int, about: range) -> Excuse:
    form = FORM.fullmatch(comment)
    if form is None:
        raise ValueError(
            f"{file}, line {line}: not of the form `# mutants: KIND (CHANGES), REASON`")
    kind, listed, reason = form.groups()
    changes = tuple(listed.split("; ")) if listed else ()
    if kind not in KINDS:
        raise ValueError(f"{file}, line {line}: there is no kind {kind!r} "
                         f"(there are {', '.join(KINDS)})")
    if kind == "equivalent" and not changes:
        raise ValueError(f"{file}, line {line}: changes that are equivalent are listed one by one")
    for change in changes:
        if not list(_meanings(change)):
            raise ValueError(f"{file}, line {line}: {change!r} is none of `old -> new`, "
                             "`without old` and `swap a, b`")
    return Excuse(file, line, kind, changes, reason, about)


def _about(lines: list[str], number: int) -> range:
    """The numbers of the lines that the excuse in line `number` is about."""
    def depth(line: str) -> int:
        return len(line) - len(line.lstrip())

    comment = lines[number - 1]
    if not comment.lstrip().startswith("#"):
        return range(number, number + 1)
    above = next((line for line in lines[number - 2::-1] if not EXCUSE.fullmatch(line)), "")
    whole_region = BEGIN.match(above) is not None
    last, after_blank = number, False
    for below, line in enumerate(lines[number:], number + 1):
        if END.match(line):
            break
        if not line.strip():
            after_blank = True
            continue
        if not whole_region and depth(line) < depth(comment) + after_blank:
            break
        last, after_blank = below, False
    return range(number + 1, last + 1)
