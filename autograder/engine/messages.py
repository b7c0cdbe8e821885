"""The sentences that students read."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .assignment import Assignment
from .check import Check, Question, Task
from .compare import kind, number
from .sandbox.channel import Answer
from .text import printable

MAX_REASON = 2000  # characters: what came back may be of any size
MAX_EXAMPLE = 950  # characters of a call that is shown; a longer one nobody reads
TENSOR = "tensor ["  # begins what stands in the place of too many numbers
MAX_SHOWN = 24  # numbers of an array that is shown: six boxes
# Statuses of an answer that has no value.
NO_ANSWER = ("error", "timeout", "waited", "hung", "died", "garbage", "large", "budget")


PASSED = "Passed."  # the whole message of a check that passed
# What to do about some errors, by a part of what is raised.
NO_GPU = ("There is no GPU where your grade is made: let new tensors and modules have the device "
          "of those that your function is given.")
ADVICE = {"not compiled with CUDA": NO_GPU, "No CUDA GPUs are available": NO_GPU,
          "Found no NVIDIA driver": NO_GPU,
          "null bytes": "The file holds zero bytes, as one does that is saved in UTF-16: save it "
                        "in UTF-8.",
          "EOF when reading a line": "Nobody can type an answer while your code is graded.",
          "BdbQuit": "Nobody can type into a debugger while your code is graded: take breakpoint() "
                     "and set_trace() out.",
          "name 'null' is not defined": "Is this file a notebook? Export its code as a .py file.",
          **dict.fromkeys(("no attribute '_modules'", "no attribute '_parameters'",
                           "no attribute '_buffers'", "no attribute '_backward_hooks'"),
                          "Its __init__ begins with super().__init__().")}
LIKE = "It looks like the mistake"  # begins a line that names the check where it is told
ENDS = (" A file may not end Python when it is imported: what trains stands under "
        "`if __name__ == \"__main__\":`.")
NOT_IMPORTED = "Your code could not be imported"
NOT_WRITTEN = "Not written yet"  # begins the message of a stub that raises NotImplementedError


def passed(stood_in: tuple[str, ...], assignment: Assignment) -> str:
    """What is said of a check that passed, in spite of the tasks `stood_in`."""
    if not stood_in:
        return PASSED
    return (f"Points given although {wrong(stood_in, assignment)}: with the right values of "
            f"{functions(stood_in, assignment)} your code for this check is right.")


def tasks(numbers: Iterable[str], assignment: Assignment) -> str:
    """`task 1.3 (IoU) and task 1.4 (Box coding)`."""
    return " and ".join(f"task {number} ({assignment.tasks[number].title})" for number in numbers)


def wrong(numbers: tuple[str, ...], assignment: Assignment) -> str:
    """`task 1.3 (IoU) loses points`: it may be wrong, or not be written."""
    return f"{tasks(numbers, assignment)} lose{'s' * (len(numbers) == 1)} points"


def functions(numbers: Iterable[str], assignment: Assignment) -> str:
    """`compute_iou, encode_boxes`: what later tasks use of these."""
    return ", ".join(name.split(".")[-1] for number in numbers
                     for name in assignment.tasks[number].functions)


def of_import(answer: Answer) -> str:
    """The file, with its line if that is known, that cannot be imported or never ends being so."""
    if answer.status == "hung":
        return answer.detail if answer.detail.endswith(".py") else ""
    error = answer.error or {}
    at = f", line {error['line']}" if error.get("line") else ""
    return f"{error['file']}{at}" if error.get("stage") == "import" and error["file"] else ""


def look_first(task: Task, wrong: set[str], answer: Answer, assignment: Assignment) -> list[str]:
    """Says at which wrong tasks to look first: those in whose code it ended, if that is known."""
    if answer.status == "hung" and of_import(answer):
        return []  # the file says where to look
    where = answer.error and answer.error["function"]
    needs = [need for need in task.needs if need in wrong and (not answer.error or where in {
        name.rpartition(".")[2] for name in assignment.tasks[need].functions})]
    return [f"This check needs {tasks(needs, assignment)}: look there first."] if needs else []


def no_answer(answer: Answer, question: Question) -> str:
    """Why there is no answer, in a sentence or two, with the student's own line if there is one."""
    if answer.status == "timeout":
        seconds = answer.detail or question.cpu_seconds
        again = (" (fewer than before, since it has used up its time in another check)"
                 if int(seconds) < question.cpu_seconds else "")
        error = answer.error or {}
        asked = "" if error.get("stage") == "import" else _asked(question)
        return (f"Your code did not finish within {seconds} CPU seconds{again}"
                f"{asked}{_place(error)}{error.get('message', '')}.")
    if answer.status == "waited":
        return (f"Your code waited for something that did not come{_asked(question)}"
                f"{_place(answer.error or {})}: it used no processor time for {answer.detail} "
                "seconds.")
    if answer.status == "hung":
        return (f"Not called again: {answer.detail} did not finish in two checks before this one, "
                "and this check needs it.")
    if answer.status == "died":
        return ("The process that ran your code ended without an answer: "
                f"{answer.detail}{_place(answer.error or {})}.")
    if answer.status == "garbage":
        return "The process that ran your code sent something that is not an answer."
    if answer.status == "large":
        return (f"Your code answered with {answer.detail}, which is more than any right answer to "
                "this check has in tensors; in lists the same numbers take more.")
    if answer.status == "budget":
        return "Not run: the time of the whole grading run was used up before this check."
    error = answer.error or {}
    if error["stage"] in ("missing", "unusable"):
        place = _place(error).removeprefix(" in ")
        return f"{error['message'].rstrip('.')}{f' ({place})' if place else ''}."
    if error["type"] == "NotImplementedError" and "raise" in (error["code"] or ""):
        return f"{NOT_WRITTEN}: {error['message'] or 'NotImplementedError'}."
    what = error["type"] + (f": {error['message']}" if error["message"] else "")
    if error["stage"] == "read":
        return f"What you have handed in could not be read ({what})."
    place = _place(error)
    advice = next((f" {says}" for part, says in ADVICE.items() if part in what), "")
    if error["stage"] == "import":
        advice = advice or ENDS * (error["type"] == "SystemExit")
        return f"{NOT_IMPORTED}{place} ({what}).{advice}"
    return f"Your code raised {what}{place or _asked(question, 'in a call of ')}.{advice}"


