"""The notebooks: what their sources build, run top to bottom on finished and on untouched work."""

import os
import re
import sys
from copy import copy
from pathlib import Path
from types import ModuleType

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from autograder.engine import archive
from autograder.instructor.packaging import release
from handout import ipynb, walkthrough
from handout.__main__ import main
from handout.problems import KIT
from tests.grading import worth

ALL = [source.stem for source in ipynb.SOURCES]
NAMES = ALL[1:]  # those that look at a student's code


def test_they_are_what_their_sources_build():
    assert ALL == ["homework1", "problem1", "problem2"]
    assert main(["notebooks", "--check"]) == 0


def test_the_handout_names_the_tasks_that_they_do_not_show():
    sources = "\n".join(source.read_text("utf-8") for source in ipynb.SOURCES)
    titles = " ".join(re.findall(r"^# ## .*", sources, re.M))
    text = " ".join((KIT / "handout/text/1-start.md").read_text("utf-8").split())
    named = text.partition("but not ")[2].partition("After")[0]
    assert set(re.findall(r"\d\.\d+", named)) == {"2.9", "1.16", "1.17", "2.12"}
    assert not re.search(r"\b(2\.9|1\.1[67]|2\.12)\b", titles)


def test_a_changed_source_is_noticed(monkeypatch, capsys):
    build = ipynb.build
    monkeypatch.setattr(ipynb, "build", lambda source: build(source) + " ")
    assert main(["notebooks", "--check"]) == 1
    assert capsys.readouterr().out.count("run `make notebooks`") == 3


