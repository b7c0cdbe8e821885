"""What is asked of every network, put to made-up ones: fair ones pass, and each flaw is named."""

from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from tests.grading import SOLUTION, failed, functional, message, sampled, write_files

pytestmark = pytest.mark.slow

CHECKS, DETECTOR = functional("2.4"), functional("1.8")

REGRESSOR = """\
import torch, torch.nn as nn, torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

class RegressionNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.first, self.norm = nn.Linear(64, 32), nn.BatchNorm1d(32)
        self.last, self.dropout = nn.Linear(32, 2 * num_keypoints), nn.Dropout(0.5)
        self.gain, self.empty = nn.Parameter(torch.zeros(32)), nn.Parameter(torch.zeros(0, 4))
        # Without gradients torch computes this layer in another way, to other last digits.
        self.attention = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(x, 8).flatten(1)
        {forward}
"""
USUAL = "return self.last(self.dropout(self.norm(self.first(x)).relu())).sigmoid()"


@pytest.mark.parametrize("forward", sampled([
    USUAL,
    USUAL.replace("self.norm(self.first(x))", "self.first(x)"),
    USUAL.replace("self.first(x)", "checkpoint(self.first, x, use_reentrant=True)"),
    USUAL.replace("self.first(x)", "self.attention(self.first(x)[:, None])[:, 0]"),
    USUAL.replace("self.norm(", "self.gain * self.norm("),
], 3), ids=["batch norm before dropout", "no norm", "reentrant checkpoint", "attention",
        "gains of zero"])
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


@pytest.mark.proof
@pytest.mark.parametrize(("path", "changes", "task"), [
    ("problem1/model.py", [("nn.BatchNorm2d(", "nn.GroupNorm(16, "), (
        "return [head(m)", "return [0.1 * head(m)")], "1.8"),
    ("problem2/model.py", [("return self.head(x)", "return self.head(x).relu()")], "2.3")],
    ids=["small maps", "ReLU behind heatmaps"])
def test_what_the_rules_leave_open(path, changes, task, tmp_path, grade_checks):
    text = (SOLUTION / path).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    write_files(tmp_path, {path: text})
    assert failed(grade_checks(tmp_path, functional(task))) == set()


@pytest.mark.proof
def test_the_solution_itself_answers_its_questions(public, hidden_for):
    """What is also wrong with it would be held against nobody, see `named`."""
    for number in (numbers := functional("1.8", "2.3", "2.4")):
        for references in (public, hidden_for(numbers)):
            reference, judge = references.by_number[number], ASSIGNMENT.by_number[number].judge
            judge.__wrapped__(reference.expected, reference.expected, reference.question)


ODD = Path(__file__).parent / "variants" / "odd"


@pytest.mark.parametrize("path", sampled(sorted(ODD.glob("[dk]*/*.py")), 14),
                         ids=lambda path: path.stem)
def test_odd_networks(path, tmp_path, grade_checks, public, hidden_for):
    text = path.read_text(encoding="utf-8")
    write_files(tmp_path, {"problem1/model.py": text, "problem2/model.py": text})
    numbers = functional(*(["1.8"] if "MultiScaleDetector" in text else ["2.3", "2.4"]))
    assert failed(grade_checks(tmp_path, numbers, sets=[public, hidden_for(numbers)])) == set()


