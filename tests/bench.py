"""`make bench`: speed and memory, each figure beside its alternative in the same run.

    python -m tests.bench [data] [training] [grading] [tuning] [gradescope] [watch] [bank]
    python -m tests.bench classroom [--whole]
    python -m tests.bench hanging [--case solution] [--case nms] ...
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

import psutil

from autograder import KIT
from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import all_mistakes, make
from autograder.engine.diagnosis import load_bank
from autograder.engine.grade import Options, grade
from autograder.engine.references import References, load
from autograder.engine.sandbox import forked
from autograder.engine.sandbox.pool import Workers
from autograder.instructor.classroom.intake import Handed, Submitter
from autograder.instructor.quiz import sheets
from autograder.instructor.rehearsal.rehearse import TARGETS, CannotRehearse, rehearse
from tests.grading import copy_solution
from tests.simulated_class import Class

PYTHON = sys.executable
SOME, CLASS = 40, 300  # submissions


def run(*arguments: str, environment: dict | None = None,
        memory: bool = False) -> tuple[float, float, float]:
    """Run a command; seconds on the clock, CPU seconds and peak PSS in MB of its process tree.

    Args:
        memory: look at it ten times a second, which takes a tenth of a core; without, PSS is 0.
    """
    before = os.times()
    begin = time.perf_counter()
    process = subprocess.Popen(arguments, cwd=KIT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env={**os.environ, **(environment or {})})
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], tree_pss(process.pid))

    watcher = threading.Thread(target=watch)
    if memory:
        watcher.start()
    _, errors = process.communicate()
    wall = time.perf_counter() - begin
    done.set()
    if memory:
        watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{errors.decode(errors='replace')[-2000:]}")
    after = os.times()
    cpu = (after.children_user - before.children_user
           + after.children_system - before.children_system)
    return wall, cpu, peak[0]


def tree_pss(pid: int) -> float:
    """Proportional set size of a process and all its descendants, in MB (Linux; 0 elsewhere)."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                total += process.memory_full_info().pss
            except (psutil.Error, AttributeError):
                pass
    except psutil.Error:
        pass
    return total / 1e6


