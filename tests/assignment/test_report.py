"""The numbers of report.md: what is read, what is said of it, and what they are worth."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT, report
from autograder.assignment.checks import test_reports as checks
from autograder.assignment.mistakes import all_mistakes, make
from autograder.assignment.report import about_ablation, claims, number, told, true_rows
from autograder.engine.check import Judgement
from autograder.engine.compare import Wrong
from autograder.engine.sandbox.pool import Inquiry
from tests.grading import SOLUTION, STARTER, message, said, write_files

MEASURED = dict.fromkeys(report.DETECTOR, 0.5) | {"AP circle": 0.9, "AP square": 0.7}
CLAIMED = {row: f"{value}" for row, value in MEASURED.items()}
NUMBERS = ("1.18.1", "2.13.1")


def wrong(text, rows=report.DETECTOR, measured=MEASURED, keypoints=0):
    """Row -> what is wrong with it, of those that are not true."""
    text = text if isinstance(text, bytes) else text.encode()
    found = true_rows(claims(text), rows, [measured], keypoints)
    return {row: sentence for row, sentence in found.items() if sentence}


def table(**changed):
    """The rows of the detector, with other values in some."""
    return "\n".join(f"| {row} | {value} | what it is |"
                     for row, value in {**CLAIMED, **changed}.items())


@pytest.mark.parametrize(("text", "value"), [
    ("0.95", 0.95), ("0,95", 0.95), (" .95 ", 0.95), ("95 %", 0.95), ("**95,0%**", 0.95),
    ("1.2 px", 1.2), ("-3", -3), ("+1.", 1), ("12 345", 12345), ("", None), ("about .9", None),
    ("<b>.5</b> %", 0.005), ("nan", None), ("inf", None), ("1e9", None), ("0x1f", None),
    ("1.2.3", None), ("1-2", None),
    ("٣", None), ("%", None), ("9" * 80, float("9" * 80))])
def test_a_number(text, value):
    assert number(text) == (None if value is None else pytest.approx(value))


def test_names_of_rows_are_free_in_capitals_spaces_and_emphasis():
    text = table().replace("mAP@0.5", "**MAP @ 0.5**").replace("AP@[.5:.95]", r"ap@\[.5:.95\]")
    assert wrong(text) == wrong(table().replace("| mAP", "mAP")) == {}
    assert wrong(re.sub(r"(?m)^\| ([^|]+) ", r"> | <strong>\1</strong> ", table())) == {}
    for end in ("\r\n", "\r"):
        assert wrong("\ufeff" + table().replace("\n", end)) == {}


def test_what_is_said_of_a_row():
    assert wrong(table(**{
        "AP circle": "0.7", "AP square": "70", "AP triangle": "0.52", "mAP@0.5": "good"})) == {
        "AP circle": "Line 3, AP circle: 0.7 is claimed, and much more is measured; it would be "
                     "right for AP square.",
        "AP square": "Line 4, AP square: 70 is claimed, and much less is measured. Write "
                     "percentages with their sign: 70 %.",
        "AP triangle": "Line 5, AP triangle: 0.52 is claimed, and less is measured.",
        "mAP@0.5": "Line 1, mAP@0.5: 'good' is no number."}
    assert wrong(table() + "\n|AP circle|0.9|\n|AP circle|0.5|\n|AP circle||") == {
        "AP circle": "Lines 3 and 13 contradict each other: AP circle is 0.9 and 0.5."}
    assert wrong(table(**{"AP circle": "0.909", "AP square": "0.69"})) == {}
    few = true_rows(claims(table(**{"AP circle": "", "AP square": "0"}).encode()),
                    report.DETECTOR, [MEASURED])
    assert told(few) == (
        "9 of 11 rows of report.md are true. Line 4, AP square: 0 is claimed, and much more is "
        "measured. No value stands for AP circle.")
    assert told(true_rows({}, report.CASE_ROWS, [{}])) == (
        "report.md has no value for any of the rows only heatmap right, only regression right, "
        "both wrong: `python report.py` fills them in.")


def test_cases_are_numbers_of_keypoints_or_shares():
    measured = dict(zip(report.CASE_ROWS, (0.8, 0.1, 0.0)))
    text = "only heatmap right|803\nonly regression right|10 %\nboth wrong|{}"
    assert wrong(text.format(0), report.CASE_ROWS, measured, 1000) == {}
    assert [*wrong(text.format(0.805), report.CASE_ROWS, measured, 1000)] == ["both wrong"]
    assert wrong(text.format(800), report.CASE_ROWS, measured, 1000) == {
        "both wrong": "Line 3, both wrong: 800 is claimed, and much less is measured; it would be "
                      "right for only heatmap right."}


def test_an_error_is_no_share_and_is_measured_in_pixels_of_the_image():
    measured = dict(zip(report.KEYPOINTS, np.linspace(0.1, 0.9, len(report.KEYPOINTS)).tolist()))
    measured |= dict(zip(report.ERROR_ROWS, (0.99, 0.57)))
    rows = [row for row in report.KEYPOINTS if row not in report.CASE_ROWS]
    shown = {row: f"{measured[row]:.3f}" for row in rows}
    shown |= {rows[3]: "0.57", report.ERROR_ROWS[1]: "0.285"}
    text = "\n".join(f"{row}|{value}" for row, value in shown.items())
    assert wrong(text, rows, measured) == {
        rows[3]: f"Line 4, {rows[3]}: 0.57 is claimed, and much less is measured.",
        report.ERROR_ROWS[1]: f"Line {rows.index(report.ERROR_ROWS[1]) + 1}, "
        f"{report.ERROR_ROWS[1]}: 0.285 is claimed, and much more is measured. An image has twice "
        "as many pixels along a side as its heatmaps."}


@pytest.mark.parametrize(("content", "message"), [
    (None, "report.md is missing: it lies beside problem1/ and problem2/"),
    (b"a\nb\n\xff\xfe", "report.md, line 3: this is no text in UTF-8. Save the file as UTF-8."),
    (b"x" * (2**20 + 1), "report.md is larger than 1 MiB: pictures lie beside it.")])
def test_a_report_that_cannot_be_read(content, message):
    assert said(claims, content).startswith(message)


@pytest.mark.timeout(20)  # what is not linear takes hours
@pytest.mark.parametrize("text", ["|" * 2**20, "| mAP@0.5 |" * 90_000, "| mAP@0.5 | 1 |\n" * 60_000,
                                  "| AP circle | " + "9" * 2**19, "a" * 2**20, "\n" * 2**20,
                                  "|mAP@0.5|" + " " * 2**19, "| AP circle" + "`" * 2**19 + "|1"])
def test_hostile_text_is_read_in_linear_time(text):
    for sentence in wrong(text).values():
        assert len(sentence) < 200
    assert about_ablation(text.encode())
    assert about_ablation(b"[" * 10**6)


def test_what_cannot_be_in_an_ablation():
    def row(*values):
        return {"pck": {"0.05": sum(values) / len(values), "0.10": 1.0},
                "pck_per_seed": {"0.05": values, "0.10": [1.0] * len(values)}}

    assert about_ablation(json.dumps([row(0.5, 0.7), row(0.6, 0.7), row(1.0)]).encode()) == []
    assert about_ablation(None) == []
    off = row(0.5, 0.7) | {"pck": {"0.05": 0.9, "0.10": 1.0}}
    assert about_ablation(json.dumps([row(0.5, 0.6), off, row(0.5, 0.6)]).encode()) == [
        "results/ablation.json, row 1: pck at 0.05 is not the mean of pck_per_seed",
        "results/ablation.json: rows 0 and 2 hold the same numbers"]
    huge = b'[{"pck": {"0.05": 1e308}, "pck_per_seed": {"0.05": [Infinity, -Infinity, 1e308]}}]'
    assert "not the mean" in about_ablation(huge)[0]
    assert about_ablation(b"[1]") == about_ablation(b'{"pck": 1}') == [
        "results/ablation.json is no list of rows with pck and pck_per_seed"]


def test_starter_and_solution_hold_every_row():
    for folder, values in ((STARTER, False), (SOLUTION, True)):
        found = claims((folder / "report.md").read_bytes())
        assert set(found) == {*report.DETECTOR, *report.KEYPOINTS}
        assert all((claim.value is not None) == values for row in found.values() for claim in row)


# --- graded ----------------------------------------------------------------------------------


def graded(grade_checks, folder, *numbers, **options):
    """`(scores, grade)` of some of the checks of reports."""
    grade = grade_checks(folder, numbers or NUMBERS, **options)
    return {row.check.number: row.score for row in grade.rows}, grade


@pytest.mark.proof
def test_true_numbers_are_paid_and_measured_once(grade_checks, public, hidden_for, monkeypatch):
    sets, asked = [public, hidden_for(NUMBERS)], []
    ask = Inquiry.ask
    monkeypatch.setattr(Inquiry, "ask", lambda self, question, *more: (
        asked.append(question.probe), ask(self, question, *more))[1])
    scores, grade = graded(grade_checks, SOLUTION, sets=sets)
    assert scores == {number: ASSIGNMENT.by_number[number].points for number in NUMBERS}
    assert sorted(asked) == ["validated_detector", "validated_keypoints", "weights_load",
                             "weights_load"]
    assert all(set(row.tiers) == {"public", "hidden"} for row in grade.rows)
    assert not grade.notes


@pytest.mark.proof
@pytest.mark.parametrize(("lost", "points", "says"), [
    (lambda folder: (folder / "problem2/results/regression_model.pth").unlink(), 7 / 15,
     "results/regression_model.pth is missing"),
    (lambda folder: (folder / "problem2/model.py").open("a").write(
        "\n\ndef broken(self):\n    1 / 0\n\n\nHeatmapNet.__init__ = broken\n"),
     5 / 15, "ZeroDivisionError: division by zero"),
    (lambda folder: shutil.copy(folder / "problem2/results/heatmap_model.pth",
                                folder / "problem2/results/regression_model.pth"), 7 / 15,
     "results/regression_model.pth does not hold what RegressionNet needs")],
    ids=["without weights", "raises", "weights of another"])
def test_a_network_without_predictions_loses_its_own_rows(
        lost, points, says, grade_checks, public, hidden_for, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(SOLUTION, folder)
    lost(folder)
    scores, grade = graded(grade_checks, folder, "2.13.1",
                           sets=[public, hidden_for(NUMBERS)])
    assert scores["2.13.1"] == pytest.approx(
        points * ASSIGNMENT.by_number["2.13.1"].points, abs=0.01)
    assert says in message(grade, "2.13.1")
    assert "Not measured: " in message(grade, "2.13.1")


@pytest.mark.proof
@pytest.mark.parametrize("name", [m.name for m in all_mistakes().values()
                                  if m.task in ("1.18", "2.13")])
def test_a_false_report_loses_its_rows_alone(name, grade_checks, tmp_path):
    mistake = all_mistakes()[name]
    number = f"{mistake.task}.1"
    scores, grade = graded(
        grade_checks, make(mistake, SOLUTION, tmp_path / "made"), number)
    assert scores[number] < ASSIGNMENT.by_number[number].points
    assert len(message(grade, number)) < 2500


def answer_of(points, fresh):
    return {"heatmap": points, "subpixel": points, "regression": points, "own_heatmap": None,
            "own_subpixel": None, "fresh_heatmap": fresh, "fresh_regression": fresh, "failed": {}}


def keypoints_run(public, points, judgement, off=0.0, ignores_weights=False):
    """Judge a report of made-up predictions: where errors are `off`, two rows are left out."""
    check, question = judgement.check, public.by_number[judgement.check.number].question
    points = points(question.truth)
    rows = checks.keypoint_rows(points, points, points, question.truth)
    text = "\n".join(f"{row} | {value + (off if 'error' in row else 0)}"
                     for row, value in rows.items() if not off or "PCK@0.02" not in row)
    few = points[:question.inputs["fresh"]]
    check.run(answer_of(points, few if ignores_weights else 0 * few), None, question, judgement,
              {report.NAME: text.encode()})


def test_true_numbers_of_a_network_that_has_learned_nothing_are_not_paid(public):
    judgement = Judgement(replace(ASSIGNMENT.by_number["2.13.1"], points=3.0))
    assert "would show that the network has learned something" in said(
        keypoints_run, public, lambda truth: np.broadcast_to(truth.mean(axis=0), truth.shape),
        judgement)
    assert "would show that the network has learned something" in said(
        keypoints_run, public, lambda truth: truth + 0.01, judgement, ignores_weights=True)
    assert judgement.score == 0
    keypoints_run(public, lambda truth: truth + 0.01, judgement)


def test_decoding_that_knows_the_validation_images_is_no_trained_detector(public):
    check, question = ASSIGNMENT.by_number["1.18.1"], public.by_number["1.18.1"].question
    nothing = {"rows": np.zeros((0, 8), np.float32), "anchors": np.zeros(0, np.int64)}
    answer = {
        "raw": [nothing] * len(question.truth), "anchors": None,
        "fresh": [nothing] * question.inputs["fresh"],
        "decoded": [{"boxes": np.float32(true["boxes"]), "labels": np.int64(true["labels"]),
                     "maps": np.int64(true["labels"]), "scores": np.ones(len(true["labels"]))}
                    for true in question.truth]}
    text = "\n".join(f"{row} | 1" for row in report.DETECTOR).encode()
    assert "would show that the network has learned something" in said(
        check.run, answer, None, question, Judgement(check), {report.NAME: text})


def test_networks_that_know_the_validation_images_show_on_others_what_they_have_learned(hidden_for):
    hidden = hidden_for(NUMBERS).by_number
    nothing = {"raw": [], "fresh": [], "decoded": None, "anchors": None}
    empty = {"rows": np.zeros((0, 8), np.float32), "anchors": np.zeros(0, np.int64)}
    for name in NUMBERS:
        check, question = ASSIGNMENT.by_number[name], hidden[name].question
        assert question.probe == "weights_load" and not question.handed
        answer = [{**nothing, "raw": [empty] * len(question.truth)}]
        if name == "2.13.1":
            answer = [{"trained": np.broadcast_to(truth[:1], truth.shape)}
                      for truth in question.truth]
        assert "would show that the network has learned something" in said(
            check.run, answer, None, question, Judgement(check))


def test_a_part_of_the_rows_is_a_part_of_the_points(public):
    judgement = Judgement(replace(ASSIGNMENT.by_number["2.13.1"], points=3.0))
    with pytest.raises(Wrong) as caught:
        keypoints_run(public, lambda truth: truth + np.linspace(0, 0.06, len(truth))[:, None, None],
                      judgement, off=2.0)
    assert judgement.score == pytest.approx(3 * 7 / 11, abs=0.005)
    assert re.match(r"11 of 15 rows of report\.md are true\. Line \d+, heatmap mean error argmax: "
                    r"7\.\d+ is claimed, and much less is measured\.", str(caught.value))
    assert "No value stands for heatmap PCK@0.02, regression PCK@0.02. Values near 0" in str(
        caught.value)


def test_what_can_be_guessed_earns_as_much_as_the_rest():
    measured = dict(zip("abcdef", (1.0, 0.993, 0.0, 0.68, 0.66, 0.3)))
    assert report.earned(dict.fromkeys("abcdef", ""), measured) == (1, "")
    guess = {row: "" if row in "abc" else "off" for row in "abcdef"}
    assert report.earned(guess, measured)[0] == 0
    part, said = report.earned({**guess, "d": "", "a": "off"}, measured)
    assert part == pytest.approx((1 + 2 / 3) / 6) and said.startswith(" Values near 0 or 1")
    assert report.earned({"a": "", "b": "off"}, measured) == (0.5, "")
    assert report.earned({"a": "", "d": "", "g": "off"}, {**measured, "g": np.nan})[0] == 2 / 3


def test_zeros_are_not_true_of_functions_that_find_nothing():
    nothing = dict.fromkeys(report.DETECTOR, 0.0) | {"AP circle": 0.05}
    text = "\n".join(f"| {row} | {value} |" for row, value in nothing.items())
    said = true_rows(claims(text.encode()), report.DETECTOR, [nothing, MEASURED])
    assert [row for row in said if not said[row]] == ["AP circle"]
    assert report.earned(said, nothing)[0] < 0.1
    near = dict.fromkeys(report.DETECTOR, 0.995)  # by one way to decode, and .93 by the other
    text = "\n".join(f"| {row} | {value} |" for row, value in near.items())
    assert not any(true_rows(claims(text.encode()), report.DETECTOR,
                             [near, dict.fromkeys(report.DETECTOR, 0.93)]).values())


def test_without_a_report_its_points_are_lost_in_one_sentence(grade_checks, tmp_path):
    write_files(tmp_path, {"problem1/utils.py": "", "problem2/model.py": ""})
    scores, grade = graded(grade_checks, tmp_path)
    assert set(scores.values()) == {0} and grade.cpu_seconds == 0
    assert all(row.message.startswith("report.md is missing: it lies beside problem1/")
               for row in grade.rows)