@pytest.mark.parametrize(("forward", "says", "also"), sampled([
    (USUAL.replace("(x)", "(x.detach())"), "passes no gradient on to the image", set()),
    (USUAL.replace("(x)", "(torch.ones_like(x))"), "does not depend on the image",
     {"2.4.1", "2.4.2"}),
    (USUAL.replace("(x)", "(x.mean(1, True).expand_as(x))"), "looks at little more than single",
     {"2.4.1", "2.4.2"}),
    (USUAL.replace("(x)", "(5 * x.detach() - 4 * x)"), "or another one than",
     set()),
    ("y = self.last(self.dropout(self.norm(self.first(x)).relu())).sigmoid(); "
     "return torch.cat([y[:, :2], 0 * y[:, 2:] + 0.5], 1)", "most numbers of output 0 (channels or",
     {"2.4.1", "2.4.2"}),
    (USUAL.replace("self.dropout", ""), "no active dropout", set()),
    (USUAL.replace("self.dropout", "F.dropout"), "two copies of an image", {"2.4.2"}),
    (USUAL.replace("(x)", "(x / x.max())"), "other values in a batch than alone", {"2.4.2"}),
    (USUAL.replace("self.norm(self.first(x)", "F.layer_norm(self.first(x).T, x.shape[:1]).T.add(0"),
     "other values in a batch than alone", {"2.4.1", "2.4.2"}),
    ("x = self.first(x).tanh(); y = self.last(self.dropout(x)); x += 1; return y.sigmoid()",
     "modified by an inplace operation", set()),
    ("self.requires_grad_(False); " + USUAL, "gradients reach 0 of the", set()),
    ("x = F.linear(x, self.first.weight.detach()).relu(); return F.linear(self.dropout(x), "
     "self.last.weight.detach()).sigmoid()", "gradients reach 0 of the", set()),
], 5))
def test_flaws(forward, says, also, tmp_path, grade_checks):
    write_files(tmp_path, {"problem2/model.py": REGRESSOR.format(forward=forward)})
    grade = grade_checks(tmp_path, CHECKS)
    assert failed(grade) == {"2.4.3", *also}
    assert says in message(grade, "2.4.3")


def test_layers_must_be_in_the_state_dict(tmp_path, grade_checks):
    text = REGRESSOR.format(forward=USUAL).replace("self.first(", "self.all[0](").replace(
        "self.first, self.norm = nn.Linear(64, 32),", "self.all, self.norm = [nn.Linear(64, 32)],")
    write_files(tmp_path, {"problem2/model.py": text})
    grade = grade_checks(tmp_path, CHECKS)
    assert failed(grade) == {"2.4.3"}
    assert "keep them in nn.ModuleList" in message(grade, "2.4.3")


HEADS = "[head(m) for head, m in zip(self.heads, (map56, map28, map14))]"


@pytest.mark.proof
@pytest.mark.parametrize(("heads", "says", "numbers"), [
    # Its graph does lead back to the image.
    (HEADS.replace("map28,", "0 * map28,"), "map 1 does not depend on the image",
     {"1.8.1", "1.8.2", "1.8.3", "1.8.4"}),
    (HEADS.replace("map28,", "map28.detach(),"), "map 1 passes no gradient on to the image",
     {"1.8.4"}),
    (HEADS.replace("head(m)", "head(m).mT"), "Are rows and columns swapped?",
     {"1.8.1", "1.8.2", "1.8.3", "1.8.4"}),
])
def test_each_map_counts(heads, says, numbers, tmp_path, grade_checks):
    text = (SOLUTION / "problem1" / "model.py").read_text(encoding="utf-8")
    assert text.count(HEADS) == 1
    write_files(tmp_path, {"problem1/model.py": text.replace(HEADS, heads)})
    grade = grade_checks(tmp_path, DETECTOR)
    assert failed(grade) == numbers
    assert says in message(grade, "1.8.4")


PIXELWISE = """\
import torch.nn as nn, torch.nn.functional as F

class HeatmapNet(nn.Module):
    def __init__(self, num_keypoints=5):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(), nn.Conv2d(8, num_keypoints, 1))

    def forward(self, x):
        return self.layers(F.{smaller})
"""


@pytest.mark.parametrize(
    "smaller", sampled(["interpolate(x, scale_factor=0.5)", "avg_pool2d(x, 2)"], 2))
def test_a_map_sees_more_than_a_cell(smaller, tmp_path, grade_checks):
    write_files(tmp_path, {"problem2/model.py": PIXELWISE.format(smaller=smaller)})
    grade = grade_checks(tmp_path, functional("2.3"))
    assert failed(grade) == {"2.3.1", "2.3.2", "2.3.3"}
    assert "looks at little more than single pixels or cells" in message(grade, "2.3.3")
