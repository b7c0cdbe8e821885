"""Time that one function burns is its own task's loss: what hangs is called twice, and no more."""

import re
import shutil
from dataclasses import replace

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.results import NOT_RUN, PASSED, causes
from autograder.engine.sandbox import channel, pool
from autograder.engine.submission import Submission
from tests.grading import SOLUTION, copy_solution, fork_only, functional, patch, write_files

pytestmark = fork_only
IOU = "def compute_iou("
FOREVER = "    while True:\n        pass\n"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """CPU time alone counts, however busy this machine is."""
    monkeypatch.setattr(pool, "PATIENCE", 100)


@pytest.fixture(scope="module")
def brief(public):
    """The public references with one CPU second for every question."""
    return [replace(public, by_number={
        number: replace(reference, question=replace(reference.question, cpu_seconds=1))
        for number, reference in public.by_number.items()})]


@pytest.fixture
def solution(tmp_path):
    return copy_solution(tmp_path / "solution", "problem1")


def points(grade) -> dict[str, float]:
    """Task -> share of its points."""
    return {task: sum(row.score for row in rows) / sum(row.check.points for row in rows)
            for task, rows in grade.tasks().items()}


def hang(solution, function: str, body: str = FOREVER) -> None:
    """Let a function of problem1/utils.py run into `body` before it does anything."""
    path = solution / "problem1/utils.py"
    text = path.read_text(encoding="utf-8")
    begin = text.index(f"def {function}(")
    end = text.index('"""', text.index('"""', begin) + 3) + 4
    path.write_text(text[:end] + body + text[end:], encoding="utf-8")


def begin(root, file: str, function: str, body: str) -> None:
    """Let a function of a file begin with a line."""
    path = root / file
    text = path.read_text(encoding="utf-8")
    head = re.search(rf"\n( *)def {function}\((.|\n)*?\).*:\n", text)
    path.write_text(f"{text[:head.end()]}{head[1]}    {body}\n{text[head.end():]}",
                    encoding="utf-8")


def test_what_never_ends_is_called_twice_and_costs_its_own_task(solution, grade_checks, brief):
    hang(solution, "compute_iou")
    grade = grade_checks(solution, functional("1.3", "1.4", "1.5", "1.10"), sets=brief)
    assert points(grade) == {"1.3": 0.0, "1.4": 1.0, "1.5": 1.0, "1.10": 1.0}
    said = [row.message.splitlines()[0] for row in grade.tasks()["1.3"]]
    assert sum("did not finish within 1 CPU seconds" in text for text in said) == 2
    assert all(text.startswith("Not called again: problem1/utils.compute_iou did not finish in two "
                               "checks before this one") for text in said[2:])
    assert "problem1/utils.py, line" in said[0]  # where the time went
    assert "Points given although task 1.3 (IoU) loses points" in grade.tasks()["1.5"][0].message


@pytest.mark.slow
def test_what_hangs_inside_another_function_is_blamed(solution, grade_checks, brief):
    """`decode_predictions` calls `nms`: with right values of it, it loses nothing."""
    hang(solution, "nms")
    grade = grade_checks(solution, functional("1.9", "1.19", "1.12"), sets=brief)
    assert points(grade) == {"1.9": 0.0, "1.19": 1.0, "1.12": 1.0}
    said = {row.check.number: row.message for row in grade.tasks()["1.9"] if row.lost}
    tried = {number for number, text in said.items() if "did not finish within 1 CPU" in text}
    assert tried == {"1.9.1", "1.9.2"}
    assert all(text.startswith("Not called again: problem1/utils.nms did not finish")
               for number, text in said.items() if number not in tried)


@pytest.mark.slow
@pytest.mark.proof
def test_a_loop_around_a_right_function_costs_its_own_task(solution, grade_checks, brief):
    begin(solution, "problem1/analysis.py", "size_breakdown",
          "while True: compute_iou(torch.zeros(0, 4), torch.zeros(0, 4))")
    grade = grade_checks(solution, functional("1.3", "1.15", "1.17"),
                         sets=[*brief, replace(brief[0], tier="hidden")])
    assert points(grade) == {"1.3": 1.0, "1.15": 1.0, "1.17": 0.0}


