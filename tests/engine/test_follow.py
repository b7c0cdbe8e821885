"""One mistake costs one task: what fails beside a wrong earlier task is graded on right values."""

import re
from concurrent.futures import Future
from dataclasses import replace

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.tasks import TASKS
from autograder.engine.check import Judgement
from autograder.engine.compare import Wrong
from autograder.engine.follow_through import follow_through
from autograder.engine.judging import Outcome, judge
from autograder.engine.messages import tasks
from autograder.engine.results import FAILED, PASSED, SUBMISSION_BROKE
from autograder.engine.sandbox.channel import Answer
from autograder.engine.sandbox.pool import WorkersBroke
from autograder.engine.terminal import summary
from tests.grading import copy_solution, failed, fork_only, functional, message, patch, sampled

pytestmark = pytest.mark.slow

UTILS, EVALUATE, LOSS = "problem1/utils.py", "problem1/evaluate.py", "problem1/loss.py"
IMPORT = "from utils import compute_iou, decode_boxes, nms\n"  # of evaluate.py
IN_MATCHING = "iou = compute_iou(anchors, target_boxes)  # iou[anchor, gt]"
OVERLAP = "(bottom_right - top_left).clamp(min=0).prod(dim=-1)"
IOU_WRONG = (OVERLAP, OVERLAP.replace("prod", "sum"))
ANOTHER_WAY = "in another way than the starter defines it"
IOU, CODING, HEATMAPS = (tasks([number], ASSIGNMENT) for number in ("1.3", "1.4", "2.2"))
POINTS_GIVEN = (f"Points given although {IOU} loses points: with the right values of compute_iou "
                "your code for this check is right.")
SEEN_WITH = f"(Seen with the right values of compute_iou, since {IOU} loses points.)"


@pytest.fixture
def wrong_iou(tmp_path):
    """`wrong_iou({file: (old, new)})`: the solution with a wrong IoU and further changes."""
    def make(edits=None, problems=("problem1",)):
        root = copy_solution(tmp_path, *problems)
        patch(root, UTILS, IOU_WRONG)
        for file, *pairs in edits or ():
            patch(root, file, *pairs)
        return root

    return make


def lines(grade, number: str) -> list[str]:
    return message(grade, number).splitlines()


# --- what is followed through ------------------------------------------------------------------


CALL = "iou = compute_iou("  # of evaluate.py
WAYS = {  # to call an earlier function: a file, and passages with what stands in their place
    "from utils": (UTILS,),
    "import utils": (
        EVALUATE, (IMPORT, "import utils\nfrom utils import decode_boxes, nms\n"),
        (CALL, "iou = utils.compute_iou(")),
    "from problem1.utils": (EVALUATE, (IMPORT, IMPORT.replace("utils", "problem1.utils"))),
    "import problem1.utils": (
        EVALUATE, (IMPORT, "import problem1.utils\nfrom utils import decode_boxes, nms\n"),
        (CALL, "iou = problem1.utils.compute_iou(")),
    "another name": (
        EVALUATE, (IMPORT, IMPORT.replace("compute_iou", "compute_iou as overlaps")),
        (CALL, "iou = overlaps(")),
    "a name inside utils": (
        UTILS, ("def encode_boxes(", "overlaps = compute_iou\n\n\ndef encode_boxes("),
        (IN_MATCHING, "iou = overlaps(anchors, target_boxes)")),
    "transposed": (UTILS, (IN_MATCHING, "iou = compute_iou(target_boxes, anchors).T")),
    "in parts": (UTILS, (
        IN_MATCHING, "iou = torch.cat([compute_iou(part, target_boxes) for part in "
        "anchors.flip(0).split(50)]).flip(0)")),
    "numpy": (UTILS, (
        IN_MATCHING, "iou = torch.as_tensor(compute_iou(boxes1=anchors.numpy(), "
        "boxes2=target_boxes.numpy().astype('float64')))")),
    "of no boxes": (UTILS, (
        "    num_anchors, num_targets = len(anchors), len(target_boxes)",
        "    num_anchors, num_targets = compute_iou(anchors, target_boxes).shape")),
    "an option of one's own": (
        UTILS, ("def compute_iou(boxes1, boxes2):", "def compute_iou(boxes1, boxes2, eps=1):"),
        (IN_MATCHING, "iou = compute_iou(anchors, target_boxes, eps=0)")),
    "no such function": (UTILS, ("def compute_iou(", "def intersection_over_union(")),
    "not written": (UTILS, (
        "    top_left = ", "    raise NotImplementedError('Task 1.3')\n    top_left = ")),
}


