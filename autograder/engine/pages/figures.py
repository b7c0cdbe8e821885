"""The figure of an answer: an assignment says which function draws it (`figures.DRAW`)."""

import importlib.util
import warnings

from ..assignment import Assignment
from ..judging import Outcome
from .canvas import Figure

MOST_DRAWN = 2**22  # bytes of an answer: a larger one shows nothing, and may take long to draw


def figure_of(outcome: Outcome | None, assignment: Assignment,
              tier: str = "public") -> Figure | None:
    """The figure of an outcome on the inputs of a tier, or None where there is nothing to see."""
    name = f"{assignment.package}.figures"
    if outcome is None or outcome.tier != tier or (
            outcome.answer is None or outcome.answer.status != "ok"
            or importlib.util.find_spec(name) is None):
        return None
    figures = importlib.import_module(name)
    question = outcome.reference.question
    draw = figures.DRAW.get(question.asked)
    if (draw is None or len(outcome.answer.frame) > MOST_DRAWN
            or outcome.passed and question.probe not in figures.ALWAYS):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nan, overflow, empty limits: the figure shows them
            figure: Figure = draw(outcome.answer.value, outcome.reference.expected, question)
    except Exception:  # a wrong answer may have any form; the message says what is wrong with it
        return None
    return figure if figure.panels else None
