"""The checks as a whole: numbers, points, sentences, rules both ways, questions from a seed."""

import re

import numpy as np
import pytest
from autograder.engine.catalogue import known_selections, selected
from autograder.engine.rules import RULES

from autograder.assignment import ASSIGNMENT
from autograder.assignment.probes import PROBES
from autograder.assignment.tasks import TASKS, order
from autograder.engine import references
from autograder.engine.references import generator, worker_seed
from autograder.engine.sandbox import wire

CHECKS = ASSIGNMENT.checks
NUMBERS = [check.number for check in CHECKS]


def test_there_are_enough_checks_and_they_give_100_points():
    assert len(CHECKS) >= 60
    assert sum(check.points for check in CHECKS) == 100
    assert all(check.points > 0 and (2 * check.points).is_integer() for check in CHECKS)


def test_numbers_are_unique_and_run_from_1_in_every_task():
    assert len(set(NUMBERS)) == len(NUMBERS)
    assert sorted(NUMBERS, key=order) == NUMBERS
    for task in TASKS:
        own = [number for number in NUMBERS if number.rsplit(".", 1)[0] == task]
        assert own == [f"{task}.{i}" for i in range(1, len(own) + 1)], task
        assert own, f"task {task} has no check"
    assert {check.task for check in CHECKS} == set(TASKS)


@pytest.mark.parametrize("check", CHECKS, ids=NUMBERS)
def test_a_title_is_one_readable_sentence(check):
    assert re.search(r"[\w\])]\.$", check.sentence), "a sentence ends with a period"
    assert not re.search(r"[.!?] [A-Z]", check.sentence), "more than one sentence"
    assert 20 <= len(check.sentence) <= 120


def test_every_check_names_a_rule_and_every_rule_is_checked():
    rules = ASSIGNMENT.rules
    assert {check.rule for check in CHECKS} == set(rules)
    assert all(check.rule.startswith(f"P{check.number[0]}.") for check in CHECKS)


def test_the_rules_are_read_whole():
    text = RULES.read_text(encoding="utf-8")
    rules = ASSIGNMENT.rules
    assert len(rules) == len(re.findall(r"^- \*\*", text, re.M))
    for identifier, sentence in rules.items():
        assert sentence.endswith("."), identifier
        assert "\n" not in sentence and "- **" not in sentence and "#" not in sentence
    assert rules["P1.iou.empty-union"] == (
        "Where the union has no area the IoU is 0, and no value is nan.")
    assert rules["P1.accuracy.map"].endswith("fresh random weights gets none.")  # six lines


def test_a_rule_stands_under_the_task_that_checks_it():
    heading, task_of = "", {}
    for line in RULES.read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            heading = line
        if line.startswith("- **"):
            task_of[line.split("**")[1]] = set(re.findall(r"\d\.\d+", heading))
    for check in CHECKS:
        assert check.task in task_of[check.rule], (check.number, check.rule)


def test_every_function_of_the_handout_stands_in_the_starter(tmp_path):
    """What a check calls is a name that the rules or the starter give."""
    from tests.grading import STARTER

    made = {"profile": "standard"}
    for check in CHECKS:
        question = references.ask(check, 1, "public", made)
        name = question.inputs.get("function") or question.inputs.get("model")
        if name is None or "." not in name:
            continue
        module, attribute = name.split(".")
        source = (STARTER / question.problem / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"^(def|class) {attribute}\b", source, re.M), check.number


# --- selections ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "tasks"),
    [(None, set(TASKS)), ("1.1", {"1.1"}), ("1.10", {"1.10"}), ("2.1", {"2.1"}),
     ("2", {task for task in TASKS if task.startswith("2.")})],
)
def test_a_selection_takes_whole_tasks(only, tasks):
    assert {check.task for check in CHECKS if selected(check, only)} == tasks


def test_a_selection_of_one_check():
    assert [check.number for check in CHECKS if selected(check, "1.1.1")] == ["1.1.1"]
    assert [check.number for check in CHECKS if selected(check, "1.5.1")] == ["1.5.1"]  # not 1.5.10


def test_what_can_be_selected():
    known = known_selections()
    assert {"1", "2", "1.3", "2.11", "1.3.2"} <= known
    assert not {"", "3", "1.", "1.99", "1.3.99", "2.9"} & known


def test_tasks_are_ordered_as_numbers():
    assert sorted(["1.10", "1.2", "1.9", "2.1"], key=order) == ["1.2", "1.9", "1.10", "2.1"]


# --- questions -------------------------------------------------------------------------------

MADE = {"profile": "standard"}
DATA = {check.number for check in CHECKS if getattr(check.ask, "needs_data", False)}
# Nothing to draw: defaults of the assignment, images without objects, files of a submission.
CONSTANT = {"1.2.6", "1.9.10", "1.11.4", "1.13.1", "2.8.4", "2.10.1", "2.10.2"}


def asked(check, seed=7, tier="public") -> bytes:
    """A question as bytes."""
    question = references.ask(check, seed, tier, MADE)
    truth = question.truth if check.number in DATA else None
    return wire.pack({"problem": question.problem, "probe": question.probe,
                      "inputs": question.inputs, "truth": truth,
                      "results": question.results, "cpu": question.cpu_seconds})


@pytest.mark.parametrize("check", [check for check in CHECKS if check.number not in DATA],
                         ids=lambda check: check.number)
def test_questions_depend_on_seed_and_tier_and_on_nothing_else(check):
    np.random.seed(1)
    first = asked(check)
    np.random.seed(2)
    assert asked(check) == first
    if check.number not in CONSTANT:
        assert any(asked(check, seed) != first for seed in range(8, 16))
        assert any(asked(check, seed, "hidden") != asked(check, seed) for seed in range(8, 16))


def test_grading_images_depend_on_seed_tier_and_profile():
    for check in CHECKS:
        if check.number in DATA:
            first = asked(check)
            assert asked(check) == first
            assert asked(check, tier="hidden") != first
    check = next(c for c in CHECKS if c.number in DATA)
    classic = check.ask(generator(7, "public", check.number), {"profile": "classic"})
    standard = check.ask(generator(7, "public", check.number), MADE)
    assert (classic.inputs["images"] != standard.inputs["images"]).any()


def test_streams_of_checks_are_independent():
    draws = {tuple(generator(seed, tier, number).integers(0, 2**62, 2))
             for seed in (1, 2) for tier in ("public", "hidden") for number in NUMBERS}
    assert len(draws) == 4 * len(NUMBERS)
    assert len({worker_seed(number) for number in NUMBERS}) == len(NUMBERS)


def test_every_question_has_a_probe_and_every_probe_a_question():
    used = {references.ask(check, 1, "public", MADE).probe for check in CHECKS}
    assert used == set(PROBES)


def test_labels_of_grading_images_stay_with_the_grader():
    """Only `inputs` reach a worker; the truth is beside them."""
    for check in CHECKS:
        question = references.ask(check, 1, "public", MADE)
        assert (question.truth is not None) == (check.number in DATA)
        assert not {"truth", "labels", "boxes", "keypoints"} & (
            set(question.inputs) if check.number in DATA else set())
