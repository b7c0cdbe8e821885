"""What an assignment is made of: tasks, checks, and the questions that checks ask a submission.

    @check("1.3.2", "P1.iou.pairs", lambda rng: call("problem1", "utils.compute_iou", ...))
    def test_iou_of_all_pairs(answer, expected):
        '''N boxes against M others give iou[N, M], row i for box i of the first argument.'''
        close(answer, expected, "iou")

makes `test_iou_of_all_pairs` a `Check`: the function judges, its docstring is the sentence that
students read.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from .points import Accuracy, task_of

MAX_READ = 2**20  # bytes of a handed-in file that the grader itself reads


@dataclass(frozen=True)
class Task:
    """One task of the assignment.

    Args:
        number: `"1.3"`.
        file: what the student edits; several are separated by commas.
        needs: numbers of earlier tasks whose code runs in the checks of this one.
        functions: its functions that later tasks, and later ones of these, call
            (`"utils.compute_iou"`); their calls are recorded, so that later checks can be graded
            beside a wrong one (`follow_through`).
        begins: what is asked where a question names no function (`"loss.DetectionLoss.forward"`).
    """

    number: str
    title: str
    file: str
    needs: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    begins: str = ""

    @property
    def files(self) -> list[str]:
        """The files that the student edits."""
        return self.file.split(", ")


@dataclass(frozen=True)
class Question:
    """One question, answered by one fresh worker process.

    Args:
        problem: the folder that the worker imports from, for example `"problem1"`.
        probe: name of a probe: one of the engine (`sandbox.probes`) or of the assignment.
        inputs: keyword arguments of the probe; arrays reach it as tensors.
        truth: what only the grader may know (labels of grading images); never sent.
        results: files of the submission's `results/` that the probe reads.
        handed: files of the submission in which it claims something, such as a report. The grader
            reads them itself, and no process that runs student code sees them. Where none of them
            is there, nothing is asked, and the answer is None.
        cpu_seconds: CPU time after which the worker is ended.
        then: name of a probe that looks at an answer, in a process that runs no code of the
            submission: see `Inquiry`. What it returns is `seen` for the check.
    """

    problem: str
    probe: str
    inputs: Mapping[str, Any]
    truth: Any = None
    results: tuple[str, ...] = ()
    handed: tuple[str, ...] = ()
    cpu_seconds: int = 20
    then: str = ""

    @property
    def asked(self) -> str:
        """The function of the submission that is called, or the probe where inputs name none."""
        return str(self.inputs.get("function", self.probe))

    def files(self, task: Task | None) -> list[str]:
        """The files in which it is answered: that of the function which is called, or those of its
        task where none is named."""
        module, dot, _ = self.asked.partition(".")
        return [f"{self.problem}/{module}.py"] if dot or task is None else task.files


@dataclass(frozen=True)
class Measured:
    """How an accuracy is measured, for a check that looks at a trained network.

    Args:
        per_image: `per_image(answer, question)`: what each image gives; None where points follow
            from what is claimed of the network.
        total: `total(of_images)`: the accuracy; floor and target follow from the reference's.
        title: what is measured of which network, for sentences and tables.
        chance: `chance(question)`: the accuracy of an answer that does not look at the images, and
            its standard error; needed where `points.toml` sets the floor by them.
    """

    per_image: Callable[[Any, Question], Any] | None = None
    total: Callable[[Any], float] = sum
    title: str = ""
    chance: Callable[[Question], tuple[float, float]] | None = None

    def accuracy(self, answer: Any, question: Question) -> float | None:
        """The accuracy of an answer."""
        return self.per_image and float(self.total(self.per_image(answer, question)))

    def thresholds(self, rule: Accuracy, reference: float, question: Question) -> dict[str, float]:
        """Floor and target, given the accuracy of the reference (in 0..1) and the rule how much of
        it is enough.

        Raises:
            ValueError: there is no room between them.
        """
        return rule.thresholds(reference, *(self.chance(question) if self.chance else ()))


@dataclass
class Judgement:
    """What a check says beside its verdict. A check that takes a `judgement` may fill it in.

    Args:
        check: the check, with its points.
        score: its points where it grants a part of them; None for all or nothing.
        remarks: sentences that are worth knowing and cost nothing.
        accuracy: of a trained network: `name`, `measured`, and what the submission has `claimed`.
    """

    check: "Check"
    score: float | None = None
    remarks: list[str] = field(default_factory=list)
    accuracy: dict[str, Any] | None = None


@dataclass(frozen=True)
class Check:
    """One graded check.

    Args:
        number: `task.check`, for example `"1.3.2"`.
        rule: id in the rules of the assignment.
        ask: `ask(rng) -> Question`: the inputs, drawn afresh for every tier and term, so that their
            structure (counts, order, which of them hit) gives another answer each time; or
            `ask(rng, made)`, with how the references are made, and their tier.
        judge: raises `Wrong` for a wrong answer. Takes by name what it needs: `answer`, `expected`
            (what the solution answered), `question`, `judgement`, `handed` (name -> content of the
            question's files that are there), `seen` (see `Question.then`; None if nothing was).
        sentence: what a student reads.
        measured: set where the answer is what a trained network predicts.
        constant: why the right answer is the same on all inputs, where it is: whoever has seen it
            on public inputs can repeat it on hidden ones. Empty everywhere else.
        like: number of an earlier check of the task that has the same question, so that this one
            judges its answer: nothing is asked twice.
        beside: needed tasks that run, but what they give does not enter what the check looks at.
        task, points, extra, accuracy: from the assignment and its points file, once it is loaded;
            `extra` points come on top of the total.
    """

    number: str
    rule: str
    ask: Callable[..., Question] = field(repr=False)
    judge: Callable[..., None] = field(repr=False)
    sentence: str
    measured: Measured | None = field(default=None, repr=False)
    constant: str = ""
    like: str = ""
    beside: tuple[str, ...] = ()
    task: Task = field(default=Task("", "", ""), repr=False)
    points: float = 0.0
    extra: bool = False
    accuracy: Accuracy | None = field(default=None, repr=False)

    @property
    def task_number(self) -> str:
        """`"1.3"` of `"1.3.2"`."""
        return task_of(self.number)

    def question(self, rng: np.random.Generator, made: Mapping[str, Any]) -> Question:
        """Draw the question; `made` says how the references are made."""
        takes_made = "made" in inspect.signature(self.ask).parameters
        return self.ask(rng, made) if takes_made else self.ask(rng)

    def credit(self, accuracy: float, floor: float, target: float) -> float:
        """Points for an accuracy between floor and target.

        Raises:
            ValueError: the points of this check do not follow from an accuracy.
        """
        if self.accuracy is None:
            raise ValueError(f"check {self.number} has no rule for accuracies")
        return self.accuracy.credit(accuracy, floor, target, self.points)

    def run(self, answer: Any, expected: Any, question: Question, judgement: Judgement,
            handed: Mapping[str, bytes] = MappingProxyType({}), seen: Any = None) -> None:
        """Judge an answer beside the solution's; `judgement` gets what is said beside the verdict.

        Raises:
            Wrong: it is wrong.
        """
        given = {"answer": answer, "expected": expected, "question": question,
                 "judgement": judgement, "handed": handed, "seen": seen}
        self.judge(**{name: given[name] for name in inspect.signature(self.judge).parameters})


def check(number: str, rule: str, ask: Callable[..., Question],
          measured: Measured | None = None, constant: str = "", like: str = "",
          beside: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Check]:
    """Decorator: the function is the graded check with this number, see `Check`; `ask(rng)` or
    `ask(rng, made)` draws the question."""

    def decorate(function: Callable[..., None]) -> Check:
        return Check(number, rule, ask, function, " ".join((function.__doc__ or "").split()),
                     measured, constant, like, beside)

    return decorate


def call(problem: str, function: str, *args: Any, arrays_too: bool = False,
         **kwargs: Any) -> Question:
    """Call a function, for example `call("problem1", "utils.compute_iou", boxes1, boxes2)`.

    Args:
        arrays_too: if tensors make it raise, call it once more with numpy arrays (for functions
            whose interface names no type).
    """
    inputs = {"function": function, "args": list(args), "kwargs": kwargs, "arrays_too": arrays_too}
    return Question(problem, "call", inputs)


def pure(question: Question) -> Question:
    """The same question; the function must also leave its arguments unchanged."""
    return replace(question, inputs={**question.inputs, "pure": True})


def calls(problem: str, function: str, *argument_lists: list[Any], catch: bool = False,
          arrays_too: bool = False) -> Question:
    """Call a function once per list of arguments, in one worker.

    Args:
        catch: where a call raises, answer with the name of the exception's type.
        arrays_too: as for `call`.
    """
    inputs = {"function": function, "argument_lists": list(argument_lists), "catch": catch,
              "arrays_too": arrays_too}
    return Question(problem, "calls", inputs)


def order(number: str) -> tuple[int, ...]:
    """Sort key of a task or check number: `1.10` comes after `1.9`."""
    return tuple(int(part) for part in number.split("."))
