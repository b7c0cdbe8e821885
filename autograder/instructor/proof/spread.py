"""The error bar of a grade: how far it depends on which inputs and images were drawn, and whether
grading a submission again gives the same."""

import contextlib
import json
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...assignment import ASSIGNMENT
from ...assignment.mistakes import DoesNotApply, Mistake, all_mistakes, make
from ...engine.check import Check, Question
from ...engine.files import write_whole
from ...engine.grade import Options, grade
from ...engine.references import References
from ...engine.sandbox.pool import Workers
from ..building import build

# Points: standard deviations that a release may have, over hidden seeds and over grading images.
MOST, MOST_OF_ACCURACY = 0.3, 0.5
# Networks between floor and target: answers of the reference with noise, on average so large beside
# a box, or a quarter of the image.
NOISE = [0.02 * 2 ** (step / 2) for step in range(9)]
RESAMPLES = 200
MISTAKES = 6  # at most, in a submission that is right in part


@dataclass(frozen=True)
class Spread:
    """Scores of several submissions, the solution first, on several draws of hidden inputs, without
    trained accuracy; the points of the checks that were asked; and the standard deviation of the
    points for trained accuracy, see `over_images`."""

    scores: dict[str, list[float]]
    full: float
    of_accuracy: float

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
                f"{statistics.mean(others):.2f} points on average, {max(others):.2f} at most",
                f"points for trained accuracy deviate by {self.of_accuracy:.2f} over the images"]

    def failures(self) -> list[str]:
        """One line for everything that a proof must not show."""
        name, scores = next(iter(self.scores.items()))
        lost = [f"{name} has {min(scores):g} of {self.full:g} points on a draw of hidden inputs"]
        return lost * (min(scores) < self.full) + [
            f"{other} deviates by {deviation:.2f} points: {self.scores[other]}"
            for other, deviation in self.deviations.items() if deviation > MOST
        ] + self.summary()[1:] * (self.of_accuracy > MOST_OF_ACCURACY)

    def write(self, folder: Path) -> Path:
        """Write `spread.json`."""
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
    return Spread(scores, possible, over_images(solution, public, workers))


def over_images(solution: Path, references: References, workers: Workers) -> float:
    """Standard deviation of the points for trained accuracy over bootstrapped grading images.

    Of submissions whose networks are all as noisy, the one counts whose points deviate most.
    """
    checks: dict[str, list[Check]] = defaultdict(list)  # by the question whose answer they judge
    for check in ASSIGNMENT.checks:
        if check.accuracy:
            checks[check.like or check.number].append(check)
    asked = grade(ASSIGNMENT, solution, Options(only=list(checks)), references=[references],
                  workers=workers)
    rng, deviations = np.random.default_rng(0), []  # [questions, noises]
    for row in asked.rows:
        question = references.by_number[row.check.number].question
        images = rng.integers(len(question.truth), size=(RESAMPLES, len(question.truth)))
        assert row.outcome and row.outcome.answer
        answers = [noisy(row.outcome.answer.value, noise, rng) for noise in NOISE]
        deviations.append([np.std(np.sum([
            _points(check, answer, question, images, references.by_number[check.number].expected)
            for check in checks[row.check.number]], axis=0)) for answer in answers])
    return round(float(np.linalg.norm(deviations, axis=0).max()), 3)


def noisy(answer: dict[str, Any], noise: float, rng: np.random.Generator) -> dict[str, Any]:
    """What a worse network answers: boxes or keypoints further off, in some images much further."""
    def moved(places: np.ndarray, unit: Any) -> np.ndarray:
        return places + rng.normal(0, rng.gamma(4, noise / 4), places.shape) * unit

    if "trained" in answer:
        return {"trained": np.stack([moved(points, 0.25) for points in answer["trained"]])}
    return {**answer, "decoded": [
        {**image, "boxes": moved(image["boxes"], np.tile(
            image["boxes"][:, 2:] - image["boxes"][:, :2], 2))} for image in answer["decoded"]]}


def _points(check: Check, answer: Any, question: Question, images: np.ndarray,
            expected: dict[str, float]) -> np.ndarray:
    """Points on each of several draws of images."""
    assert check.measured and check.measured.per_image
    found = check.measured.per_image(answer, question)
    return np.array([check.credit(check.measured.total([found[i] for i in drawn]),
                                  expected["floor"], expected["target"]) for drawn in images])


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
