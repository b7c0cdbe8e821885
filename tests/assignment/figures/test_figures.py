"""The figure of a check: what it shows, and that no answer breaks it."""

import re
import time
import xml.etree.ElementTree as ElementTree
from base64 import b64decode

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.figures import ALWAYS, DRAW
from autograder.engine.check import Judgement
from autograder.engine.compare import Wrong
from autograder.engine.sandbox.channel import Answer
from tests.assignment.test_odd_answers import mutations

from .cases import CASES, figure_for, outcome

pytestmark = pytest.mark.slow

MOST_BYTES = 300_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)
def test_the_figure_shows_what_differs(case, figures):
    figure = figures[case.number]
    words = [panel.alt for panel in figure.panels]
    assert len(words) == len(case.panels), words
    for alt, begin in zip(words, case.panels):
        assert re.match(begin, alt), alt
    assert case.caption in figure.caption
    for panel in figure.panels:
        kind, data = panel.source.split(",")
        assert kind == "data:image/svg+xml;base64" and len(data) < MOST_BYTES
        assert ElementTree.fromstring(b64decode(data)).tag.endswith("svg")


def test_every_kind_of_figure_has_a_case(public):
    assert {public.by_number[case.number].question.asked for case in CASES} == set(DRAW)


def test_expected_and_got_have_their_colours(figures, public):
    """Blue as expected, vermilion as it came back, both named in the key."""
    figure = figures["1.2.2"]
    drawn = b64decode(figure.panels[0].source.split(",")[1]).decode()
    colours = {entry.text: entry.colour for entry in figure.key}
    outlines = re.findall(r'style="fill: none; ([^"]*)', drawn)
    solid = [style for style in outlines if f"stroke: {colours['expected']}" in style]
    dashed = [style for style in outlines if f"stroke: {colours['yours']}" in style]
    scales, = public.by_number["1.2.2"].question.inputs["args"][1]
    assert len(solid) == len(dashed) == len(scales)
    assert all("dasharray" in style for style in dashed)
    assert not any("dasharray" in style for style in solid)


def test_a_passed_check_has_a_figure_only_if_it_is_about_training(public):
    for number, reference in public.by_number.items():
        if reference.question.asked not in ALWAYS:
            assert figure_for(outcome(public, number, reference.expected, right=True)) is None


def test_without_an_answer_there_is_no_figure(public):
    for answer in (None, Answer("timeout"), Answer("error", error={"type": "ValueError"})):
        assert figure_for(outcome(public, "1.2.2", None, answer=answer)) is None


def test_hidden_inputs_are_not_drawn(public, outcomes):
    value = outcomes["1.2.2"].answer.value
    assert figure_for(outcome(public, "1.2.2", value)) is not None
    assert figure_for(outcome(public, "1.2.2", value, tier="hidden")) is None


@pytest.mark.parametrize("number", ["2.11.1", "2.11.2"])
def test_the_accuracy_that_is_drawn_is_the_one_that_is_graded(number, public, outcomes):
    check = ASSIGNMENT.by_number[number]
    reference, value = public.by_number[number], dict(outcomes["2.11.1"].answer.value)
    shape = reference.question.truth.shape
    value["trained"] = np.resize(value["trained"], shape)
    value["fresh"] = np.zeros((reference.question.inputs["fresh"], *shape[1:]))
    drawn = figure_for(outcome(public, number, value)).panels[0].alt
    with pytest.raises(Wrong) as graded:
        check.run(value, reference.expected, reference.question, Judgement(check))
    threshold, accuracy = re.match(r"PCK@(\S+) of \w+ is (\S+);", str(graded.value)).groups()
    shown, at = re.fullmatch(r"PCK curve: (\S+) at (\S+)", drawn).groups()
    assert float(at) == float(threshold) and round(float(shown), 2) == float(accuracy)


@pytest.mark.parametrize("number", [case.number for case in CASES])
def test_an_odd_answer_never_breaks_a_figure(number, public, outcomes):
    odd = list(mutations(outcomes[number].answer.value))
    for answer in odd[::len(odd) // 3]:
        figure = figure_for(outcome(public, number, answer))
        assert figure is None or all(len(panel.source) < MOST_BYTES for panel in figure.panels)


MANY, FAR = np.zeros((10**6, 4)), 1e300
LARGE = [  # of the right kind, but with a million entries or numbers without bounds
    ("1.2.2", lambda e: [MANY]),
    ("1.2.2", lambda e: [e[0] * FAR]),
    ("1.3.2", lambda e: MANY),
    ("1.3.2", lambda e: e * FAR),
    ("1.3.2", lambda e: e - np.inf),
    ("1.4.4", lambda e: e * FAR),
    ("1.4.4", lambda e: e * np.nan),
    ("1.9.1", lambda e: np.arange(10**6)),
    ("1.9.1", lambda e: np.full(3, 2**62)),
    ("1.19.3", lambda e: [[{"boxes": MANY, "scores": MANY[:, 0], "labels": MANY[:, 0]}]]),
    ("1.19.3", lambda e: [[{**e[0][0], "boxes": e[0][0]["boxes"] * FAR,
                           "scores": e[0][0]["scores"] * FAR}]]),
    ("1.13.2", lambda e: {"curves": [[1.0] * 10**5] * 2}),
    ("1.13.2", lambda e: {"curves": [[FAR, -FAR], [float("nan")] * 3]}),
    ("2.2.3", lambda e: np.zeros((4, 3000, 3000), np.float32)),
    ("2.2.3", lambda e: e * FAR),
    ("2.5.1", lambda e: e - np.inf),
    ("2.6.3", lambda e: dict.fromkeys(e, FAR)),
    ("2.6.3", lambda e: dict.fromkeys(e, float("inf"))),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("number", "answer"), LARGE)
def test_large_answers_make_small_figures_soon(number, answer, public):
    value = answer(public.by_number[number].expected)
    begin = time.process_time()
    figure = figure_for(outcome(public, number, value))
    assert figure is None or all(len(panel.source) < MOST_BYTES for panel in figure.panels)
    assert time.process_time() - begin < 5
