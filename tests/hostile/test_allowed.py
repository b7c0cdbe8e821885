"""What the lock-down must not get in the way of: all that honest submissions do."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from autograder import KIT
from autograder.engine.check import call
from autograder.engine.sandbox import pool as workers
from autograder.engine.sandbox.places import closed
from autograder.engine.submission import Submission
from tests.grading import SOLUTION

from .conftest import as_root, fork_only

pytestmark = fork_only

HONEST = '''
import os, sys, tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Numbers(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.full((3, 32, 32), float(index)), {"label": torch.tensor(index), "name": "x"}


def collate(batch):
    return torch.stack([image for image, _ in batch]), [target for _, target in batch]


def loader():
    total, seen = 0.0, []
    for _ in range(2):
        for images, targets in DataLoader(Numbers(), batch_size=4, num_workers=2,
                                          collate_fn=collate):
            total += float(images[:, 0, 0, 0].sum())
            seen += [int(target["label"]) for target in targets]
    return [total, seen[:12]]


def persistent_loader():
    data = DataLoader(Numbers(), batch_size=3, num_workers=2, persistent_workers=True, shuffle=True)
    return [sorted(int(label) for _, targets in data for label in targets["label"])
            for _ in range(2)]


def large_loader():
    rows = torch.utils.data.TensorDataset(torch.ones(64, 3, 224, 224))
    return float(sum(batch[0].sum() for batch in DataLoader(rows, 16, num_workers=1)))


def many_workers():
    data = DataLoader(Numbers(), batch_size=1, num_workers=8, pin_memory=True, collate_fn=collate)
    return float(sum(images[0, 0, 0, 0] for images, _ in data))


def shared_files():
    torch.multiprocessing.set_sharing_strategy("file_system")
    return loader()


def compiler():
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    for module in list(sys.modules.values()):  # as the standard library does
        hasattr(module, "__file__")
    torch.use_deterministic_algorithms(True)
    loaded = [bool({"torch._dynamo.eval_frame", "torch._inductor.config"} & sys.modules.keys())]
    compiled = torch.compile(model, backend="eager")
    same = torch.equal(compiled(torch.ones(1, 2)), model(torch.ones(1, 2)))
    return [*loaded, "torch._dynamo.eval_frame" in sys.modules, same]


def square(x):
    return x * x


def pool():
    import multiprocessing
    with multiprocessing.Pool(2) as workers:
        return workers.map(square, range(10))


def executor():
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    with ProcessPoolExecutor(1) as processes, ThreadPoolExecutor(4) as threads:
        return [list(processes.map(square, range(4))), list(threads.map(square, range(4)))]


def queue():
    import multiprocessing
    channel, lock = multiprocessing.Queue(), multiprocessing.Lock()
    value, received = multiprocessing.Value("i", 0), multiprocessing.Event()
    def work():
        with lock:
            value.value += 1
        channel.put(torch.ones(2, 2))
        received.wait(20)
    process = multiprocessing.Process(target=work)
    process.start()
    result = float(channel.get(timeout=20).sum())
    received.set()
    process.join()
    return [result, value.value]


def results():
    Path("results/visualizations").mkdir(parents=True)
    Path("results/log.json").write_text("{}")
    torch.save({"weights": torch.ones(3)}, "results/best_model.pth")
    np.savez_compressed("results/arrays.npz", a=np.ones(3))
    loaded = torch.load("results/best_model.pth", weights_only=True)["weights"]
    os.replace("results/log.json", "results/visualizations/log.json")
    return [float(loaded.sum()), float(np.load("results/arrays.npz")["a"].sum()),
            sorted(os.listdir("results"))]


def late():
    import csv, statistics, unittest.mock, xml.etree.ElementTree
    for codec in ("cp437", "idna", "koi8_r", "shift_jis", "utf_7"):
        "x".encode(codec)
    np.savez("late.npz", x=np.ones(3))
    return float(np.load("late.npz")["x"].sum())


def copies():
    import shutil
    Path("a.txt").write_text("text")
    shutil.copy("a.txt", "b.txt")
    shutil.copy2("a.txt", "c.txt")
    shutil.copytree(".", Path(tempfile.mkdtemp()) / "copy")
    os.chmod("a.txt", 0o600)
    return sorted(name for name in os.listdir(".") if name.endswith(".txt"))


def figure():
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(6, 3))
    axes[0].plot([1, 2, 3], label="$\\\\alpha^2$ and text")
    axes[0].legend(prop={"family": ["serif", "monospace"]})
    axes[1].imshow(np.random.rand(8, 8))
    fig.suptitle("Bold", fontweight="bold", family="DejaVu Sans")
    sizes = []
    for name in ("results/figure.png", "results/figure.pdf", "results/figure.svg"):
        fig.savefig(name)
        sizes.append(os.path.getsize(name) > 1000)
    return sizes


def pictures():
    from PIL import Image, ImageDraw, ImageFont
    image = Image.new("RGB", (64, 64))
    ImageDraw.Draw(image).text((1, 1), "text", font=ImageFont.load_default())
    image.save("results/picture.png")
    image.save("results/picture.jpg")
    return list(Image.open("results/picture.jpg").size)


def imports():
    import importlib
    names = ["sqlite3", "xml.etree.ElementTree", "decimal", "unittest.mock", "asyncio", "csv",
             "email.mime.text", "http.client", "zoneinfo", "hashlib", "ssl", "lzma", "curses",
             "torch.distributions", "torch.fft", "torch.nn.utils.parametrize", "torch.jit",
             "torch.ao.nn.quantized", "torch.utils.checkpoint", "torch.optim.lr_scheduler",
             "numpy.polynomial", "matplotlib.animation", "PIL.ImageFilter"]
    for name in names:
        importlib.import_module(name)
    return len(names)


def training():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
                              torch.nn.Flatten(), torch.nn.LazyLinear(2))
    net(torch.rand(2, 3, 16, 16))
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.rand(4, 3, 16, 16)).square().mean().backward()
        optimizer.step()
        schedule.step()
    return torch.cuda.is_available()


def python():
    import subprocess
    done = subprocess.run([sys.executable, "-c", "import torch; print(6 * 7)"], text=True,
                          capture_output=True, timeout=60)
    return [done.returncode, done.stdout]


def programs():
    import subprocess
    return subprocess.check_output("echo one; uname > /dev/null && echo two", shell=True, text=True)


def temporary():
    found = []
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
        Path(folder, "x").write_text("x")
        file.write(b"x")
        found.append(os.path.dirname(folder) == os.path.dirname(file.name) == tempfile.gettempdir())
    Path.home().joinpath(".cache").mkdir(exist_ok=True)
    Path("~/.cache/x").expanduser().write_text("x")
    return found + [os.environ["TMPDIR"] == os.environ["HOME"] == tempfile.gettempdir()]


def threads():
    import threading
    seen = []
    many = [threading.Thread(target=seen.append, args=(i,)) for i in range(20)]
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    torch.set_num_threads(2)
    ones = torch.ones(300, 300)
    return [sorted(seen) == list(range(20)), float((ones @ ones).max())]


def printing():
    import logging, warnings
    from tqdm import tqdm
    for _ in tqdm(range(3), file=sys.stderr):
        print("text")
    warnings.warn("careful")
    logging.getLogger().warning("careful")
    sys.stdout.flush()
    return sys.stdout.isatty()


def machine():
    import getpass, platform, socket
    return [os.cpu_count() > 0, len(os.sched_getaffinity(0)) > 0, platform.machine() != "",
            len(os.getloadavg()) == 3, os.path.expanduser("~") == str(Path.home()),
            sys.executable != ""]


def signals():
    import signal
    def handler(*_):
        raise TimeoutError
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        while True:
            pass
    except TimeoutError:
        return True


def limits():
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def memory():
    return float(torch.ones(2**28).sum())  # one gigabyte
'''

EXPECTED = {
    "loader": [132.0, list(range(12))],
    "persistent_loader": [list(range(12))] * 2,
    "large_loader": 64 * 3 * 224.0 * 224,
    "many_workers": 66.0,
    "shared_files": [132.0, list(range(12))],
    "pool": [x * x for x in range(10)],
    "executor": [[0, 1, 4, 9]] * 2,
    "queue": [4.0, 1],
    "results": [3.0, 3.0, ["arrays.npz", "best_model.pth", "visualizations"]],
    "late": 3.0,
    "copies": ["a.txt", "b.txt", "c.txt"],
    "figure": [True] * 3,
    "pictures": [64, 64],
    "imports": 23,
    "training": False,
    "python": [0, "42\n"],
    "programs": "one\ntwo\n",
    "temporary": [True, True],
    "threads": [True, 300.0],
    "printing": False,
    "compiler": [False, True, True],  # loaded by a step, by torch.compile; its answer
    "machine": [True] * 6,
    "signals": True,
    "limits": 64,
    "memory": 2.0**28,
}


@pytest.fixture(scope="module")
def ask(scene, warm):
    """`ask(name)`: what a function of the honest submission above returns."""
    folder = scene.room / "allowed" / "problem1"
    folder.mkdir(parents=True)
    folder.joinpath("utils.py").write_text(HONEST)

    inquiry = warm.about(Submission(folder.parent, ()))

    def run(name: str) -> workers.Answer:
        return inquiry.ask(call("problem1", f"utils.{name}"), "1.2", 0).result()

    return run


WITHOUT_MOUNTS = """
import sys
from pathlib import Path
from autograder.assignment import ASSIGNMENT
from autograder.engine.check import call
from autograder.engine.sandbox.pool import Workers
from autograder.engine.submission import Submission

