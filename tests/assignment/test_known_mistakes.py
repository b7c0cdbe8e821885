"""The bank of known mistakes: sound, distinct, with clear messages; a sample of it is graded.

Most tests look at stored answers of mistakes and run none of their code. `make prove` grades them
all.
"""

import contextlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import DoesNotApply, Mistake, all_mistakes, edited, make
from autograder.assignment.tasks import TASKS
from autograder.engine import diagnosis
from autograder.engine.compare import Wrong
from autograder.engine.diagnosis import BOTH
from autograder.engine.judging import Outcome, agree_apart, agrees, judge
from autograder.engine.sandbox import pool
from autograder.engine.sandbox.channel import Answer
from autograder.instructor.bank import digest, refresh
from autograder.instructor.proof import mistakes as proving
from tests.grading import SOLUTION, answered

MISTAKES = all_mistakes()
VARIANTS = Path(__file__).parent / "variants"  # other correct solutions
SAMPLE = 22  # every so many mistakes

# mistake -> a check, and what it says (in part)
SAYS = {
    "anchors-scale-major":
        ("1.2.2", r"anchors\[0\]\[\d+\] should be the anchor of row \d, .* is that of row \d"),
    "anchors-no-half-cell": ("1.2.1", r"scale \d+\), should be .* 12 of 12 values differ\."),
    "anchors-one-stride": ("1.2.3", r"centres of anchors\[\d\], sorted, at \[\d+, 0\], should be"),
    "anchors-scale-as-half-side": ("1.2.1", r"12 of 12 values differ\."),
    "anchors-clipped":
        ("1.2.5", r"sides of anchors\[0\], sorted, at \[\d, [01]\], should be \d+, but is \d+"),
    "iou-epsilon": ("1.3.5", r"iou\[0, [01]\] should be .* 2 of 2 values differ\."),
    "iou-zero-by-zero": ("1.3.4", r"iou\[\d, \d\] should be 0, but is nan"),
    "iou-plus-one-pixel": ("1.3.1", r"iou\[0, \d\] should be 0\.\d+, but is 0\.\d+"),
    "iou-not-clamped": ("1.3.3", r"should be 0, but is 225"),
    "match-nothing-forced":
        ("1.5.4", r"pos_mask\[(\d)\] \(anchor \1, whose best IoU is 0\.\d+\) should be"),
    "match-forced-stays-negative":
        ("1.5.4", r"neg_mask\[(\d)\] \(anchor \1, whose best IoU is 0\.\d+\) should be"),
    "match-band-negative": ("1.5.1", r"neg_mask\[\d\] .* \d of \d+ values differ"),
    "match-labels-from-zero":
        ("1.5.2", r"matched_labels\[\d\] \(anchor \d, .*\) should be .* \d of \d values differ"),
    "mining-ties-together":
        ("1.6.3", r"^\d+ negatives should be mined, but \d+ anchors are .* with stable=True"),
    "mining-none-without-positives":
        ("1.6.4", r"^[245] negatives should be mined, but 0 anchors are"),
    "loss-localisation-weight-one":
        ("1.7.4", r"2 \* loss_loc, but is loss_obj \+ loss_cls \+ 1 \* loss_loc\."),
    "loss-pixels-regressed": ("1.7.3", r"^loss_loc should be .*, but is \d\d"),
    "decode-nms-per-map":
        ("1.19.3", r"^image 0 should have [789] detections, but has \d+; behind the best \d, "),
    "decode-nms-across-classes":
        ("1.19.3", r"^image 0 should have [789] detections, but has \d+; behind the best \d, "),
    "ap-no-point-at-recall-zero":
        ("1.10.3", r"^AP with (\d) objects and \1 detections should be 1, but is 0"),
    "ap-epsilon-in-recall":
        ("1.10.3", r"^AP with (\d) objects and \1 detections should be 1, but is 0\.9"),
    "ap-not-interpolated": ("1.10.2", r"^AP should be 0\.\d+, but is 0\.\d+"),
    "dataset-boxes-as-xywh":
        ("1.1.2", r"^boxes of item 0, at \[\d, [23]\], should be [\d.]+, but is -?[\d.]+"),
    "dataset-pixels-to-255":
        ("1.1.1", r"^the image of item 0, at \[0, 0, 1\], should be 1, but is 255"),
    "dataset-transform-ignored":
        ("1.1.6", r"item 0 should be \[\d+, \d+, 'RGB'\], but is a tensor \[3, "),
    "train-step-per-epoch": ("1.11.1", r"48 in all; the weights have moved as 6 would move them\."),
    "heatmap-targets-not-scaled":
        ("2.1.3", r"channel \d should peak at x = \d+, y = \d+, but peaks at x = \d+, y = \d+"),
    "regression-all-x-first": ("2.1.2", r"\(\w+ [xy]\), should be .* values differ"),
    "heatmap-density": ("2.2.1", r"should be 1, but is 0.0397886"),
    "heatmap-centre-truncated":
        ("2.2.3", r"channel \d should peak at x = [\d.]+, y = [\d.]+, but peaks at"),
    "heatmap-renormalised": ("2.2.3", r"should be 0\.\d+, but is 1 "),
    "heatmap-outside-clamped": ("2.2.5", r"x = \d+, y = \d+\), should be 0, but is 1\. "),
    "extract-row-not-floored": ("2.5.1", r"keypoint \d, y\) should be \d, but is \d\.\d+"),
    "extract-rows-first": ("2.5.1", r"\(image 0, keypoint \d, [xy]\) should be"),
    "pck-strict": ("2.6.2", r"^PCK at 0\.\d+ should be 0?\.?\d, but is 0?\.?\d"),
    "pck-by-image-size": ("2.6.1", r"^PCK at 0\.\d+ should be 0\.\d, but is 0?\.?\d"),
    "subpixel-edges-repeated": ("2.12.2", r"of whole pixels\. Some steps lead out of the map\."),
    "keypoints-validation-on-training": ("2.8.3", r"That is its error on the training loader"),
    "keypoints-losses-summed": ("2.8.3", r"Is it a sum over the epoch, which nothing divides\?"),
    "failures-not-saved": ("2.9.4", r"are missing\. It has none\.$"),
    "features-mode-of-the-model": (
        "1.16.3", r"^the mode of the module 'trunk.1' .* after a call that went well; .* 4 in"),
    "features-left-in-evaluation-mode": ("1.16.3", r"went well; so it is with [1-9]\d in all"),
    "pck-divides-by-zero": ("2.6.6", r"^PCK at 0\.\d+ should be 0\.\d+, but is 0\.\d+"),
}


