"""The checks as a whole: numbers, sentences, rules both ways, questions from a seed."""

import re
from dataclasses import replace

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.probes import PROBES
from autograder.engine.check import Judgement, order
from autograder.engine.compare import Wrong
from autograder.engine.diagnosis import load_bank
from autograder.engine.judging import agrees, judge
from autograder.engine.points import task_of
from autograder.engine.references import Reference, draw
from autograder.engine.sandbox.probes import probes_of
from tests.grading import STARTER, answered, copy_solution, failed, patch, told

CHECKS = ASSIGNMENT.every_check
NUMBERS = [check.number for check in CHECKS]
RULES_TEXT = ASSIGNMENT.rules_file.read_text(encoding="utf-8")


def test_numbers_run_from_1_in_every_task():
    assert len(CHECKS) >= 60
    tasks = list(ASSIGNMENT.tasks)  # in the order in which they are done
    assert sorted(NUMBERS, key=lambda n: (tasks.index(task_of(n)), order(n))) == NUMBERS
    assert tasks.index("1.9") + 1 == tasks.index("1.19")
    for task in ASSIGNMENT.tasks:
        own = [check.number for check in CHECKS if check.task.number == task]
        assert own and own == [f"{task}.{i}" for i in range(1, len(own) + 1)], task


def test_sentences_are_readable():
    for check in CHECKS:
        assert re.search(r"[\w\])]\.$", check.sentence), (check.number, "ends without a period")
        assert not re.search(r"[.!?] [A-Z]", check.sentence), (check.number, "more than one")
        assert 20 <= len(check.sentence) <= 120, check.number


def test_every_check_names_a_rule_and_every_rule_is_checked():
    assert {check.rule for check in CHECKS} == set(ASSIGNMENT.rules)
    assert all(check.rule.startswith(f"P{check.number[0]}.") for check in CHECKS)


def test_the_rules_are_read_whole():
    rules = ASSIGNMENT.rules
    assert len(rules) == len(re.findall(r"^- \*\*", RULES_TEXT, re.M))
    for identifier, sentence in rules.items():
        assert sentence.endswith("."), identifier
        assert "\n" not in sentence and "- **" not in sentence and "#" not in sentence
    assert rules["P1.iou.empty-union"] == (
        "Where the union has no area the IoU is 0, and no value is nan.")
    assert rules["P1.accuracy.map"].endswith("random or shuffled weights gets none.")  # six lines


def test_a_rule_stands_under_the_task_that_checks_it():
    heading, task_of = "", {}
    for line in RULES_TEXT.splitlines():
        if line.startswith("### "):
            heading = line
        if line.startswith("- **"):
            task_of[line.split("**")[1]] = set(re.findall(r"\d\.\d+", heading))
    for check in CHECKS:
        assert check.task_number in task_of[check.rule], (check.number, check.rule)


# --- selections ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "tasks"),
    [("1.1", {"1.1"}), ("1.10", {"1.10"}), ("2.1", {"2.1"}), (["1.2", "2.5"], {"1.2", "2.5"}),
     ("2", {task for task in ASSIGNMENT.tasks if task.startswith("2.")})],
)
def test_a_selection_takes_whole_tasks(only, tasks):
    assert {check.task_number for check in ASSIGNMENT.selected(only)} == tasks


def test_a_selection_of_one_check():
    assert [check.number for check in ASSIGNMENT.selected("1.5.1")] == ["1.5.1"]  # not 1.5.10
    assert ASSIGNMENT.selected(None) == list(ASSIGNMENT.checks)


def test_what_can_be_selected():
    known = ASSIGNMENT.selections()
    assert {"1", "2", "1.3", "2.11", "1.3.2", "P1.iou", "P1.iou.tiny"} <= known
    assert not {"", "3", "1.", "1.99", "1.3.99"} & known


# --- questions -------------------------------------------------------------------------------

MADE = {"profile": "standard"}
MEASURED = [check for check in CHECKS if check.measured]


@pytest.fixture(scope="module")
def questions():
    """A question of every check."""
    return {check.number: draw(check, 7, "public", MADE) for check in CHECKS}


