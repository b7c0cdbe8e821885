"""Whether grading a submission again gives the same grade."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...assignment import ASSIGNMENT
from ...engine.files import write_whole
from ...engine.grade import Options, grade
from ...engine.references import References
from ...engine.sandbox.pool import Workers


@dataclass(frozen=True)
class Repeats:
    """Several grades of one submission: their scores, and one line for each check that once said
    something else than in the first grade."""

    scores: list[float]
    differences: list[str]

    def summary(self) -> list[str]:
        points = " or ".join(f"{score:g}" for score in sorted(set(self.scores)))
        return [f"{len(self.scores)} grades of one submission: {points} points, "
                f"{len(self.differences)} rows differ"]

    def failures(self) -> list[str]:
        """One line for everything that a proof must not show."""
        return self.differences

    def write(self, folder: Path) -> Path:
        """Write `repeats.json`."""
        write_whole(folder / "repeats.json", json.dumps(asdict(self), indent=1) + "\n")
        return folder / "repeats.json"


def repeat(source: Path, references: References, times: int, pools: Sequence[Workers],
           progress: Callable[[Iterable[int]], Iterable[int]] = iter) -> Repeats:
    """Grade `source` so many times, on the warm workers of `pools` in turn.

    Checks of `results/` are left out: trained weights take minutes, and their points come in steps
    so that no rounding shows.
    """
    only = [number for number, reference in references.by_number.items()
            if not reference.question.results]
    scores = []
    differences = []
    first: dict[str, tuple[str, float, str]] = {}
    for run in progress(range(times)):
        result = grade(ASSIGNMENT, source, Options(only=only), references=[references],
                       workers=pools[run % len(pools)])
        scores.append(result.score)
        for row in result.rows:
            said = row.verdict, row.score, row.message
            if first.setdefault(row.check.number, said) != said:
                differences.append(f"grade {run + 1} of check {row.check.number}: "
                                   f"{said} instead of {first[row.check.number]}")
    return Repeats(scores, differences)