def test_nothing_is_said_of_inputs_that_were_not_tried(solution, grade_checks, brief):
    begin(solution, "problem1/loss.py", "hard_negative_mining",
          "while ratio != 3 or neg_mask.sum() < 3: pass")
    grade = grade_checks(solution, functional("1.6"),
                         sets=[*brief, replace(brief[0], tier="hidden")])
    assert {row.message.splitlines()[0] for row in grade.rows if "Right on" in row.message} == {
        "Right on the public inputs, and not called on others, since what this needs did not "
        "finish in two checks."}


def test_what_has_hung_once_gets_less_time(solution, grade_checks, brief, monkeypatch):
    monkeypatch.setattr(pool, "AGAIN", 1)
    longer = [replace(brief[0], by_number={
        number: replace(reference, question=replace(reference.question, cpu_seconds=2))
        for number, reference in brief[0].by_number.items()})]
    hang(solution, "encode_boxes")
    grade = grade_checks(solution, ["1.4.1", "1.4.2", "1.4.3"], sets=longer)
    first, second, third = (row.message for row in grade.rows)
    assert "did not finish within 2 CPU seconds" in first
    assert "did not finish within 1 CPU seconds" in second
    assert third == "Passed."


@pytest.mark.proof
def test_a_method_that_hangs_is_blamed_like_a_function(tmp_path, grade_checks, monkeypatch):
    """Datasets call `generate_heatmap`: beside right values of it they lose nothing."""
    monkeypatch.setattr(channel, "MOST_IDLE", 1.0)
    root = copy_solution(tmp_path / "solution", "problem2")
    begin(root, "problem2/dataset.py", "generate_heatmap", "import time; time.sleep(10**6)")
    grade = grade_checks(root, functional("2.1", "2.2") + ["2.9.3"])
    assert points(grade) == {"2.1": 1.0, "2.2": 0.0, "2.9": 1.0}


@pytest.mark.slow
def test_what_ends_its_process_costs_its_own_task(tmp_path, grade_checks):
    root = copy_solution(tmp_path / "solution", "problem2")
    begin(root, "problem2/dataset.py", "generate_heatmap", "import os; os.abort()")
    # Files are left out when it is asked again, whatever they are called and lies beside them.
    write_files(root, {"problem2/train.left/a.txt": "", "problem2/a**b.py": "",
                       f"problem2/{'n' * 252}.py": ""})
    grade = grade_checks(root, ["2.2.1", "2.9.3"])
    assert points(grade) == {"2.2": 0.0, "2.9": 1.0} and not grade.grader_broke


@pytest.mark.proof
@pytest.mark.parametrize(("check", "function", "body"), [
    ("1.14.1", "decode_predictions", "import os; os._exit(0)"),
    ("1.18.1", "decode_predictions", "predictions = 1 / 0"),
    ("2.13.1", "extract_keypoints_from_heatmaps", "torch.set_default_dtype(torch.float64)")])
def test_a_trained_network_is_judged_whatever_is_done_beside_it(
        tmp_path, grade_checks, check, function, body):
    """What is decoded by the submission is optional there."""
    root = shutil.copytree(SOLUTION, tmp_path / "solution",
                           ignore=shutil.ignore_patterns("visualizations", "runs"))
    begin(root, f"problem{check[0]}/evaluate.py", function, body)
    row, = grade_checks(root, [check]).rows
    assert row.score >= row.check.points * 0.8  # one row of 15 needs the submission's decoding


