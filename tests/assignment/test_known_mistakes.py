"""The bank of known mistakes: sound, distinct, with clear messages; a sample of it is graded.

Most tests look at stored answers of mistakes and run none of their code. `make prove` grades them
all.
"""

import contextlib
import random
import re
from collections import defaultdict

import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import DoesNotApply, Mistake, all_mistakes, edited, make
from autograder.assignment.tasks import TASKS
from autograder.engine import diagnosis
from autograder.engine.grade import Options, grade
from autograder.engine.judging import Outcome, agrees, judge
from autograder.engine.results import PASSED
from autograder.engine.sandbox import pool
from autograder.engine.sandbox.channel import Answer
from autograder.instructor.proof import mistakes as proving
from tests.grading import SOLUTION, answered

MISTAKES = all_mistakes()
SAMPLE = 22  # every so many mistakes, and one pair

# mistake -> a check, and what it says (in part)
SAYS = {
    "anchors-scale-major":
        ("1.2.2", r"anchors\[0\]\[\d+\] should be the anchor of row \d, .* is that of row \d"),
    "anchors-no-half-cell": ("1.2.1", r"scale \d+\) should be .* 4 of 4 values differ\."),
    "anchors-one-stride": ("1.2.3", r"centres of anchors\[\d\], sorted\[\d+, 0\] should be"),
    "anchors-scale-as-half-side": ("1.2.1", r"4 of 4 values differ\."),
    "anchors-clipped":
        ("1.2.5", r"sides of anchors\[0\], sorted\[\d, [01]\] should be \d+, but is \d+"),
    "iou-epsilon": ("1.3.5", r"iou\[0, [01]\] should be .* 2 of 2 values differ\."),
    "iou-zero-by-zero": ("1.3.4", r"iou\[\d, \d\] should be 0, but is nan"),
    "iou-plus-one-pixel": ("1.3.1", r"iou\[0, \d\] should be 0\.\d+, but is 0\.\d+"),
    "iou-not-clamped": ("1.3.3", r"should be 0, but is 225"),
    "match-nothing-forced":
        ("1.5.4", r"pos_mask\[(\d)\] \(anchor \1\) should be"),
    "match-forced-stays-negative": ("1.5.4", r"neg_mask\[(\d)\] \(anchor \1\) should be"),
    "match-band-negative": ("1.5.1", r"neg_mask\[\d\] .* \d of \d+ values differ"),
    "match-labels-from-zero":
        ("1.5.2", r"matched_labels\[\d\] \(anchor \d\) should be .* \d of \d values differ"),
    "mining-ties-together":
        ("1.6.3", r"^\d+ negatives should be mined, but \d+ anchors are .* with stable=True"),
    "mining-none-without-positives":
        ("1.6.4", r"^[245] negatives should be mined, but 0 anchors are"),
    "loss-localisation-weight-one": ("1.7.4", r"^loss_total should be .*, but is"),
    "loss-pixels-regressed": ("1.7.3", r"^loss_loc should be .*, but is \d\d"),
    "decode-nms-per-map":
        ("1.9.7", r"^boxes of image 0 should have the shape \[[45], 4\], but is a tensor \["),
    "decode-nms-across-classes":
        ("1.9.7", r"^boxes of image 0 should have the shape \[[45], 4\], but is a tensor \["),
    "ap-no-point-at-recall-zero":
        ("1.10.3", r"^AP with (\d) objects and \1 detections should be 1, but is 0"),
    "ap-epsilon-in-recall":
        ("1.10.3", r"^AP with (\d) objects and \1 detections should be 1, but is 0\.9"),
    "ap-not-interpolated": ("1.10.2", r"^AP should be 0\.\d+, but is 0\.\d+"),
    "dataset-boxes-as-xywh":
        ("1.1.2", r"^boxes of item 0\[\d, [23]\] should be [\d.]+, but is [\d.]+"),
    "dataset-pixels-to-255": ("1.1.1", r"^the image of item 0\[0, 0, 1\] should be 1, but is 255"),
    "dataset-transform-ignored":
        ("1.1.6", r"item 0 should be \[\d+, \d+, 'RGB'\], but is a tensor \[3, "),
    "train-step-per-epoch": ("1.11.1", r"48 in all; the weights have moved as 6 would move them\."),
    "heatmap-targets-not-scaled":
        ("2.1.3", r"channel \d should peak at x = \d+, y = \d+, but peaks at"),
    "regression-all-x-first": ("2.1.2", r"\(\w+ [xy]\) should be .* values differ"),
    "heatmap-density": ("2.2.1", r"should be 1, but is 0.0397886"),
    "heatmap-centre-truncated":
        ("2.2.3", r"channel \d should peak at x = \d+, y = \d+, but peaks at"),
    "heatmap-renormalised": ("2.2.3", r"should be 0\.\d+, but is 1 "),
    "heatmap-outside-clamped": ("2.2.5", r"x = \d+, y = \d+\) should be 0, but is 1\. "),
    "extract-row-not-floored": ("2.5.1", r"keypoint \d, y\) should be \d, but is \d\.\d+"),
    "extract-rows-first": ("2.5.1", r"\(image 0, keypoint \d, [xy]\) should be"),
    "pck-strict": ("2.6.2", r"^PCK at 0\.\d+ should be 0?\.?\d, but is 0?\.?\d"),
    "pck-by-image-size": ("2.6.1", r"^PCK at 0\.\d+ should be 0\.\d, but is 0?\.?\d"),
    "pck-divides-by-zero": ("2.6.6", r"^PCK at 0\.\d+ should be 0\.\d+, but is 0\.\d+"),
}


