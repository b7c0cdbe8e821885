"""What students wait for: images, training steps, and verdicts after a save."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

from autograder import KIT
from autograder.assignment import ASSIGNMENT
from autograder.engine.references import load
from tests.bench.measuring import PYTHON, run
from tests.grading import copy_solution


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
