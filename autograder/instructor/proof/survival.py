"""Which mutants of the solution the checks catch, and which survive.

A mutant is caught when a check of its task fails on the public inputs. Those that no check should
catch are excused in `mutation_equivalents.toml`; what that list says and is not so is reported.
"""

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from ...assignment import ASSIGNMENT
from ...engine.check import Check
from ...engine.compare import Wrong
from ...engine.judging import judge
from ...engine.references import References, worker_seed
from ...engine.sandbox.pool import Inquiry, Workers
from ...engine.submission import Submission
from .mutation import Mutant

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("mutation_equivalents.toml")
CAUGHT_SHARE = 0.97  # of the mutants that are not excused must be caught
KINDS = {
    "equivalent": "do the same",
    "free": "do what the rules leave free",
    "unasked": "stand in code that no check runs",
}


class BadList(ValueError):
    """The list of excused mutants cannot be read; the message is one line."""


@dataclass(frozen=True)
class Excuse:
    """Mutants that no check should catch.

    Args:
        kind: one of KINDS. What is "free" may still break, and is caught then; the others never.
        functions: qualified names; empty at module level.
        reason: a sentence.
        lines: original lines; None for all.
        mutants: changed lines; None for all.
    """

    kind: str
    file: str
    functions: tuple[str, ...]
    reason: str
    lines: tuple[str, ...] | None = None
    mutants: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind == "equivalent" and self.mutants is None:
            raise TypeError(f"what is equivalent is listed one by one: {self.file} {self.reason}")

    def fits(self, mutant: Mutant) -> bool:
        return (mutant.file == self.file and mutant.function in self.functions
                and (self.lines is None or mutant.original in self.lines)
                and (self.mutants is None or mutant.mutated in self.mutants))


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Args:
        check: the number of the first check that failed; None if all passed.
        message: what that check said.
        cpu_seconds: of the mutant's own code.
    """

    mutant: Mutant
    check: str | None
    message: str = ""
    cpu_seconds: float = 0.0


def excuses(file: Path = FILE) -> list[Excuse]:
    """Read the list: tables `[[equivalent]]`, `[[free]]`, `[[unasked]]`.

    Raises:
        BadList: it is no such list.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        unknown = set(content) - set(KINDS)
        if unknown:
            raise TypeError(f"there is no kind {unknown.pop()!r} (there are {', '.join(KINDS)})")
        return [Excuse(kind, **{key: tuple(value) if isinstance(value, list) else value
                                for key, value in table.items()})
                for kind, tables in content.items() for table in tables]
    except (OSError, TypeError, AttributeError, tomllib.TOMLDecodeError) as error:
        raise BadList(f"{file.name}: {error}") from None


def excuse_of(mutant: Mutant, listed: list[Excuse]) -> Excuse | None:
    """The first excuse that fits."""
    return next((excuse for excuse in listed if excuse.fits(mutant)), None)


def sample(mutants: list[Mutant], listed: list[Excuse], every: int) -> list[Mutant]:
    """Every n-th mutant without an excuse: the same ones each time."""
    return [mutant for mutant in mutants if excuse_of(mutant, listed) is None][::every]


def try_out(solution: Path, mutants: list[Mutant], references: References, workers: Workers,
            slots: int, progress: Callable[[Iterable], Iterable] = iter) -> list[Verdict]:
    """Ask the checks of each mutant's task until one fails.

    Args:
        references: the public ones. Checks that read `results/` are left out: they grade what the
            code has written, not the code.
        slots: mutants side by side, as many as `workers` has.

    Raises:
        Wrong: the solution itself fails a check, so that nothing could be concluded.
    """
    checks = [check for check in ASSIGNMENT.checks
              if not references.by_number[check.number].question.results]

    def first_failure(root: Path, tasks: Iterable[str]) -> tuple[str | None, str, float]:
        asked = [check for check in checks if check.task_number in tasks]
        return _first_failure(workers.about(Submission(root, ())), asked, references)

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, \
            ThreadPoolExecutor(slots) as threads:
        def judged(mutant: Mutant) -> Verdict:
            with tempfile.TemporaryDirectory(dir=folder) as name:
                root = Path(name)
                _copy(solution, root)
                (root / mutant.file).write_text(mutant.text, encoding="utf-8")
                return Verdict(mutant, *first_failure(root, mutant.tasks))

        plain = Path(folder) / "solution"
        _copy(solution, plain)
        number, message, _ = first_failure(plain, {task for m in mutants for task in m.tasks})
        if number is not None:
            raise Wrong(f"the solution itself fails check {number}: {message}")
        return list(progress(threads.map(judged, mutants)))


def _copy(solution: Path, to: Path) -> None:
    for problem in ASSIGNMENT.problems:
        shutil.copytree(solution / problem, to / problem,
                        ignore=shutil.ignore_patterns("results", "__pycache__"))


