"""Whole grades: the solution has 100 points, the starter none, and a fault costs what it must."""

import contextlib
import errno
import io
import itertools
import json
import re
import time

import numpy as np
import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.assignment.checks import test_p1_training as training_checks
from autograder.engine import pytest_plugin, results
from autograder.engine.check import call
from autograder.engine.compare import Wrong
from autograder.engine.grading import Grading
from autograder.engine.results import FAILED, PASSED, SUBMISSION_BROKE
from autograder.engine.sandbox import channel
from autograder.engine.sandbox.pool import Workers
from autograder.engine.submission import Submission
from tests.grading import (
    FUNCTIONAL,
    SOLUTION,
    STARTER,
    copy_solution,
    failed,
    functional,
    message,
    patch,
    write_files,
)

from .test_results import valid

NUMBERS = [check.number for check in ASSIGNMENT.checks]
TOTAL = ASSIGNMENT.points.total


STUB = re.compile(r"Not written yet: Task (\S+) [\w.]+: see handout, rule (\S+)\.")
MISSING = re.compile(r"(problem\d/)?results/\w+\.\w+ is missing: run train\.py"
                     r"( and hand its results in)?\.")


def first_line(grade, number: str) -> str:
    return message(grade, number).splitlines()[0]


# --- the solution ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def solution(tmp_path_factory):
    """`(exit code, stdout, results.json)` of the command that the README names."""
    path = tmp_path_factory.mktemp("solution") / "results.json"
    with contextlib.redirect_stdout(io.StringIO()) as out, \
            contextlib.redirect_stderr(io.StringIO()):
        code = main(["grade", str(SOLUTION), "--tier", "public", "--json", str(path)])
    return code, out.getvalue(), json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_solution_has_all_points(solution):
    code, printed, content = solution
    lost = [(t["number"], t["output"]) for t in content["tests"] if t["score"] < t["max_score"]]
    assert lost == []
    assert code == 0 and content["score"] >= TOTAL
    assert re.match(rf"Total [\d.]+ / {TOTAL:g}\b", printed.splitlines()[-1])
    assert "LOST" not in printed and "note:" not in printed
    done = [line.split()[1] for line in printed.splitlines() if line.startswith("ok")]
    assert done == list(dict.fromkeys(check.task_number for check in ASSIGNMENT.checks))


@pytest.mark.slow
def test_accuracies_stand_beside_what_is_claimed(solution):
    _, _, content = solution
    found = {t["number"]: t["extra_data"]["accuracy"] for t in content["tests"]
             if "accuracy" in t["extra_data"]}
    assert {number: a["name"] for number, a in found.items()} == {
        "1.14.1": "mAP@0.5 of the detector", "1.14.2": "AP@[.5:.95] of the detector",
        "1.18.1": "mAP@0.5", "2.11.1": "PCK@0.05 of HeatmapNet",
        "2.11.2": "PCK@0.20 of RegressionNet", "2.11.3": "PCK@0.02 of HeatmapNet",
        "2.13.1": "heatmap PCK@0.02"}
    for number, accuracy in found.items():
        assert 0.3 < accuracy["measured"] <= 1
        assert bool(accuracy["claimed"]) == (number not in ("1.14.2", "2.11.3"))
        assert all(abs(value - accuracy["measured"]) < 0.1 for _, value in accuracy["claimed"])


@pytest.mark.slow
def test_the_solutions_results_file_is_valid(solution):
    _, _, content = solution
    valid(content)
    assert [test["number"] for test in content["tests"]] == NUMBERS
    assert {test["output"] for test in content["tests"]} == {"Passed."}
    assert content["extra_data"]["references"]["profile"] == "standard"


# --- the untouched starter -------------------------------------------------------------------


@pytest.fixture(scope="module")
def starter(grade_checks):
    return grade_checks(STARTER, NUMBERS)


def test_the_starter_has_no_points(starter):
    assert starter.score == 0 and starter.possible == TOTAL
    assert {row.verdict for row in starter.rows} == {SUBMISSION_BROKE}
    assert not starter.grader_broke and starter.notes == []