def test_questions_depend_on_seed_and_tier_and_on_nothing_else(questions):
    for check in CHECKS:
        if questions[check.number].handed:  # it is about the data of the term
            continue
        first = told(questions[check.number])
        np.random.seed(1)
        assert told(draw(check, 7, "public", MADE)) == first, check.number
        for tier in ("public", "hidden"):
            # What is drawn among a few may be the same with one other seed.
            assert any(told(draw(check, seed, tier, MADE)) != first
                       for seed in range(8, 16)), (check.number, tier)


def test_grading_images_depend_on_the_profile(questions):
    check = MEASURED[0]
    classic, standard = draw(check, 7, "public", {"profile": "classic"}), questions[check.number]
    assert (classic.inputs["images"] != standard.inputs["images"]).any()


def test_random_streams_of_checks_are_independent():
    def first(check, seed, tier):
        return draw(replace(check, ask=lambda rng: tuple(rng.integers(0, 2**62, 2)), measured=None),
                    seed, tier, MADE)

    own = [check for check in CHECKS if not check.like]
    draws = {first(check, seed, tier)
             for check in own for seed in (1, 2) for tier in ("public", "hidden")}
    assert len(draws) == 4 * len(own)


def test_every_question_has_a_probe_and_every_probe_a_question(questions):
    used = {name for q in questions.values() for name in (q.probe, q.then)} - {""}
    assert set(PROBES) <= used <= set(probes_of(ASSIGNMENT.package))


def test_labels_of_grading_images_stay_with_the_grader(questions):
    """Only `inputs` reach a worker; the truth is beside them."""
    for check in CHECKS:
        question = questions[check.number]
        assert (question.truth is not None) == bool(question.results)  # trained weights
        asked = dict(question.inputs.get("networks", [])).values() or [question.inputs]
        for inputs in asked if question.results else ():
            assert not {"truth", "labels", "boxes", "keypoints"} & set(inputs)


def test_every_function_that_is_asked_stands_in_the_starter(questions):
    for number, question in questions.items():
        name = question.inputs.get("function") or question.inputs.get("model")
        if name is not None and "." in name:
            module, attribute = name.split(".")
            source = (STARTER / question.problem / f"{module}.py").read_text(encoding="utf-8")
            assert re.search(rf"^(def|class) {attribute}\b", source, re.M), number


def test_an_anchor_is_called_another_one_only_where_all_are_in_another_order(public):
    """Twice as large and clipped, the centres move: the first anchor is still the first."""
    check, reference = ASSIGNMENT.by_number["1.2.2"], public.by_number["1.2.2"]
    anchors, = reference.expected
    centre, side = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]
    image_size = reference.question.inputs["args"][2]
    clipped = np.hstack([centre - side, centre + side]).clip(0, image_size)
    for answer, says in ((clipped, r"but is \[0, 0, .*\], whose centre or side is out of order\.$"),
                         (anchors[::-1], r"but is that of row \d, column \d, scale \d+\.$")):
        with pytest.raises(Wrong, match=says):
            check.run([answer], reference.expected, reference.question, Judgement(check))


def test_maps_are_right_whatever_becomes_of_boxes(public):
    check, reference = ASSIGNMENT.by_number["1.19.2"], public.by_number["1.19.2"]
    centred = []
    for found in reference.expected:
        begin, end = found["boxes"][:, :2], found["boxes"][:, 2:]
        centred.append({**found, "boxes": np.c_[(begin + end) / 2, end - begin]})
    turned = [{**found, "maps": 2 - found["maps"]} for found in centred]
    assert judge(check, "public", reference, answered(centred)).passed
    assert re.match(r"maps of image 0, at \[\d\] \(detection \d\), should be \d, but is \d\.",
                    str(judge(check, "public", reference, answered(turned)).error))


