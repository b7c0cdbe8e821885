"""Stored references: read back as they were, and refused with one line where they are damaged."""

import json
import pickle
import weakref
from dataclasses import replace

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.engine import references
from autograder.engine.assignment import Assignment
from autograder.engine.references import BadReferences
from tests.grading import told

STORED = {name: ASSIGNMENT.references / name for name in ("public.json", "public.npz")}
MEASURED = [check.number for check in ASSIGNMENT.checks if check.accuracy]
REMEDY = "run `python -m autograder references --tier public`"


def refusal(folder) -> str:
    with pytest.raises(BadReferences) as caught:
        references.load(ASSIGNMENT, "public", folder)
    return str(caught.value)


def test_references_come_back_as_they_were(tmp_path, public):
    paths = references.save(public, tmp_path)
    assert [path.name for path in paths] == list(STORED)
    assert not list(tmp_path.glob("*.partial"))
    again = references.load(ASSIGNMENT, "public", tmp_path)
    assert again.made == public.made and list(again.by_number) == list(public.by_number)
    assert paths[0].read_bytes() == references.save(again, tmp_path)[0].read_bytes()
    for number, reference in public.by_number.items():
        question = again.by_number[number].question
        assert told(question) == told(reference.question)


def test_large_inputs_are_kept_packed(public):
    inputs = public.by_number["1.14.1"].question.inputs
    image = weakref.ref(inputs["images"])
    assert image() is None
    assert type(references.stored(public.by_number["1.14.1"].question)["inputs"]) is dict
    there = pickle.loads(pickle.dumps(inputs))
    assert type(there) is dict and list(there) == list(inputs)
    assert np.array_equal(there["images"], inputs["images"])


def test_references_that_are_missing(tmp_path):
    assert refusal(tmp_path) == f"there are no public references in {tmp_path}: {REMEDY}"


@pytest.mark.parametrize(("text", "kind"), [
    ("not json", "JSONDecodeError"), ("{}", "KeyError"),
    ('{"made": {}, "arrays": [99999], "checks": {}}', "IndexError"),
    ('{"made": {}, "arrays": [], "checks": {"1.1.1": {"dict": [["truth", {"array": 7}]]}}}',
     "IndexError"),
    ('{"made": {}, "arrays": [], "checks": {"1.1.1": {"dict": []}}}', "KeyError"),
])
def test_references_that_are_damaged(tmp_path, text, kind):
    (tmp_path / "public.json").write_text(text)
    (tmp_path / "public.npz").write_bytes(STORED["public.npz"].read_bytes())
    assert refusal(tmp_path) == (
        f"the public references in {tmp_path} are damaged ({kind}): {REMEDY}")


def test_arrays_that_are_cut(tmp_path):
    whole = STORED["public.npz"].read_bytes()
    (tmp_path / "public.json").write_bytes(STORED["public.json"].read_bytes())
    (tmp_path / "public.npz").write_bytes(whole[:len(whole) // 2])
    assert "are damaged" in refusal(tmp_path)


def test_a_check_that_the_references_lack(tmp_path):
    content = json.loads(STORED["public.json"].read_text(encoding="utf-8"))
    del content["checks"]["1.3.2"]
    (tmp_path / "public.json").write_text(json.dumps(content))
    (tmp_path / "public.npz").write_bytes(STORED["public.npz"].read_bytes())
    assert refusal(tmp_path) == f"the public references lack check 1.3.2: {REMEDY}"


# --- floors and targets ----------------------------------------------------------------------


@pytest.fixture
def with_target():
    """`with_target(number, target)`: other shares of the reference give points of a check."""
    def edit(number: str, target: float) -> Assignment:
        points, rule = ASSIGNMENT.points, ASSIGNMENT.points.accuracy[number]
        accuracy = {**points.accuracy, number: replace(rule, target=target)}
        assignment = replace(ASSIGNMENT)
        assignment.__dict__["points"] = replace(points, accuracy=accuracy)
        return assignment

    return edit


@pytest.mark.parametrize("number", MEASURED)
def test_targets_follow_the_points_file_when_references_are_loaded(with_target, public, number):
    loaded = references.load(with_target(number, 1), "public")
    before, now = (of.by_number[number].expected for of in (public, loaded))
    assert now["reference"] == before["reference"] and now["floor"] == before["floor"]
    assert now["target"] == pytest.approx(now["reference"], abs=0.01)
    assert now["target"] > before["target"]
    for other in set(MEASURED) - {number}:
        assert loaded.by_number[other].expected == public.by_number[other].expected


def test_a_target_below_the_floor_is_one_line(with_target):
    number = MEASURED[-1]
    with pytest.raises(BadReferences, match=(
            f"^points.toml and the public references do not fit for check {number}: the reference "
            r"reaches 0\.\d+: its target 0\.\d+ is not above the floor 0\.\d+\.")):
        references.load(with_target(number, 0.1), "public")
