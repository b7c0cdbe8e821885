"""Losses and accuracies: what is read from what training returns, and what points follow."""

import math
from dataclasses import replace

import numpy as np
import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.checks.accuracy import award, claimed_map, claimed_pck, learned
from autograder.assignment.checks.losses import curve, mean_of, numbers
from autograder.engine.check import Judgement
from autograder.engine.compare import Wrong
from autograder.engine.points import Accuracy
from tests.grading import said


def test_the_mean_loss_is_found_under_any_key():
    mean_of({"total": 2.0, "obj": 1.0}, 2.0001, "validate")
    mean_of({"losses": {"all": np.asarray([2.0])}}, 2.0, "validate")
    assert said(mean_of, {"loss": 16.0}, 4.0, "train_epoch") == (
        "the mean of loss_total over the batches is 4, but the dict that train_epoch returned "
        "holds 16.")
    assert said(mean_of, {"loss": None}, 4.0, "train_epoch").endswith("returned holds no numbers.")
    assert said(mean_of, 4.0, 4.0, "train_epoch") == (
        "train_epoch should return a dict of mean losses, but returned 4.0.")


def test_numbers_of_a_nested_value():
    assert numbers({"a": [1, (2.5, None)], "b": np.asarray(3), "c": True, "d": np.zeros(2)}) == [
        1, 2.5, 3, 0, 0]
    assert len(numbers(np.zeros(10**6))) == 20


def test_thousands_of_guesses_are_no_mean():
    assert "returned holds" in said(mean_of, {"loss": [i / 1e3 for i in range(9000)]}, 4.0, "f")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0], "train_loss should have a number for each of your epochs, at least two; it has 1."),
        ([1.0, math.nan], "train_loss holds nan or infinity."),
        ([1.0, 0.5, 1.0], "train_loss should be lower after the last epoch than after the first; "
                          "it went from 1 to 1."),
    ],
)
def test_loss_curves(values, message):
    assert said(curve, [values], ("train_loss",)) == message


def test_loss_curves_of_one_training_are_equally_long():
    curve([[2.0, 1.0], [3.0, 1.0]], ("train_loss", "val_loss"))
    assert said(curve, [[2.0, 1.0], [3.0, 2.0, 1.0]], ("train_loss", "val_loss")) == (
        "the curves should have one number per epoch each, but they have 2, 3.")


@pytest.mark.parametrize("forged", [[], [[2.0, 1.0]], None])
def test_as_many_curves_as_were_asked_for(forged):
    assert said(curve, forged, ("train_loss", "val_loss"))


DETECTOR = replace(ASSIGNMENT.by_number["1.14.1"], points=6.0,
                   accuracy=Accuracy(target=0.7, step=0.5, floor=0.2))
TERM = {"floor": 0.2, "target": 0.7, "reference": 0.95}


def awarded(accuracy, untrained=0.0, claims=()):
    """`(points, message or None, remarks)` of an accuracy that is worth 6 points."""
    judgement = Judgement(DETECTOR)
    try:
        award(judgement, accuracy, untrained, TERM, claims, lambda: "")
    except Wrong as error:
        return judgement.score or 0, str(error), judgement.remarks
    return judgement.score, None, judgement.remarks


def test_accuracy_between_floor_and_target():
    assert awarded(0.7) == awarded(1.0) == (6, None, [])
    assert awarded(0.45) == (3, "mAP@0.5 of the detector is 0.45; full points from 0.70, none at "
                                "0.20 (the reference reaches 0.95).", [])
    assert awarded(0.1)[0] == awarded(0.2)[0] == awarded(math.nan)[0] == 0


def test_what_has_learned_nothing_is_said_of_its_images():
    assert said(learned, -0.003, "mAP@0.5", "a.pth", "of the validation split").startswith(
        "mAP@0.5 on a few images of the validation split, with the weights in results/a.pth, is "
        "0.00 higher than with answers to other images; 0.1 would show")
    learned(0.1, "mAP@0.5", "a.pth")


def test_a_network_that_needs_no_training_gets_nothing():
    assert awarded(0.9, untrained=0.3) == (
        0, "With random or shuffled weights mAP@0.5 of the detector is 0.30 as well: what your "
           "network answers does not come from training.", [])
    assert awarded(0.9, untrained=0.05) == (6, None, [])


def test_a_claim_that_the_weights_do_not_hold_is_remarked():
    claims = [("metrics.json: map", 0.95), ("training_log.json: val_map", 0.65)]
    assert awarded(0.7, claims=claims) == (6, None, [
        "results/metrics.json: map claims 0.95 as mAP@0.5 of the detector, but the weights handed "
        "in reach 0.70 on the grading images: are they of the run that you report?"])


@pytest.mark.parametrize(
    ("key", "value"),
    [("mAP", 0.9), ("mAP@0.5", 0.9), ("val_map50", 0.9), ("best: validation mAP", 0.9),
     ("mean_average_precision", 0.9), ("map", 90.0), ("mAP@0.75", None), ("loss", None),
     ("maps", None), ("epochs: 3", None)],
)
def test_what_counts_as_a_claimed_map(key, value):
    path = f"metrics.json: {key}"
    assert claimed_map([[path, value or 3.0]]) == ([(path, 0.9)] if value else [])


def test_claims_of_other_files_do_not_count():
    claims = [[f"{i}.json: map", 0.9] for i in range(99)] + [["metrics.json: map", 0.8]]
    assert claimed_map(claims) == [("metrics.json: map", 0.8)]


def test_what_counts_as_a_claimed_pck():
    claims = [["metrics.json: heatmap: pck: 0.05", 0.8], ["metrics.json: heatmap: pck: 0.2", 0.9],
              ["metrics.json: regression: PCK@0.05", 30.0], ["metrics.json: pck@0.05", 0.7]]
    assert claimed_pck(claims, "heatmap", 0.05) == [("metrics.json: heatmap: pck: 0.05", 0.8)]
    assert claimed_pck(claims, "regression", 0.05) == [("metrics.json: regression: PCK@0.05", 0.3)]
    assert claimed_pck(claims, "regression", 0.2) == []


LONG = 3_000_000


@pytest.mark.timeout(20)  # a search that is not linear takes hours
@pytest.mark.parametrize("key", ["0" * LONG, "val" * LONG, "valid" * LONG, "." * LONG, ": " * LONG,
                                 "0." * LONG, "map" + "@" * LONG, "\ud800" * LONG])
def test_claims_are_read_in_linear_time(key):
    claims = [[f"metrics.json: heatmap pck {key}", 0.5]] * 20
    assert all(len(place) <= 200 for place, _ in claimed_map(claims))
    assert claimed_pck(claims, "heatmap", 0.05) == []
    assert claimed_map([["metrics.json: map", 0.5]] * 10**6) == [("metrics.json: map", 0.5)]
