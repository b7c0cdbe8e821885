"""What a grade takes: beside one without lock-down, without tunings, in the smallest container."""

import shutil
import sys
import tempfile
from pathlib import Path

import psutil

from autograder import KIT
from autograder.assignment import ASSIGNMENT
from autograder.engine.grade import Options, grade
from autograder.engine.references import References, load
from autograder.engine.sandbox import forked
from autograder.engine.sandbox.pool import Workers
from autograder.instructor.rehearsal.rehearse import CannotRehearse, rehearse
from tests.bench.measuring import PYTHON, peak_of, run, tree_cpu

# What a rehearsal of the solution should stay below, so that slower machines have room; MB.
TARGETS = {"seconds": 240, "cpu_seconds": 100, "peak_pss": 700}
WITHOUT_ISOLATION = """
import os, shutil, sys, tempfile
from pathlib import Path
import torch
from autograder.assignment import ASSIGNMENT
from autograder.engine.references import load
from autograder.engine.sandbox.folders import private_copy
from autograder.engine.submission import take_in
from autograder.engine.sandbox import wire
from autograder.engine.sandbox.child import _tensor
from autograder.engine.sandbox.probes import probes_of
from autograder.engine.sandbox.student import Student
torch.set_num_threads(1)
root = Path(tempfile.mkdtemp())
submission = take_in(Path("solution"), root, ASSIGNMENT.problems)
probes = probes_of(ASSIGNMENT.package)
for number, reference in load(ASSIGNMENT, "public").by_number.items():
    question = reference.question
    folder = private_copy(submission, question.problem, question.results, root / number)
    os.chdir(folder)
    sys.path[:0] = [str(folder)]
    torch.manual_seed(7)
    tree, arrays = wire.flatten(question.inputs)
    probes[question.probe](Student(folder), **wire.unflatten(tree, arrays, _tensor))
    sys.path.pop(0)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(root)):
            del sys.modules[name]
shutil.rmtree(root)
"""


ISOLATED = """
from pathlib import Path
from autograder.assignment import ASSIGNMENT
from autograder.engine.grade import Options, grade
grade(ASSIGNMENT, Path("solution"), Options(slots=1, isolate={}))
"""


def bench_grading() -> None:
    """A grade against one without lock-down, and against the same calls in one process."""
    locked, unlocked, bare = [], [], []
    for _ in range(3):  # in turn, so that a machine that drifts drifts for all
        locked.append(run(PYTHON, "-c", ISOLATED.format(True))[0])
        unlocked.append(run(PYTHON, "-c", ISOLATED.format(False))[0])
        bare.append(run(PYTHON, "-c", WITHOUT_ISOLATION, environment={"OMP_NUM_THREADS": "1"})[0])
    print(f"grading, checks one after another: {min(locked):.1f} s, {min(bare):.1f} s as calls in "
          f"one process: {min(locked) / min(bare):.2f}x (target: at most 2x)")
    print(f"grading, lock-down: {min(locked):.1f} s with it, {min(unlocked):.1f} s without: "
          f"{min(locked) / min(unlocked):.2f}x (target: at most 1.2x)")
    wall, cpu, pss = min(run(PYTHON, "-m", "autograder", "grade", "solution", memory=True)
                         for _ in range(2))
    print(f"grading, checks side by side: {wall:.1f} s, {cpu:.1f} CPU seconds (target: at most "
          f"45), {pss:.0f} MB PSS at the peak (target: under 550)")


TUNINGS = {  # of the server -> what switches it off
    "none off": "pass",
    "code let go": "server._let_code_go = lambda: None",
    "kept memory": "server.keep_freed = lambda *_: None",
    "stand-in for the compiler": "import sys, types; sys.modules['autograder.engine.sandbox.eager'"
                                 "] = types.SimpleNamespace(stand_in=lambda: None)",
}


