"""Figures of what the analysis of problem 1 counts and captures: tables, and feature maps."""

from collections.abc import Callable
from typing import Any

import numpy as np

from datasets.constants import CLASSES, MAP_SIZES

from ...engine.check import Question
from ...engine.compare import array, entries, sequence
from ...engine.pages import canvas
from ...engine.pages.canvas import Figure

PLURALS, MAPS = [f"{name}s" for name in CLASSES], [f"{side}x{side}" for side in MAP_SIZES]


def table(what: str, of: Callable[[Any], Any] = lambda answer: answer,
          **labels: Any) -> Callable[[Any, Any, Question], Figure]:
    """A function that draws a table where it differs; `of` takes it out of an answer."""
    def draw(answer: Any, expected: Any, question: Question) -> Figure:
        several = question.probe == "calls"
        figure = Figure(f"{what[0].upper()}{what[1:]}.")
        for mine, right in zip(answer, expected) if several else [(answer, expected)]:
            want = np.asarray(of(right))
            got = array(of(mine), what, want.shape)
            if canvas.differing(got, want).any() and not figure.panels:
                canvas.side_by_side(figure, want, got, what, **labels)
        return figure
    return draw


counts = table("true positives by map and class", lambda answer: answer["counts"],
               xticklabels=PLURALS, yticklabels=MAPS)
coverage = table("share of objects by map and class", xlabel="class", ylabel="map")
sizes = table("objects found by map and bin",
              lambda answer: sequence(answer, 2, "the result")[0], xlabel="bin", ylabel="map")


def features(answer: Any, expected: Any, question: Question) -> Figure:
    """The first captured map that differs."""
    for mine, right in zip(answer, expected):
        for name, want in (right["maps"] or {}).items():
            got = array(entries(mine["maps"], [name], "the result")[0], "a map", want.shape)
            wrong = canvas.differing(got, want)
            if wrong.any():
                image = int(wrong.argmax())
                figure = Figure(f"Layer {name}, image {image}, in one scale of colours.")
                canvas.side_by_side(figure, want[image], got[image], f"map of {name}")
                return figure
    return Figure("")