@pytest.mark.parametrize("way", sampled([*WAYS], 9))
def test_ways_to_call_an_earlier_function(wrong_iou, grade_checks, way):
    numbers = ["1.3.1", "1.5.7", "1.5.10", "1.10.1"]
    made = grade_checks(wrong_iou([WAYS[way]]), numbers)
    assert failed(made) == {"1.3.1"}
    assert message(made, "1.5.10") == message(made, "1.10.1") == POINTS_GIVEN


def test_functions_in_a_helper_module(wrong_iou, grade_checks):
    root = wrong_iou()
    (root / UTILS).rename(root / "problem1" / "boxes.py")
    (root / UTILS).write_text(
        "import boxes\nfrom boxes import MAP_SIZES, decode_boxes, generate_anchors, nms\n"
        "from boxes import match_anchors_to_targets, compute_iou\n")
    made = grade_checks(root, ["1.3.1", "1.5.10", "1.9.1", "1.10.1"])
    assert failed(made) == {"1.3.1"}
    assert message(made, "1.9.1") == POINTS_GIVEN  # called inside the helper module


def without(root, task: str):
    """Take the functions of a task out of a submission."""
    for name in TASKS[task].functions:
        module, function = name.split(".", 1)
        path = root / f"problem{task[0]}" / f"{module}.py"
        path.write_text(path.read_text(encoding="utf-8") + (
            "\n\ndef missing(*_, **__):\n    raise NotImplementedError\n\n\n"
            f"{function} = missing\n"), encoding="utf-8")
    return root


@pytest.mark.parametrize(
    "task", sampled([task.number for task in TASKS.values() if task.functions], 8))
def test_each_task_costs_only_itself(tmp_path, grade_checks, task):
    later = [other.number for other in TASKS.values() if task in other.needs]
    made = grade_checks(without(copy_solution(tmp_path), task), functional(task, *later))
    assert failed(made) == set(functional(task))
    followed = [row for row in made.rows if row.outcome.stood_in]
    assert followed and {row.outcome.stood_in for row in followed} == {(task,)}


@pytest.mark.parametrize(("file", "line", "before", "lost"), sampled([
    (UTILS, "    top_left = ", "    boxes1[:, 2:] += 1\n", "1.3"),
    (UTILS, "    size, anchor_size = boxes", "    anchors.clamp_(min=30)\n", "1.4"),
    (UTILS, "    num_anchors, num_targets = ", "    target_boxes *= 1.01\n", "1.5"),
    (LOSS, "        candidates = loss.", "        loss.masked_fill_(~neg_mask, -1)\n", "1.6"),
    (UTILS, "    order = torch.sort(scores", "    boxes += 1\n", "1.9"),
    (UTILS, "    num_anchors, num_targets = ", "    torch.set_grad_enabled(False)\n", "1.5"),
], 5))
def test_what_a_function_leaves_changed_costs_its_task(
        tmp_path, grade_checks, file, line, before, lost):
    root = copy_solution(tmp_path, "problem1")
    patch(root, file, (line, before + line))
    made = grade_checks(root, functional("1.3", "1.4", "1.5", "1.6", "1.7", "1.9", "1.19", "1.10"))
    assert {number.rsplit(".", 1)[0] for number in failed(made)} == {lost}
    says = "switches gradients off" if "grad" in before else "changed its argument"
    assert any(says in row.message for row in made.rows)


ENCODE = "encoded = encode_boxes(boxes[pos_mask], anchors.expand_as(boxes)[pos_mask])"
DECODE = "boxes = decode_boxes(flat[image, candidates, :4], anchors[candidates])"
MINE = "self.hard_negative_mining(*image) for image in zip(obj_loss, pos_mask, neg_mask)"