@pytest.fixture(scope="module")
def bank():
    return diagnosis.load_bank(ASSIGNMENT.references)


def test_every_mistake_is_well_described():
    rules = ASSIGNMENT.rules
    for mistake in MISTAKES.values():
        assert mistake.rule in rules, mistake.name
        assert mistake.task in TASKS, mistake.name
        assert not mistake.title.endswith("."), mistake.name
        assert len(re.findall(r"[.?!](?=\s|$)", mistake.explanation)) == 2, mistake.name
        assert bool(mistake.edits) + bool(mistake.change) + bool(mistake.pair) == 1, mistake.name
    titles = [mistake.title for mistake in MISTAKES.values()]
    assert len(set(titles)) == len(titles)
    assert {mistake.task for mistake in MISTAKES.values()} == set(TASKS)
    pairs = [mistake for mistake in MISTAKES.values() if mistake.pair]
    assert len(MISTAKES) - len(pairs) >= 85 and len(pairs) >= 10


def test_every_edit_applies_and_leaves_valid_code():
    for mistake in MISTAKES.values():
        for name, text in edited(mistake, SOLUTION).items():
            assert text != (SOLUTION / name).read_text(encoding="utf-8"), mistake.name
            compile(text, name, "exec")


def test_an_edit_that_no_longer_applies_is_named(tmp_path):
    stale = Mistake("stale", "does this", "A. B.", "P1.iou.value", "1.3",
                    {"problem1/utils.py": [("no such line", "")]})
    with pytest.raises(DoesNotApply, match=r"^stale: problem1/utils.py holds 0 times: no such"):
        make(stale, SOLUTION, tmp_path / "made")


def test_the_command_proves_one_mistake(tmp_path, capsys, warm, monkeypatch):
    monkeypatch.setattr(pool, "Workers", lambda *_: contextlib.nullcontext(warm))
    command = ["prove", "--out", str(tmp_path), "--mistakes"]
    assert main([*command, "pck-percent"]) == 0
    assert capsys.readouterr().out.startswith("1 mistakes: 1 caught, 1 named, 1 lose points")
    assert (tmp_path / "pck-percent" / "matrix.json").is_file()
    assert main([*command, "no-such"]) == 2
    assert capsys.readouterr().err == "error: there is no known mistake no-such\n"


def test_the_stored_bank_is_that_of_these_mistakes(bank):
    for name, mistake in MISTAKES.items():
        if name in bank.known:
            known = bank.known[name]
            assert (known.title, known.explanation, known.rule, known.task) == (
                mistake.title, mistake.explanation, mistake.rule, mistake.task), name
        else:  # answers of trained weights are not stored; parts of some pairs are told one by one
            assert mistake.pair or mistake.task in ("1.13", "1.14", "2.10", "2.11"), name
    assert set(bank.known) <= set(MISTAKES)


