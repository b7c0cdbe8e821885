"""What a student reads when an answer is wrong: the whole sentence, case by case."""

import math
import textwrap

import numpy as np
import pytest
import torch

from autograder.assignment import ASSIGNMENT
from autograder.assignment.checks.asking import call1
from autograder.engine.check import Question
from autograder.engine.compare import array, close, entries, equal, kind, number, sequence
from autograder.engine.messages import (
    TENSOR,
    explain,
    hidden,
    look_first,
    no_answer,
    show,
    show_inputs,
)
from autograder.engine.references import load
from autograder.engine.sandbox import wire
from autograder.engine.sandbox.channel import Answer
from autograder.engine.sandbox.wire import Foreign
from tests.grading import said

# --- values ----------------------------------------------------------------------------------

WANT = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (None, "iou should be a tensor, but is None (is a return missing?)."),
        (Foreign("module"), "iou should be a tensor, but is an object of type module."),
        ({"iou": 1}, "iou should be a tensor, but is a dict of length 1."),
        ((WANT, WANT), "iou should be a tensor, but is a tuple of length 2."),
        ("text", "iou should be a tensor, but is 'text'."),
        (1.5, "the shape of iou should be [2, 2], but is []."),
        (WANT[0], "the shape of iou should be [2, 2], but is [2]."),
        (WANT + [[0, 0], [0.5, 0.25]],
         "iou[1, 0] should be 3, but is 3.5. 2 of 4 values differ."),
        (WANT + [[0, 0], [0, 0.01]],
         "iou[1, 1] should be 4, but is 4.01 (tolerance 0.00041). 1 of 4 values differ."),
        (np.array([[1, 2], [np.nan, 7]]),
         "iou[1, 0] should be 3, but is nan. 2 of 4 values differ."),
        (np.array([[1, np.inf], [3, 4]]),
         "iou[0, 1] should be 2, but is inf. 1 of 4 values differ."),
        (WANT > 2, "iou[1, 1] should be 4, but is True. 4 of 4 values differ."),
    ],
)
def test_values_that_are_not_close(got, message):
    assert said(close, got, WANT, "iou") == message


def test_a_single_number_has_no_place_and_no_share():
    assert said(close, 0.5, np.asarray(0.75), "AP") == (
        "AP should be 0.75, but is 0.5.")


def test_the_place_of_the_worst_value_has_a_name():
    assert said(close, WANT + np.eye(2)[1], WANT, "boxes",
                where=lambda p: f"anchor {p[0]}, {'xy'[p[1]]}") == (
        "boxes[0, 1] (anchor 0, y) should be 2, but is 3. "
        "2 of 4 values differ, all in column 1.")
    assert said(close, WANT + 1, WANT, "iou of int64 boxes").startswith(
        "iou of int64 boxes, at [0, 0], should be 1, but is 2.")


def test_what_is_close_enough_passes():
    close(WANT.astype(np.float64) * (1 + 1e-5), WANT, "iou")
    close([1, 2], np.array([1.0, 2.0]), "iou")  # a list of numbers counts
    close(np.array([1, 2]), np.array([1.0, 2.0]), "iou")  # as do whole ones
    close(np.array([np.nan, np.inf, 0.0]), np.array([np.nan, np.inf, -0.0]), "iou")
    close(np.zeros((0, 4)), np.zeros((0, 4)), "boxes")


def test_the_tolerance_is_the_checks_own():
    close(1.1, np.asarray(1.0), "loss", rtol=0.2)
    assert said(close, 1.1, np.asarray(1.0), "loss", rtol=0, atol=0.01) == (
        "loss should be 1, but is 1.1 (tolerance 0.01).")


@pytest.mark.parametrize(
    ("got", "dtype", "message"),
    [
        (np.zeros(2), "float32", "the type of boxes should be float32, but is float64."),
        (np.zeros(2), "int64", "the type of boxes should be int64, but is float64."),
        (np.zeros(2, np.int64), "float",
         "the type of boxes should be float, but is int64."),
        (np.zeros(2), "integer",
         "the type of boxes should be integer, but is float64."),
        (np.zeros(2, np.uint8), "bool",
         "the type of boxes should be bool, but is uint8."),
    ],
)
def test_types(got, dtype, message):
    assert said(array, got, "boxes", (2,), dtype) == message
    array(got, "boxes", (2,))


def test_shape_comes_before_type():
    assert "the shape of boxes should be [3]" in said(array, np.zeros(2), "boxes", (3,), "int64")


def test_a_wrong_type_hides_no_wrong_value():
    assert said(equal, np.array([1, 0]), np.array([True, True]), "mask", "bool") == (
        "mask[1] should be True, but is 0. 1 of 2 values differ. Beside that, the type of mask "
        "should be bool, but is int64.")
    assert said(equal, np.array([1, 1]), np.array([True, True]), "mask", "bool") == (
        "the type of mask should be bool, but is int64.")


