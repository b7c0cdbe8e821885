"""The grader doubts itself: random inputs look for what no check asks.

Right solutions and an oracle that differ from each other show a gap of a rule. A wrong variant that
passes all checks of its task and yet differs from the solution shows a question that is missing.
Of each difference the smallest input is told.
"""

import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

from ...assignment import ASSIGNMENT
from ...assignment.mistakes import DoesNotApply, all_mistakes, edited
from ...engine.check import Judgement, Question
from ...engine.command import Bar
from ...engine.compare import Wrong, close, entries, sequence
from ...engine.messages import show_inputs
from ...engine.points import task_of
from ...engine.sandbox import wire
from ...engine.sandbox.child import _array
from ...engine.sandbox.probes import probes_of
from .mutation import Mutant

SECONDS = 2.0  # of CPU time for one answer
PROBES = probes_of(ASSIGNMENT.package)


@dataclass(frozen=True)
class Audited:
    """A graded function.

    Args:
        check: number of a check that asks it.
        inputs: questions over its whole domain.
        oracle: takes the arguments (or the inputs of the probe) and gives the right answer.
        share: of the inputs to try; less where an answer takes milliseconds.
        judged: whether answers are right that the check takes for right; else these are that equal
            the one of the solution.
    """

    check: str
    inputs: SearchStrategy[Question]
    oracle: Callable[..., Any] | None = None
    share: float = 1.0
    judged: bool = False

    @property
    def task(self) -> str:
        return task_of(self.check)


