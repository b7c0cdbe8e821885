"""The audit: right solutions agree on random inputs, and what differs is found and told."""

import ast
from pathlib import Path

import pytest

from autograder.instructor.proof.audit import add_case, audit, overlaid, search, variants
from tests.assignment.audited import FUNCTIONS
from tests.assignment.wrong import VARIANTS
from tests.grading import FUNCTIONAL, ROOT, SOLUTION, sampled

OTHERS = {name: ROOT / "tests" / "assignment" / "variants" / name for name in ("numpy", "loops")}
UTILS = "problem1/utils.py"
# Networks, training and pictures have no one right answer. What remains calls audited functions.
NOT_AUDITED = {"1.8", "1.11", "1.12", "2.3", "2.4", "2.7", "2.8", "2.9"}


def test_every_task_is_audited_or_has_a_reason():
    audited = {function.task for function in FUNCTIONS.values()}
    asked = {number.rpartition(".")[0] for number in FUNCTIONAL} - {"1.18", "2.13"}  # reports
    assert audited | NOT_AUDITED == asked and not audited & NOT_AUDITED


@pytest.mark.parametrize("name", sampled([*FUNCTIONS], 4))
def test_right_solutions_agree(name):
    found = audit({name: FUNCTIONS[name]}, SOLUTION, OTHERS, (), lambda several: (), 60, 1)
    assert found.gaps == [] and found.tried[name] >= 10
    assert found.summary()[-2:] == ["0 differences between correct solutions",
                                    "0 variants that differ and lose nothing"]


def test_the_smallest_input_of_a_difference_is_told_and_made_a_check(monkeypatch):
    more = {"overlaps of one pixel are none": (
        "P1.iou.value/1", "1.3.1", UTILS, "(bottom_right - top_left).clamp(min=0)",
        "(bottom_right - top_left - 1).clamp(min=0)")}
    wrong = [(sentence, mutant) for sentence, mutant in variants(SOLUTION, more)
             if mutant.original in more]
    functions = {"compute_iou": FUNCTIONS["compute_iou"]}
    found = audit(functions, SOLUTION, {}, wrong, lambda several: [False], 60, 1)
    (difference,) = found.unasked
    assert found.passing == found.variants == 1
    assert "overlaps of one pixel are none: " in str(difference)
    assert all(len(boxes) == 1 for boxes in difference.question.inputs["args"])
    written = []
    monkeypatch.setattr(Path, "write_text", lambda _, text, **__: written.append(text))
    assert "wrote check 1.3.9 to test_p1_boxes.py" in add_case(difference)
    ast.parse(written[0])
    assert '@check("1.3.9", "P1.iou.pairs", lambda _: Question(' in written[0]


def test_code_that_raises_or_never_ends_differs(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.instructor.proof.audit.SECONDS", 0.1)
    for error, body in ("RuntimeError()", "raise RuntimeError"), ("TimeoutError(", "while 1: pass"):
        own = tmp_path / error / "problem1"
        own.mkdir(parents=True)
        (own / "utils.py").write_text(f"def nms(*_):\n    {body}\n", encoding="utf-8")
        first, other = overlaid(SOLUTION, {error: own.parent}, tmp_path / "room")["problem1"]
        _, (difference,) = search("nms", FUNCTIONS["nms"], first, [other], 10, 0, oracle=False)
        assert error in difference.how


def test_variants_are_those_of_the_bank_and_of_the_tests():
    assert {mutant.original for _, mutant in variants(SOLUTION, VARIANTS)} >= set(VARIANTS)
