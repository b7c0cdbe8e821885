"""What a check asks of a submission: a probe of the worker and its inputs."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Question:
    """One question, answered by one fresh worker process.

    Args:
        problem: `"problem1"` or `"problem2"`, the folder that the worker imports from.
        probe: name in `autograder.worker.probes.PROBES`.
        inputs: keyword arguments of the probe; arrays reach it as tensors.
        truth: what only the grader may know (labels of grading images); never sent.
        results: files of the submission's `results/` that the probe reads.
        cpu_seconds: CPU time after which the worker is ended.
    """

    problem: str
    probe: str
    inputs: dict[str, Any]
    truth: Any = None
    results: tuple[str, ...] = ()
    cpu_seconds: int = 20


@dataclass(frozen=True)
class Check:
    """What a graded check's decorators say about it.

    Args:
        number: `task.check`, for example `"1.3.2"`.
        rule: id in `handout/rules.md`.
        ask: `ask(rng) -> Question`: the inputs, drawn afresh for every tier and term.
    """

    number: str
    title: str
    points: float
    rule: str
    ask: Callable[[np.random.Generator], Question] = field(repr=False)

    @property
    def task(self) -> str:
        """`"1.3"` of `"1.3.2"`."""
        return self.number.rsplit(".", 1)[0]


def asks(rule: str, ask: Callable[[np.random.Generator], Question]):
    """Decorator: the check tests `rule` on the answer to the question that `ask` builds."""

    def decorate(function):
        function.__rule__ = rule
        function.__ask__ = ask
        return function

    return decorate


def call1(function: str, *args: Any, arrays_too: bool = False, **kwargs: Any) -> Question:
    """Call a function of problem 1, for example `call1("utils.compute_iou", boxes1, boxes2)`."""
    return _call("problem1", function, args, kwargs, arrays_too)


def call2(function: str, *args: Any, arrays_too: bool = False, **kwargs: Any) -> Question:
    """Call a function of problem 2."""
    return _call("problem2", function, args, kwargs, arrays_too)


def _call(problem, function, args, kwargs, arrays_too) -> Question:
    inputs = {"function": function, "args": list(args), "kwargs": kwargs, "arrays_too": arrays_too}
    return Question(problem, "call", inputs)


def pure(question: Question) -> Question:
    """The same question, to which an answer counts only if it leaves its arguments as they were."""
    return replace(question, inputs={**question.inputs, "pure": True})


def calls(problem: str, function: str, *argument_lists: list[Any], catch: bool = False) -> Question:
    """Call a function once per list of arguments, in one worker.

    Args:
        catch: answer an exception by its type's name instead of failing.
    """
    inputs = {"function": function, "argument_lists": list(argument_lists), "catch": catch}
    return Question(problem, "calls", inputs)