@pytest.fixture(scope="module")
def bank():
    return diagnosis.load_bank(ASSIGNMENT.references)


def test_what_two_mistakes_raise_together_names_neither(bank):
    # Two edits in one file may end in an IndentationError: so does much other code.
    assert [name for answers in bank.answers.values() for name, answer in answers.items()
            if diagnosis.BOTH in name and "error" in answer] == []


def test_every_mistake_is_well_described():
    rules = ASSIGNMENT.rules
    for mistake in MISTAKES.values():
        assert mistake.rule in rules, mistake.name
        assert mistake.task in TASKS, mistake.name
        assert not mistake.title.endswith("."), mistake.name
        assert len(re.findall(r"[.?!](?=\s|$)", mistake.explanation)) == 2, mistake.name
        assert bool(mistake.edits) != bool(mistake.change), mistake.name
    titles = [mistake.title for mistake in MISTAKES.values()]
    assert len(set(titles)) == len(titles)
    assert {mistake.task for mistake in MISTAKES.values()} == set(TASKS)
    assert len(MISTAKES) >= 300


def test_every_edit_applies_and_leaves_valid_code():
    for mistake in MISTAKES.values():
        for name, text in edited(mistake, SOLUTION).items():
            assert text != (SOLUTION / name).read_text(encoding="utf-8"), mistake.name
            compile(text, name, "exec")


def test_an_edit_that_no_longer_applies_is_named(tmp_path):
    stale = Mistake("stale", "does this", "A. B.", "P1.iou.value/1", "1.3",
                    {"problem1/utils.py": [("no such line", "")]})
    with pytest.raises(DoesNotApply, match=r"^stale: problem1/utils.py holds 0 times: no such"):
        make(stale, SOLUTION, tmp_path / "made")