def _first_failure(inquiry: Inquiry, checks: list[Check],
                   references: References) -> tuple[str | None, str, float]:
    seconds = 0.0
    for check in checks:
        reference = references.by_number[check.number]
        answer = inquiry.ask(reference.question, check.task_number,
                             worker_seed(check.number)).result()
        seconds += answer.cpu_seconds
        outcome = judge(check, references.tier, reference, answer)
        if outcome.error is not None:
            return check.number, str(outcome.error), seconds
    return None, "", seconds


@dataclass(frozen=True)
class Survival:
    """What the verdicts amount to.

    Args:
        mutants: all of the solution.
        verdicts: on all of them, or on a sample.
    """

    mutants: list[Mutant]
    listed: list[Excuse]
    verdicts: list[Verdict]

    @cached_property
    def excused(self) -> dict[Mutant, Excuse]:
        """Survivors with an excuse."""
        found = {v.mutant: excuse_of(v.mutant, self.listed) for v in self.verdicts
                 if v.check is None}
        return {mutant: excuse for mutant, excuse in found.items() if excuse is not None}

    @cached_property
    def survivors(self) -> list[Mutant]:
        """Those without."""
        return [v.mutant for v in self.verdicts if v.check is None and v.mutant not in self.excused]

    @property
    def caught(self) -> int:
        return sum(verdict.check is not None for verdict in self.verdicts)

    @property
    def share(self) -> float:
        """Caught mutants among those that are not excused."""
        return self.caught / max(1, self.caught + len(self.survivors))

    def untrue(self) -> list[str]:
        """What the list of excuses says and is not so, line by line."""
        told = []
        whole = len(self.verdicts) == len(self.mutants)
        for excuse in self.listed:
            where = f"{FILE.name}: {excuse.kind}, {excuse.file}"
            fitting = [mutant for mutant in self.mutants if excuse.fits(mutant)]
            told += [f"{where}: there is no mutant of: {line}" for line in excuse.lines or ()
                     if line not in {mutant.original for mutant in fitting}]
            told += [f"{where}: there is no mutant: {line}" for line in excuse.mutants or ()
                     if line not in {mutant.mutated for mutant in fitting}]
            known = {mutant.function for mutant in self.mutants if mutant.file == excuse.file}
            told += [f"{where}: there is no mutant in: {function or 'the module'}"
                     for function in excuse.functions if function not in known]
            if excuse.kind != "free":
                told += [f"{where}: check {v.check} does catch: {v.mutant.mutated}"
                         for v in self.verdicts if v.check is not None and excuse.fits(v.mutant)]
            elif whole:
                alive = {m.original for m, given in self.excused.items() if given is excuse}
                told += [f"{where}: all changes are caught of: {line}"
                         for line in dict.fromkeys(mutant.original for mutant in fitting)
                         if excuse.lines is not None and line not in alive]
        return told

    def failures(self) -> list[str]:
        """One line for everything that a proof must not show."""
        lines = self.untrue()
        if self.share < CAUGHT_SHARE:
            lines.append(f"{self.share:.1%} of the mutants are caught, less than "
                         f"{CAUGHT_SHARE:.0%}")
        return lines

    def summary(self) -> list[str]:
        """The numbers, and the survivors."""
        kinds = Counter(excuse.kind for excuse in self.excused.values())
        lines = [f"{len(self.verdicts)} of {len(self.mutants)} mutants: {self.caught} caught, "
                 f"{len(self.survivors)} survive ({self.share:.1%} caught)"]
        lines += [f"  {kinds[kind]} more {what}" for kind, what in KINDS.items() if kinds[kind]]
        return lines + [f"  survives: {mutant}" for mutant in self.survivors]

    def write(self, folder: Path) -> Path:
        """Write `mutants.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        by_operator = Counter(), Counter()
        for verdict in self.verdicts:
            if verdict.mutant not in self.excused:
                by_operator[verdict.check is None].update([verdict.mutant.operator])
        content = {
            "mutants": len(self.mutants), "tried": len(self.verdicts), "caught": self.caught,
            "share": self.share, "cpu_seconds": round(sum(v.cpu_seconds for v in self.verdicts)),
            "excused": dict(Counter(excuse.kind for excuse in self.excused.values())),
            "by_operator": {name: {"caught": by_operator[0][name], "survived": by_operator[1][name]}
                            for name in sorted(by_operator[0] | by_operator[1])},
            "survivors": [_plain(mutant) for mutant in self.survivors],
            "excuses": [{**asdict(excuse), "mutants": [
                _plain(m) for m, given in self.excused.items() if given is excuse]}
                for excuse in self.listed],
            "caught_by": [{**_plain(v.mutant), "check": v.check, "message": v.message}
                          for v in self.verdicts if v.check is not None],
        }
        path = folder / "mutants.json"
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return path


def _plain(mutant: Mutant) -> dict:
    return {key: getattr(mutant, key)
            for key in ("file", "line", "function", "operator", "original", "mutated")}