def bench_tuning() -> None:
    """CPU time and memory of a grade of the solution without each tuning."""
    public = load(ASSIGNMENT, "public")
    used: dict[str, list[tuple[float, float]]] = {name: [] for name in TUNINGS}
    for names in (list(TUNINGS), list(TUNINGS)[::-1]):  # both ways: a machine may drift
        for name in names:
            used[name].append(tuned(TUNINGS[name], public))
    cpu, pss = ({name: sum(pair[i] for pair in pairs) / len(pairs) for name, pairs in used.items()}
                for i in (0, 1))
    for name in TUNINGS:
        print(f"tuning, {name}: {cpu[name]:.1f} CPU seconds, {pss[name]:.0f} MB PSS at the peak: "
              f"{cpu[name] / cpu['none off']:.2f}x, {pss[name] / pss['none off']:.2f}x")


def tuned(statement: str, public: References) -> tuple[float, float]:
    """CPU seconds and peak PSS in MB of a server, which begins with a statement, and its forks."""
    plain = forked.python
    forked.python = lambda code: plain(
        f"from autograder.engine.sandbox import server; {statement}; {code}")
    try:
        with Workers(ASSIGNMENT, 1) as workers:
            workers.layers()
            server = psutil.Process(workers.backend.process.pid)
            before = tree_cpu(server)
            with peak_of(server.pid) as peak:
                made = grade(ASSIGNMENT, KIT / "solution", Options(), references=[public],
                             workers=workers)
            after = tree_cpu(server)
    finally:
        forked.python = plain
    if made.score < made.possible:
        sys.exit(f"tuning: the solution got {made.score:g} of {made.possible:g} points")
    return after - before, peak[0]


def bench_gradescope() -> None:
    """The solution, graded fully in the smallest container; Linux and root."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "autograder.zip"
        run(PYTHON, "-m", "autograder", "package", "--out", str(archive), "--leaderboard")
        try:
            report = rehearse(archive, KIT / "solution", folder=Path(folder))
        except CannotRehearse as error:
            print(f"gradescope: {error}")
            return
    if report.problems:
        sys.exit(f"gradescope: {'; '.join(report.problems)}")
    print(f"gradescope, {report.limits}: {report.score:g} points in {report.seconds:.0f} s "
          f"(target: under {TARGETS['seconds']}), {report.cpu_seconds:.0f} CPU seconds (target: at "
          f"most {TARGETS['cpu_seconds']}), {report.peak_pss:.0f} MB PSS at the peak (target: "
          f"under {TARGETS['peak_pss']})")


HANGING = {  # name -> function of problem1/utils.py, and how its body begins
    "solution": None,
    "nms": ("def nms(", "    while True:\n        pass\n"),
    "compute_iou": ("def compute_iou(", "    __import__('time').sleep(10**6)\n"),
    "import": ("", "while True:\n    pass\n"),
}


def bench_hanging(names: list[str]) -> None:
    """Scores of the solution with something that hangs, in the smallest container; Linux, root.

    Args:
        names: which of `HANGING`.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "autograder.zip"
        run(PYTHON, "-m", "autograder", "package", "--out", str(archive))
        for name in names:
            submission = Path(folder) / name
            shutil.copytree(KIT / "solution", submission)
            if HANGING[name] is not None:
                hang(submission / "problem1" / "utils.py", *HANGING[name])
            try:
                report = rehearse(archive, submission, folder=Path(folder))
            except CannotRehearse as error:
                print(f"hanging: {error}")
                return
            tests = (report.results or {}).get("tests", [])
            lost: dict[str, float] = {}
            for test in tests:
                if test["score"] < test["max_score"]:
                    task = test["number"].rpartition(".")[0]
                    lost[task] = lost.get(task, 0.0) + test["max_score"] - test["score"]
            print(f"hanging, {name}: {report.score or 0:g} points in {report.seconds:.0f} s, "
                  f"{report.peak_pss:.0f} MB PSS at the peak; lost: "
                  + (", ".join(f"{points:g} of {task}" for task, points in lost.items()) or "none")
                  + "".join(f"; {problem}" for problem in report.problems))


def hang(path: Path, before: str, body: str) -> None:
    """Put `body` where the body of a function begins; at the top of the file where `before` is "".
    """
    text = path.read_text(encoding="utf-8")
    place = 0
    if before:  # behind the docstring
        opened = text.index('"""', text.index(before))
        place = text.index('"""', opened + 3) + 4
    path.write_text(text[:place] + body + text[place:], encoding="utf-8")