with Workers(ASSIGNMENT, slots=1) as pool:
    inquiry = pool.about(Submission(Path(sys.argv[1]), ()))
    answer = inquiry.ask(call("problem1", "utils.late"), "1.2", 0).result()
    print(pool.layers()["mount namespace"] is None, answer.error, answer.value)
"""


@pytest.mark.skipif(not as_root() or shutil.which("setpriv") is None or closed(sys.prefix),
                    reason="needs root, setpriv and packages that other users can read")
def test_the_standard_library_is_there_where_nothing_can_be_mounted(scene, ask):
    """The interpreter may lie in a home that other users cannot enter."""
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", sys.executable, "-c", WITHOUT_MOUNTS,
         str(scene.room / "allowed")], cwd=KIT, text=True, capture_output=True, timeout=120)
    assert (done.stdout, done.stderr) == ("False None 3.0\n", "")


@pytest.mark.skipif(not as_root() or shutil.which("setpriv") is None, reason="needs root, setpriv")
@pytest.mark.parametrize("what", ["packages", "temporary folder"])
def test_what_no_other_user_can_reach_is_told(what):
    """Else a right solution would lose what imports late (fonts, torch's compiler), or all."""
    home = Path(tempfile.mkdtemp(dir="/tmp"))  # of mode 0700, and short: see `MAX_TMPDIR`
    command, environment = [sys.executable], dict(os.environ)
    if what == "packages":
        venv = home / ".venv"
        shutil.copytree(Path(sys.prefix, "bin"), venv / "bin", symlinks=True)
        shutil.copy(Path(sys.prefix, "pyvenv.cfg"), venv)
        (venv / "lib").symlink_to(Path(sys.prefix, "lib"))
        command = [venv / "bin" / "python"]
    else:
        environment["TMPDIR"] = str(home)
    asked = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", *command, "-m", "autograder", "grade", SOLUTION,
         "--only", "1.3.1"], cwd=KIT, env=environment, capture_output=True, text=True)
    assert asked.returncode == 3 and "Traceback" not in asked.stderr
    assert f"another user here, who cannot reach {home}/" in asked.stderr
    assert [path.name for path in home.iterdir()] == [".venv"] * (what == "packages")
    shutil.rmtree(home)


@pytest.mark.parametrize("name", EXPECTED)
def test_honest_code_runs(name, ask, nothing_left):
    answer = ask(name)
    assert answer.status == "ok", answer
    assert answer.value == EXPECTED[name]
    nothing_left()