def test_equal_takes_no_tolerance():
    equal(np.array([1, 2]), np.array([1, 2]), "labels", "int64")
    assert said(equal, np.array([1, 2, 5]), np.array([1, 3, 5]), "labels").startswith(
        "labels[1] should be 3, but is 2")
    assert said(equal, np.array([1.0, 2.000001]), np.array([1, 2]), "labels").startswith(
        "labels[1] should be 2.0, but is 2.000001.")


def test_entries():
    assert entries({"a": 1, "b": 2}, ["b", "a"], "the dict") == [2, 1]
    # .1 + .2 is not .3: a threshold that a student has computed is found all the same
    assert entries({0.1 + 0.2: 5}, [0.3], "the result") == [5]
    assert said(entries, {"loss": 1, 2: 3}, ["loss_obj"], "the loss dict") == (
        "the loss dict should have the entry 'loss_obj'; it has 'loss', 2.")
    assert said(entries, {}, [0.05], "the result") == (
        "the result should have the entry 0.05; it has none.")
    assert said(entries, [1], ["a", "b"], "the target") == (
        "the target should be a dict with 'a', 'b', but is a list of length 1.")


def test_sequence():
    assert sequence((1, 2), 2, "the result") == [1, 2]
    assert len(sequence(np.zeros((3, 2)), 3, "the result")) == 3
    assert said(sequence, np.asarray(1.0), 2, "the result") == (
        "the result should be a list of 2, but is a tensor [] of float64.")
    assert said(sequence, (1, 2, 3), 4, "the result (four tensors)") == (
        "the result (four tensors) should have 4 entries, but has 3.")
    assert said(sequence, None, 4, "the result") == (
        "the result should be a list of 4, but is None (is a return missing?).")
    assert said(sequence, {"image": 1}, 2, "item 0") == (
        "item 0 should be a list of 2, but is a dict of length 1; what is in it was not looked at.")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1 + 0.2, "0.3"), (1 / 3, "0.333333"), (1e-9, "1e-09"), (3, "3"), (np.True_, "True"),
     (np.float32(2), "2"), (np.array([1.0, 0.5]), "[1, 0.5]"),
     (np.zeros((2, 2)), "[[0, 0], [0, 0]]"), (np.zeros((5, 4)), "tensor [5, 4] of float64"),
     (math.nan, "nan")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_long_values_are_cut():
    assert len(kind("x" * 5000)) == 60


# --- whole messages --------------------------------------------------------------------------

CHECK = ASSIGNMENT.by_number["1.3.1"]


def explained(reason, rule, question) -> str:
    return explain(reason, CHECK, rule, question, ASSIGNMENT)


def test_a_public_message_has_reason_question_and_rule():
    question = call1("utils.compute_iou", np.array([[0, 0, 2, 2]], np.float32), np.zeros((0, 4)))
    assert explained("iou[0, 0] should be 1.", "Overlap over union.", question) == (
        "iou[0, 0] should be 1.\n"
        "Asked: compute_iou(torch.tensor([[0., 0., 2., 2.]]), "
        "torch.zeros((0, 4), dtype=torch.float64))\n"
        "Rule P1.iou.value: Overlap over union.")
    many = call1("utils.compute_iou", np.zeros((300, 4), np.int64), np.array([0.5, -np.inf]))
    assert explained("Wrong.", "A rule.", many).splitlines()[1] == (
        "Asked, in short: compute_iou(tensor [300, 4] of int64, "
        "torch.tensor([0.5, -torch.inf], dtype=torch.float64))")


def test_what_is_asked_can_be_pasted():
    """It makes the very inputs of the question, with their dtypes."""
    pasted = 0
    for reference in load(ASSIGNMENT, "public").by_number.values():
        inputs, text = reference.question.inputs, show_inputs(reference.question)
        if text and TENSOR not in text:
            name = inputs["function"].split(".")[-1]
            code = "\n".join(textwrap.wrap(f"[{text.replace('; ', ', ')}]", 80))
            made = eval(code, {"torch": torch, name: lambda *args, **more: wire.pack(
                [args, more], lambda value: value.numpy() if torch.is_tensor(value) else None)})
            asked = inputs.get("argument_lists") or [inputs["args"]]
            assert made == [wire.pack([tuple(args), inputs.get("kwargs", {})]) for args in asked]
            pasted += 1
    assert pasted > 30


def test_a_call_of_a_method_is_shown():
    public = load(ASSIGNMENT, "public").by_number
    for name, begins in (
            ("1.6.4", "DetectionLoss().hard_negative_mining(torch.tensor(["),
            ("1.7.3", "DetectionLoss(num_classes=3)(["), ("1.1.7", "collate_fn([("),
            ("2.2.3", "KeypointDataset(folder, file, sigma=2.0).generate_heatmap(torch.tensor([[")):
        text = show_inputs(public[name].question, ASSIGNMENT.methods)
        assert text.startswith(begins) and text.endswith(")"), text


