"""References: which edits need new ones, and what they say they were made with."""

from dataclasses import replace

import numpy as np
import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.assignment.checks.asking import call1
from autograder.engine.check import Question
from autograder.engine.compare import Wrong
from autograder.instructor import building
from tests.grading import copy_solution, patch, told


def test_the_stored_references_are_of_these_questions(public):
    assert building.stale(ASSIGNMENT, public) == [], (
        "run `make references`: what is asked has changed since the references were made")


@pytest.fixture
def edited(monkeypatch):
    """`edited(**changes)`: the assignment with one check, which is changed."""
    def edit(**changes):
        check = replace(ASSIGNMENT.by_number["1.3.2"], **changes)
        monkeypatch.setitem(ASSIGNMENT.__dict__, "every_check", (check,))
        return ASSIGNMENT

    return edit


@pytest.mark.parametrize("changes", [
    {"sentence": "Other words."}, {"points": 7.0}, {"rule": "P1.iou.value"},
    {"judge": lambda answer: None},
], ids=lambda changes: next(iter(changes)))
def test_what_is_no_question_may_change(edited, public, changes):
    assert building.stale(edited(**changes), public) == []


def test_a_changed_question_is_named(edited, public):
    def asks(rng) -> Question:
        return call1("utils.compute_iou", rng.random((5, 4)), rng.random((7, 4)))

    assert building.stale(edited(ask=asks), public) == ["1.3.2"]


def test_the_noise_of_another_processor_is_no_change(edited, public):
    question = public.by_number["1.3.2"].question
    one, two = question.inputs["args"]
    near = replace(question, inputs={**question.inputs, "args": [one * np.float32(1 + 1e-6), two]})
    assert told(near) != told(question)
    assert building.stale(edited(ask=lambda rng: near), public) == []


def test_changed_probes_make_all_stale(public):
    other = replace(public, made={**public.made, "probes": "0123456789ab"})
    assert building.stale(ASSIGNMENT, other) == [check.number for check in ASSIGNMENT.every_check]


def test_new_references_say_what_they_were_made_with(hidden_for):
    made = hidden_for(["1.3.1"])
    assert made.tier == "hidden" and list(made.by_number) == ["1.3.1"]
    assert made.made["probes"] == building.probe_code(ASSIGNMENT)


def test_a_solution_that_fails(tmp_path, warm):
    copy_solution(tmp_path, "problem1")
    patch(tmp_path, "problem1/utils.py",
          ("\nimport torch\n", "\nimport torch\nfrom os import nothing_here\n"))
    with pytest.raises(Wrong, match=r"^check 1.4.1: the solution gave no answer \(error\): .*"
                                    "cannot import name 'nothing_here'"):
        building.build(ASSIGNMENT, tmp_path, "public", 1, {}, only="1.4", workers=warm)


def test_a_seed_below_zero(capsys):
    with pytest.raises(SystemExit):
        main(["references", "--seed", "-1"])
    assert "--seed: must be a whole number from 0, got -1" in capsys.readouterr().err
