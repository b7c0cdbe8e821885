"""How far a score depends on which hidden inputs were drawn: the error bar of a grade."""

import contextlib
import json
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...assignment import ASSIGNMENT
from ...assignment.mistakes import DoesNotApply, Mistake, all_mistakes, make
from ...engine.files import write_whole
from ...engine.grade import Options, grade
from ...engine.references import References
from ...engine.sandbox.pool import Workers
from ..building import build

MOST = 0.3  # points: standard deviation over hidden seeds that a release may have
MISTAKES = 6  # at most, in a submission that is right in part


@dataclass(frozen=True)
class Spread:
    """Scores of several submissions, the solution first, on several draws of hidden inputs, without
    trained accuracy; and the points of the checks that were asked."""

    scores: dict[str, list[float]]
    full: float

    @property
    def deviations(self) -> dict[str, float]:
        """Name of a submission -> standard deviation of its score, in points."""
        return {name: statistics.pstdev(scores) for name, scores in self.scores.items()}

    def summary(self) -> list[str]:
        own, *others = self.deviations.values()
        name = next(iter(self.scores))
        return [f"{len(self.scores[name])} draws of hidden inputs: {name} has "
                f"{min(self.scores[name]):g} of {self.full:g} points at least; scores of "
                f"{len(others)} submissions that are right in part deviate by "
                f"{statistics.mean(others):.2f} points on average, {max(others):.2f} at most"]

    def failures(self) -> list[str]:
        """One line for everything that a proof must not show."""
        name, scores = next(iter(self.scores.items()))
        lost = [f"{name} has {min(scores):g} of {self.full:g} points on a draw of hidden inputs"]
        return lost * (min(scores) < self.full) + [
            f"{other} deviates by {deviation:.2f} points: {self.scores[other]}"
            for other, deviation in self.deviations.items() if deviation > MOST]

    def write(self, folder: Path) -> Path:
        """Write `spread.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "spread.json", json.dumps(asdict(self), indent=1) + "\n")
        return folder / "spread.json"


def partly_right(solution: Path, folder: Path, count: int) -> dict[str, Path]:
    """Copies of one problem of the solution with several known mistakes, made in `folder`; always
    the same ones."""
    draw, tried = random.Random(0), 0
    made: dict[str, Path] = {}
    known = defaultdict(list)
    for mistake in all_mistakes().values():
        if mistake.edits:
            known[mistake.task[0]].append(mistake)
    while len(made) < count:
        tried += 1
        some = draw.sample(known[draw.choice(sorted(known))], draw.randint(1, MISTAKES))
        edits: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for mistake in some:
            for file, changes in mistake.edits.items():
                edits[file] += changes
        several = Mistake("several", "", "", some[0].rule, some[0].task, edits)
        with contextlib.suppress(DoesNotApply):  # two of them change the same line
            name = " ".join(mistake.name for mistake in some)
            made[name] = make(several, solution, folder / str(tried))
    return made


def spread(submissions: Mapping[str, Path], solution: Path, public: References,
           seeds: Sequence[int], workers: Workers,
           progress: Callable[[Iterable[int]], Iterable[int]] = iter) -> Spread:
    """Grade submissions, by name and the solution first, on hidden inputs of several seeds, on warm
    workers."""
    asked = [number for number, reference in public.by_number.items()
             if not reference.question.results]
    scores: dict[str, list[float]] = {name: [] for name in submissions}
    possible = 0.0
    for seed in progress(seeds):
        hidden = build(ASSIGNMENT, solution, "hidden", seed, {}, only=asked, workers=workers)
        for name, folder in submissions.items():
            result = grade(ASSIGNMENT, folder, Options(only=asked), references=[hidden],
                           workers=workers)
            scores[name].append(result.score)
            possible = result.possible
    return Spread(scores, possible)
