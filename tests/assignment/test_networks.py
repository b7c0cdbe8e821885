"""What is asked of every network, put to made-up ones: fair ones pass, and each flaw is named."""

import pytest

from tests.grading import SOLUTION, failed, functional, message, write_files

CHECKS, DETECTOR = functional("2.4"), functional("1.8")

REGRESSOR = """\
import torch, torch.nn as nn, torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

class RegressionNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.first, self.norm = nn.Linear(64, 32), nn.BatchNorm1d(32)
        self.last, self.dropout = nn.Linear(32, 2 * num_keypoints), nn.Dropout(0.5)
        # Without gradients torch computes this layer in another way, to other last digits.
        self.attention = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(x, 8).flatten(1)
        {forward}
"""
USUAL = "return self.last(self.dropout(self.norm(self.first(x)).relu())).sigmoid()"


@pytest.mark.parametrize("forward", [
    USUAL,
    USUAL.replace("self.norm(self.first(x))", "self.first(x)"),
    USUAL.replace("self.first(x)", "checkpoint(self.first, x, use_reentrant=True)"),
    USUAL.replace("self.first(x)", "self.attention(self.first(x)[:, None])[:, 0]"),
], ids=["batch norm before dropout", "no norm", "reentrant checkpoint", "attention"])
def test_fair(forward, tmp_path, grade_checks):
    write_files(tmp_path, {"problem2/model.py": REGRESSOR.format(forward=forward)})
    assert failed(grade_checks(tmp_path, CHECKS)) == set()


def test_layers_may_find_out_their_sizes(tmp_path, grade_checks):
    text = REGRESSOR.format(forward=USUAL).replace("nn.Linear(64,", "nn.LazyLinear(").replace(
        "nn.BatchNorm1d(32)", "nn.LazyBatchNorm1d()")
    write_files(tmp_path, {"problem2/model.py": text})
    assert failed(grade_checks(tmp_path, CHECKS)) == set()


def test_an_image_may_be_changed_in_place(tmp_path, grade_checks):
    text = REGRESSOR.format(forward=USUAL).replace("x = F.", "x.sub_(0.5); x = F.")
    write_files(tmp_path, {"problem2/model.py": text})
    assert failed(grade_checks(tmp_path, CHECKS)) == set()


@pytest.mark.parametrize(("forward", "says"), [
    (USUAL.replace("(x)", "(x.detach())"), "passes no gradient on to the image"),
    (USUAL.replace("(x)", "(torch.ones_like(x))"), "passes no gradient on to the image"),
    (USUAL.replace("(x)", "(0 * x)"), "does not depend on the image"),
    (USUAL.replace("self.dropout", ""), "no active dropout"),
    (USUAL.replace("self.dropout", "F.dropout"), "two passes over the same images"),
    ("x = self.first(x).exp(); y = self.last(self.dropout(x.exp())); x += 1; return y.sigmoid()",
     "modified by an inplace operation"),
])
def test_flaws(forward, says, tmp_path, grade_checks):
    write_files(tmp_path, {"problem2/model.py": REGRESSOR.format(forward=forward)})
    grade = grade_checks(tmp_path, CHECKS)
    assert failed(grade) == {"2.4.3"}
    assert says in message(grade, "2.4.3")


def test_what_an_image_changes_may_be_lost_in_rounding(tmp_path, grade_checks):
    text = (SOLUTION / "problem1" / "model.py").read_text(encoding="utf-8")
    assert text.count("[head(m) for") == 1
    write_files(tmp_path, {"problem1/model.py": text.replace("[head(m)", "[1 + 1e-12 * head(m)")})
    assert failed(grade_checks(tmp_path, DETECTOR)) == set()


def test_each_map_must_depend_on_the_image(tmp_path, grade_checks):
    text = (SOLUTION / "problem1" / "model.py").read_text(encoding="utf-8")
    old = "[head(m) for head, m in zip(self.heads, (map56, map28, map14))]"
    new = old.replace("map28,", "0 * map28,")  # whose graph does lead back to it
    write_files(tmp_path, {"problem1/model.py": text.replace(old, new)})
    grade = grade_checks(tmp_path, DETECTOR)
    assert failed(grade) == {"1.8.4"}
    assert "map 1 does not depend on the image" in message(grade, "1.8.4")


def test_each_map_must_pass_gradients_on(tmp_path, grade_checks):
    text = (SOLUTION / "problem1" / "model.py").read_text(encoding="utf-8")
    old = "[head(m) for head, m in zip(self.heads, (map56, map28, map14))]"
    assert text.count(old) == 1
    new = old.replace("map28,", "map28.detach(),")
    write_files(tmp_path, {"problem1/model.py": text.replace(old, new)})
    grade = grade_checks(tmp_path, DETECTOR)
    assert failed(grade) == {"1.8.4"}
    assert "map 1 passes no gradient on to the image" in message(grade, "1.8.4")
