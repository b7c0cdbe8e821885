"""The error bar of a grade: how far it depends on which inputs and images were drawn, and whether
grading a submission again gives the same."""

import contextlib
import random
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...assignment import ASSIGNMENT
from ...assignment.mistakes import DoesNotApply, all_mistakes, make
from ...assignment.tasks import TASKS
from ...engine.check import Check, Question
from ...engine.command import Bar
from ...engine.grade import Options, grade
from ...engine.references import References
from ...engine.sandbox.pool import Workers
from ..bank import together
from ..building import build

# Points: standard deviations that a release may have, over hidden seeds and over grading images.
MOST, MOST_OF_ACCURACY = 0.3, 0.5
# Networks between floor and target: answers of the reference with noise, on average so large beside
# a box, or a quarter of the image.
NOISE = [0.02 * 2 ** (step / 2) for step in range(9)]
RESAMPLES = 200
MISTAKES = 6  # at most, in a submission that is right in part


@dataclass(frozen=True)
class Tried:
    """A submission to grade on many draws: its folder, the tasks to ask, which are all in which it
    may lose points, and whether it is right in these."""

    folder: Path
    tasks: frozenset[str]
    right: bool = False


@dataclass(frozen=True)
class Spread:
    """Scores of several submissions, by name, on several draws of hidden inputs, without trained
    accuracy; the `right` ones among them; the points of the checks that were asked; and the
    standard deviation of the points for trained accuracy, see `over_images`."""

    scores: dict[str, list[float]]
    right: list[str]
    full: float
    of_accuracy: float

    @property
    def deviations(self) -> dict[str, float]:
        """Name of a submission that is right in part -> standard deviation of its score."""
        return {name: statistics.pstdev(scores) for name, scores in self.scores.items()
                if name not in self.right}

    def summary(self) -> list[str]:
        draws, deviations = len(next(iter(self.scores.values()))), self.deviations.values()
        return [f"{draws} draws of hidden inputs: {len(self.right)} right submissions have "
                f"{min(min(self.scores[name]) for name in self.right):g} of {self.full:g} points "
                f"at least; scores of {len(deviations)} that are right in part deviate by "
                f"{statistics.mean(deviations):.2f} points on average, {max(deviations):.2f} "
                "at most",
                f"points for trained accuracy deviate by {self.of_accuracy:.2f} over the images"]

    def failures(self) -> list[str]:
        """One line for everything that a proof must not show."""
        return [f"{name} has {min(self.scores[name]):g} of {self.full:g} points on a draw of "
                "hidden inputs" for name in self.right if min(self.scores[name]) < self.full] + [
            f"{name} deviates by {deviation:.2f} points: {self.scores[name]}"
            for name, deviation in self.deviations.items() if deviation > MOST
        ] + self.summary()[1:] * (self.of_accuracy > MOST_OF_ACCURACY)


def partly_right(solution: Path, folder: Path, count: int) -> dict[str, Tried]:
    """Copies of one problem of the solution with several known mistakes, made in `folder`; always
    the same ones. They may lose points where a mistake is, and in what stands on that."""
    draw, tried = random.Random(0), 0
    made: dict[str, Tried] = {}
    known = defaultdict(list)
    for mistake in all_mistakes().values():
        if mistake.edits:
            known[mistake.task[0]].append(mistake)
    while len(made) < count:
        tried += 1
        some = draw.sample(known[draw.choice(sorted(known))], draw.randint(1, MISTAKES))
        tasks = {mistake.task for mistake in some}
        for task in ASSIGNMENT.inner_order():
            if tasks & {*TASKS[task].needs}:
                tasks.add(task)
        with contextlib.suppress(DoesNotApply):  # two of them change the same line
            name = " ".join(mistake.name for mistake in some)
            made[name] = Tried(make(together(*some), solution, folder / str(tried)),
                               frozenset(tasks))
    return made


def over_draws(submissions: Mapping[str, Tried], solution: Path, public: References,
               seeds: Sequence[int], workers: Workers) -> tuple[float, dict[str, list[float]]]:
    """The points that can be had, and those of each submission, by name, on the hidden inputs of
    each seed; checks without public references and those of `results/` are left out."""
    asked = [check for check in ASSIGNMENT.checks
             if check.number in public.by_number
             and not public.by_number[check.number].question.results]
    full = sum(check.points for check in asked)
    scores: dict[str, list[float]] = {name: [] for name in submissions}
    for seed in Bar(seeds, desc="hidden inputs", unit="draw"):
        hidden = build(ASSIGNMENT, solution, "hidden", seed, {},
                       only=[check.number for check in asked], workers=workers)
        for name, tried in submissions.items():
            only = [check.number for check in asked if check.task_number in tried.tasks]
            result = grade(ASSIGNMENT, tried.folder, Options(only=only), references=[hidden],
                           workers=workers)
            scores[name].append(round(full - result.possible + result.score, 3))
    return full, scores


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


def repeat(source: Path, references: References, times: int,
           pools: Sequence[Workers]) -> Repeats:
    """Grade `source` so many times, on the warm workers of `pools` in turn.

    Checks of `results/` are left out: trained weights take minutes, and their points come in steps
    so that no rounding shows.
    """
    only = [number for number, reference in references.by_number.items()
            if not reference.question.results]
    scores = []
    differences = []
    first: dict[str, tuple[str, float, str]] = {}
    for run in Bar(range(times), desc="repeats", unit="grade"):
        result = grade(ASSIGNMENT, source, Options(only=only), references=[references],
                       workers=pools[run % len(pools)])
        scores.append(result.score)
        for row in result.rows:
            said = row.verdict, row.score, row.message
            if first.setdefault(row.check.number, said) != said:
                differences.append(f"grade {run + 1} of check {row.check.number}: "
                                   f"{said} instead of {first[row.check.number]}")
    return Repeats(scores, differences)
