"""Mistakes that the bank does not know: what a class shares becomes a cluster and a draft."""

import ast
import json
from dataclasses import replace

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine.diagnosis import load_bank
from autograder.instructor.classroom.class_page import page
from autograder.instructor.classroom.grader import Setup, entry_of
from autograder.instructor.classroom.unnamed import draft, find, restored
from tests.simulated_class import Class

from .generated import VERSION

OF_BOXES = '''
import torch


def encode_boxes(boxes, anchors):
    size, own = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]
    shift = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2
    return torch.cat((shift / own, {scale} * torch.log(size / own)), 1){more}
'''


@pytest.fixture(scope="module")
def entries(grade_checks, tmp_path_factory):
    """Four students: two make the log three times as large, one seven times, and one raises."""
    codes = {"ada": OF_BOXES.format(scale="3", more=""),
             "bob": OF_BOXES.format(scale="(1 / .333333)", more=" + 0"),
             "eve": OF_BOXES.format(scale="7", more=""),
             "joe": OF_BOXES.format(scale="7", more=" / torch.zeros(3)")}
    made = []
    for student, code in codes.items():
        folder = tmp_path_factory.mktemp(student)
        (folder / "problem1").mkdir()
        (folder / "problem1/utils.py").write_text(code)
        entry = entry_of(grade_checks(folder, ["1.4.1", "1.4.2"]), Setup(), VERSION)
        made.append(replace(entry, student=student, name=student.title(), source=student))
    return made


def test_what_two_share_is_a_cluster_with_a_draft(entries, public):
    assert all(entry.score == 0 for entry in entries)
    cluster, = find(entries, public.by_number)
    assert [entry.student for entry in cluster.entries] == ["ada", "bob"]
    assert (cluster.task, list(cluster.came)) == ("1.4", ["1.4.1", "1.4.2"])
    text = page(entries, unnamed=[cluster])
    assert ">Mistakes without a name</h2>" in text.replace("\n", "")
    for part in (f"{cluster.task} Box coding, in 1.4.1, 1.4.2", "encode_boxes(torch.tensor([[",
                 ASSIGNMENT.by_number[cluster.smallest].sentence[:40], "students/ada/feedback.html",
                 cluster.expected[:20], cluster.came[cluster.smallest][:20]):
        assert part in text, part
    call, = ast.parse(f"({draft(cluster).strip().rstrip(',')}\n)").body
    assert (call.value.func.id, call.value.args[3].value) == ("mistake", "P1.coding.encode/1")
    assert "Ada" not in page(entries, anonymous=True, unnamed=[cluster])
    assert "Mistakes without a name" not in page(entries)


def test_members_of_a_group_are_one_submission(entries, public):
    ada = entries[0]
    assert find([ada, replace(ada, student="her partner")], public.by_number) == []


def test_what_is_kept_of_a_wrong_answer(entries):
    wrong = entries[0].unnamed
    assert set(wrong) == {"1.4.1", "1.4.2"}
    assert restored(json.loads(json.dumps(wrong["1.4.1"]))).value.shape[1] == 4
    error = restored(entries[3].unnamed["1.4.1"])
    assert error.status == "error" and "must match the size" in error.error["message"]


def test_an_answer_that_keeps_the_check_busy_hides_nothing_else(entries, public):
    """An answer that is no frame stands alone, and so does each answer to its check."""
    bad = replace(entries[0], student="mal", source="mal", unnamed={
        **entries[0].unnamed, "1.4.1": {"error": {"type": 1}}})
    cluster, = find([*entries, bad], public.by_number)
    assert list(cluster.came) == ["1.4.2"] and len(cluster.entries) == 3


def test_hidden_mistakes_come_back(public):
    """A small class in three tasks; `python -m tests.bench bank` has the whole figure."""
    bank = load_bank(ASSIGNMENT.references)
    result = Class(bank, public, seed=1, tasks=("1.3", "1.5", "2.5")).run(60, most=4)
    assert len(result.made) > 4
    assert len(result.back) >= 0.95 * len(result.made)
    assert result.mixed == []