def test_an_answer_that_its_check_takes_for_right_is_not_kept(bank, public):
    right, name = public.by_number["1.3.1"], "iou-plus-one-pixel"
    former = diagnosis.Bank(bank.known, {"1.3.1": {
        name: {"value": right.expected}, "iou-epsilon": {"value": right.expected * 3}}}, {
            mistake.name: digest(mistake) for mistake in MISTAKES.values()})
    kept, asked = refresh(former, SOLUTION, public, changed=())
    assert asked == 0 and set(kept.answers["1.3.1"]) == {"iou-epsilon"}


@pytest.mark.proof
def test_the_command_proves_one_mistake(tmp_path, capsys, warm, monkeypatch):
    monkeypatch.setattr(pool, "Workers", lambda *_: contextlib.nullcontext(warm))
    command = ["prove", "--out", str(tmp_path), "--mistakes"]
    assert main([*command, "pck-percent"]) == 0
    assert capsys.readouterr().out.startswith("1 mistakes: 1 caught, 1 named, 1 lose points")
    assert (tmp_path / "pck-percent" / "matrix.json").is_file()
    assert main([*command, "pck-percent,pck-percents"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: there is no known mistake 'pck-percents'; names that come near: pck-percent,")


def test_the_stored_bank_is_that_of_these_mistakes(bank):
    for name, mistake in MISTAKES.items():
        if name in bank.known:
            known = bank.known[name]
            assert (known.title, known.explanation, known.rule, known.task) == (
                mistake.title, mistake.explanation, mistake.rule, mistake.task), name
        else:  # answers of trained weights are not stored
            assert mistake.task in ("1.13", "1.14", "1.18", "2.10", "2.11", "2.13"), name
    assert set(bank.known) <= set(MISTAKES)
    stored = {name for by_name in bank.answers.values() for name in by_name}
    assert {part for name in stored for part in name.split(BOTH)} == set(bank.known)
    assert len(stored - set(bank.known)) > 500, "two at once"


def _outcomes(name, bank, public) -> dict[str, Outcome]:
    """The outcomes of a submission with a mistake, or two, from its stored answers."""
    outcomes = {}
    for check in ASSIGNMENT.selected(bank.known[name.partition(BOTH)[0]].task):
        reference = public.by_number[check.number]
        answers = bank.answers.get(check.number, {})
        stored = next((answers[one] for one in (name, *name.split(BOTH)) if one in answers), None)
        if stored is None:  # answered rightly
            stored = {"value": reference.expected}
        answer = answered(stored.get("value"))
        if "error" in stored:
            kind, _, message = stored["error"].partition(": ")
            error = {"stage": "run", "type": kind, "message": message, "file": None,
                     "line": None, "code": None}
            if "results/" in stored["error"]:
                error.update(stage="unusable", type="Unusable", message=stored["error"])
            answer = Answer("error", error=error)
        outcomes[check.number] = judge(check, "public", reference, answer)
    return outcomes


def _agreeing(outcome, stored):
    return {name for name, wrong in stored.items()
            if agrees(outcome.check, outcome.reference, outcome.answer, wrong)}


@pytest.mark.proof
def test_stored_answers_single_their_mistake_out(bank, public):
    wrong = []
    for name, known in bank.known.items():
        outcomes = _outcomes(name, bank, public)
        agree = diagnosis.agreements(outcomes, bank, _agreeing)
        first, *others = diagnosis.diagnose(outcomes, bank, agree).values()
        said = f"It looks as if your code {known.title}. {known.explanation}"
        if {told.names for told in (first, *others)} != {(name,)} or first.sentence != said or any(
                not told.sentence.startswith("It looks like the mistake of ") for told in others):
            wrong.append(name)
    assert len(wrong) <= (1 - proving.NAMED_SHARE) * len(bank.known), wrong


@pytest.mark.parametrize(("name", "told"), [
    ("match-forced-stays-negative + match-last-claim-wins", {
        "1.5.4": "It looks as if your code {0.title}. {0.explanation}",
        "1.5.6": "It looks as if your code {1.title}. {1.explanation}",
        "1.5.9": "It looks like the mistake of 1.5.6."}),
    ("match-nothing-forced + match-band-negative", {
        "1.5.1": "It looks as if your code {1.title}. {1.explanation}",
        "1.5.4": "It looks as if your code {0.title}, beside the mistake of 1.5.1. {0.explanation}",
        "1.5.5": "It looks like the mistakes of 1.5.4 and 1.5.1.",
        "1.5.6": "It looks like the mistakes of 1.5.4 and 1.5.1.",
        "1.5.9": "It looks like the mistakes of 1.5.4 and 1.5.1.",
        "1.5.10": "It looks like the mistake of 1.5.1."}),
])
def test_two_mistakes_are_told_where_they_meet(name, told, bank, public):
    outcomes = _outcomes(name, bank, public)
    found = diagnosis.diagnose(outcomes, bank, diagnosis.agreements(outcomes, bank, _agreeing))
    known = [bank.known[part] for part in name.split(BOTH)]
    assert {number: each.sentence for number, each in found.items()} == {
        number: sentence.format(*known) for number, sentence in told.items()}


def test_a_name_that_other_checks_speak_against_is_not_the_only_one(bank, public):
    both = "loss-mined-per-map + loss-matched-per-map"
    outcomes = {**_outcomes("loss-class-plus-one", bank, public),
                "1.7.7": _outcomes(both, bank, public)["1.7.7"]}
    told = diagnosis.diagnose(outcomes, bank, diagnosis.agreements(outcomes, bank, _agreeing))
    assert both in told["1.7.7"].names and len(told["1.7.7"].names) > 1
    assert told["1.7.1"].names == ("loss-class-plus-one",)


@pytest.mark.parametrize(("number", "change", "name"), [
    ("2.5.1", lambda right: right * 0, "extract-zeros"),  # and not divided by the size
    ("2.12.1", lambda right: right + 0.375, None),  # and not the middles of pixels
    # The border ones at whole pixels, and not outside of the map.
    ("2.12.2", lambda right: np.clip(right, 0.4, None), None),
])
def test_about_right_is_not_what_a_known_mistake_answers(number, change, name, bank, public):
    reference = public.by_number[number]
    outcome = judge(ASSIGNMENT.by_number[number], "public", reference,
                    answered(change(reference.expected).astype(np.float32)))
    assert _agreeing(outcome, bank.answers[number]) == ({name} if name else set())


@pytest.mark.parametrize(("name", "number", "change"), [
    ("sizes-by-area", "1.17.2", lambda wrong: [array.astype(np.float32) for array in wrong]),
    ("mining-easiest", "1.6.1", lambda wrong: wrong.astype(np.float32)),
])
def test_a_mistake_has_its_name_also_in_numbers_of_another_type(name, number, change, bank, public):
    reference, check = public.by_number[number], ASSIGNMENT.by_number[number]
    wrong = bank.answers[number][name]["value"]
    assert name in _agreeing(judge(check, "public", reference, answered(change(wrong))),
                             bank.answers[number])
    # The type alone is no known mistake.
    alone = judge(check, "public", reference, answered(change(reference.expected)))
    assert not alone.passed and not _agreeing(alone, bank.answers[number])


@pytest.mark.parametrize("raised", ["KeyError", "UnboundLocalError"])
def test_another_error_than_the_one_asked_for_is_not_none(raised, bank, public):
    reference = public.by_number["2.6.8"]
    given = [raised if value == "ValueError" else value for value in reference.expected]
    outcome = judge(ASSIGNMENT.by_number["2.6.8"], "public", reference, answered(given))
    assert not outcome.passed and not _agreeing(outcome, bank.answers["2.6.8"])


@pytest.mark.parametrize(("name", "number", "other"), [
    ("nms-worst-first", "1.9.4", "1.9.1"),  # or nms-positions-when-sorted
    ("encode-with-variances + encode-by-box-size", "1.4.1", "1.4.2"),
])
def test_of_several_none_is_told_where_an_unknown_one_answers_their_other_checks(
        name, number, other, bank, public):
    known = _outcomes(name, bank, public)
    alone = {number: known[number]}
    agree = diagnosis.agreements(alone, bank, _agreeing)
    told = diagnosis.diagnose(alone, bank, agree)[number]
    assert len(told.names) > 1 or BOTH in told.names[0]
    unknown = judge(known[other].check, "public", public.by_number[other],
                    answered(known[other].answer.value * 3))
    assert not diagnosis.diagnose(alone | {other: unknown}, bank, agree | {other: set()})


def test_two_that_most_checks_agree_with_are_told_where_a_third_plays_in(bank, public):
    both = "anchors-no-half-cell + anchors-centre-and-size"
    outcomes = _outcomes(both, bank, public)
    check, answer = outcomes["1.2.3"].check, outcomes["1.2.3"].answer
    outcomes["1.2.3"] = judge(check, "public", public.by_number["1.2.3"],
                              answered([anchors * 3 for anchors in answer.value]))
    agree = diagnosis.agreements(outcomes, bank, _agreeing)
    assert not agree["1.2.3"] and len(agree["1.2.1"]) > 1
    told = diagnosis.diagnose(outcomes, bank, agree)
    assert told["1.2.1"].names == told["1.2.6"].names == (both,)


def test_an_answer_to_two_mistakes_speaks_against_neither(bank, public):
    """Each shows alone in one check, and both change others."""
    outcomes = _outcomes("pck-percent", bank, public)
    other = _outcomes("pck-longest-length", bank, public)
    met = [number for number in outcomes if not outcomes[number].passed
           and not other[number].passed]
    shows = next(number for number in other if not other[number].passed and number not in met)
    outcomes |= {shows: other[shows]} | {number: replace(
        other[number], answer=answered({k: v + 7.0 for k, v in other[number].answer.value.items()}))
        for number in met}
    agree = diagnosis.agreements(outcomes, bank, _agreeing)
    told = diagnosis.diagnose(outcomes, bank, {**agree, **{number: set() for number in met}})
    assert len(met) == 3 and told[shows].names == ("pck-longest-length",)
    assert told["2.6.1"].names == ("pck-percent",)


def test_of_two_at_once_none_is_named_where_another_check_shows_that_one_is_absent(bank, public):
    both = "heatmap-centre-rounded + heatmap-edge-outside"
    outcomes = {**_outcomes("heatmap-renormalised", bank, public),
                "2.2.5": _outcomes(both, bank, public)["2.2.5"]}
    agree = diagnosis.agreements(outcomes, bank, _agreeing)
    assert both in agree["2.2.5"]
    assert {number: told.names for number, told in diagnosis.diagnose(
        outcomes, bank, agree).items()} == {"2.2.3": ("heatmap-renormalised",)}


def test_a_name_that_checks_speak_against_is_doubted_and_not_told_where_most_do(bank, public):
    name = "ap-truth-against-itself"
    outcomes = {number: replace(outcome, error=Wrong("other")) for number, outcome in _outcomes(
        name, bank, public).items()}
    changed = [number for number in outcomes if name in bank.answers.get(number, {})]
    for_it = changed[:len(changed) // 2 + 1]
    found = diagnosis.diagnose(outcomes, bank, {
        n: {name} if n in for_it else set() for n in outcomes})
    assert not any(told.sure for told in found.values()) and set(found) == set(for_it)
    assert all(" would then be answered otherwise: something else may be the cause."
               in told.sentence for told in found.values())
    assert not diagnosis.diagnose(outcomes, bank, {
        n: {name} if n == "1.10.10" else set() for n in outcomes})


def test_finite_losses_are_not_those_of_a_mistake_that_gives_infinite_ones(bank, public):
    reference = public.by_number["1.7.5"]
    losses = {key: value * 1e6 for key, value in reference.expected["losses"].items()}
    outcome = judge(ASSIGNMENT.by_number["1.7.5"], "public", reference,
                    answered({**reference.expected, "losses": losses}))
    assert not outcome.passed
    assert "loss-nan-without-objects" not in _agreeing(outcome, bank.answers["1.7.5"])


@pytest.mark.parametrize("number", ["2.1.2", "2.1.3", "2.1.4"])
def test_targets_are_found_by_their_pictures_whatever_the_brightness(number, public):
    right = public.by_number[number].expected
    items = [(image * 2 - 1, target) for image, target in right["items"]]
    for given, passed in ((items[::-1], True), (
            [(items[-1 - i][0], target) for i, (_, target) in enumerate(items)], False)):
        outcome = judge(ASSIGNMENT.by_number[number], "public", public.by_number[number],
                        answered({**right, "items": given}))
        assert outcome.passed == passed


def test_short_steps_are_called_short(public):
    right = public.by_number["2.12.1"].expected
    short = np.round(right) + 0.3 * (right - np.round(right))
    outcome = judge(ASSIGNMENT.by_number["2.12.1"], "public", public.by_number["2.12.1"],
                    answered(short.astype(np.float32)))
    assert str(outcome.error).endswith("Your steps lead to the centres, but are too short.")


def test_a_slip_in_one_function_is_not_asked_of_the_other(bank):
    for name, numbers in (("ablation-in-heatmap-pixels", {"2.9.1", "2.9.2"}),
                          ("failures-in-heatmap-pixels", {"2.9.3", "2.9.4"})):
        assert {number for number, by_name in bank.answers.items() if name in by_name} == numbers


def test_what_no_name_explains_is_said_once_and_not_of_what_is_not_written(bank, public):
    outcomes = _outcomes("nms-threshold-inclusive", bank, public)
    for number, stage, kind, message in (
            ("1.9.3", "run", "ValueError", "odd"), ("1.19.4", "import", "NameError", "odd"),
            ("1.19.1", "run", "NotImplementedError", "Task 1.19 decode")):
        error = {"stage": stage, "type": kind, "message": message, "file": None,
                 "code": f"raise {kind}"}
        outcomes[number] = judge(ASSIGNMENT.by_number[number], "public", public.by_number[number],
                                 Answer("error", error=error))
    told = diagnosis.diagnose(outcomes, bank, diagnosis.agreements(outcomes, bank, _agreeing))
    assert told["1.9.2"].sentence.endswith(" is kept. This does not explain 1.9.3.")
    assert not any("1.19.1" in diagnosis.sentence for diagnosis in told.values())


def test_a_fault_found_without_comparing_is_told_by_its_words(bank, public):
    known = bank.answers["2.8.2"]["regression-trained-on-validation"]["value"]
    other = answered({**known, "returned": {"train_loss": [3.0], "val_loss": [2.0]}})
    reference = public.by_number["2.8.2"]
    assert agree_apart(ASSIGNMENT.package, "2.8.2", reference, other, {
        name: answer for name, answer in bank.answers["2.8.2"].items() if "value" in answer
    })[0] == "regression-trained-on-validation"


@pytest.mark.parametrize("said", ["1.3.1 as it is", "another form of it", "an earlier task"])
def test_what_a_name_may_explain_is_not_called_another_mistake(said, bank, public):
    outcomes = _outcomes("iou-not-clamped", bank, public)
    assert not outcomes["1.3.3"].passed
    if said == "1.3.1 as it is":
        outcomes["1.3.1"] = replace(outcomes["1.3.2"], check=outcomes["1.3.1"].check)
    elif said == "another form of it":  # no clamp, but another factor
        value = outcomes["1.3.3"].answer.value / 3
        outcomes["1.3.3"] = judge(outcomes["1.3.3"].check, "public", public.by_number["1.3.3"],
                                  answered(value))
    else:
        outcomes["1.3.1"] = replace(
            outcomes["1.3.1"], error=Wrong("other"), aside="Your code does not call ...")
    told = diagnosis.diagnose(outcomes, bank, diagnosis.agreements(outcomes, bank, _agreeing))
    assert told and not any("explain" in diagnosis.sentence for diagnosis in told.values())


@pytest.mark.parametrize("name", SAYS)
def test_message(name, bank, public):
    number, pattern = SAYS[name]
    outcome = _outcomes(name, bank, public)[number]
    assert re.search(pattern, str(outcome.error), re.DOTALL), outcome.error


SAMPLED = [MISTAKES[name] for name in diagnosis.load_bank(ASSIGNMENT.references).known][::SAMPLE]


@pytest.mark.proof
@pytest.mark.parametrize("mistake", SAMPLED, ids=lambda mistake: mistake.name)
def test_costs_its_own_task_and_is_named(mistake, bank, public, warm, monkeypatch):
    tasks = proving.reached(mistake, public, SOLUTION)
    numbers = [check.number for check in ASSIGNMENT.selected(tasks)
               if ".accuracy." not in check.rule]
    monkeypatch.setattr(proving, "reached", lambda *_: numbers)
    proved, = proving.prove([mistake], public, bank, SOLUTION, warm)
    assert proved.caught
    assert not proved.unfair
    assert proved.right_name
