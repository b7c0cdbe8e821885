"""Student code in worker processes: what comes back from code that fails, crashes or lies."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest

from autograder.assignment.checks.asking import call1
from autograder.engine.check import Question, call
from autograder.engine.messages import no_answer
from autograder.engine.sandbox import pool as workers
from autograder.engine.sandbox.student import Absent, AbsentModule, Student
from autograder.engine.sandbox.wire import LARGEST, Foreign
from tests.grading import answered, fork_only

LIMITED = replace(call1("utils.f"), cpu_seconds=1)


def sentence(answer, question: Question | None = None) -> str:
    """What a student reads about this answer."""
    return no_answer(answer, question or call1("utils.f"))


# --- answers and exceptions ------------------------------------------------------------------


def test_an_answer_comes_back(answers):
    text = "import torch\ndef double(x, by=2):\n    return {'twice': x * by, 0.05: None}\n"
    answer, = answers(text, call1("utils.double", np.arange(3.0), by=3))
    assert answer.status == "ok"
    assert answer.value["twice"].tolist() == [0, 3, 6] and answer.value[0.05] is None


def test_an_object_that_cannot_cross_comes_back_as_its_type(answers):
    answer, = answers("class Boxes: pass\ndef f():\n    return Boxes()\n", "utils.f")
    assert answer.value == Foreign("utils.Boxes")


def test_an_exception_names_the_students_own_line(answers):
    text = ("import torch\n"
            "def f(x):\n"
            "    return g(x)\n"
            "def g(x):\n"
            "    y = 2\n"
            "    return x.reshape(7, y)  # 4 values do not fit\n")
    answer, = answers(text, call1("utils.f", np.zeros(4)))
    assert answer.status == "error"
    assert (answer.error["type"], answer.error["file"], answer.error["line"]) == (
        "RuntimeError", "problem1/utils.py", 6)
    assert sentence(answer) == (
        "Your code raised RuntimeError: shape '[7, 2]' is invalid for input of size 4 in "
        "problem1/utils.py, line 6: `return x.reshape(7, y)  # 4 values do not fit`.")


def test_an_exception_outside_the_students_files_names_the_call(answers):
    answer, = answers("def f():\n    pass\n", call1("utils.f", 1))
    assert sentence(answer) == (
        "Your code raised TypeError: f() takes 0 positional arguments but 1 was given (in a call "
        "of utils.f).")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    x = (1\n    return x\n",
         "Your code could not be imported in problem1/utils.py, line 2: `x = (1` (SyntaxError: '(' "
         "was never closed)."),
        ("import torch\nimport torchvision\ndef f():\n    torchvision.io.image\n"
         "    return torchvision.ops.nms()\n",
         "torchvision is used, which is no file of yours and not installed where your grade is "
         "made (problem1/utils.py, line 5: `return torchvision.ops.nms()`)."),
        ("import util\n",
         "Your code could not be imported in problem1/utils.py, line 1: `import util` "
         "(ModuleNotFoundError: No module named 'util')."),
        ("from .utils import f\n",
         "Your code could not be imported in problem1/utils.py, line 1: `from .utils import f` "
         "(ImportError: attempted relative import with no known parent package: write "
         "`from utils import ...`, without the dot)."),
        ("import torch\nfrom .dataset import Data\n",
         "Your code could not be imported in problem1/utils.py, line 2: "
         "`from .dataset import Data` "
         "(ImportError: attempted relative import with no known parent package: write "
         "`from dataset import ...`, without the dot)."),
        ("from os import nothing_like_it\n",
         "Your code could not be imported in problem1/utils.py, line 1: `from os import "
         "nothing_like_it` (ImportError: cannot import name"),
        ("x = 1 / 0\n", "Your code could not be imported in problem1/utils.py, line 1: `x = 1 / 0` "
                        "(ZeroDivisionError: division by zero)."),
        ("def train():\n    1 / 0\n\n\ntrain()\n",
         "Your code could not be imported in problem1/utils.py, line 5: `train()` "
         "(ZeroDivisionError: division by zero, raised in problem1/utils.py, line 2; what a file "
         'does when it is imported belongs below `if __name__ == "__main__":`).'),
        ("import numba\n@numba.jit(nopython=True)\ndef f():\n    return 1\n",
         "numba is used, which is no file of yours and not installed where your grade is made."),
        ("def g():\n    pass\n", "problem1/utils.py has no f."),
        ("input('Name? ')\n", "Your code could not be imported in problem1/utils.py, line 1: "
                              "`input('Name? ')` (EOFError: EOF when reading a line). Nobody can "
                              "type an answer while your code is graded."),
        ("# coding: undefined\n", "Your code could not be imported in problem1/utils.py (Syntax"),
        ("# coding: rot13\n", "Your code could not be imported in problem1/utils.py (SyntaxError"),
        ("class A:\n    x = B()\n", "Your code could not be imported in problem1/utils.py, line 2: "
                                    "`x = B()` (NameError: name 'B' is not defined)."),
        ("def f():\n    breakpoint()\n    return 1\n",
         "Your code raised BdbQuit in problem1/utils.py, line 3: `return 1`. Nobody can type into "
         "a debugger while your code is graded: take breakpoint()"),
        ('{"cells": [null]}\n', "Your code could not be imported in problem1/utils.py, line 1: "
                                '`{"cells": [null]}` (NameError: name \'null\' is not defined). Is '
                                "this file a notebook? Export its code as a .py file."),
        ("from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        pass\n"
         "    def forward(self, x):\n        return x\ndef f():\n    return Net()(1)\n",
         "Your code raised AttributeError: 'Net' object has no attribute '_"),
        ('def f():\n    raise NotImplementedError("Task 1.3 compute_iou: see handout")\n',
         "Not written yet: Task 1.3 compute_iou: see handout."),
        ("def f():\n    raise NotImplementedError\n", "Not written yet: NotImplementedError."),
        ("import torch\ndef f():\n    return torch.zeros(1, device='meta')\n",
         "Your code raised NotImplementedError: Cannot copy out of meta tensor"),
        ("import sys\ndef f():\n    sys.exit('done')\n",
         "Your code raised SystemExit: done in problem1/utils.py, line 3: `sys.exit('done')`."),
        ("raise KeyboardInterrupt\n",
         "Your code could not be imported in problem1/utils.py, line 1: `raise KeyboardInterrupt` "
         "(KeyboardInterrupt)."),
        ("import sys\nsys.exit()\n",
         "Your code could not be imported in problem1/utils.py, line 2: `sys.exit()` "
         "(SystemExit)."),
        ("def f():\n    raise KeyboardInterrupt\n",
         "Your code raised KeyboardInterrupt in problem1/utils.py, line 2"),
        ("def f():\n    raise ValueError('x' * 10_000)\n",
         "Your code raised ValueError: " + 500 * "x" + " in problem1/utils.py"),
        ("def f():\n    return f()\n", "Your code raised RecursionError: maximum recursion depth"),
        ("def f():\n    x = []\n    x.append(x)\n    return x\n",
         "What your code returned cannot be compared: it is nested more than 12 deep"),
        ("def f():\n    return 10 ** 5000\n",
         "What your code returned cannot be compared: it is a number of more than 14,000 bits"),
    ],
    ids=["syntax error", "package missing", "own module missing", "relative", "another relative",
         "name missing",
         "exception in import", "exception below import", "made by what is missing",
         "no function", "nobody types", "no encoding",
         "no encoding of texts", "in a class", "a breakpoint", "a notebook",
         "no super().__init__()", "stub", "bare stub", "not by a stub", "exit in a call",
         "interrupt in import", "exit in import", "interrupt", "long message", "recursion",
         "endless list", "endless number"],
)
def test_what_is_said_about_a_failure(answers, text, expected):
    answer, = answers(text, "utils.f")
    assert answer.status == "error"
    assert sentence(answer).startswith(expected)


def test_a_sparse_tensor_is_its_values(answers):
    answer, = answers("import torch\ndef f():\n    return torch.eye(2).to_sparse()\n", "utils.f")
    assert answer.value.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("text", [
    "import numba\nwith numba.a() as b:\n    pass\nfor c in numba.d:\n    pass\n"
    "e = numba.f + 1 > 2\nx = [*numba.g, int(numba.h)]\n",
    "from torch.utils.tensorboard import SummaryWriter\n",
    "import matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot\n",
    "import matplotlib.pyplot as plt\nplt.switch_backend('TkAgg')\nplt.figure()\n",
    "import matplotlib.pyplot as plt\nplt.rcParams['backend'] = 'QtAgg'\nplt.figure()\n",
    "import sys\nsys.path = ['/content/drive']\nimport fractions\n",
    "import torch\ntorch.set_num_threads(64)\ntorch.set_num_interop_threads(64)\n"
    "torch.ones(999, 999) @ torch.ones(999, 999)\n",
], ids=["stand-in", "tensorboard", "a backend with windows", "another, switched to",
        "another, by its setting", "a path of another machine", "threads"])
def test_what_is_imported_and_not_used_costs_nothing(answers, text):
    answer, = answers(text + "\n\ndef f():\n    return 1\n", "utils.f")
    assert (answer.status, answer.value) == ("ok", 1), answer.error


def test_an_exception_cannot_speak_for_the_kit(answers):
    answer, = answers("class Unusable(Exception):\n    pass\n\n\ndef f():\n"
                      "    raise Unusable('Passed')\n", "utils.f")
    assert sentence(answer).startswith("Your code raised Unusable: Passed in problem1/utils.py")


@pytest.mark.parametrize(("name", "text", "says"), [
    ("'Odd'", "1 / 0", "Odd"), ("'ok\\n1.10'", "return 'why'", "ok 1.10: why")],
    ids=["no text", "two lines"])
def test_an_exception_may_be_any_class(answers, name, text, says):
    answer, = answers(f"def tell(self):\n    {text}\n\n"
                      f"E = type({name}, (Exception,), {{'__str__': tell}})\n\n\n"
                      "def f():\n    raise E()\n", "utils.f")
    assert sentence(answer).startswith(f"Your code raised {says} in problem1/utils.py, line 8"
                                       if ":" in says else f"Your code raised {says}")


def test_an_error_in_an_imported_file_names_that_file(warm, made_up):
    inquiry = warm.about(made_up({
        "problem1/utils.py": "from helpers import g\n\ndef f():\n    return g()\n",
        "problem1/helpers.py": "def g(:\n    return 1\n"}))
    answer = inquiry.ask(call1("utils.f"), "1.2", 0).result()
    assert sentence(answer).startswith(
        "Your code could not be imported in problem1/helpers.py, line 1: `def g(:` (SyntaxError: ")


@pytest.mark.parametrize(("text", "says"), [
    ("sys.path.clear()\n", None), ("sys.meta_path.clear()\n", "(ModuleNotFoundError: No module")])
def test_a_file_that_spoils_imports_is_told_as_that(warm, made_up, text, says):
    inquiry = warm.about(made_up({
        "problem1/train.py": "import evaluate, loss\n\ndef f():\n    return loss.g()\n",
        "problem1/evaluate.py": f"import sys\n{text}",
        "problem1/loss.py": "def g():\n    return 1\n"}))
    answer = inquiry.ask(call1("train.f"), "1.11", 0).result()
    assert says in sentence(answer) if says else answer.value == 1


def test_what_stands_beside_a_mistake_is_there_for_other_files_but_is_not_graded(warm, made_up):
    inquiry = warm.about(made_up({
        "problem1/analysis.py": "from utils import CELLS, twice, other, Late\n\n"
                                "def f():\n    return twice(CELLS)\n\n"
                                "def g():\n    return other()\n\ndef h():\n    return Late()\n",
        "problem1/utils.py": "import functools\n\nCELLS = [(2,\n          3),\n]\n\n"
                             "@functools.cache\ndef one():\n    return [1]\n\n"
                             "def twice(\n    values,\n):\n    return (values + one()) * 2\n\n"
                             "class Late:\n    raise KeyError\n\n"
                             "def other():\n    return sum((1)\n"}))
    def asked(path):
        return inquiry.ask(call1(path), "1.15", 0).result()

    assert asked("analysis.f").value == [(2, 3), 1] * 2
    for path in ("analysis.g", "analysis.h", "utils.twice", "utils.other"):
        assert sentence(asked(path)).startswith(
            "Your code could not be imported in problem1/utils.py, line 20: `return sum((1)` "
            "(SyntaxError: '(' was never closed)")


def test_of_a_file_that_never_ends_nothing_is_called(tmp_path):
    module = AbsentModule("utils", Absent(TimeoutError("late"), Student(tmp_path)))
    module.__file__ = str(tmp_path / "utils.py")
    module.keep("import torch\nSIZES = [1,\n         2]\ndef one(x=SIZES):\n    return x\n"
                "@torch.no_grad()\ndef two():\n    return one()\n"
                "class A:\n    1 / 0\n@one\ndef three():\n    pass\n"
                "def four(x=one()):\n    pass\nwhile True:\n    pass\n", ends=False)
    assert set(module.kept) >= {"torch", "SIZES", "one", "two"} and module.two() == [1, 2]
    assert not {"A", "three", "four"} & module.kept.keys()


def test_a_missing_file_and_a_missing_problem(warm, made_up):
    inquiry = warm.about(made_up({"problem1/utils.py": "def f(): return 1\n",
                                  "problem1/model.py/net.py": ""}))
    missing = call1("model.MultiScaleDetector"), replace(call1("dataset.f"), problem="problem2")
    said = [sentence(inquiry.ask(q, "1.2", 0).result(), q) for q in missing]
    assert said == ["problem1/model.py is missing.", "problem2/dataset.py is missing."]


def test_both_ways_to_import_ones_own_modules(warm, made_up):
    inquiry = warm.about(made_up({
        "problem1/utils.py": "from problem1.helpers import TWO\nimport helpers\n\n"
                             "def f():\n    return [TWO, helpers.TWO]\n",
        "problem1/helpers.py": "TWO = 2\n"}))
    assert inquiry.ask(call1("utils.f"), "1.2", 0).result().value == [2, 2]


def test_who_replaces_what_copies_does_not_hide_a_change(warm, made_up):
    text = "import torch\ntorch.Tensor.clone = lambda x: x\ndef f(x):\n    x += 1\n    return x\n"
    question = call("problem1", "utils.f", np.zeros(2, np.float32))
    question.inputs["pure"] = True
    answer = warm.about(made_up({"problem1/utils.py": text})).ask(question, "1.2", 0).result()
    assert "f changed its argument 1" in answer.error["message"]


# --- the end of the process ------------------------------------------------------------------


@fork_only
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("os._exit(0)", "it ended the process (os._exit or the like)"),
        ("os._exit(3)", "it ended the process (os._exit or the like)"),
        ("os.kill(os.getpid(), signal.SIGKILL)",
         "it was killed (SIGKILL), most often for using too much memory"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM"),
        ("ctypes.string_at(0)", "a crash in compiled code (SIGSEGV)"),
        ("os.abort()", "SIGABRT"),
    ],
)
def test_a_process_that_ends_without_an_answer(answers, line, expected):
    text = f"import ctypes, os, signal\ndef f():\n    {line}\n"
    died, after = answers(text + "def g():\n    return 1\n", "utils.f", "utils.g")
    assert (died.status, died.detail) == ("died", expected)
    place = f" in problem1/utils.py, line 3: `{line}`" * ("KILL" not in line and "TERM" not in line)
    assert sentence(died) == (
        f"The process that ran your code ended without an answer: {expected}{place}.")
    assert after.value == 1


@pytest.mark.parametrize("fault", [workers.Answer("died", killed=True),
                                   workers.Answer("timeout", starved=True)],
                         ids=["memory", "processor"])
def test_whom_another_left_nothing_is_asked_again_alone(monkeypatch, warm, made_up, fault):
    asked = []

    def once(self, question, task, more, most, alone=False):
        asked.append(alone)
        return fault if len(asked) == 1 else answered(1)

    monkeypatch.setattr(workers.Inquiry, "_once", once)
    inquiry = warm.about(made_up({"problem1/utils.py": "def f(): return 1\n"}))
    assert inquiry.ask(call1("utils.f"), "1.2", 0).result().value == 1
    assert asked == [False, True]


def test_a_question_may_take_what_is_left_if_as_many_begin_at_once(monkeypatch, warm, made_up):
    """A problem cannot take more than its share, with four slots or with a run that holds all."""
    given = []

    def run(self, place, folder, probe, inputs, more, cpu_seconds, wall_seconds, *rest):
        given.append((wall_seconds, folder.parent.name))
        time.sleep(0.2)
        return answered(1)

    monkeypatch.setattr(workers.Inquiry, "_run", run)
    inquiry = warm.about(made_up({"problem1/utils.py": ""}))
    monkeypatch.setattr(warm, "slots", 4)
    inquiry.share = 20.0
    for alone in (False, True):
        inquiry._once(call1("utils.f"), "1.2", {"seed": 0, "earlier": None}, LARGEST, alone)
    (first, a_name), (second, other) = given
    assert first == 5.0 and second <= 4.95
    assert inquiry.spent["problem1"] >= 0.2 + 4 * 0.2  # the run alone held all four places
    assert re.fullmatch(r"check-\w{16}", other) and a_name != other  # which says nothing of a run


@pytest.mark.parametrize(("body", "said"), [
    ("return len(x) / 0", "ZeroDivisionError: division by zero in"),
    ("return x.detach().numpy().nothing", "AttributeError: 'numpy.ndarray' object has no"),
    ("x.astype(float); return 1 / 0", "ZeroDivisionError: division by zero in"),
], ids=["on both", "of tensors", "of arrays"])
def test_the_error_is_that_of_the_kind_of_argument_that_was_meant(answers, body, said):
    question = Question("problem1", "call", {
        "function": "utils.f", "args": [np.ones(2, np.float32)], "arrays_too": True})
    answer, = answers(f"def f(x):\n    {body}\n", question)
    assert sentence(answer).startswith(f"Your code raised {said}")


def test_the_line_that_called_another_file_is_named_as_well(made_up, warm):
    inquiry = warm.about(made_up({"problem1/utils.py": "import tools\ndef f(x):\n    tools.g()\n",
                                  "problem1/tools.py": "def g():\n    raise KeyError(1)\n"}))
    answer = inquiry.ask(call1("utils.f", 1), "1.2", 0).result()
    assert sentence(answer) == (
        "Your code raised KeyError: 1 in problem1/tools.py, line 2: `raise KeyError(1)`, called "
        "from problem1/utils.py, line 3: `tools.g()`.")


def test_a_notebook_in_the_place_of_a_file_is_named(made_up, warm):
    inquiry = warm.about(made_up({"problem1/utils.ipynb": "{}", "problem1/other.py": ""}))
    answer = inquiry.ask(call1("utils.f"), "1.2", 0).result()
    assert sentence(answer) == (
        "problem1/utils.py is missing; utils.ipynb is there, but notebooks are not graded: the "
        "code belongs into files of Python.")


def test_a_file_in_another_encoding_is_told(made_up, warm):
    made = made_up({"problem1/utils.py": ""})
    (made.root / "problem1/utils.py").write_bytes("x = 1\n".encode("utf-16"))
    assert sentence(warm.about(made).ask(call1("utils.f"), "1.2", 0).result()).endswith(
        "null bytes). The file holds zero bytes, as one does that is saved in UTF-16: save it in "
        "UTF-8.")


@pytest.mark.parametrize(("answer", "bare"), [
    (workers.Answer("waited"), True),
    (workers.Answer("timeout", error={"stage": "run", "file": "problem1/utils.py"}), True),
    (workers.Answer("timeout", error={"stage": "import", "file": "problem1/utils.py"}), True),
    (workers.Answer("timeout", error={"stage": "import", "file": "problem1/model.py"}), False),
    (workers.Answer("timeout"), False)])
def test_a_network_is_asked_again_without_what_took_its_time(
        monkeypatch, warm, made_up, public, answer, bare):
    asked = []

    def once(self, question, task, more, most, alone=False, bare=False):
        asked.append(bare)
        return answer if len(asked) == 1 else answered(1)

    monkeypatch.setattr(workers.Inquiry, "_once", once)
    inquiry = warm.about(made_up({f"problem1/{name}.py": "" for name in ("utils", "model")}))
    inquiry.ask(public.by_number["1.13.1"].question, "1.13", 0).result()
    assert asked == [False, *[True] * bare]


def test_what_cannot_be_read_before_any_code_runs_is_told_so(warm, made_up):
    inquiry = warm.about(made_up({"problem1/results/training_log.json": "[" * 10**5}))
    question = Question("problem1", "training_log", {"curves": [["train_loss"]], "networks": []},
                        results=("training_log.json",))
    assert sentence(inquiry.ask(question, "1.13", 0).result(), question).startswith(
        "What you have handed in could not be read (RecursionError: maximum recursion depth")


@fork_only
def test_memory_is_limited(answers):
    text = ("import torch\n"
            "def f():\n"
            "    hold = []\n"
            "    while True:\n"
            "        hold.append(torch.empty(10**8))\n"
            "def g():\n"
            "    return len(bytearray(10**11))\n")
    tensors, array = answers(text, "utils.f", "utils.g")
    assert tensors.status == array.status == "error"
    assert "line 5: `hold.append(torch.empty(10**8))`" in sentence(tensors)
    assert sentence(array).startswith("Your code raised MemoryError in problem1/utils.py, line 7")


def test_printing_does_not_reach_the_answer(answers):
    text = ("import os, sys\n"
            "def f():\n"
            "    for _ in range(2000):\n"
            "        print('x' * 1000)\n"
            "        print('y' * 1000, file=sys.stderr)\n"
            "    os.write(1, b'EE641W1' * 1000)\n"
            "    return 'done'\n")
    answer, = answers(text, "utils.f")
    assert (answer.status, answer.value) == ("ok", "done")


# --- replies that are no replies ---------------------------------------------------------------

FORGE = """
import os, stat
from autograder.engine.sandbox import wire