def test_the_starters_messages_name_what_to_write(starter):
    rules = ASSIGNMENT.rules
    for row in starter.rows:
        number, (first, *_, last) = row.check.number, row.message.splitlines()
        assert "Traceback" not in row.message and "site-packages" not in row.message
        assert last == f"Rule {row.check.rule}: {rules[row.check.rule]}"
        if number not in FUNCTIONAL:
            assert MISSING.fullmatch(first), (number, first)
            continue
        assert STUB.fullmatch(first), (number, first)
        task, rule = STUB.fullmatch(first).groups()
        assert task == row.check.task_number
        assert row.check.rule == rule or row.check.rule.startswith(f"{rule}."), (number, first)


# --- other ways to run the checks -------------------------------------------------------------


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    """A copy of the solution with mistakes whose messages hold computed numbers."""
    root = copy_solution(tmp_path_factory.mktemp("flawed"))
    patch(root, "problem1/loss.py", ("loss_cls / num_positives", "1.01 * loss_cls / num_positives"))
    patch(root, "problem1/utils.py", ("torch.log(size / anchor_size)", "size / anchor_size"))
    patch(root, "problem2/dataset.py", ("2 * self.sigma**2", "3 * self.sigma**2"))
    return root


@pytest.fixture(scope="module")
def flawed_grade(grade_checks, flawed):
    return grade_checks(flawed)


@pytest.mark.slow
@pytest.mark.parametrize(("threads", "run"), [(4, Grading.run), (2, pytest_plugin.run)],
                         ids=["threads", "threads and pytest"])
@pytest.mark.proof
def test_rows_do_not_depend_on_how_they_are_made(grade_checks, flawed, flawed_grade, warm,
                                                 threads, run):
    assert {"1.4.1", "1.7.2", "2.2.2"} <= failed(flawed_grade)
    try:
        warm.threads = threads
        again = grade_checks(flawed, run=run)
    finally:
        warm.threads = 1
    rows = [[(row.check.number, row.verdict, row.score, row.message) for row in made.rows]
            for made in (flawed_grade, again)]
    assert rows[0] == rows[1]


def test_a_wrong_answer_is_failed_and_a_crash_is_broken(flawed_grade):
    verdicts = {row.check.number: row.verdict for row in flawed_grade.rows}
    assert verdicts["1.7.2"] == FAILED and verdicts["1.3.1"] == PASSED
    assert not flawed_grade.grader_broke


# --- parts of a submission -------------------------------------------------------------------


def test_a_submission_one_folder_deep(tmp_path, grade_checks):
    copy_solution(tmp_path / "ee641-hw1-main")
    made = grade_checks(tmp_path, functional("1.2", "2.5"))
    assert made.score == made.possible and made.notes == []


def test_a_submission_of_one_problem(tmp_path, grade_checks):
    copy_solution(tmp_path, "problem1")
    made = grade_checks(tmp_path, [*functional("1.2", "2.2", "2.5"), "2.10.3", "2.10.1"])
    assert made.notes == ["problem2/ is missing"]
    assert failed(made) == {*functional("2.2", "2.5"), "2.10.3", "2.10.1"}
    assert first_line(made, "2.2.1") == "problem2/dataset.py is missing."
    assert first_line(made, "2.5.1") == "problem2/evaluate.py is missing."
    assert first_line(made, "2.10.3").startswith("problem2/results/training_log.json is missing")
    assert first_line(made, "2.10.1").startswith("results/heatmap_model.pth is missing")


def test_an_import_that_takes_long_is_told(tmp_path, grade_checks):
    copy_solution(tmp_path, "problem1")
    write_files(tmp_path, {"problem1/utils.py": "import time\nwhile time.process_time() < 1.5:\n"
                           "    pass\n" + (tmp_path / "problem1" / "utils.py").read_text()})
    made = grade_checks(tmp_path, functional("1.2"))
    assert made.score == made.possible and re.fullmatch(
        "no check of problem1 took less than .* files afresh.*", made.notes[-1])