def bench_data() -> None:
    """2,400 images with one process and with two."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = {}
        for jobs in (1, 2):
            times = [run(PYTHON, "-m", "datasets", "generate", "--out", f"{folder}/{jobs}-{n}",
                         "--jobs", str(jobs))[0] for n in range(3)]
            seconds[jobs] = min(times)
    print(f"data, 2,400 images: 1 process {seconds[1]:.2f} s, 2 processes {seconds[2]:.2f} s: "
          f"{seconds[1] / seconds[2]:.2f}x faster (best of 3)")


TRAINING = """
import sys, time
sys.path.insert(0, {problem!r})
import torch
from runtime import Precision, choose_precision
{setup}
device = torch.device("cpu")
def seconds(precision):
    precision.prepare(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        with precision.autocast():
            output = model(images)
        optimizer.zero_grad()
        loss(output).backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
    return sorted(times[1:])[2]
chosen = choose_precision(model, images, device)
plain, fast = seconds(Precision(device, False)), seconds(chosen)
steps = 1000 / len(images)
print(f"{name}: {{plain * steps:.1f}} s per epoch in plain float32 NCHW, {{fast * steps:.1f}} s "
      f"in {{chosen}}: {{plain / fast:.2f}}x faster")
"""

DETECTOR = """
from loss import DetectionLoss
from model import MultiScaleDetector
from utils import ANCHOR_SCALES, MAP_SIZES, generate_anchors
model, images = MultiScaleDetector(), torch.rand(16, 3, 224, 224)
anchors = generate_anchors(MAP_SIZES, ANCHOR_SCALES)
box = torch.tensor([[10., 10., 40., 40.], [90., 80., 200., 190.]])
targets = [{"boxes": box, "labels": torch.tensor([0, 2])}] * 16
loss = lambda output: DetectionLoss()(output, targets, anchors)["loss_total"]
"""

HEATMAPS = """
from model import HeatmapNet
model, images, target = HeatmapNet(), torch.rand(32, 1, 128, 128), torch.rand(32, 5, 64, 64)
loss = lambda output: torch.nn.functional.mse_loss(output.float(), target)
"""


def bench_training() -> None:
    """A training step in the precision that the probe chooses against plain float32 NCHW."""
    for problem, name, setup in (("problem1", "detector", DETECTOR),
                                 ("problem2", "HeatmapNet", HEATMAPS)):
        code = TRAINING.format(problem=str(KIT / "solution" / problem), name=name, setup=setup)
        subprocess.run([PYTHON, "-c", code], check=True, cwd=KIT)


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


UNLOCKED = """
from pathlib import Path
from autograder.assignment import ASSIGNMENT
from autograder.engine.grade import Options, grade
grade(ASSIGNMENT, Path("solution"), Options(slots=1, isolate=False))
"""


def bench_grading() -> None:
    """A grade against one without lock-down, and against the same calls in one process."""
    command = (PYTHON, "-m", "autograder", "grade", "solution")
    locked, unlocked, bare = [], [], []
    for _ in range(3):  # in turn, so that a machine that drifts drifts for all
        locked.append(run(*command, "--jobs", "1")[0])
        unlocked.append(run(PYTHON, "-c", UNLOCKED)[0])
        bare.append(run(PYTHON, "-c", WITHOUT_ISOLATION, environment={"OMP_NUM_THREADS": "1"})[0])
    print(f"grading, checks one after another: {min(locked):.1f} s, {min(bare):.1f} s as calls in "
          f"one process: {min(locked) / min(bare):.2f}x (target: at most 2x)")
    print(f"grading, lock-down: {min(locked):.1f} s with it, {min(unlocked):.1f} s without: "
          f"{min(locked) / min(unlocked):.2f}x (target: at most 1.2x)")
    wall, cpu, pss = min(run(*command, memory=True) for _ in range(2))
    print(f"grading, checks side by side: {wall:.1f} s, {cpu:.1f} CPU seconds (target: at most "
          f"45), {pss:.0f} MB PSS at the peak (target: under 600)")


TUNINGS = {  # of the server -> what switches it off
    "none off": "pass",
    "joined pages": "server._join_pages = lambda: None",
    "kept memory": "server._keep_freed_memory = lambda: None",
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
    plain, done, peak = forked.python, threading.Event(), [0.0]
    forked.python = lambda code: plain(
        f"from autograder.engine.sandbox import server; {statement}; {code}")
    try:
        with Workers(ASSIGNMENT, 1) as workers:
            workers.layers()
            server = psutil.Process(workers.backend.process.pid)

            def watch() -> None:
                while not done.wait(0.1):
                    peak[0] = max(peak[0], tree_pss(server.pid))

            watcher = threading.Thread(target=watch)
            watcher.start()
            before = tree_cpu(server)
            made = grade(ASSIGNMENT, KIT / "solution", Options(), references=[public],
                         workers=workers)
            done.set()
            watcher.join()
            after = tree_cpu(server)
    finally:
        forked.python = plain
    if made.score < made.possible:
        sys.exit(f"tuning: the solution got {made.score:g} of {made.possible:g} points")
    return after - before, peak[0]


def tree_cpu(root: psutil.Process) -> float:
    """CPU seconds of a tree of processes, of those that have ended as well.

    The server lies below the process that made its namespaces.
    """
    return sum(sum(process.cpu_times()[:4])
               for process in (root, *root.children(recursive=True)))


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


def make_class(folder: Path, count: int) -> None:
    """Submissions in the bank's mistakes, every tenth a starter in which one file is written."""
    mistakes = list(all_mistakes().values())
    for index in range(count):
        submission = folder / f"student-{index:03d}"
        if index % 10 == 9:
            shutil.copytree(KIT / "starter", submission)
            shutil.copy(KIT / "solution/problem1/utils.py", submission / "problem1")
        else:
            make(mistakes[index * 37 % len(mistakes)], KIT / "solution", submission)
        for problem in ASSIGNMENT.problems:
            if not (submission / problem).is_dir():
                shutil.copytree(KIT / "solution" / problem, submission / problem)
            shutil.rmtree(submission / problem / "results", ignore_errors=True)


def bench_classroom(whole: bool) -> None:
    """Functional checks of a class, one and two at a time, and by a fresh process each.

    Args:
        whole: grade a class of 300 as well, and estimate nothing.
    """
    with tempfile.TemporaryDirectory() as name:
        def seconds(count: int, jobs: int) -> float:
            submissions = Path(name) / f"submissions-{count}"
            if not submissions.exists():
                make_class(submissions, count)
            return run(
                PYTHON, "-m", "autograder", "classroom", str(submissions), "--functional",
                "--jobs", str(jobs), "--out", f"{name}/grades-{count}-{jobs}",
                "--no-require-isolation")[0]

        one, two = seconds(SOME, 1), seconds(SOME, 2)
        # Starting two warm servers and writing class.html is paid once, however many there are.
        least = seconds(2, 2)
        each = (two - least) / (SOME - 2)
        everyone = seconds(CLASS, 2) if whole else least + (CLASS - 2) * each
        fresh = [run(PYTHON, "-m", "autograder", "grade", str(path), "--jobs", "1")[0]
                 for path in sorted(Path(name, f"submissions-{SOME}").iterdir())[:10:3]]
    print(f"classroom, functional checks of {SOME} submissions: {60 * SOME / one:.1f} a minute "
          f"with one job, {60 * SOME / two:.1f} with two: {one / two:.2f}x faster; "
          f"{60 * len(fresh) / sum(fresh):.1f} a minute by a fresh process each")
    print(f"classroom, {CLASS} submissions with two jobs: {everyone / 60:.1f} minutes"
          f"{'' if whole else ', estimated'} (two submissions {least:.1f} s, every further one "
          f"{each:.2f} s; target: under 10 minutes on 2 cores)")


def bench_bank() -> None:
    """Classes of 300 that make known mistakes, a fifth of which is hidden from the bank."""
    bank, public = load_bank(ASSIGNMENT.references), load(ASSIGNMENT, "public")
    begin, made, back, found, mixed = time.perf_counter(), 0, 0, 0, 0
    for seed in range(5):
        result = Class(bank, public, seed).run(CLASS)
        made, back = made + len(result.made), back + len(result.back)
        found, mixed = found + len(result.clusters), mixed + len(result.mixed)
        for name in sorted(result.made - result.back):
            print(f"bank: {name} does not come back in class {seed}")
    print(f"bank, 5 classes of {CLASS}, a fifth of the bank hidden: {back} of {made} hidden "
          f"mistakes that two or more make come back ({back / made:.1%}; target: 95 %); {mixed} "
          f"of {found} clusters mix mistakes; {(time.perf_counter() - begin) / 5:.1f} s a class")


OTTER = """OK_FORMAT = True
test = {{"name": "{name}", "points": 1, "suites": [{{"type": "doctest", "scored": True, "setup": "",
    "teardown": "", "cases": [{{"code": {code!r}, "hidden": False, "locked": False}}]}}]}}
"""


def bench_watch() -> None:
    """From the save of a function to its verdict, beside a grade that starts cold, and Otter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("fork", "spawn"):
            work = copy_solution(folder / kind)
            seconds = saved(work, kind)
            cold = min(run(PYTHON, "-m", "autograder", "grade", str(work), "--only", "1.3",
                           "--workers", kind)[0] for _ in range(3))
            print(f"watch, {kind}: {statistics.median(seconds):.2f} s from save to verdict (median "
                  f"of {len(seconds)}, longest {max(seconds):.2f} s); {cold:.2f} s for a grade of "
                  "task 1.3 that starts cold (best of 3)")
        otter(folder)


def saved(work: Path, kind: str) -> list[float]:
    """Seconds from saves of `compute_iou` to verdicts, in a watch of all tasks of its file."""
    file, texts = work / "problem1/utils.py", []
    texts.append(file.read_text(encoding="utf-8"))
    texts.append(texts[0].replace(".clamp(min=0).prod", ".prod"))
    tasks = [task.number for task in ASSIGNMENT.tasks.values() if "problem1/utils.py" in task.files]
    watch = subprocess.Popen([PYTHON, "-u", "-m", "autograder", "watch", str(work), "--workers",
                              kind, "--only", *tasks], cwd=KIT, stdout=subprocess.PIPE, text=True)
    verdicts = (line for line in watch.stdout if line[5:].startswith("1.3 "))
    next(verdicts)
    seconds = []
    for number in range(1, 10):
        time.sleep(5)  # a person thinks, and what stands on the function is judged meanwhile
        begin = time.perf_counter()
        (work / "new").write_text(texts[number % 2], encoding="utf-8")
        os.replace(work / "new", file)
        next(verdicts)
        seconds.append(time.perf_counter() - begin)
    watch.send_signal(signal.SIGINT)
    watch.wait()
    return seconds


def otter(folder: Path) -> None:
    """Seconds and CPU seconds of `otter run` on the questions of task 1.3, where it installs."""
    scratch, tests = folder / "otter", folder / "tests"
    try:
        subprocess.run([PYTHON, "-m", "venv", str(scratch)], check=True)
        subprocess.run([scratch / "bin/python", "-m", "pip", "install", "-q", "otter-grader",
                        "ipykernel"], check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError):
        print("watch: otter-grader does not install here, and is left out")
        return
    packages = next(scratch.glob("lib/*/site-packages"))
    (packages / "kit.pth").write_text(sysconfig.get_path("purelib"))  # torch
    tests.mkdir()
    for check in ASSIGNMENT.selected("1.3"):
        inputs = load(ASSIGNMENT, "public").by_number[check.number].question.inputs
        boxes = (inputs.get("args") or inputs["argument_lists"][0])[:2]
        asked = ", ".join(f"torch.tensor({one.tolist()}).reshape(-1, 4).float()" for one in boxes)
        shape = [len(one) for one in boxes]
        name = f"q{check.number.replace('.', '_')}"
        (tests / f"{name}.py").write_text(OTTER.format(
            name=name, code=f">>> compute_iou({asked}).shape\ntorch.Size({shape})"))
    shutil.copy(KIT / "solution/problem1/utils.py", folder / "utils.py")
    environment = {"PATH": f"{scratch / 'bin'}:{os.environ['PATH']}"}
    command = str(scratch / "bin/otter")
    run(command, "generate", "-t", str(tests), "-o", str(folder / "otter.zip"),
        environment=environment)
    runs = [run(command, "run", "-a", str(folder / "otter.zip"), "-o", str(folder),
                str(folder / "utils.py"), environment=environment)[:2] for _ in range(3)]
    score = json.loads((folder / "results.json").read_text())
    passed = sum(test.get("score") == test.get("max_score") for test in score["tests"][1:])
    print(f"watch: {min(runs)[0]:.2f} s and {min(runs)[1]:.2f} CPU s for `otter run` on {passed} "
          "questions of task 1.3, without isolation (best of 3)")


def bench_quiz() -> None:
    """Sheets of five questions for 300 students."""
    begin = time.perf_counter()
    with Workers(ASSIGNMENT) as workers:
        drawn = sheets.drawn(7, "standard", KIT / "solution", workers)
        ready = time.perf_counter() - begin
        students = [Submitter(f"student-{number}") for number in range(CLASS)]
        made = [sheets.sheet(student, Handed((student,), KIT / "solution"), drawn, 5, 7, workers)
                for student in students]
    print(f"quiz: {sum(len(sheet.asked) for sheet in made)} questions to {CLASS} students in "
          f"{time.perf_counter() - begin:.0f} s (target: under 120), {ready:.0f} of them for wrong "
          "options")


BENCHES = {"data": bench_data, "training": bench_training, "grading": bench_grading,
           "tuning": bench_tuning, "gradescope": bench_gradescope, "hanging": bench_hanging,
           "classroom": bench_classroom, "watch": bench_watch, "bank": bench_bank,
           "quiz": bench_quiz}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], metavar="NAME",
                        help=f"of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--whole", action="store_true",
                        help=f"classroom: grade {CLASS} submissions and estimate nothing")
    parser.add_argument("--case", action="append", choices=HANGING,
                        help="hanging: one of the submissions; all by default")
    options = parser.parse_args()
    more = {"classroom": [options.whole], "hanging": [options.case or list(HANGING)]}
    for name in options.names or BENCHES:
        BENCHES[name](*more.get(name, []))


if __name__ == "__main__":
    main()