def test_what_waits_is_ended_soon_and_told_so(solution, grade_checks, public, monkeypatch):
    monkeypatch.setattr(channel, "MOST_IDLE", 1.0)
    hang(solution, "encode_boxes", "    import time\n    time.sleep(10**6)\n")
    grade = grade_checks(solution, ["1.4.1", "1.4.3"])
    first, second = grade.rows
    assert first.message.startswith(
        "Your code waited for something that did not come (utils.encode_boxes) in problem1/utils.py"
        ", line ")
    assert "`time.sleep(10**6)`: it used no processor time for" in first.message
    assert second.verdict == PASSED


def test_an_import_that_waits_is_that_of_its_file(solution, grade_checks, public, monkeypatch):
    monkeypatch.setattr(channel, "MOST_IDLE", 1.0)
    patch(solution, "problem1/utils.py", (IOU, f"__import__('time').sleep(10**6)\n\n\n{IOU}"))
    grade = grade_checks(solution, functional("1.1", "1.2", "1.3"))
    assert points(grade) == {"1.1": 1.0, "1.2": 0.0, "1.3": 0.0}
    assert {row.message.splitlines()[0] for row in grade.tasks()["1.3"]} == {
        "Not called again: problem1/utils.py did not finish in two checks before this one, and "
        "this check needs it."}
    cause, = causes(grade.rows)
    assert cause.reason == "problem1/utils.py does not come to its end when it is imported"
    lines = (solution / "problem1/utils.py").read_text(encoding="utf-8").splitlines()
    line = lines.index("__import__('time').sleep(10**6)") + 1
    assert cause.where.endswith(f" more: problem1/utils.py, line {line}")


def test_a_file_whose_import_never_ends_leaves_the_other_files_alone(
        solution, grade_checks, brief):
    patch(solution, "problem1/utils.py", (IOU, f"while True:\n    pass\n\n\n{IOU}"))
    chosen = functional("1.1", "1.3", "1.6", "1.10", "1.17") + ["1.8.1"]
    grade = grade_checks(solution, chosen, sets=brief)
    # 1.6 does not call what it imports; 1.10 and 1.17 do, and use what stands beside the loop.
    assert points(grade) == {"1.1": 1.0, "1.3": 0.0, "1.6": 1.0, "1.10": 1.0, "1.17": 1.0,
                             "1.8": 1.0}


def test_a_problem_leaves_the_others_their_time(tmp_path, warm, brief):
    inquiry = warm.about(Submission(copy_solution(tmp_path / "both"), ()), budget=1.0)
    inquiry.spent["problem1"] = 0.66
    question = brief[0].by_number["1.4.1"].question
    assert inquiry.ask(question, "1.4", 0).result().status == "budget"
    other = brief[0].by_number["2.5.1"].question
    assert inquiry.ask(other, "2.5", 0).result().status == "ok"


def test_a_run_without_time_says_so_of_every_check(solution, grade_checks):
    grade = grade_checks(solution, ["1.4.1", "1.4.3"], budget=1e-9)
    assert {row.verdict for row in grade.rows} == {NOT_RUN} and grade.score == 0
    assert not grade.complete and ASSIGNMENT.by_number["1.4.1"].points > 0


@pytest.mark.proof
@pytest.mark.slow
def test_what_can_do_without_a_file_that_hangs_does(solution, grade_checks, public):
    """The trained network is judged by the grader's decoding, and nobody waits for the file."""
    path = solution / "problem1/utils.py"
    path.write_text("while True:\n    pass\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    shutil.copytree(SOLUTION / "problem1/results", solution / "problem1/results",
                    ignore=shutil.ignore_patterns("visualizations", "runs"), dirs_exist_ok=True)
    brief = replace(public, by_number={
        number: replace(reference, question=replace(
            reference.question, cpu_seconds=1 if number.startswith("1.2.") else 60))
        for number, reference in public.by_number.items()})
    grade = grade_checks(solution, ["1.2.1", "1.2.2", "1.14.1"], sets=[brief])
    assert points(grade) == {"1.2": 0.0, "1.14": 1.0}
    assert "TimeoutError: utils.py is left out, since it did not finish in two checks" in (
        grade.rows[-1].message)