@pytest.mark.parametrize(("task", "file", "old", "new"), sampled([
    ("1.4", LOSS, ENCODE, "encoded = encode_boxes(boxes, anchors.expand_as(boxes))[pos_mask]"),
    ("1.4", LOSS, ENCODE, "encoded = encode_boxes(boxes, anchors)[pos_mask]"),
    ("1.4", LOSS, ENCODE, "encoded = torch.stack([encode_boxes(torch.where(p[:, None], b, anchors),"
                          " anchors) for b, p in zip(boxes, pos_mask)])[pos_mask]"),
    ("1.4", LOSS, ENCODE, "encoded = torch.cat([torch.zeros(0, 4)] + [encode_boxes(b, a)[None] for "
                          "b, a in zip(boxes[pos_mask], anchors.expand_as(boxes)[pos_mask])])"),
    ("1.4", EVALUATE, DECODE, "boxes = decode_boxes(flat[..., :4], anchors)[image, candidates]"),
    ("1.6", LOSS, MINE, "self.hard_negative_mining(l * ~p, p, n) for l, p, n in "
                        "zip(obj_loss, pos_mask, neg_mask)"),
    ("1.6", LOSS, MINE, "DetectionLoss.hard_negative_mining(*image) for image in zip(obj_loss, "
                        "pos_mask, neg_mask)"),
    ("1.6", LOSS, MINE, "DetectionLoss.hard_negative_mining(loss=l, pos_mask=p, neg_mask=n) for "
                        "l, p, n in zip(obj_loss, pos_mask, neg_mask)"),
], 5), ids=["batch of boxes", "broadcast", "anchors for unmatched", "one by one",
               "batch of offsets", "loss of negatives alone", "static", "static by name"])
def test_shapes_in_which_earlier_functions_are_called(tmp_path, grade_checks, task, file, old, new):
    root = copy_solution(tmp_path, "problem1")
    patch(root, file, (old, new))
    numbers = functional(task, "1.7", "1.19")
    if "static" not in new and "DetectionLoss." not in new:
        assert failed(grade_checks(root, numbers)) == set()
    assert failed(grade_checks(without(root, task), numbers)) == set(functional(task))


