"""`python -m autograder zip`: what it builds, and what it says of it."""

import shutil
import zipfile

from autograder.__main__ import main
from autograder.engine import handing_in
from tests.grading import SOLUTION, archive, copy_solution, worth, write_files


def built(capsys, tmp_path, *sources):
    """What is printed, and the names in the zip file."""
    assert main(["zip", *map(str, sources), "--out", str(tmp_path / "work.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "work.zip") as content:
        return capsys.readouterr().out.splitlines(), set(content.namelist())


def test_whole_work_is_packed_and_is_graded_the_same(tmp_path, capsys, borrowed):
    lines, names = built(capsys, tmp_path, SOLUTION)
    assert lines[:-1] == ["report.md: Q1, Q2, Q3, Q4, Q5, Q6, Q7, Q8 have no answer"]
    assert lines[-1].startswith(f"wrote {tmp_path / 'work.zip'}: ") and lines[-1].endswith(" MB")
    assert {"problem1/utils.py", "problem1/results/best_model.pth", "problem2/baseline.py",
            "problem2/results/training_log.json"} <= names
    assert not any("__pycache__" in name for name in names)
    assert main(["grade", str(tmp_path / "work.zip"), "--only", "1.3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(
        f"Total {worth('1.3')} / {worth('1.3')} ")


def test_what_is_missing_and_what_comes_near(tmp_path, capsys, monkeypatch):
    work = copy_solution(tmp_path / "work")
    (work / "problem1/utils.py").rename(work / "problem1/util.py")
    (work / "problem2/evaluate.py").unlink()
    write_files(work, {"problem1/results/best_model.pt": "x" * 5000,
                       "problem1/results/log.json": "{}",
                       **{f"problem1/data/{i}.txt": "x" * 50_000 for i in range(4)}})
    monkeypatch.setattr(handing_in, "MOST", 1000)
    lines, names = built(capsys, tmp_path, work)
    assert lines[-3] == (
        "problem1/data/0.txt, problem1/data/1.txt, problem1/data/2.txt, problem1/data/3.txt: "
        "packed, though no task asks for it: delete what your code does not read")
    assert lines[:-3] == [
        "problem1/utils.py is missing (tasks 1.2, 1.3, 1.4, 1.5, 1.9): is problem1/util.py meant?",
        "problem1/results/best_model.pt is taken for problem1/results/best_model.pth",
        "problem1/results/training_log.json is missing (task 1.13)",
        "report.md is missing (tasks 1.18, 2.13)",
        "problem2/evaluate.py is missing (tasks 2.5, 2.6, 2.7, 2.12)",
        "problem2/results/heatmap_model.pth is missing (task 2.10)",
        "problem2/results/regression_model.pth is missing (task 2.10)",
        "problem2/results/training_log.json is missing (task 2.10)"]
    assert lines[-2].startswith(
        "Gradescope takes 0.001 MB at most, and the file is larger: problem1/data (0.2 MB), ")
    assert "problem1/util.py" in names


def test_weights_that_no_task_asks_for_are_told(tmp_path, capsys, borrowed):
    work = tmp_path / "work"
    shutil.copytree(SOLUTION, work)
    write_files(work, {"problem1/results/checkpoint.pth": "x"})
    assert built(capsys, tmp_path, work)[0][-2].startswith(
        "problem1/results/checkpoint.pth: packed, though no task asks for it: delete")


def test_what_of_the_report_is_empty(tmp_path, capsys):
    write_files(tmp_path / "work", {
        "problem1/utils.py": "", "report.md": "| mAP@0.5 | 0.9 |\n# Q1\n> why?\n# Q2\nSo.\n"})
    lines, _ = built(capsys, tmp_path, tmp_path / "work")
    assert ("report.md: 25 of 26 rows have no value (`python report.py` fills them in) and "
            "Q1 has no answer") in lines


def test_one_problem_alone(tmp_path, capsys):
    one = archive(tmp_path / "problem1.zip", {"utils.py": "", "data/x.bin": "x" * 10})
    lines, names = built(capsys, tmp_path, one)
    assert names == {"problem1/utils.py", "problem1/data/x.bin"}
    assert lines[0] == "problem2/ is missing" and not any("problem2/" in line for line in lines[1:])