def _outcomes(name, bank, public) -> dict[str, Outcome]:
    """The outcomes of a submission with a mistake, from its stored answers."""
    outcomes = {}
    for check in ASSIGNMENT.selected(bank.known[name].task):
        reference = public.by_number[check.number]
        stored = bank.answers.get(check.number, {}).get(name)
        if stored is None:  # answered rightly
            stored = {"value": reference.expected}
        answer = answered(stored.get("value"))
        if "error" in stored:
            kind, _, message = stored["error"].partition(": ")
            error = {"stage": "run", "type": kind, "message": message, "file": None,
                     "line": None, "code": None}
            if "results/" in stored["error"]:
                error.update(type="Unusable", message=stored["error"])
            answer = Answer("error", error=error)
        outcomes[check.number] = judge(check, "public", reference, answer)
    return outcomes


def _agreeing(outcome, stored):
    return {name for name, wrong in stored.items()
            if agrees(outcome.check, outcome.reference, outcome.answer, wrong)}


def test_stored_answers_single_their_mistake_out(bank, public):
    wrong = []
    for name, known in bank.known.items():
        outcomes = _outcomes(name, bank, public)
        agree = diagnosis.agreements(outcomes, bank, _agreeing)
        told = set(diagnosis.diagnose(outcomes, bank, agree).values())
        sentence = f"It looks as if your code {known.title}. {known.explanation}"
        if told != {diagnosis.Diagnosis((name,), sentence)}:
            wrong.append(name)
    assert len(wrong) <= (1 - proving.NAMED_SHARE) * len(bank.known), wrong


@pytest.mark.slow
def test_three_at_once_are_named_where_each_shows_alone(bank, public, warm, tmp_path):
    draw, by_task = random.Random(0), defaultdict(list)
    for mistake in MISTAKES.values():
        if mistake.name in bank.known and mistake.edits:
            by_task[mistake.task].append(mistake)
    named, wrong = [], []
    for number in range(36):
        task, mistakes = draw.choice([*by_task.items()])
        three = draw.sample(mistakes, 3) if len(mistakes) > 2 else mistakes
        edits = defaultdict(list)
        for file, passages in (pair for mistake in three for pair in mistake.edits.items()):
            edits[file] += passages
        together = Mistake("together", "does all", "A. B.", three[0].rule, task, edits)
        try:
            made = make(together, SOLUTION, tmp_path / str(number))
        except DoesNotApply:  # they change the same line
            continue
        graded = grade(ASSIGNMENT, made, Options(only=task), references=[public], workers=warm,
                       bank=bank)
        told = {name for row in graded.rows if len(row.mistakes) == 1 for name in row.mistakes}
        shown = {mistake.name: {row.check.number for row in graded.rows if row.verdict != PASSED
                                and mistake.name in bank.answers.get(row.check.number, {})}
                 for mistake in three}
        for name, rows in shown.items():
            others = set().union(*(shown[other] for other in shown if other != name))
            named += [name in told] if rows - others else []
        wrong += [name for name in told - set(shown) if not bank.known[name].pair]
    assert len(named) > 24 and sum(named) >= 0.75 * len(named), named
    assert wrong == []


@pytest.mark.parametrize("name", SAYS)
def test_message(name, bank, public):
    number, pattern = SAYS[name]
    outcome = _outcomes(name, bank, public)[number]
    assert re.search(pattern, str(outcome.error), re.DOTALL), outcome.error


SAMPLED = proving.sample([MISTAKES[name] for name in diagnosis.load_bank(
    ASSIGNMENT.references).known if not MISTAKES[name].pair], SAMPLE)


@pytest.mark.proof
@pytest.mark.parametrize("mistake", [*SAMPLED, MISTAKES["pair-labels-from-zero"]],
                         ids=lambda mistake: mistake.name)
def test_costs_its_own_task_and_is_named(mistake, bank, public, warm):
    tasks = proving.reached(mistake, public, SOLUTION)
    numbers = [check.number for check in ASSIGNMENT.selected(tasks)
               if ".accuracy." not in check.rule]
    proved, = proving.prove([mistake], public, bank, SOLUTION, warm, numbers)
    assert proved.caught
    assert not proved.unfair
    assert proved.right_name