def test_what_is_there_in_the_place_of_what_is_missing(tmp_path, grade_checks):
    copy_solution(tmp_path, "problem1", "problem2")
    (tmp_path / "problem1" / "loss.py").rename(tmp_path / "problem1" / "losses.py")
    (tmp_path / "problem1" / "analysis.py").unlink()
    write_files(tmp_path, {"problem1/homework.ipynb": "{}", "results/regression_model.pth": ""})
    made = grade_checks(tmp_path, ["1.6.1", "1.16.1"])
    assert first_line(made, "1.6.1") == (
        "problem1/loss.py is missing, but losses.py is there: name it loss.py.")
    assert first_line(made, "1.16.1") == (
        "problem1/analysis.py is missing; homework.ipynb is there, but notebooks are not graded: "
        "the code belongs into files of Python.")
    assert "results/: it belongs inside problem1/ or problem2/, left out" in made.notes


def place(root, file: str, code: str) -> str:
    """Where a line of a submission stands, in the words of a message."""
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    return f"{file}, line {[line.strip() for line in lines].index(code) + 1}: `{code}`"


@pytest.mark.parametrize(
    ("file", "old", "new", "tasks", "says"),
    [
        ("problem1/loss.py", "anchors = torch.cat(anchors).to(prediction.device)  # [N, 4]",
         "anchors = torch.cat(", ("1.6", "1.7"), "SyntaxError: '(' was never closed"),
        ("problem2/evaluate.py", "height, width = heatmaps.shape[2:]",
         "height, width = heatmaps.shape[2:", ("2.5", "2.6", "2.12"),
         "SyntaxError: '[' was never closed"),
        pytest.param("problem1/dataset.py", "from PIL import Image", "from PIL import Images",
                     ("1.1",), "ImportError: cannot import name 'Images' from 'PIL'",
                     marks=pytest.mark.proof),
        ("problem2/dataset.py", "class KeypointDataset(Dataset):",
         "class KeypointDataset(Datasett):", ("2.1", "2.2"),
         "NameError: name 'Datasett' is not defined"),
    ],
    ids=["syntax error", "functions given there", "import error", "name error"],
)
def test_a_file_that_does_not_import_costs_what_is_written_in_it(
        tmp_path, grade_checks, file, old, new, tasks, says):
    copy_solution(tmp_path, file.split("/")[0])
    patch(tmp_path, file, (old, new))
    problem = file[len("problem")]
    wanted = [n for n in FUNCTIONAL if n[0] == problem and n.rsplit(".", 1)[0] not in (
        "1.8", "2.3", "2.4", "2.7")]  # models and pictures take long and import none of these
    made = grade_checks(tmp_path, wanted)
    assert failed(made) == set(functional(*tasks))
    beginning = f"Your code could not be imported in {place(tmp_path, file, new)} ({says}"
    assert {first_line(made, n)[:len(beginning)] for n in failed(made)} == {beginning}


ENDS = (" A file may not end Python when it is imported: what trains stands under "
        '`if __name__ == "__main__":`.')


def no_file(path):
    path.unlink()
    return "problem1/utils.py is missing."


def in_utf16(path):
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16")
    return ("Your code could not be imported in problem1/utils.py (SyntaxError: source code string "
            "cannot contain null bytes). The file holds zero bytes")


@pytest.mark.parametrize("broken", [no_file, pytest.param(in_utf16, marks=pytest.mark.slow)])
def test_right_values_stand_in_for_a_file_that_cannot_be_read(tmp_path, grade_checks, broken):
    copy_solution(tmp_path, "problem1")
    says = broken(tmp_path / "problem1/utils.py")
    own = functional("1.3", "1.4", "1.5")
    made = grade_checks(tmp_path, [*own, *functional("1.6", "1.7", "1.9", "1.19", "1.10")])
    assert failed(made) == {*own, "1.9.1", "1.9.2", "1.9.3", "1.9.4"}
    assert {first_line(made, number)[:len(says)] for number in failed(made)} == {says}


@pytest.mark.parametrize(("last", "says"), [
    pytest.param("raise SystemExit", f"(SystemExit).{ENDS}", marks=pytest.mark.proof),
    pytest.param("raise KeyboardInterrupt", "(KeyboardInterrupt).", marks=pytest.mark.slow)])