class Version:
    """One problem of a submission, whose code runs in this process, beside that of others.

    Args:
        name: of the submission, in what is printed; folder: a private copy of the problem.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.own = {path.stem for path in folder.glob("*.py")}
        self.modules: dict[str, Any] = {}

    def __call__(self, path: str) -> Any:
        """`version("utils.compute_iou")`, as a probe asks for it."""
        module, *attributes = path.split(".")
        found = importlib.import_module(module)
        for attribute in attributes:
            found = getattr(found, attribute)
        return found

    @contextmanager
    def _active(self) -> Iterator[None]:
        """Its modules are those that imports find."""
        before = {name: sys.modules.pop(name) for name in self.own if name in sys.modules}
        sys.modules.update(self.modules)
        sys.path.insert(0, str(self.folder))
        try:
            yield
        finally:
            sys.path.remove(str(self.folder))
            self.modules = {name: sys.modules.pop(name) for name in self.own if name in sys.modules}
            sys.modules.update(before)

    def answer(self, question: Question) -> Any:
        """What it answers, or the exception that it raises."""
        if question.probe != "call":
            for left in self.folder.glob("asked*"):  # what the question before has written
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        inputs = wire.unflatten(*wire.flatten(question.inputs),
                                lambda array: torch.from_numpy(array.copy()))
        with self._active(), redirect_stdout(None):
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            try:
                value = PROBES[question.probe](self, **inputs)
            except Exception as error:
                return error
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return wire.unflatten(*wire.flatten(value, _array))


def _late(*_: Any) -> None:
    raise TimeoutError(f"no answer in {SECONDS:g} s")


def alike(got: Any, want: Any, name: str = "the answer") -> None:
    """Every value of `want` is there in `got`, whatever the types of numbers and lists.

    Raises:
        Wrong: one is not.
    """
    if isinstance(want, Exception) or isinstance(got, Exception):
        if type(got) is not type(want):
            raise Wrong(f"{name} should be {want!r}, but is {got!r}"[:200])
    elif isinstance(want, dict):
        for key, value, right in zip(want, entries(got, list(want), name), want.values()):
            alike(value, right, f"{name}, {key}")
    elif isinstance(want, (list, tuple)):
        for place, (value, right) in enumerate(zip(sequence(got, len(want), name), want)):
            alike(value, right, f"{name}[{place}]")
    elif isinstance(want, str) or want is None:
        if got != want:
            raise Wrong(f"{name} should be {want!r}, but is {got!r}")
    else:
        shape = np.shape(want)
        close(np.asarray(got).reshape(shape) if np.size(got) == np.size(want) == 1 else got,
              np.asarray(want), name, atol=1e-4)


@dataclass
class Difference:
    """The smallest input on which two answers differ.

    Args:
        who: whose answer is not that of the solution; how: in what.
    """

    name: str
    function: Audited
    who: str
    how: str
    question: Question

    def __str__(self) -> str:
        return f"{self.name}: {self.who}: {self.how}\n    {show_inputs(self.question)}"


@dataclass
class Auditing:
    """What an audit has found.

    Args:
        tried: inputs by function.
        gaps: differences between correct solutions, or from the oracle.
        unasked: wrong variants that differ from the solution, and pass all checks of their task.
        passing, variants: how many variants pass the checks, of how many.
        sentences: that a variant breaks and a check notices.
    """

    tried: dict[str, int] = field(default_factory=dict)
    gaps: list[Difference] = field(default_factory=list)
    unasked: list[Difference] = field(default_factory=list)
    passing: int = 0
    variants: int = 0
    sentences: set[str] = field(default_factory=set)

    def summary(self) -> list[str]:
        return [*(f"{name:<34}{count:>7,} inputs" for name, count in self.tried.items()),
                f"{len(self.sentences)} sentences of the rules are asked; {self.variants} variants "
                f"were tried, of which {self.passing} pass all checks",
                f"{len(self.gaps)} differences between correct solutions",
                *map(str, self.gaps),
                f"{len(self.unasked)} variants that differ and lose nothing",
                *map(str, self.unasked)]


def _wrong(function: Audited, question: Question, got: Any, want: Any) -> str:
    """How an answer differs from the right one; "" where it does not."""
    try:
        if function.judged and not isinstance(got, Exception):
            check = ASSIGNMENT.by_number[function.check]
            check.run(got, want, question, Judgement(check))
        else:
            alike(got, want)
    except Wrong as wrong:
        return str(wrong)
    return ""


def _oracle(function: Audited, question: Question) -> Any:
    asked = question.inputs
    if "args" in asked:
        return function.oracle(*asked["args"], **asked["kwargs"])  # type: ignore[misc]
    return function.oracle(**asked)  # type: ignore[misc]


def search(name: str, function: Audited, solution: Version, others: Sequence[Version], tries: int,
           seed: int, oracle: bool = True) -> tuple[int, list[Difference]]:
    """Inputs on which others, or the oracle, answer otherwise than the solution.

    Args:
        name: of the function; tries: inputs; seed: of their draws.

    Returns:
        how many were tried, and a difference for each of them who has one.
    """
    differences, tried = [], 0
    left: dict[str, Version | None] = {other.name: other for other in others}
    if oracle and function.oracle:
        left["the oracle"] = None

    def wrong(question: Question) -> Iterator[tuple[str, str]]:
        want = solution.answer(question)
        for who, other in left.items():
            got, right = ((other.answer(question), want) if other else
                          (want, _oracle(function, question)))
            if isinstance(got, NotImplementedError | AttributeError | ModuleNotFoundError):
                continue  # not all of them solve every task
            if how := _wrong(function, question, got, right):
                yield who, how

    def differs(question: Question) -> bool:
        nonlocal tried
        tried += 1
        return next(wrong(question), None) is not None

    options = settings(max_examples=max(10, int(tries * function.share)), database=None,
                       deadline=None, suppress_health_check=list(HealthCheck),
                       phases=(Phase.generate, Phase.shrink))
    signal.signal(signal.SIGVTALRM, _late)
    while left:
        try:
            question = find(function.inputs, differs, settings=options, random=Random(seed))
        except NoSuchExample:
            break
        for who, how in list(wrong(question)):
            differences.append(Difference(name, function, who, how, question))
            del left[who]
    return tried, differences


def overlaid(solution: Path, folders: Mapping[str, Path], room: Path) -> dict[str, list[Version]]:
    """By problem, the solution and others, each with its files in the place of the solution's."""
    found: dict[str, list[Version]] = {}
    for problem in ASSIGNMENT.problems:
        for name, folder in {"the solution": solution, **folders}.items():
            if (folder / problem).is_dir():
                own = room / name / problem
                for source in (solution, folder):
                    shutil.copytree(source / problem, own, dirs_exist_ok=True,
                                    ignore=shutil.ignore_patterns("results", "__pycache__"))
                found.setdefault(problem, []).append(Version(name, own))
    return found