def write_everywhere(data):
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                os.write(int(name), data)
        except OSError:
            pass

def forge():
    write_everywhere(wire.pack({"value": "forged"}))
    return "honest"

def noise():
    write_everywhere(b"noise" * 100)
    return "honest"

def half():
    write_everywhere(wire.pack({"value": "forged"})[:-1])
    os._exit(0)

def oversize():
    write_everywhere(wire.HEADER.pack(wire.MAGIC, 10, 2**60))
    return "honest"

def two_entries():
    write_everywhere(wire.pack({"value": 1, "error": {"message": "x"}}))
    os._exit(0)

def half_an_error():
    write_everywhere(wire.pack({"error": {"message": "mine"}}))
    os._exit(0)

def honest():
    return "honest"
"""


@fork_only
@pytest.mark.parametrize(
    "function", ["forge", "noise", "oversize", "two_entries", "half_an_error"])
def test_a_forged_reply_is_garbage(answers, function):
    forged, after = answers(FORGE, f"utils.{function}", "utils.honest")
    assert forged.status == "garbage"
    assert sentence(forged) == (
        "The process that ran your code sent something that is not an answer.")
    assert after.value == "honest"


@fork_only
def test_half_a_reply_is_none(answers):
    forged, after = answers(FORGE, "utils.half", "utils.honest")
    assert forged.status in ("garbage", "died") and not forged.frame
    assert after.value == "honest"


def test_answers_of_a_submission_take_bounded_memory_in_all(answers, monkeypatch):
    """However many checks are answered with as much as each of them may have."""
    monkeypatch.setattr(workers, "MOST_KEPT", 10_000)
    text = "import numpy\ndef f():\n    return numpy.zeros(1000)\n"
    assert [each.status for each in answers(text, *["utils.f"] * 3)] == ["ok", "large", "large"]