def test_right_values_stand_in_for_a_file_that_does_not_import(tmp_path, grade_checks, last, says):
    copy_solution(tmp_path, "problem1")
    with (tmp_path / "problem1/utils.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{last}\n")
    made = grade_checks(tmp_path, functional(
        "1.3", "1.4", "1.5", "1.7", "1.9", "1.19", "1.10", "1.17"))
    own = functional("1.3", "1.4", "1.5")
    assert failed(made) == {*own, "1.9.1", "1.9.2", "1.9.3", "1.9.4"}
    assert first_line(made, "1.9.1") == (
        f"Your code could not be imported in {place(tmp_path, 'problem1/utils.py', last)} {says}")


def test_a_missing_function_costs_what_needs_it(tmp_path, grade_checks):
    copy_solution(tmp_path, "problem1")
    patch(tmp_path, "problem1/utils.py", ("def encode_boxes(", "def encode("))
    made = grade_checks(tmp_path, functional("1.2", "1.4", "1.6", "1.9", "1.19"))
    assert failed(made) == {"1.4.1", "1.4.2"}  # loss.py imports it, but mining does not call it
    assert first_line(made, "1.4.1") == "problem1/utils.py has no encode_boxes, but it has encode."
    (tmp_path / "problem1/boxes.py").write_text("def encode_boxes(anchors, boxes):\n    return 1\n")
    assert first_line(grade_checks(tmp_path, ["1.4.1"]), "1.4.1") == (
        "problem1/utils.py has no encode_boxes, but boxes.py has it: move it, or import it in "
        "utils.py.")


def test_a_package_that_is_not_installed_costs_what_uses_it(tmp_path, grade_checks):
    copy_solution(tmp_path, "problem1")
    patch(tmp_path, "problem1/utils.py",
          ("\nimport torch\n", "\nimport torch\nimport cv2.dnn as dnn\nimport torchvision\n"
           "from torchvision import transforms as T\n\n"
           "READ = T.Compose([T.ToTensor()])\nclass Data(torchvision.datasets.Coco): pass\n"),
          ("    order = torch.sort(", "    return torchvision.ops.nms(boxes, scores, 0.5)\n"
                                     "    order = torch.sort("))
    made = grade_checks(tmp_path, functional("1.3", "1.6", "1.9", "1.19"))
    assert failed(made) == {"1.9.1", "1.9.2", "1.9.3", "1.9.4"}  # what decodes gets right values
    where = place(tmp_path, "problem1/utils.py", "return torchvision.ops.nms(boxes, scores, 0.5)")
    assert first_line(made, "1.9.1") == (
        "torchvision is used, which is no file of yours and not installed where your grade is made "
        f"({where}).")


def test_who_can_do_without_a_package_is_not_shown_one(tmp_path, grade_checks):
    copy_solution(tmp_path, "problem1")
    patch(tmp_path, "problem1/utils.py", ("\nimport torch\n", (
        "\nimport torch\ntry:\n    from torchvision.ops import nms as fast\n"
        "except ImportError:\n    fast = None\n")), (
        "    order = torch.sort(", "    assert fast is None\n    order = torch.sort("))
    assert failed(grade_checks(tmp_path, functional("1.9"))) == set()


def test_a_missing_file_costs_what_needs_it(tmp_path, grade_checks):
    copy_solution(tmp_path, "problem2")
    (tmp_path / "problem2" / "evaluate.py").unlink()
    made = grade_checks(tmp_path, functional("2.1", "2.5", "2.6"))
    assert failed(made) == set(functional("2.5", "2.6"))
    assert {first_line(made, n) for n in failed(made)} == {"problem2/evaluate.py is missing."}


def test_only_a_task_is_graded_on_demand(tmp_path, grade_checks):
    copy_solution(tmp_path, "problem1")
    made = grade_checks(tmp_path, "1.2")
    assert [row.check.number for row in made.rows] == functional("1.2")
    assert made.score == made.possible
    several = grade_checks(tmp_path, ["1.4", "1.2.5"])
    assert [row.check.number for row in several.rows] == ["1.2.5", *functional("1.4")]