def test_a_question_too_long_to_read_is_left_out():
    probe = Question("problem1", "mining", {"loss": np.zeros(3)})
    many = call1("utils.f", *[np.arange(20.0)] * 40)
    assert show_inputs(probe) == show_inputs(many) == ""
    assert explained("Wrong.", "A rule.", many) == "Wrong.\nRule P1.iou.value: A rule."


def test_a_huge_answer_is_not_unfolded():
    flood = np.zeros(2**28, np.uint8)  # as Python objects it has gigabytes
    assert said(sequence, flood, 2, "anchors") == (
        f"anchors should have 2 entries, but has {2**28}.")
    text = explained("x" * 10**6, "A rule.", call1("utils.compute_iou"))
    assert len(text) < 3000 and text.endswith("A rule.")


def test_control_characters_do_not_reach_a_terminal():
    question = call1("utils.compute_iou", "\x1b[2J")
    text = explained("Your code raised ValueError: \x1b[31m\x07\ud800\nsecond line.", "A rule.",
                     question)
    assert "\x1b" not in text and "\x07" not in text
    assert text.splitlines()[:2] == ["Your code raised ValueError: ?[31m??", "second line."]


def test_a_hidden_message_is_the_same_whatever_happened():
    assert hidden(CHECK, "Overlap over union.") == (
        "Right on the public inputs, but not on other inputs of the same kind.\n"
        "Rule P1.iou.value: Overlap over union.")


@pytest.mark.parametrize(
    ("value", "text"),
    [([(1, 2), (3, 4)], "[(1, 2), (3, 4)]"), ({"a": 0.1 + 0.2}, "{'a': 0.3}"), ("bbox", "'bbox'"),
     (np.zeros(0), "tensor [0]"), (np.array(1.5), "1.5"), (np.zeros((5, 5)), "tensor [5, 5]"),
     (np.array([[True, False]]), "[[True, False]]"), (None, "None"), (64, "64")],
)
def test_values_are_shown_as_a_student_writes_them(value, text):
    assert show(value) == text


def test_arguments_by_name():
    question = call1("evaluate.compute_ap", [1], iou_threshold=0.75)
    assert show_inputs(question) == "compute_ap([1], iou_threshold=0.75)"


ERROR = {"stage": "run", "type": "ValueError", "message": "too few", "file": "problem1/loss.py",
         "line": 7, "code": "x = y", "caller": None}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer("error", error=ERROR),
         "Your code raised ValueError: too few in problem1/loss.py, line 7: `x = y`."),
        (Answer("error", error={**ERROR, "stage": "import"}),
         "Your code could not be imported in problem1/loss.py, line 7: `x = y` "
         "(ValueError: too few)."),
        (Answer("error", error={**ERROR, "stage": "import", "type": "SystemExit", "message": "2"}),
         "Your code could not be imported in problem1/loss.py, line 7: `x = y` (SystemExit: 2). A "
         "file may not end Python when it is imported: what trains stands under "
         '`if __name__ == "__main__":`.'),
        (Answer("error", error={**ERROR, "stage": "read", "file": None}),
         "What you have handed in could not be read (ValueError: too few)."),
        (Answer("error", error={**ERROR, "message": "", "code": ""}),
         "Your code raised ValueError in problem1/loss.py, line 7."),
        (Answer("error", error={**ERROR, "file": None}),
         "Your code raised ValueError: too few (in a call of utils.compute_iou)."),
        (Answer("error", error={**ERROR, "stage": "missing", "message": "a.py is missing"}),
         "a.py is missing (problem1/loss.py, line 7: `x = y`)."),
        (Answer("error", error={**ERROR, "stage": "unusable", "message": "results/a.pth is empty"}),
         "results/a.pth is empty (problem1/loss.py, line 7: `x = y`)."),
        (Answer("timeout"), "Your code did not finish within 20 CPU seconds (utils.compute_iou)."),
        (Answer("died", detail="SIGTERM"),
         "The process that ran your code ended without an answer: SIGTERM."),
    ],
)
def test_why_there_is_no_answer(answer, message):
    assert no_answer(answer, call1("utils.compute_iou")) == message


@pytest.mark.parametrize(("hung", "hints"), [
    ("problem2/dataset.KeypointDataset.generate_heatmap",
     ["This check needs task 2.2 (Heatmap encoding): look there first."]),
    ("problem2/dataset.py", []),
    ("problem2/keypoint_items",
     ["This check needs task 2.2 (Heatmap encoding): look there first."])])
def test_a_file_that_hangs_sends_nobody_to_another_task(hung, hints):
    answer = Answer("hung", detail=hung)
    assert look_first(ASSIGNMENT.tasks["2.1"], {"2.2"}, answer, ASSIGNMENT) == hints
