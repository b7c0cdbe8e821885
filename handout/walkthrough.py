"""What both notebooks need: your code, some images, and kind words where a task is not done yet."""

import importlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Rectangle

KIT = Path(__file__).resolve().parents[1]
HOMEWORK = Path(os.environ.get("HOMEWORK", KIT / "starter"))
SHORT = "QUICK" in os.environ  # train for two steps only, where the kit tests the notebooks
LOADED: dict[Path, int] = {}  # your files of the problem, as they were when they were loaded

POSITIVE, IGNORED, NEGATIVE, PREDICTED = "#1a7f37", "#bf8700", "#c9ccd1", "#cf222e"


class NotTrained(NotImplementedError):
    """A file that training would have left is not there."""


def use(problem: str) -> Path:
    """Put your `problem1/` or `problem2/` and the kit on the path; returns your folder."""
    folder = HOMEWORK / problem
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: set HOMEWORK to the folder of your work")
    sys.path[:0] = [str(path) for path in (folder, KIT) if str(path) not in sys.path]
    load(folder)
    print(f"looking at {folder}\nstill to write: "
          + (", ".join(unwritten(rf"{problem[-1]}\.")) or "nothing"))
    return folder


def load(folder: Path) -> None:
    """Load your files again where one has changed, for each other and for the notebook. (autoreload
    leaves old functions in what imported them, where a file changes right after the first cell.)"""
    sys.dont_write_bytecode = True  # Python takes it for that of a file changed in the same second
    stems = {path.stem: path for path in folder.glob("[!.]*.py")}
    files = {path: path.stat().st_mtime_ns
             for path in {*stems.values(), *imported().values()} if path.is_file()}
    if files.items() <= LOADED.items():
        return
    modules, notebook = {*stems, *imported()}, vars(sys.modules["__main__"])
    for name in modules:
        sys.modules.pop(name, None)
    for name, value in list(notebook.items()):
        if isinstance(value, ModuleType) and value.__name__ in modules:
            notebook[name] = importlib.import_module(value.__name__)
        elif isinstance(value, (FunctionType, type)) and value.__module__ in modules:
            notebook[name] = getattr(
                importlib.import_module(value.__module__), value.__name__, value)
    LOADED.clear()
    LOADED.update(files)


def imported() -> dict[str, Path]:
    """The modules that are loaded from your folder, by name; their files may lie deeper in it."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name: Path(file) for name, file in files.items()
            if file and HOMEWORK.resolve() in Path(file).resolve().parents}


def unwritten(tasks: str) -> list[str]:
    """What still raises NotImplementedError in your files of the tasks whose numbers begin with a
    pattern: `["1.3 compute_iou", ...]`."""
    found = [line for path in sorted(HOMEWORK.glob("problem*/[!.]*.py")) for line in re.findall(
        r'NotImplementedError\(\s*"Task (\d\.\d+ \w+)', path.read_text("utf-8", "replace"))]
    return sorted(filter(re.compile(tasks).match, dict.fromkeys(found)),
                  key=lambda line: [int(part) for part in line.split()[0].split(".")])


@contextmanager
def step(tasks: str) -> Iterator[None]:
    """Run a step that needs tasks such as `"1.1 to 1.4, 1.9"`; where one is not done, say which and
    go on."""
    try:
        for folder in {path.parent for path in LOADED if path.parent.parent == HOMEWORK}:
            load(folder)
        yield
    except NotImplementedError as error:
        if not isinstance(error, NotTrained) and not str(error).startswith("Task "):
            raise  # torch has this error as well
        plt.close("all")
        needed = [f"{problem}.{number}" for problem, first, last in
                  re.findall(r"(\d)\.(\d+)(?: to \d\.(\d+))?", tasks)
                  for number in range(int(first), int(last or first) + 1)]
        missing = unwritten("|".join(rf"{re.escape(name)} (?!main)" for name in needed))
        training = unwritten(rf"{needed[0][0]}\.\d+ (main|train|validate)")
        print(f"Not yet: {error}." + f" First write {', '.join(training)}." * bool(training)
              if isinstance(error, NotTrained) else
              f"Not yet: this step needs {tasks}. Still to write: {', '.join(missing) or error}.\n"
              "Write one into its file, save it, run `make grade` for its task, and come back.")


def data(dataset: str, train: int = 8, val: int = 16) -> Path:
    """A small dataset, `detection` or `keypoints`, of `train` and `val` images, in a temporary
    folder of the form of `datasets/detection`: `train/`, `train_annotations.json`, ..."""
    from datasets import store
    from datasets.recipe import Recipe

    folder = Path(tempfile.mkdtemp(prefix="notebook-"))
    store.generate(Recipe("standard", 2024, train, val), folder)
    return folder / dataset


def left(path: Path, how: str = "train first (train.py)") -> Path:
    """The path of a file that training has left; NotTrained where there is none."""
    if not path.is_file():
        raise NotTrained(f"there is no {path}, {how}")
    return path


def trained(model: torch.nn.Module, path: Path) -> torch.nn.Module:
    """Load the weights that training has left, as report.py does; NotTrained without them."""
    from starter.report import load as load_weights
    return load_weights(model, left(path))


def log(path: Path) -> dict:
    """A training log; NotTrained where there is none."""
    return json.loads(left(path).read_text(encoding="utf-8"))


def picture(axes, image, title: str = "", fade: float = 1.0) -> None:
    """Show an image `[3, H, W]` or `[1, H, W]` in 0..1, faded to white by `1 - fade`."""
    if np.ndim(image) != 3 or len(image) not in (1, 3):
        raise ValueError(f"an image is [3, H, W] or [1, H, W]; this one is {list(np.shape(image))}")
    pixels = np.asarray(image).transpose(1, 2, 0).squeeze()
    axes.imshow(1 - fade + fade * pixels, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[], title=title)


def box(axes, xyxy, colour: str, style: str = "-", text: str = "") -> None:
    """Draw one box, x1, y1, x2, y2 in pixels, with a text beside it."""
    x1, y1, x2, y2 = (float(v) for v in xyxy)
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color=colour, ls=style,
                             lw=1.5))
    if text:
        axes.text(x1, max(y1, 12) - 2, text, color=colour, fontsize=8, clip_on=True,
                  bbox={"color": "white", "alpha": 0.7, "pad": 0.5})


def curves(axes, values: dict[str, list[float]], title: str) -> None:
    """Training and validation loss over the epochs."""
    for name, losses in values.items():
        axes.semilogy(range(1, len(losses) + 1), losses, ".-", label=name)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(title=title, xlabel="epoch", ylabel="loss",
             xlim=(0, 1 + max((len(losses) for losses in values.values()), default=1)))
    axes.legend()