def _place(error: Mapping[str, Any]) -> str:
    """Where in the student's files it happened, as far as that is known."""
    if not error.get("file"):
        return ""
    code = f": `{error['code']}`" if error["code"] else ""
    line = f", line {error['line']}" if error["line"] else ""
    caller = f", called from {error['caller']}" if error["caller"] else ""
    return f" in {error['file']}{line}{code}{caller}"


def explain(reason: str, check: Check, rule: str, question: Question, assignment: Assignment,
            hints: Iterable[str] = (), stood_in: tuple[str, ...] = ()) -> str:
    """The whole message of a failed public check: reason, hints beyond what was seen, and which
    tasks were answered from the record."""
    lines = [text[:MAX_REASON] for text in (reason, *hints)]
    if stood_in:
        lines.append(f"(Seen with the right values of {functions(stood_in, assignment)}, "
                     f"since {wrong(stood_in, assignment)}.)")
    example = show_inputs(question, assignment.methods)
    if example:
        lines.append(f"Asked{', in short' * (TENSOR in example)}: {example}")
    lines.append(f"Rule {check.rule}: {rule}")
    return printable("\n".join(lines))


def hidden(check: Check, rule: str, tried: bool = True) -> str:
    """What is said when public inputs pass and hidden ones, if `tried`, do not: always the same."""
    said = "but not on other inputs of the same kind" if tried else (
        "and not called on others, since what this needs did not finish in two checks")
    return f"Right on the public inputs, {said}.\nRule {check.rule}: {rule}"


def _asked(question: Question, before: str = "") -> str:
    """` (utils.nms)`, what of the submission is called, where a question names it."""
    name = question.inputs.get("function") or question.inputs.get("model")
    return f" ({before}{name})" if name else ""


def show_inputs(question: Question, methods: Mapping[str, tuple[str, ...]] = {}) -> str:
    """The calls as Python that can be run where that is short enough to read; else with `tensor
    [64, 4] of float32` in the place of many numbers; or nothing. `methods` as in `Assignment`."""
    inputs = question.inputs
    if question.probe in methods:
        called, *names = methods[question.probe]
        lists, options = [[inputs[name] for name in names]], inputs.get("options", {})
        if "{options}" in called:
            made = "".join(f", {name}={value!r}" for name, value in options.items())
            inputs, options = {**inputs, "options": made}, {}
        called = called.format(**inputs)
    elif question.probe in ("call", "calls"):
        called = inputs["function"].split(".")[-1]
        lists, options = inputs.get("argument_lists") or [inputs["args"]], inputs.get("kwargs", {})
    else:
        return ""
    for most in (MAX_EXAMPLE, MAX_SHOWN // 3):  # a number takes more than a character
        calls = []
        for args in lists:
            arguments = [_code(value, most) for value in args]
            arguments += [f"{name}={_code(value, most)}" for name, value in options.items()]
            calls.append(f"{called}({', '.join(arguments)})")
        text = "; ".join(calls)
        if len(text) <= MAX_EXAMPLE:
            return text
    return ""


def _code(value: object, most: int) -> str:
    """A value as Python; an array of more than so many numbers as its shape and dtype."""
    if isinstance(value, np.ndarray):
        if value.size > most:
            return kind(value).removeprefix("a ")
        name = value.dtype.name
        made, plain = (("tensor", ("float32", "int64", "bool")) if value.size else
                       ("zeros", ("float32",)))
        dtype = "" if name in plain else f", dtype=torch.{name}"
        return f"torch.{made}({_numbers(value) if value.size else value.shape}{dtype})"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(_code(item, most) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_code(item, most)}" for key, item in value.items()) + "}"
    return repr(value)


def _numbers(value: Any) -> str:
    """An array as nested lists of exact numbers."""
    if value.ndim:
        return "[" + ", ".join(map(_numbers, value)) + "]"
    if not isinstance(value, np.floating):
        return str(value)
    exact = np.format_float_positional(value)
    return exact if np.isfinite(value) else f"torch.{exact}".replace("torch.-", "-torch.")


def show(value: object) -> str:
    """A value in the fewest words: `[[0, 0, 2, 2]]`, `tensor [64, 4]`."""
    if isinstance(value, np.ndarray):
        if not 0 < value.size <= MAX_SHOWN:
            return f"tensor {list(value.shape)}"
        return number(value) if value.ndim <= 1 else "[" + ", ".join(map(show, value)) + "]"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(show(item) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {show(item)}" for key, item in value.items()) + "}"
    return number(value) if isinstance(value, float) else repr(value)