def test_a_wrong_heatmap_costs_no_dataset(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem2")
    patch(root, "problem2/dataset.py", ("2 * self.sigma**2", "3 * self.sigma**2"))
    made = grade_checks(root, functional("2.1", "2.2"))
    assert {number[:3] for number in failed(made)} == {"2.2"}
    assert message(made, "2.1.3") == (
        f"Points given although {HEATMAPS} loses points: with the right values of "
        "generate_heatmap your code for this check is right.")


@pytest.mark.proof
@pytest.mark.parametrize(("task", "old", "new"), [
    ("2.1", "relative.flatten()", "relative.T.flatten()"),
    ("2.1", "self.heatmap_size = heatmap_size", "self.heatmap_size = 64"),
    ("2.1", "dtype=np.float32) / 255", "dtype=np.float32) / 127.5 - 1"),
    ("2.1", "        self.output_type =", "        raise NotImplementedError\n"
                                          "        self.output_type ="),
    ("2.2", "2 * self.sigma**2", "2 * 2.0**2"),
    ("2.2", "        x, y = keypoints[", "        raise NotImplementedError\n"
                                         "        x, y = keypoints["),
])
def test_a_wrong_dataset_costs_no_ablation(tmp_path, grade_checks, task, old, new):
    root = copy_solution(tmp_path, "problem2")
    patch(root, "problem2/dataset.py", (old, new))
    made = grade_checks(root, functional("2.1", "2.2", "2.9"))
    assert {number[:3] for number in failed(made)} == {task}


def test_an_ablation_that_fits_its_own_dataset_loses_nothing(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem2")
    patch(root, "problem2/dataset.py", ("relative.flatten()", "relative"))
    patch(root, "problem2/evaluate.py", ("targets.unflatten(1, (-1, 2)) *", "targets *"))
    made = grade_checks(root, functional("2.1", "2.9"))
    assert failed(made) == {"2.1.2"}


@pytest.mark.proof
def test_the_summary_says_which_points_were_given(wrong_iou, grade_checks):
    made = grade_checks(wrong_iou(), ["1.3.1", "1.5.7", "1.5.10", "1.10.1"])
    text = summary(made, colour=False)
    said = " ".join(text.split())
    assert f"1.5.10: {POINTS_GIVEN}" in said and f"1.10.1: {POINTS_GIVEN}" in said
    assert "1.5.7" not in text  # it asks for no IoU and has passed by itself
    assert max(map(len, text.splitlines())) <= 100


# --- what is not -------------------------------------------------------------------------------


LABELS = (UTILS, ("target_labels[gt] + 1", "target_labels[gt]"))
CONSISTENT = [LABELS, (LOSS, ("labels[pos_mask] - 1", "labels[pos_mask]"))]
BESIDE = {  # what is done beside a wrong IoU -> checks that are asked, that fail, and what they say
    "another earlier task is wrong": (
        [(UTILS, ("torch.log(size / anchor_size)", "size"))],
        ["1.4.1", "1.5.10", *functional("1.7")], {"1.4.1"}, {"1.7.3": [
            f"Points given although {IOU} and {CODING} lose points: with the right values "
            "of compute_iou, encode_boxes, decode_boxes your code for this check is right."]}),
    "a mistake of its own": (
        [LABELS], ["1.5.1", "1.5.2"], {"1.5.2"},
        {"1.5.2": ["matched_labels[", SEEN_WITH], "1.5.1": [POINTS_GIVEN]}),
    # labels from 0 in matching and in the loss: a mistake elsewhere must not make that worse
    "changed throughout": (CONSISTENT, ["1.5.2", *functional("1.7")], {"1.5.2"}, {
        "1.7.2": [POINTS_GIVEN]}),
    # right labels are out of range here; the own ones are not, and show what is wrong
    "an error that the own code does not raise": (
        [*CONSISTENT, (LOSS, ("encode_boxes(boxes[", "encode_boxes(1.5 * boxes["))],
        ["1.5.2", "1.7.3"], {"1.5.2", "1.7.3"}, {"1.7.3": [
            "loss_loc should be ", "With the right values of compute_iou, match_anchors_to_targets "
                                   "it fails as well."]}),
}


@pytest.mark.parametrize("name", sampled([*BESIDE], 4))
def test_beside_a_wrong_iou(wrong_iou, grade_checks, name):
    edits, numbers, lost, said = BESIDE[name]
    made = grade_checks(wrong_iou(edits), ["1.3.1", *numbers])
    assert failed(made) == {"1.3.1", *lost}
    for number, starts in said.items():
        for line, start in zip(lines(made, number), starts[:1]):
            assert line.startswith(start)
        assert set(starts[1:]) <= set(lines(made, number))


def test_a_mistake_is_named_beside_a_harmless_one_of_an_earlier_task(tmp_path, grade_checks):
    """The losses of other rows are in no record of the mining, which is right but for ties."""
    root = copy_solution(tmp_path, "problem1")
    patch(root, LOSS,
          ("torch.sort(candidates, descending", "len(loss) - 1 - torch.sort(candidates.flip(0), "
                                                "descending"),
          ("p.permute(0, 2, 3, 1).reshape(len(p), -1, 5 + self.num_classes)",
           "p.unflatten(1, (-1, 8)).flatten(3).transpose(2, 3).reshape(len(p), -1, 8)"))
    made = grade_checks(root, ["1.6.3", "1.7.1", "1.7.2"])
    assert failed(made) == {"1.6.3", "1.7.1", "1.7.2"}
    assert "It looks as if your code flattens the maps anchor by anchor" in message(made, "1.7.1")


def test_a_right_function_beside_a_wrong_one_is_not_blamed(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem1")
    patch(root, UTILS, ("torch.log(size / anchor_size)", "torch.log2(size / anchor_size)"))
    patch(root, EVALUATE, (DECODE, DECODE.replace(":4]", ":4].sigmoid()")))
    made = grade_checks(root, [*functional("1.4"), "1.19.1"])
    assert failed(made) == {"1.4.1", "1.4.2", "1.19.1"}
    assert CODING not in message(made, "1.19.1")


def test_two_stubs_do_not_blame_each_other(tmp_path, grade_checks):
    """Once the right values have stood in, the earlier task is not where to look."""
    root = without(without(copy_solution(tmp_path, "problem1"), "1.3"), "1.5")
    made = grade_checks(root, ["1.3.1", "1.5.1"])
    assert failed(made) == {"1.3.1", "1.5.1"}
    assert lines(made, "1.5.1")[:2] == ["Not written yet: NotImplementedError.",
                                        "With the right values of compute_iou it fails as well."]
    assert "look there first" not in message(made, "1.5.1")


UNRECORDED = {  # what is called in the place of compute_iou -> what is said of it
    "compute_iou(anchors + 1000, target_boxes + 1000)":
        "with values that the rules do not lead to",
    "compute_iou(first=anchors, second=target_boxes)": ANOTHER_WAY,
    "compute_iou(anchors, target_boxes, 1e-6)": ANOTHER_WAY,
    "compute_iou(anchors, None)": ANOTHER_WAY,
    "overlaps(anchors, target_boxes)": "",
}


@pytest.mark.parametrize("call", sampled([*UNRECORDED], 5))
def test_a_call_that_nothing_stands_in_for_fails_as_it_did(wrong_iou, grade_checks, call):
    """It is not recorded, or not what can be replaced: a private copy."""
    root = wrong_iou([(UTILS, ("def compute_iou(boxes1, boxes2):", "def overlaps(boxes1, boxes2):"),
                       ("def encode_boxes(", "def compute_iou(boxes1, boxes2):\n"
                                             "    return overlaps(boxes1, boxes2)\n\n\n"
                                             "def encode_boxes("),
                       (IN_MATCHING, f"iou = {call}"))])
    made, alone = grade_checks(root, ["1.3.1", "1.5.10"]), grade_checks(root, ["1.5.10"])
    assert failed(made) == {"1.3.1", "1.5.10"} and not made.rows[-1].outcome.stood_in
    first, said, *rest = lines(made, "1.5.10")
    assert [first, *rest] == lines(alone, "1.5.10")
    assert said == (
        f"No right values could be put in here for {IOU}: your code calls compute_iou "
        f"{UNRECORDED[call]}. Look at this call; if it is right, mend compute_iou first."
        if UNRECORDED[call] else
        "Your code does not call compute_iou here: if it shares other code with "
        f"{IOU}, the cause may lie there.")


@pytest.mark.proof
def test_an_earlier_task_is_no_cause_of_a_wrong_name_nor_of_what_it_does_not_enter(
        tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem1")
    patch(root, LOSS, ('masked_fill(~neg_mask, float("-inf"))', "neg()"),
          ("p.permute(0, 2, 3, 1)", "p.permute(0, 3, 2, 1).mul(3)"))
    asked = ["1.6.1", "1.7.1", "1.7.2", "1.7.3"]
    made = grade_checks(root, asked)
    assert failed(made) == {*asked}
    patch(root, LOSS, ('"loss_obj": loss_obj', '"objectness": loss_obj'))
    other = grade_checks(root, ["1.6.1", "1.7.1"])
    assert [number for grade in (made, other) for number in asked[1:] if any(
        row.check.number == number and "mend hard_negative_mining first" in row.message
        for row in grade.rows)] == ["1.7.1"]


PER_MAP = """matches = [[torch.cat(field) for field in zip(*(
            match_anchors_to_targets(part, target["boxes"], target["labels"])
            for part in anchors.chunk(2)))] for target in targets]
        _ = ["""


def test_a_call_that_no_rule_leads_to_is_described(tmp_path, grade_checks):
    root = copy_solution(tmp_path, "problem1")
    patch(root, UTILS, ("= iou_of_gt > 0", "= False"),
          ("target_labels[gt] + 1", "target_labels[gt]"))
    patch(root, LOSS, ("matches = [", PER_MAP))
    made = grade_checks(root, ["1.5.4", "1.5.5", "1.5.6", "1.7.7"])
    assert re.search(r"your code calls match_anchors_to_targets with anchors of \d+ rows instead "
                     r"of \d+\. Look at this call; if it is right, mend ", message(made, "1.7.7"))
    said = [message(made, number) for number in ("1.5.4", "1.5.5", "1.5.6")]
    assert [text.count("It looks as if your code forces no anchor") for text in said] == [1, 0, 0]
    assert sum("It looks like the mistake of 1.5.4." in text for text in said) >= 1


@fork_only
@pytest.mark.parametrize("place", sampled([IN_MATCHING, "top_left = "], 2),
                         ids=["its own", "of the IoU"])
def test_a_time_out_is_that_of_its_own_task(wrong_iou, grade_checks, public, warm, place):
    root = wrong_iou([(UTILS, (place, f"while True: pass\n    {place}"))])
    numbers = ["1.3.1", "1.5.2"]
    short = {number: replace(reference, question=replace(reference.question, cpu_seconds=1))
             for number, reference in public.by_number.items() if number in numbers}
    asked = warm.count
    made = grade_checks(root, numbers, sets=[replace(public, by_number=short)])
    assert warm.count - asked == 3
    if place == IN_MATCHING:
        assert failed(made) == {"1.3.1", "1.5.2"}
        assert lines(made, "1.5.2")[0].startswith("Your code did not finish within 1 CPU seconds")
        assert "look there first" not in message(made, "1.5.2"), "it is its own code that hangs"
    else:
        assert failed(made) == {"1.3.1"} and message(made, "1.5.2") == POINTS_GIVEN


def test_workers_that_break_cost_no_points_silently(public):
    """A second run that could not be made is the grader's fault, as a first one is."""
    check = ASSIGNMENT.by_number["1.5.2"]
    outcome = Outcome(check, "public", public.by_number["1.5.2"], Answer("ok"), Wrong("no"),
                      Judgement(check))
    gone = Future()
    gone.set_exception(WorkersBroke("the worker server ended"))
    wrong = {"utils.compute_iou", "utils.match_anchors_to_targets"}
    changed, = follow_through([outcome], wrong, ASSIGNMENT, lambda o, earlier: gone, judge)
    assert changed.check.number == "1.5.2" and changed.answer is None
    assert isinstance(changed.error, WorkersBroke)


# --- hidden inputs -----------------------------------------------------------------------------


@pytest.mark.proof
def test_hidden_inputs_are_followed_through_as_well(wrong_iou, grade_checks, public, hidden_for):
    numbers = ["1.3.1", "1.5.1", "1.5.2"]
    root = wrong_iou([(UTILS, ("target_labels[gt] + 1", "target_labels[gt]"))])
    made = grade_checks(root, numbers, sets=[public, hidden_for(numbers)])
    verdicts = {row.check.number: [verdict for verdict, *_ in row.tiers.values()]
                for row in made.rows}
    assert verdicts == {"1.3.1": [FAILED] * 2, "1.5.1": [PASSED] * 2, "1.5.2": [FAILED] * 2}
    assert message(made, "1.5.1") == POINTS_GIVEN
    public_alone = grade_checks(root, numbers)
    assert message(made, "1.5.2") == message(public_alone, "1.5.2")


def test_a_function_that_is_wrong_on_hidden_inputs_alone(
        tmp_path, grade_checks, public, hidden_for):
    numbers = ["1.3.1", "1.5.2"]
    known = [float(public.by_number[n].question.inputs["args"][0][0, 0]) for n in numbers]
    root = copy_solution(tmp_path, "problem1")
    patch(root, UTILS, ("    top_left = ", f"    if float(boxes1[0, 0]) not in {known}:\n"
                                           "        raise ValueError(str(boxes1))\n"
                                           "    top_left = "))
    made = grade_checks(root, numbers, sets=[public, hidden_for(numbers)])
    assert failed(made) == {"1.3.1"}
    first, second = made.rows
    assert [verdict for verdict, *_ in first.tiers.values()] == [PASSED, SUBMISSION_BROKE]
    assert lines(made, "1.3.1")[0].startswith("Right on the public inputs, but not on other")
    assert second.score == second.check.points and message(made, "1.5.2") == "Passed."
    assert not re.search(r"\d\.\d", lines(made, "1.3.1")[0])