@pytest.mark.parametrize("name", ALL)
def test_they_are_valid_and_stored_without_outputs(name):
    notebook = nbformat.read(KIT / "handout" / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 9
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def run(name: str, homework: str) -> list:
    """The cells of a notebook after it has run against `solution` or `starter`."""
    notebook = nbformat.read(KIT / "handout" / f"{name}.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=200,
                            resources={"metadata": {"path": str(KIT / "handout")}})
    environment = {**os.environ, "HOMEWORK": str(KIT / homework), "QUICK": "1",
                   "OMP_NUM_THREADS": "1"}
    client.execute(env=environment)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def pictures(cell) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def folder_state() -> dict:
    return {path: path.stat().st_mtime_ns for path in (KIT / "solution").glob("*/results/**/*")}


@pytest.mark.proof
@pytest.mark.parametrize("name", NAMES)
def test_finished_work_is_shown(name):
    before = folder_state()
    cells = run(name, "solution")
    assert not any("Not yet" in printed(cell) for cell in cells)
    steps = [cell for cell in cells if "with step(" in cell.source]
    assert sum(pictures(cell) > 0 for cell in steps) >= len(steps) - 1  # 1.7 prints a table
    assert folder_state() == before, "looking at results must not change them"
    if name == "problem1":
        perfect = next(line for cell in cells for line in printed(cell).splitlines()
                       if line.startswith("perfect"))
        assert perfect.endswith("loss_total 0.0000")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_untouched_work_is_met_kindly(name):
    cells = run(name, "starter")
    steps = [cell for cell in cells if "with step(" in cell.source]
    assert all(printed(cell).startswith("Not yet: ") for cell in steps)
    assert not any(pictures(cell) for cell in steps)
    text = "\n".join(map(printed, steps))
    assert f"Still to write: {name[-1]}.1 " in text
    assert "into its file" in text and "make grade" in text and "train first" in text
    assert {"1": "1.7 DetectionLoss, 1.8 MultiScaleDetector, 1.9 nms, 1.11",
            "2": "2.4 RegressionNet, 2.5 extract_keypoints_from_heatmaps, 2.6 compute_pck"
            }[name[-1]] in text  # all, in the order of the tasks


@pytest.mark.slow
@pytest.mark.proof
def test_the_notebook_for_colab_goes_from_the_zip_file_to_one_to_hand_in(tmp_path):
    """Without training: the starter says that its tasks are to be written first."""
    (tmp_path / "homework1.zip").write_bytes(archive.pack(
        {f"homework1/{name}": content for name, content in release.files().items()}))
    notebook = nbformat.read(KIT / "handout" / "homework1.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("generate", "generate --train 4 --val 2")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute(
        env=environment)
    text = "".join(map(printed, (cell for cell in notebook.cells if cell.cell_type == "code")))
    text = re.sub(r"\x1b\[\d*m", "", text)
    assert "12 images written to" in text and f"Total 0 / {worth('1.2')} " in text
    assert "Task 1.1" in text and "Task 2.1" in text
    assert (tmp_path / "homework1" / "submission.zip").is_file()


def test_on_another_computer_the_notebook_for_colab_says_what_to_use(tmp_path):
    notebook = nbformat.read(KIT / "handout" / "homework1.ipynb", as_version=4)
    notebook.cells = notebook.cells[:2]
    with pytest.raises(CellExecutionError, match="this notebook is for Colab: on"):
        NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()


def test_work_comes_back_and_stays_where_colab_has_restarted(tmp_path):
    for name, content in {
            "homework1": {"homework1/starter/problem1/a.py": b"old", "homework1/half.py": b""},
            "homework1 (1)": {"homework1/starter/problem1/a.py": b"stub"},
            "submission": {"problem1/a.py": b"oldest"}, "submission (9)": {"problem1/a.py": b"old"},
            "submission (10)": {"__MACOSX/problem1/a.py": b"", "mine/problem1/a.py": b"mine",
                                "mine/report.md": b"numbers"}}.items():
        (tmp_path / f"{name}.zip").write_bytes(archive.pack(content))
    (tmp_path / "homework1 (2).zip").write_bytes(b"half of it")
    notebook = nbformat.read(KIT / "handout" / "homework1.ipynb", as_version=4)
    first = notebook.cells[1]
    change = ("file = Path('starter/problem1/a.py')\nassert file.read_text() == 'mine'\n"
              "assert Path('starter/report.md').is_file() and not Path('half.py').exists()\n"
              "file.write_text('newer')\n%cd ..")
    notebook.cells = [first, nbformat.v4.new_code_cell(change), first.copy()]
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert (tmp_path / "homework1" / "starter/problem1/a.py").read_text() == "newer"
    assert "your work of an earlier session is back, from submission (10).zip" in printed(first)
    again = printed(notebook.cells[2])
    assert "homework1 is here already" in again and again.strip().endswith(
        str(tmp_path / "homework1"))


def test_a_changed_file_is_loaded_again_for_all_that_import_it(monkeypatch, tmp_path):
    notebook = ModuleType("__main__")
    for name in ("sys.path", "sys.modules", "walkthrough.LOADED"):
        part, _, attribute = name.partition(".")
        monkeypatch.setattr(globals()[part], attribute, copy(getattr(globals()[part], attribute)))
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    monkeypatch.setattr(walkthrough, "HOMEWORK", tmp_path)
    first, second = (tmp_path / "problem1" / name for name in ("first.py", "second.py"))
    deeper = tmp_path / "problem1" / "parts" / "third.py"
    deeper.parent.mkdir(parents=True)
    (first.parent / "._first.py").write_bytes(b"\x80")  # what macOS leaves beside a file
    (first.parent / ".#first.py").symlink_to("nowhere")  # Emacs, while one edits it
    first.write_text("def f():\n    raise NotImplementedError\n")
    second.write_text("from first import f\n\n\nclass G:\n    value = 0\n\n\n"
                      "def gone():\n    return 0\n")
    deeper.write_text("value = 0")
    walkthrough.use("problem1")
    exec("import second\nfrom second import G, gone\nfrom parts import third\ninstance = G()",
         vars(notebook))
    for value in (7, 8):  # of the same size, within a second
        deeper.write_text(f"value = {value}")
        with walkthrough.step("task 1.1"):
            assert notebook.third.value == value and notebook.gone() == 0
    for value in (1, 22):  # two changes: the second one is what IPython forgets
        first.write_text(f"def f():\n    return {value}\n")
        second.write_text(f"from first import f\n\n\nclass G:\n    value = {value}\n")
        with walkthrough.step("task 1.1"):
            assert notebook.second.f() == notebook.G.value == value
    with pytest.raises(NotImplementedError, match="for 'Bool'"), walkthrough.step("task 1.1"):
        torch.tensor([True]) @ torch.tensor([True])
    first.write_text("def f(:\n")
    for _ in range(2):  # said until it is mended
        with pytest.raises(SyntaxError, match="first.py"), walkthrough.step("task 1.1"):
            pytest.fail("the old function would answer")


@pytest.mark.parametrize("page", ["handout/text/1-start.md",
                                  "autograder/instructor/packaging/student/README.md"])
def test_how_to_open_them_is_told(page):
    assert (".venv/bin/python -m pip install jupyterlab\n"
            ".venv/bin/python -m jupyterlab handout/problem1.ipynb\n"
            ) in (KIT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8)])
def test_an_image_of_another_shape_is_said_so(shape):
    with pytest.raises(ValueError, match=re.escape(f"; this one is {list(shape)}")):
        walkthrough.picture(None, np.zeros(shape))


def test_what_jupyter_leaves_beside_files_is_no_part_of_a_repository():
    assert ".ipynb_checkpoints/\n" in (release.STUDENT / "gitignore").read_text(encoding="utf-8")


def test_homework_that_is_not_there_is_said_so(monkeypatch, tmp_path):
    monkeypatch.setattr(walkthrough, "HOMEWORK", tmp_path)
    with pytest.raises(FileNotFoundError, match="problem1 is missing"):
        walkthrough.use("problem1")
