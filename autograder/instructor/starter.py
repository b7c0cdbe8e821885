"""Generate `starter/` from `solution/`: the marked regions go, everything else stays.

A region begins with `# BEGIN SOLUTION Task <number> <name> <rule>` and ends with `# END SOLUTION`.
Its lines become `raise NotImplementedError("Task ...: see handout, rule ...")`. A region whose
first line has no such name disappears without a trace: helpers that only the solution needs. The
checks of their file ask about them, or those of the task in `# BEGIN SOLUTION for Task <number>`.

Beside the problems lies the report, which loses the values of its tables, and `report.py`, which
fills it in: the only file of `starter/` that is written there.

Comments `# mutants: ...` (see `autograder.instructor.proof.excuses`) are for instructors alone and
stand inside regions.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..assignment import ASSIGNMENT

BEGIN = re.compile(r"^(\s*)# BEGIN SOLUTION(?: Task (\S+) (\S+) (P[12]\.\S+)| for Task (\S+))?$")
END = re.compile(r"^\s*# END SOLUTION$")
REPORT = "report.md"
VALUE = re.compile(r"^(\| [^|\n]+ \|) [\d.,]+ \|", re.M)  # in the second cell of a row
EXCUSE = re.compile(r"\s*# mutants: .*$")


def strip(source: str, name: str) -> str:
    """A solution file's text as the student receives it.

    Raises:
        ValueError: a region is not closed, closed twice, nested, or its marker is malformed; or a
            comment about mutants stands outside of one, where there are none.
    """
    lines, opened = [], None
    for number, line in enumerate(source.splitlines(), 1):
        begin, end = BEGIN.match(line), END.match(line)
        if not begin and not end and re.search(r"(BEGIN|END)\s*SOLUTION", line, re.IGNORECASE):
            raise ValueError(f"{name}, line {number}: malformed marker {line.strip()!r}")
        if begin:
            if opened:
                raise ValueError(f"{name}, line {number}: a region begins inside the one of line "
                                 f"{opened}")
            opened = number
            indent, task, title, rule, _ = begin.groups()
            if task:
                message = f'"Task {task} {title}: see handout, rule {rule}"'
                stub = f"{indent}raise NotImplementedError({message})"
                lines += [stub] if len(stub) <= 100 else [
                    f"{indent}raise NotImplementedError(", f"{indent}    {message}", f"{indent})"]
        elif end:
            if not opened:
                raise ValueError(f"{name}, line {number}: a region ends that has not begun")
            opened = None
        elif not opened:
            if EXCUSE.search(line):
                raise ValueError(f"{name}, line {number}: a comment about mutants stands outside "
                                 "of a region, where there are none")
            lines.append(line)
    if opened:
        raise ValueError(f"{name}, line {opened}: the region is never closed")
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)) + "\n"


def region_lines(source: str) -> set[str]:
    """The lines of a solution file that must not leak: those of its regions, without indent.

    Lines too short or too common to tell anything (`return boxes`) do not count.
    """
    lines = source.splitlines()
    codes = {EXCUSE.sub("", lines[number - 1]).strip()
             for region, _ in regions(source) for number in region}
    return {code for code in codes if len(code) >= 20}


def regions(source: str) -> Iterator[tuple[range, re.Match[str]]]:
    """The numbers of the lines in each region, and its first line as `BEGIN` matches it."""
    for number, line in enumerate(source.splitlines(), 1):
        if match := BEGIN.match(line):
            first, begin = number + 1, match
        elif END.match(line):
            yield range(first, number), begin


def sources(solution: Path) -> dict[str, str]:
    """File name (`problem1/utils.py`) -> text, of every file of a solution, or of a starter."""
    paths = [*(path for problem in ASSIGNMENT.problems
               for path in sorted((solution / problem).glob("*.py"))),
             solution / REPORT]
    return {path.relative_to(solution).as_posix(): path.read_text(encoding="utf-8")
            for path in paths if path.is_file()}


def generate(solution: Path) -> dict[str, str]:
    """Starter file name (`problem1/utils.py`) -> text.

    Raises:
        ValueError: see `strip`; also if a line of a region stands outside of it as well.
    """
    starter = {}
    for name, source in sources(solution).items():
        if name.endswith(".md"):
            starter[name] = VALUE.sub(r"\1  |", source)
            continue
        starter[name] = strip(source, name)
        secret = region_lines(source)
        for number, line in enumerate(starter[name].splitlines(), 1):
            if line.strip() in secret:
                raise ValueError(f"{name}, line {number}: a solution line leaks: {line.strip()!r}")
    return starter


def differences(solution: Path, starter: Path) -> list[str]:
    """One sentence for every file of `starter` that is not what `solution` generates."""
    wanted, found = generate(solution), sources(starter)
    messages = [f"starter/{name} is missing" for name in sorted(wanted.keys() - found)]
    messages += [f"starter/{name} has no source in solution/"
                 for name in sorted(found.keys() - wanted)]
    return messages + [f"starter/{name} differs from what solution/{name} generates"
                       for name in sorted(found.keys() & wanted) if found[name] != wanted[name]]


def write(solution: Path, starter: Path) -> list[str]:
    """Write all starter files, remove the ones without a source; return the names written."""
    wanted = generate(solution)
    for problem in ASSIGNMENT.problems:
        shutil.rmtree(starter / problem / "__pycache__", ignore_errors=True)
    for name in sources(starter).keys() - wanted:
        (starter / name).unlink()
    for name, text in wanted.items():
        path = starter / name
        (starter / name.partition("/")[0] / "results" if "/" in name else starter).mkdir(
            parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return sorted(wanted)