def test_a_list_of_no_boxes_is_not_called_a_tensor(public):
    outcome = judge(ASSIGNMENT.by_number["1.1.4"], "public", public.by_number["1.1.4"], answered({
        **public.by_number["1.1.4"].expected, "items": [
            (image, {**target, "boxes": target["boxes"].tolist()})
            for image, target in public.by_number["1.1.4"].expected["items"]]}))
    assert re.search(r"should be a tensor, but is a list of length \d\.$", str(outcome.error))
    flat = load_bank(ASSIGNMENT.references).answers["1.1.4"]["dataset-empty-boxes-flat"]
    assert not agrees(outcome.check, outcome.reference, outcome.answer, flat)


def test_rounding_decides_no_peak():
    """A keypoint in the middle of two heatmap pixels is nearer to either after rounding."""
    check, wrong, moved = ASSIGNMENT.by_number["2.1.4"], [], 0
    for seed in range(12):
        question = draw(check, seed, "hidden", {})
        size, sigma = (question.inputs["options"][key] for key in ("heatmap_size", "sigma"))
        items = []
        for entry in question.inputs["annotations"]["images"]:
            image = question.inputs["images"][entry["file_name"]]
            points = np.array(entry["keypoints"])
            scaled = points * size / len(image), points.astype(np.float32) * np.float32(
                size / np.float32(len(image)))
            items.append([(image[None], _maps(kind, size, sigma)) for kind in scaled])
        right, other = ({"length": len(items), "items": [list(item[i]) for item in items]}
                        for i in (0, 1))
        moved += sum((a[1].reshape(5, -1).argmax(1) != b[1].reshape(5, -1).argmax(1)).any()
                     for a, b in items)
        wrong.append(judge(check, "hidden", Reference(question, right), answered(other)).error)
    assert moved and not any(wrong)


def _maps(points, size, sigma):
    grid = np.arange(size, dtype=np.float32)
    squares = ((grid - points[:, :1, None]) ** 2 + (grid[:, None] - points[:, 1:, None]) ** 2)
    return np.exp(-squares / (2 * sigma**2)).astype(np.float32)


def test_the_ablation_draws_few_heatmaps(tmp_path, grade_checks):
    """Right code may draw them pixel by pixel: .1 s each, and a busy machine takes twice as long.
    """
    root = copy_solution(tmp_path, "problem2")
    patch(root, "problem2/dataset.py",
          ("        x, y = keypoints[", "        DRAWN.append(height * width)\n"
           "        assert sum(DRAWN) <= 100 * 64 * 64\n        x, y = keypoints["),
          ("KEYPOINT_NAMES = (", "DRAWN = []\nKEYPOINT_NAMES = ("))
    assert failed(grade_checks(root, ["2.9.1", "2.9.2"])) == set()
    assert ASSIGNMENT.by_number["2.9.2"].question(np.random.default_rng(), {}).cpu_seconds == 60


@pytest.mark.parametrize(("change", "says"), [
    (lambda right: right[..., ::-1], "x is the column and comes first."),
    (lambda right: right + 2, "The part of the map around the maximum counts, and no other."),
    (lambda right: np.round(right) - (1, -1) * (right - np.round(right)),
     "Your steps along x lead away from the centres."),
    (lambda right: right + 0.375, "All lie +0.4 px along x, +0.4 px along y from there."),
])
def test_where_a_finer_place_goes_wrong(change, says, public):
    reference = public.by_number["2.12.1"]
    wrong = change(reference.expected).astype(np.float32)
    outcome = judge(ASSIGNMENT.by_number["2.12.1"], "public", reference, answered(wrong))
    assert str(outcome.error).endswith(f"0.25 px. {says}")


@pytest.mark.parametrize(("change", "says"), [
    (lambda right: right + 0.375, "a pixel away: whole pixels of the map as it is given are asked "
                                  "for."),
    (lambda right: right[..., ::-1] + (0.375, 0.25), "a pixel away, and x and y are swapped: "),
])
def test_keypoints_between_pixels_are_told(change, says, public):
    reference = public.by_number["2.5.1"]
    outcome = judge(ASSIGNMENT.by_number["2.5.1"], "public", reference,
                    answered(change(reference.expected).astype(np.float32)))
    assert says in str(outcome.error)