def test_crashes_and_loops_cost_their_own_check(tmp_path, grade_checks):
    write_files(tmp_path, {"problem1/utils.py": (
        "import ctypes, os\n"
        "import torch\n\n\n"
        "def generate_anchors(sizes, scales, image_size=224):\n    ctypes.string_at(0)\n\n\n"
        "def encode_boxes(boxes, anchors):\n    os._exit(0)\n\n\n"
        "def decode_boxes(deltas, anchors):\n    return torch.zeros(len(deltas), 4)\n\n\n"
        "def nms(boxes, scores, threshold):\n    print('here')\n")})
    made = grade_checks(tmp_path, ["1.2.1", "1.4.1", "1.4.3", "1.9.1"])
    assert made.score == 0 and not made.grader_broke
    assert first_line(made, "1.2.1") == (
        "The process that ran your code ended without an answer: a crash in compiled code "
        "(SIGSEGV) in problem1/utils.py, line 6: `ctypes.string_at(0)`.")
    assert first_line(made, "1.4.1") == (
        "The process that ran your code ended without an answer: it ended the process (os._exit or "
        "the like) in problem1/utils.py, line 10: `os._exit(0)`.")
    assert first_line(made, "1.4.3").startswith("boxes[")
    assert first_line(made, "1.9.1") == (
        "the kept indices should be a tensor, but is None (is a return missing?).")


def test_a_picture_that_was_handed_in_is_not_drawn(tmp_path, grade_checks):
    root = copy_solution(tmp_path)
    for problem, name in (("problem1", "visualize_detections"), ("problem2", "plot_pck_curves")):
        (root / problem / "asked_picture.png").write_bytes(
            (SOLUTION / "problem1/results/visualizations/detections_6.png").read_bytes())
        with (root / problem / "evaluate.py").open("a", encoding="utf-8") as file:
            file.write(f"\n\ndef {name}(*_):\n    pass\n")
    assert failed(grade_checks(root, functional("1.12", "2.7"))) == {"1.12.3", "2.7.1"}


def test_more_detections_than_were_asked_for_are_no_detections(public):
    question = public.by_number["1.14.1"].question
    count = len(question.truth)
    many = [{"rows": np.zeros((301, 8), np.float32), "anchors": np.zeros(301, np.int64)}] * count
    answer = {"raw": many, "fresh": [], "decoded": None, "decoding_error": "", "claims": []}
    with pytest.raises(Wrong, match="an image has more than 300 detections"):
        training_checks.test_accuracy.judge(answer, {}, question, None, None)


def test_a_disk_that_is_full_for_a_while_costs_nothing(tmp_path, grade_checks, monkeypatch):
    """What student code has written goes with its process; the last state of the grade counts."""
    count = itertools.count()

    def write(grade, path):
        if 0 < next(count) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(grade, path)

    plain = results.write
    monkeypatch.setattr(results, "write", write)
    path = tmp_path / "results.json"
    grade = grade_checks(copy_solution(tmp_path / "solution", "problem1"), ["1.3.1", "1.3.2"],
                         json=path)
    assert grade.complete and next(count) > 3
    assert json.loads(path.read_text())["score"] == grade.score > 0

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(results, "write", refuse)
    with pytest.raises(PermissionError):
        grade_checks(tmp_path / "solution", ["1.3.1"], json=path)


@pytest.mark.timeout(60)
def test_an_interrupted_run_does_not_wait_for_what_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(channel, "MOST_IDLE", 600.0)
    files = {"problem1/utils.py": "import time\ndef f():\n    time.sleep(600)\n"}
    folders = []

    def run():
        with Workers(ASSIGNMENT, 1) as pool:
            folders.append(pool.folder)
            pool.about(Submission(write_files(tmp_path, files), ())).ask(
                call("problem1", "utils.f"), "1.2", 0)
            while not any(pool.folder.glob("check-*")):
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert not folders[0].exists()
