"""Sources are compiled and forbidden imports found: nothing is run, whatever they hold."""

import shutil
import subprocess
import sys

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine import sources
from autograder.engine.sources import MAX_NOTES
from autograder.engine.sources import read as read_for
from autograder.engine.submission import Submission


def read(root):
    """The notes on the submission in a folder."""
    found, *_ = read_for(root, ASSIGNMENT.libraries)
    return found


def notes(tmp_path, **sources: str) -> list[str]:
    """The notes on a submission, without what is allowed; `_` in a name stands for a folder."""
    for name, text in sources.items():
        path = tmp_path / "problem1" / (name.replace("_", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [note.split(", which")[0] for note in read(tmp_path) if not note.startswith(ALLOWED)]


ALLOWED = "allowed are matplotlib, mpl_toolkits, numpy, PIL, torch, tqdm, the standard library"
LOST_A = "the imports of problem1/a.py could not be looked at"


def test_each_module_is_told_once_per_file_with_its_first_line(tmp_path):
    source = ("import numpy, cv2\n\ndef f():\n    import scipy.stats as s\n"
              "    from torchvision.ops import nms\ntry:\n    import cv2.dnn\nexcept: pass\n")
    assert notes(tmp_path, utils=source, deep_er=source.replace("cv2", "skimage")) == [
        "problem1/deep/er.py, line 1: imports skimage",
        "problem1/deep/er.py, line 4: imports scipy",
        "problem1/deep/er.py, line 5: imports torchvision",
        "problem1/utils.py, line 1: imports cv2",
        "problem1/utils.py, line 4: imports scipy",
        "problem1/utils.py, line 5: imports torchvision"]
    assert read(tmp_path)[0].endswith(
        "imports skimage, which is no file of yours (there is no skimage.py beside it) and not "
        "installed where your grade is made")


def test_what_is_allowed_and_what_is_the_students_own(tmp_path):
    assert notes(
        tmp_path, utils="from __future__ import annotations\nimport torch.nn as nn, numpy as np\n"
        "from PIL import Image\nimport matplotlib.pyplot\nfrom mpl_toolkits import mplot3d\n"
        "from tqdm.auto import tqdm\nimport json, os.path\nfrom . import loss\n"
        "from .cv2 import x\nimport loss, helpers.text\nfrom problem1.loss import y\n",
        loss="x = y = 0", helpers_text="") == []


def test_nothing_is_run(tmp_path):
    assert notes(tmp_path, utils="import cv2\nopen('proof', 'w')\n1 / 0\n") == [
        "problem1/utils.py, line 1: imports cv2"]
    assert not list(tmp_path.rglob("proof"))


def test_sources_that_do_not_parse_are_passed_over(tmp_path):
    (tmp_path / "problem1").mkdir()
    (tmp_path / "problem1/bytes.py").write_bytes(b"import cv2\n\xff\xfe\0")
    assert notes(tmp_path, a="import cv2\ndef f(:\n", b="import cv2\n" + "-" * 100_000 + "1",
                 c="import cv2\n#" + "x" * 600_000, d="import cv2") == [
        "problem1/d.py, line 1: imports cv2",
        "the imports of problem1/c.py could not be looked at"]


def test_a_source_that_crashes_a_parser_does_not_reach_the_grader(tmp_path):
    # Python 3.10 ends with a segmentation fault on this, later ones with a RecursionError.
    assert notes(tmp_path, a="x" + ".a" * 240_000, b="import cv2") in (
        ["problem1/b.py, line 1: imports cv2"],
        ["problem1/b.py, line 1: imports cv2", LOST_A])


@pytest.mark.skipif(sys.platform != "linux", reason="no other system bounds memory")
def test_one_source_that_cannot_be_read_leaves_the_others(tmp_path, monkeypatch):
    """Whatever ends the process, or has too many imports: what the others import is known."""
    crash = {f"a{i}": "x = " + "(" * 60 + "1" + ")" * 60 + " + [" + "[1,]," * 90_000 + "]"
             for i in range(2)}
    many = "\n".join(f"import m{i}" for i in range(sources.MAX_IMPORTS + 5))
    monkeypatch.setattr(sources, "MAX_NOTES", 1)
    found = notes(tmp_path, **crash, many=many, z="import cv2, a0\n")
    assert found[-1].startswith("the imports of ") and "problem1/many.py" in found[-1]
    _, imports, *_ = read_for(tmp_path, ASSIGNMENT.libraries)
    assert imports["problem1/z.py"] == ["problem1/a0.py"]


@pytest.mark.parametrize("depth", [14, 18])  # megabytes, gigabytes
def test_a_source_that_grows_when_compiled_is_not(depth, tmp_path):
    lines = [f"{'    ' * n}try: f()\n{'    ' * n}finally:" for n in range(depth)]
    bomb = "\n".join([*lines, "    " * depth + "; ".join(["g()"] * 50)]) + "\n"
    assert notes(tmp_path, a=bomb, b="import cv2") in (
        ["problem1/b.py, line 1: imports cv2"],
        ["problem1/b.py, line 1: imports cv2", LOST_A])
    assert [path.name[:2] for path in tmp_path.rglob("__pycache__/*")] in ([], ["b."])


def test_modules_are_compiled_once_for_all_copies(tmp_path):
    (tmp_path / "one/__pycache__").mkdir(parents=True)
    source = tmp_path / "one/utils.py"
    source.write_text("def f():\n    raise ValueError\n")
    (tmp_path / "one/broken.py").write_text("def f(:\n")
    assert read(tmp_path) == []
    assert [path.stem.split(".")[0] for path in tmp_path.rglob("*.pyc")] == ["utils"]
    shutil.copytree(tmp_path / "one", tmp_path / "two")  # as for a check, with new time stamps
    run = subprocess.run([sys.executable, "-v", "-c", "import utils; utils.f()"], text=True,
                         cwd=tmp_path / "two", capture_output=True)
    assert "code object from" in run.stderr and "utils.cpython" in run.stderr
    assert f'File "{tmp_path}/two/utils.py", line 2, in f' in run.stderr


def test_a_file_in_the_place_of_the_cache_folder(tmp_path):
    (tmp_path / "problem1").mkdir()
    (tmp_path / "problem1/__pycache__").write_text("")
    assert notes(tmp_path, utils="import cv2") == ["problem1/utils.py, line 1: imports cv2"]


def test_who_can_do_without_is_not_told(tmp_path):
    text = ("try:\n    import tqdm_\nexcept ImportError:\n    tqdm_ = iter\n"
            "try:\n    import cv2\nfinally:\n    pass\n")
    assert notes(tmp_path, utils=text) == ["problem1/utils.py, line 6: imports cv2"]


def test_notes_are_bounded_and_printable(tmp_path):
    found = notes(tmp_path, **{"e\x1b[31m": "\n".join(f"import m{i}" for i in range(500))})
    assert len(found) == MAX_NOTES + 1
    assert found[0] == "problem1/e?[31m.py, line 1: imports m0"
    assert found[-1] == "and 480 more imports that are not allowed"


def test_what_is_allowed_is_told_once_where_something_is_not(tmp_path):
    assert notes(tmp_path, utils="import numpy") == read(tmp_path) == []
    assert notes(tmp_path, utils="import cv2, scipy") != read(tmp_path)
    assert sum(note.startswith(ALLOWED) for note in read(tmp_path)) == 1


def test_who_imports_which_of_the_students_own_files(tmp_path):
    notes(tmp_path, loss="from utils import f\nimport torch", train="import loss, problem1.utils",
          utils="import math", model_net="from .utils import f", model_utils="")
    _, imports, *_ = read_for(tmp_path, ASSIGNMENT.libraries)
    assert {name: sorted(set(files)) for name, files in imports.items() if files} == {
        "problem1/loss.py": ["problem1/utils.py"],
        "problem1/train.py": ["problem1/loss.py", "problem1/utils.py"],
        "problem1/model/net.py": ["problem1/model/utils.py"]}
    reached = Submission(tmp_path, (), imports).reached("problem1/train.py")
    assert reached == {"problem1/train.py", "problem1/loss.py", "problem1/utils.py"}


def test_a_name_is_told_that_a_file_of_their_own_does_not_have(tmp_path):
    assert notes(
        tmp_path, myboxes="import numpy as np\nfrom loss import *\nSIZE: int = 3\n", loss="",
        other="def area(): pass\nclass Box:\n    def inter(self): return corners\n"
              "if area():\n    import math as m, os.path\n",
        utils="from other import area, Box, m, os, __doc__\nfrom other import (\n    corners)\n"
              "from .other import wide\nfrom problem1.other import tall\nfrom other import *\n"
              "from myboxes import SIZE, anything\nfrom . import other\nimport other as o\n"
              "def f():\n    from loss import late\n"
              "try:\n    from other import fast\nexcept ImportError:\n    pass\n",
        made="globals().update(inter=1)", lazy="def __getattr__(name): pass", broken="def (",
        random="", deep_other="", deep_er="from other import near\nfrom .other import far\n",
        main="from made import inter\nfrom lazy import inter\nfrom broken import inter\n"
             "from random import choice\nfrom deep.other import low\n") == [
        "problem1/deep/er.py, line 2: imports far",
        "problem1/main.py, line 5: imports low",
        "problem1/utils.py, line 3: imports corners",
        "problem1/utils.py, line 4: imports wide",
        "problem1/utils.py, line 5: imports tall",
        "problem1/utils.py, line 11: imports late"]
    assert "line 3: imports corners, which problem1/other.py does not have" in read(tmp_path)[2]
    many = "from other import " + ", ".join(f"m{i}" for i in range(500))
    assert "and 486 more imports of names that are not there" in notes(tmp_path, z=many)


def test_functions_are_found_with_their_lines(tmp_path):
    source = "import torch\n\n\ndef iou():\n    pass\n\n\nclass Loss:\n    def mine(self): pass\n"
    (tmp_path / "problem1").mkdir()
    (tmp_path / "problem1" / "loss.py").write_text(source, encoding="utf-8")
    _, _, lines, _ = read_for(tmp_path, ASSIGNMENT.libraries)
    submission = Submission(tmp_path, (), lines=lines)
    assert [submission.place("problem1", name) for name in (
        "loss.iou", "loss.Loss.mine", "loss.Loss.inherited", "loss.nms", "utils.iou",
        "a_probe")] == [*(f"problem1/loss.py, line {line}" for line in (4, 9, 8)), "", "", ""]