def variants(solution: Path, more: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Mutant]]:
    """The sentence that each wrong variant breaks, and the file that it changes.

    Args:
        more: what they do -> sentence, numbers of checks, file, a passage and what stands in its
            place, beside the known mistakes.
    """
    for mistake in all_mistakes().values():
        files = {} if mistake.change else edited(mistake, solution)
        for file, text in files.items() if len(files) == 1 else ():
            yield mistake.sentence, Mutant(file, 0, "", "mistake", mistake.name, "",
                                           (mistake.task,), text)
    for name, (sentence, numbers, file, old, new) in more.items():
        text = (solution / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise DoesNotApply(f"{name}: {file} holds {text.count(old)} times: {old[:80]}")
        tasks = set(map(task_of, numbers.split()))
        yield sentence, Mutant(file, 0, "", "variant", name, "", tuple(sorted(tasks)),
                               text.replace(old, new))


def audit(functions: Mapping[str, Audited], solution: Path, others: Mapping[str, Path],
          wrong: Iterable[tuple[str, Mutant]], caught: Callable[[list[Mutant]], Iterable[bool]],
          tries: int, seed: int) -> Auditing:
    """Search differences between right solutions, and between wrong ones that nothing catches.

    Args:
        functions: by name; others: folders of right solutions; wrong: see `variants`.
        caught: whether a check of its task fails, for each of several variants.
        tries: inputs of a function; seed: of their draws.
    """
    found, here = Auditing(), os.getcwd()
    tasks = {function.task for function in functions.values()}
    chosen = [(sentence, mutant) for sentence, mutant in wrong if tasks & {*mutant.tasks}]
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        room = Path(folder)
        versions = overlaid(solution, others, room)
        passing = []
        for (sentence, mutant), is_caught in zip(chosen, caught([m for _, m in chosen])):
            if is_caught:
                found.sentences.add(sentence)
            else:
                passing.append(mutant)
        found.variants, found.passing = len(chosen), len(passing)
        os.chdir(room)
        try:
            for name in Bar(list(functions)):
                function, task = functions[name], functions[name].task
                first, *rest = versions[f"problem{task[0]}"]
                found.tried[name], gaps = search(name, function, first, rest, tries, seed)
                found.gaps += gaps
                for place, mutant in enumerate(m for m in passing if task in m.tasks):
                    own = room / f"{name}-{place}" / first.folder.name
                    shutil.copytree(first.folder, own)
                    (own.parent / mutant.file).write_text(mutant.text, encoding="utf-8")
                    found.unasked += search(name, function, first, [Version(mutant.original, own)],
                                            tries, seed, oracle=False)[1]
        finally:
            os.chdir(here)
    return found


def _literal(value: Any) -> str:
    """Python code of a value, with `np` for numpy."""
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()}, np.{value.dtype}).reshape({value.shape})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_literal(v)}" for key, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


def add_case(difference: Difference) -> str:
    """Append a check of this input to the module that has one of the function; what is left to do.
    """
    like = ASSIGNMENT.by_number[difference.function.check]
    path, asked = Path(like.judge.__code__.co_filename), difference.question
    text = path.read_text(encoding="utf-8")
    last = max(int(n) for n in re.findall(rf'@check\("{re.escape(like.task_number)}\.(\d+)"', text))
    number = f"{like.task_number}.{last + 1}"
    inputs = "".join(f"        {key!r}: {_literal(value)},\n"
                     for key, value in asked.inputs.items())
    path.write_text(f'''{text}

@check("{number}", "{like.rule}", lambda _: Question(
    "{asked.problem}", "{asked.probe}", {{
{inputs}    }}))
def test_case_{last + 1}_of_{difference.name.lower()}(answer, expected, question, judgement):
    """{like.sentence}"""
    {like.judge.__name__}.run(answer, expected, question, judgement)
''', encoding="utf-8")
    return (f"wrote check {number} to {path.name}: give it the rule and the sentence that it asks, "
            f"and points in points.toml (0 is allowed), then run `make references`")
