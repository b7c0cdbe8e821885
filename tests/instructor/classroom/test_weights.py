"""Networks that come from each other are found, and no pair of independent trainings is."""

import copy
import functools
import itertools
import json
import re
import zipfile
from contextlib import closing
from html import unescape
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from autograder.assignment import ASSIGNMENT
from autograder.engine.sandbox.bounded import Bounded
from autograder.instructor.classroom import weights
from autograder.instructor.classroom.book import Book
from autograder.instructor.classroom.class_page import page
from autograder.instructor.classroom.grade_class import grade_class
from autograder.instructor.classroom.grader import NotGraded, Setup
from autograder.instructor.classroom.intake import Handed, Submitter
from autograder.instructor.classroom.weights import OUTSIDE, Likeness, alike, read
from tests.grading import SOLUTION, fork_only, sampled

from .generated import generated

pytestmark = pytest.mark.slow
FILE = "problem1/best_model.pth"
STEPS, RATE = 100, 1e-3
RNG = torch.Generator().manual_seed(0)
IMAGES = torch.randn(256, 1, 12, 12, generator=RNG)
LABELS = (IMAGES.flatten(1) @ torch.randn(144, 4, generator=RNG)).argmax(1)


def network(seed: int, width: int = 16) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8 * width, 4))


def trained(net: nn.Module, order: int, steps: int = STEPS, rate: float = RATE) -> nn.Module:
    """The network, trained on batches that follow from `order`."""
    torch.manual_seed(order)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(steps):
        chosen = torch.randint(0, len(IMAGES), (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(IMAGES[chosen]), LABELS[chosen]).backward()
        optimizer.step()
    return net


def state(net: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in net.state_dict().items()}


@pytest.fixture(scope="module", params=[20, pytest.param(60, marks=pytest.mark.proof)])
def independent(request, tmp_path_factory):
    """Trainings: half of them start from one seed, half from seeds of their own."""
    torch.set_num_threads(1)
    nets = [trained(network(0 if i < request.param // 2 else i), 100 + i, rate=RATE * (1 + i % 3))
            for i in range(request.param)]
    folder = tmp_path_factory.mktemp("independent")
    return nets, {f"s{i}": handed(folder / str(i), state(net)) for i, net in enumerate(nets)}


def handed(root, content, log="", **options):
    """What is read of a submission with these weights."""
    path = root / "problem1/results/best_model.pth"
    path.parent.mkdir(parents=True)
    torch.save(content, path, **options)
    (path.parent / "training_log.json").write_text(json.dumps({"seconds": log or str(root)}))
    return read(root)


def fine_tuned(net, steps, rate):
    return state(trained(copy.deepcopy(net), 999, steps, rate))


def changed(net, **tensors):
    return {**state(net), **tensors}


def exchanged(net):
    """The channels between two layers in another order: the same function."""
    order, found = torch.randperm(16), state(net)
    for key in ("0.weight", "0.bias", *(f"1.{name}" for name in (
            "weight", "bias", "running_mean", "running_var"))):
        found[key] = found[key][order]
    found["4.weight"] = found["4.weight"][:, order]
    return found


def mapped(net, change):
    return {key: change(value) if value.is_floating_point() else value
            for key, value in net.state_dict().items()}


CASES = {
    "the same file": state,
    "in a wrapper, with a prefix": lambda net: {"model": {
        f"module.{key}": value for key, value in net.state_dict().items()}, "epoch": 3},
    "in another order": lambda net: dict(reversed(state(net).items())),
    "as half precision": lambda net: mapped(net, lambda value: value.half()),
    "as double precision": lambda net: mapped(net, lambda value: value.double()),
    "as bfloat16": lambda net: mapped(net, lambda value: value.bfloat16()),
    "with noise of 1e-6": lambda net: mapped(
        net, lambda value: value + 1e-6 * torch.randn_like(value)),
    "with noise of a hundredth": lambda net: mapped(
        net, lambda value: value * (1 + 0.01 * torch.randn_like(value))),
    "rounded to three digits": lambda net: mapped(net, lambda value: (value * 1e3).round() / 1e3),
    "fine-tuned for 20 small steps": lambda net: fine_tuned(net, 20, RATE / 10),
    "fine-tuned for 50 small steps": lambda net: fine_tuned(net, 50, RATE / 10),
    "fine-tuned for 100 small steps": lambda net: fine_tuned(net, 100, RATE / 10),
    "fine-tuned for 5 steps": lambda net: fine_tuned(net, 5, RATE),
    "fine-tuned for 10 steps": lambda net: fine_tuned(net, 10, RATE),
    "with another head": lambda net: changed(net, **{"9.weight": torch.randn(4, 128)}),
    "with a longer head": lambda net: changed(net, **{"10.weight": torch.randn(4, 4096)}),
    "half of it": lambda net: changed(
        net, **{key: torch.randn_like(value) for key, value in network(7).state_dict().items()
                if key[0] in "019" and value.is_floating_point()}),
    "with exchanged channels": exchanged,
    "with some weights cut off": lambda net: mapped(
        net, lambda value: torch.where(value.abs() < 0.02, torch.zeros(()), value)),
    "between it and its fine-tuning": lambda net: {
        key: (value + fine_tuned(net, 50, RATE)[key]) / 2 if value.is_floating_point() else value
        for key, value in net.state_dict().items()},
    "of an old version of torch": state,
}


@pytest.mark.proof
def test_no_pair_of_independent_trainings_is_pointed_to(independent):
    assert alike(independent[1]) == []


@pytest.mark.parametrize("case", sampled([*CASES], 3))
def test_copies_are_found(independent, tmp_path, case):
    nets, works = independent
    options = {"_use_new_zipfile_serialization": False} if case.endswith("torch") else {}
    for source in (3, len(nets) - 4):
        torch.manual_seed(1)
        copied = handed(tmp_path / str(source), CASES[case](nets[source]), **options)
        found, = alike({**works, "copy": copied})
        assert {found.a, found.b} == {"copy", f"s{source}"} and not found.log


@pytest.mark.parametrize("size", [2, 5, 8])
def test_a_ring_of_copies_is_no_common_start(independent, tmp_path, size):
    nets, works = independent
    torch.manual_seed(2)
    ring = {f"copy{i}": handed(tmp_path / str(i), CASES["with noise of a hundredth"](nets[3]))
            for i in range(size)}
    found = {(each.a, each.b) for each in alike({**works, **ring})}
    assert found == set(itertools.combinations([*sorted(ring), "s3"], 2))


def test_a_log_with_the_same_times_speaks_against_an_accident(independent, tmp_path):
    net = state(independent[0][0])
    works = {name: handed(tmp_path / name, net, log="12.7 s") for name in ("ann", "bob")}
    found, = alike(works)
    assert (found.a, found.b, found.share, found.log) == ("ann", "bob", 1.0, True)
    assert found.others is None


@pytest.mark.proof
def test_the_page_points_to_them_and_accuses_nobody():
    entries = generated(4)
    one, two = (entry.student for entry in entries[:2])
    made = [Likeness(one, two, "student", FILE, 0.98, 0.0123, 0.2, True)]
    for anonymous in (False, True):
        shown = " ".join(unescape(re.sub("<[^>]*>", " ", page(
            entries, [], anonymous, alike=made))).split())
        assert "the same training log with the same times 98% 0.012 0.200" in shown
        assert (entries[0].name in shown) != anonymous and "cheat" not in shown


def test_the_weights_of_the_solution_are_known():
    own = read(SOLUTION)
    assert set(own) == {"problem1/best_model.pth", "problem2/heatmap_model.pth",
                        "problem2/regression_model.pth"}
    found, = alike({"ann": own}, own)
    assert (found.a, found.b, found.kind) == ("ann", OUTSIDE, "solution")


class Trap:
    """Of which a pickle would run code."""

    def __reduce__(self):
        return eval, ("open('trapped', 'w')",)


def test_nothing_is_run_and_nothing_stops_the_reading(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = handed(tmp_path / "trap", {"a": torch.randn(64), "b": Trap()})
    assert found[FILE].count == 64 and not (tmp_path / "trapped").exists()
    path = tmp_path / "other/problem1/results/best_model.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\3\4 no zip file")
    assert len(read(tmp_path / "other")) == 1
    wild = handed(tmp_path / "wild", {"a": torch.tensor([float("inf"), float("nan"), 1e30] * 64)})
    assert not alike({"ann": wild, "bob": found})
    monkeypatch.setattr(weights, "MAX_BYTES", 10)
    assert read(tmp_path / "other") == {}
    assert read(tmp_path / "nobody") == {} and alike({}) == []
    assert np.isinf(weights._distances([found[FILE], weights.Weights(
        np.zeros(0, np.uint32), 0, {}, "")])[0, 1])


BUSY = {"a key of tuples so deep that hashing it overflows the stack": b"}N" + b"\x85" * 250_000,
        "a key that is hashed in 2 ** 64 steps": b"}N" + b"2\x86" * 64,
        "a place in the memo that takes 34 GB": b"}Nr\xff\xff\xff\x7f"}


@fork_only
@pytest.mark.parametrize("case", BUSY)
def test_a_file_that_ends_its_reader_or_keeps_it_busy_costs_nobody(tmp_path, case):
    for name in ("best_model.pth", "another.pth"):  # which comes second, and is not read
        path = tmp_path / "problem1/results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as content:
            content.writestr("data.pkl", b"\x80\x02" + BUSY[case] + b"Ns.")
    lost = []
    with closing(Bounded(ASSIGNMENT.package, tmp_path, cpu_seconds=1)) as bounded:
        def look(content):
            lost.append(content)
            return bounded.call(f"{weights.__name__}.look", content)

        assert read(tmp_path, look) == {} and len(lost) == 1
        assert len(read(SOLUTION, look)) == 3


def test_few_files_and_tensors_of_a_work_are_read_and_known_names_first(tmp_path):
    for name in (*map(str, range(weights.MAX_FILES + 5)), "best_model"):
        path = tmp_path / f"problem1/results/{name}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"a": torch.ones(20)}, path)
    assert len(found := read(tmp_path)) == weights.MAX_FILES and FILE in found
    many = {str(i): torch.ones(16) for i in range(weights.MAX_TENSORS + 5)}
    assert handed(tmp_path / "many", many)[FILE].count == 16 * weights.MAX_TENSORS


def test_a_class_reads_no_weights_in_its_own_process(tmp_path, monkeypatch):
    def refuse(submission, label):
        raise NotGraded("here is no grader")

    monkeypatch.setattr(weights, "_tensors", functools.partial(pytest.fail, "read here"))
    _, networks = grade_class(
        [Handed((Submitter("ann"),), SOLUTION)], Book(tmp_path, Setup().version()), Setup(),
        SimpleNamespace(width=1, grade=refuse), lambda entries, kept: None)
    assert len(networks["ann"]) == 3
