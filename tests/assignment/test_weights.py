"""Weights files that students hand in, and what is said of those that cannot be used."""

import argparse
import json
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from autograder.assignment.checks import test_p1_training as training_checks
from autograder.assignment.probes import accuracy, weights
from autograder.assignment.probes.accuracy import detector_detections
from autograder.assignment.probes.training import training_log
from autograder.assignment.probes.weights import load_weights
from autograder.engine.compare import Wrong
from autograder.engine.sandbox.keys import Unrecorded
from autograder.engine.sandbox.student import Missing, Student, Unusable
from tests.grading import write_files

NETS = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.first = nn.Linear(3, width)
        self.norm = nn.BatchNorm1d(width)


class Huge(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(50_000_001, device="meta"))
"""


class Net(nn.Module):
    """The same network as in `NETS`; pickled whole it names this module."""

    def __init__(self, width=2):
        super().__init__()
        self.first = nn.Linear(3, width)
        self.norm = nn.BatchNorm1d(width)


STATE = Net().state_dict()
COUNT = 12  # 3 * 2 + 2 of the linear layer, 2 + 2 of the batch norm


@pytest.fixture
def student(tmp_path, monkeypatch):
    """A submission whose `model.py` holds `Net`, imported in this process."""
    folder = tmp_path / "problem1"
    write_files(folder, {"model.py": NETS})
    (folder / "results").mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "model", raising=False)
    yield Student(folder)
    sys.modules.pop("model", None)


def saved(student, content):
    """`content` as `results/net.pth`, written by torch.save."""
    torch.save(content, student.folder / "results" / "net.pth")
    return student


def test_numbers_of_numpy_may_lie_beside_the_weights(student):
    saved(student, {"model": STATE, "loss": np.float64(0.5), "curve": np.ones(3, np.float32),
                    "epoch": np.int64(3)})
    assert parameters(student) == COUNT


def test_options_of_a_script_may_lie_beside_the_weights(student):
    options = argparse.Namespace(lr=1e-3, data=Path("datasets") / "detection")
    assert parameters(saved(student, {"model": STATE, "args": options})) == COUNT


def test_another_protocol_of_pickle_is_told(student):
    torch.save(STATE, student.folder / "results" / "net.pth", pickle_protocol=4)
    assert refusal(student) == (
        "results/net.pth holds more than tensors, or was saved with a pickle_protocol of its own: "
        "save model.state_dict(), and leave that out")


def parameters(student) -> int:
    """How many the network has that these weights are loaded into."""
    net = accuracy._trained(student, "model.Net", "net.pth")
    return sum(parameter.numel() for parameter in net.parameters())


def refusal(student, model="model.Net") -> str:
    with pytest.raises((Missing, Unusable)) as caught:
        accuracy._trained(student, model, "net.pth")
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        dict(STATE),
        {"model_state_dict": STATE, "epoch": 3, "optimizer": {"lr": 0.1}},
        {"state_dict": STATE, "best": 0.5},
        {"model": STATE},
        {f"module.{key}": value for key, value in STATE.items()},
        {f"_orig_mod.{key}": value for key, value in STATE.items()},
        {f"module._orig_mod.{key}": value for key, value in STATE.items()},
        {"state_dict": {f"_orig_mod.module.{key}": value for key, value in STATE.items()}},
        {key: value.double() for key, value in STATE.items()},
        {key: value.to(torch.bfloat16) if value.is_floating_point() else value
         for key, value in STATE.items()},
        {key: nn.Parameter(value) if value.is_floating_point() else value
         for key, value in STATE.items()},
    ],
    ids=["state dict", "dict", "model_state_dict", "state_dict", "model", "DataParallel",
         "compiled", "both", "both in a wrapper", "float64", "bfloat16", "parameters"],
)
def test_usual_files_load(student, content):
    assert parameters(saved(student, content)) == COUNT


@pytest.mark.parametrize("change", [
    torch.Tensor.to_sparse, lambda value: value.to("meta"),
    lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
    lambda value: value.to(torch.float8_e4m3fn)], ids=["sparse", "meta", "quantised", "float8"])
def test_numbers_of_another_kind_are_told(student, change):
    key = next(key for key, value in STATE.items() if value.is_floating_point())
    told = refusal(saved(student, {**STATE, key: change(STATE[key])}))
    assert f"net.pth holds {key} in numbers of another kind" in told


def test_the_older_format_loads(student):
    torch.save(STATE, student.folder / "results" / "net.pth", _use_new_zipfile_serialization=False)
    assert parameters(student) == COUNT


def test_weights_are_loaded_and_the_network_is_in_evaluation_mode(student):
    net = accuracy._trained(saved(student, {"model": STATE}), "model.Net", "net.pth")
    assert not net.training
    assert all(torch.equal(net.state_dict()[key], value) for key, value in STATE.items())


def test_a_missing_file(student):
    assert refusal(student) == (
        "results/net.pth is missing: run train.py and hand its results in")


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 20480000\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "results/net.pth is empty"),
        (LFS.encode(), "results/net.pth is a Git LFS pointer, not the weights: run `git lfs pull`, "
                       "or commit the file without LFS"),
        (b"my weights are on my laptop\n", "results/net.pth is not a file written by torch.save"),
        (b"<!DOCTYPE html><html>404</html>", "results/net.pth is not a file written by torch.save"),
        (b"PK\x03\x04 and then nothing", "results/net.pth is truncated or damaged"),
    ],
    ids=["empty", "LFS pointer", "text", "web page", "zip header"],
)
def test_files_that_are_something_else(student, content, message):
    (student.folder / "results" / "net.pth").write_bytes(content)
    assert refusal(student) == message


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(student, share):
    path = student.folder / "results" / "net.pth"
    saved(student, STATE)
    path.write_bytes(path.read_bytes()[:int(share * path.stat().st_size)])
    assert refusal(student) == "results/net.pth is truncated or damaged"


def test_another_zip(student):
    with zipfile.ZipFile(student.folder / "results" / "net.pth", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert refusal(student) == "results/net.pth is truncated or damaged"


def test_a_zip_whose_directory_is_damaged(student):
    path = student.folder / "results" / "net.pth"
    saved(student, STATE)
    content = path.read_bytes()
    begin = content.rindex(b"PK\x01\x02")  # the last entry of the central directory
    path.write_bytes(content[:begin] + b"XX" + content[begin + 2:])
    assert refusal(student) == "results/net.pth is truncated or damaged"


class Bomb:
    """Unpickling it would run a command."""

    def __reduce__(self):
        return eval, ("__import__('os').mkdir('exploded')",)


@pytest.mark.parametrize("content", [Net(), {"model": Net()}, Bomb(), [Bomb()]],
                         ids=["whole model", "whole model in a dict", "command", "list of one"])
def test_pickled_objects_are_refused_unread(student, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refusal(saved(student, content)) == (
        "results/net.pth holds more than tensors: save model.state_dict(), not the whole model")
    assert not (tmp_path / "exploded").exists()


def test_a_plain_pickle_is_refused_unread(student, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (student.folder / "results" / "net.pth").write_bytes(pickle.dumps(Bomb(), protocol=2))
    assert refusal(student).startswith("results/net.pth ")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(3), "results/net.pth holds a Tensor, not a state dict"),
        ([1, 2], "results/net.pth holds a list, not a state dict"),
        ({}, "results/net.pth holds a dict, not a state dict"),
        ({"epoch": 3}, "results/net.pth is not a state dict: some of its values are no tensors"),
        ({k: v for k, v in STATE.items() if k != "first.bias"},
         "results/net.pth does not hold what Net needs: 1 entries, the first is first.bias"),
        ({"second.weight": torch.zeros(1)},
         "results/net.pth does not hold what Net needs: 7 entries, the first is first.weight (the "
         "file holds second.weight)"),
        ({**STATE, "extra.weight": torch.zeros(1)},
         "results/net.pth holds what Net does not have: 1 entries, the first is extra.weight"),
        (Net(width=4).state_dict(),
         "results/net.pth has other shapes than Net: 6 entries, the first is first.weight"),
        ({**STATE, "first.bias": torch.tensor([0.0, torch.nan])},
         "results/net.pth holds nan or infinity, the first in first.bias"),
        ({**STATE, "norm.running_var": torch.tensor([1.0, torch.inf])},
         "results/net.pth holds nan or infinity, the first in norm.running_var"),
    ],
    ids=["tensor", "list", "empty dict", "no tensors", "missing key", "other keys", "unknown key",
         "other shapes", "nan", "infinity"],
)
def test_state_dicts_that_do_not_fit(student, content, message):
    assert refusal(saved(student, content)) == message


def test_files_and_networks_are_bounded(student, monkeypatch):
    assert refusal(saved(student, STATE), "model.Huge") == (
        "model.Huge has 50,000,001 parameters, more than 50,000,000")
    monkeypatch.setattr(weights, "MAX_BYTES", 2**20)
    saved(student, torch.zeros(2**19))
    assert refusal(student) == "results/net.pth is larger than 1 MiB"


def test_prefixes_go_only_from_the_front(student):
    content = {"module.": torch.zeros(1), "module.module.a": torch.zeros(1),
               "my_module.b": torch.zeros(1), 7: torch.zeros(1)}
    saved(student, content)
    assert list(load_weights(student.folder / "results" / "net.pth")) == [
        "", "a", "my_module.b", "7"]


def test_a_file_that_unpacks_to_more_is_refused(student, monkeypatch):
    path = student.folder / "results" / "net.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", bytes(2**21))
    monkeypatch.setattr(weights, "MAX_BYTES", 2**20)
    assert path.stat().st_size < 2**20
    assert refusal(student) == "results/net.pth unpacks to more than 1 MiB"


# --- detections of a trained network ---------------------------------------------------------

DETECTOR = {
    "model.py": """\
import torch
from torch import nn


class MultiScaleDetector(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return [self.bias.expand(len(x), 24, side, side) for side in SIDES]
""",
    "utils.py": "def generate_anchors(sizes, scales):\n    return []\n",
    "evaluate.py": """\
import torch


def decode_predictions(maps, anchors):
    boxes, scores, labels = torch.zeros(3, 4), torch.ones(3), torch.zeros(3)
    return DETECTED
""",
}
WHOLE = '{"boxes": boxes, "scores": scores, "labels": labels}'


def detections(student, monkeypatch, detected: str, sides="(56, 28, 14)") -> dict:
    """What a made-up detector gives for three images; `detected` is what its decoding returns."""
    for name, text in DETECTOR.items():
        monkeypatch.delitem(sys.modules, name[:-3], raising=False)
        write_files(student.folder, {
            name: text.replace("DETECTED", detected).replace("SIDES", sides)})
    torch.save({"bias": torch.ones(1)}, student.folder / "results" / "best_model.pth")
    images = torch.zeros(3, 224, 224, 3, dtype=torch.uint8)
    try:
        return detector_detections(student, images, 300, 100, fresh=1)
    finally:
        for name in DETECTOR:
            sys.modules.pop(name[:-3], None)


def test_detections_are_those_of_the_students_decoding(student, monkeypatch):
    found = detections(student, monkeypatch, f"[{WHOLE} for _ in maps[0]]")
    assert found["decoding_error"] is None
    assert [image["boxes"].shape for image in found["decoded"]] == [(3, 4)] * 3
    assert len(found["raw"]) == 3 and len(found["graphs"]) == 1 and found["fresh"] == []


@pytest.mark.parametrize(
    ("detected", "reason"),
    [
        (f"[{WHOLE.replace(': scores', ': scores[1:]')}]",
         "ValueError: boxes, scores and labels of an image differ in length"),
        (f"[{WHOLE.replace(': labels', ': labels[:0]')}]",
         "ValueError: boxes, scores and labels of an image differ in length"),
        (f"[{WHOLE.replace(': boxes', ': boxes[:, :2]')}]",
         "RuntimeError: shape '[-1, 4]' is invalid for input of size 6"),
        ('[{"boxes": boxes, "scores": scores}]', "KeyError: 'labels'"),
        (f"[{WHOLE}] * 2", "ValueError: decode_predictions gave 2 detection dicts for 1 images"),
        ("None", "TypeError: 'NoneType' object is not iterable"),
        ("__import__('time').sleep(600)",
         "TimeoutError: decoding waited for something that did not come"),
        ("[0 for _ in iter(int, 1)]", "TimeoutError: decoding took more than 2 CPU seconds"),
    ],
    ids=["fewer scores", "no labels", "two numbers a box", "a key missing", "two images", "None",
         "waits", "never ends"],
)
def test_a_decoding_that_fails_leaves_the_raw_maps(student, monkeypatch, detected, reason):
    monkeypatch.setattr(accuracy, "DECODING_SECONDS", 2)
    found = detections(student, monkeypatch, detected)
    assert found["decoded"] is None and found["decoding_error"] == reason
    assert len(found["raw"]) == 3 and all(len(image["rows"]) == 300 for image in found["raw"])


@pytest.mark.parametrize(("error", "says"), [
    ("TimeoutError: decoding took more than 20 CPU seconds", "compares all with all"),
    ("RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't "
     "allocate memory: you tried to allocate 388484100 bytes.", "compares all with all"),
    ("RuntimeError: shape '[-1, 4]' is invalid", "RuntimeError: shape '[-1, 4]' is invalid"),
])
def test_what_decoding_could_not_afford_is_said_in_words(error, says):
    assert says in training_checks._why(error)


def test_a_detector_with_another_number_of_anchors(student, monkeypatch):
    with pytest.raises(Unusable) as caught:
        detections(student, monkeypatch, f"[{WHOLE}]", sides="(56, 28, 7)")
    assert str(caught.value) == "MultiScaleDetector predicts 11907 anchors, not 12348"


@pytest.mark.parametrize(("returned", "says"), [
    ({"maps": torch.zeros(1, 24, 56, 56)}, "forward returned an object of the type dict. It"),
    ([torch.zeros(1), None], "forward returned a list with an object of the type NoneType. It"),
    ([], "forward returned an empty list. It returns a tensor"),
    (None, "forward returned an object of the type NoneType. It returns a tensor, or a list of t"),
    ([torch.zeros(1, 20, 56, 56)], "MultiScaleDetector predicts a map of the shape [1, 20, 56"),
    ([torch.zeros(1, 12348, 8)], "MultiScaleDetector predicts a map of the shape [1, 12348, 8], n"),
])
def test_a_network_that_returns_something_else(returned, says):
    with pytest.raises(Unusable) as caught:
        accuracy._candidates(returned, 5)
    assert str(caught.value).startswith(says)


# --- the training log ------------------------------------------------------------------------

CURVES = [["train_loss"], ["val_loss"]]


def logged(student, text: str):
    (student.folder / "results" / "training_log.json").write_text(text, encoding="utf-8")
    return student


def test_a_training_log_is_read(student):
    content = {"train_loss": [2, 1.5], "val_loss": [3.0, 1], "lr": 0.1}
    assert training_log(logged(student, json.dumps(content)), CURVES, []) == {
        "curves": [[2, 1.5], [3, 1]], "networks": []}


def test_a_training_log_that_is_missing(student):
    with pytest.raises(Missing, match=r"^problem1/results/training_log.json is missing: run train"):
        training_log(student, CURVES, [])


@pytest.mark.parametrize(("text", "says"), [
    ("", "is no JSON: Expecting value: line 1 column 1 (char 0)"),
    ("loss = 3", "is no JSON: Expecting value: line 1 column 1 (char 0)"),
    ("[1, 2]", "but holds nothing there"),
    ("{}", "but holds nothing there"),
    ('{"train_loss": 3, "val_loss": [4]}', "but holds 3 there"),
    ('{"train_loss": ["a"], "val_loss": [1]}', 'but holds ["a"] there'),
    ('{"train_loss": [1' + "0" * 400 + '], "val_loss": [1]}', "but holds [1000"),
    ('{"train_loss": {"0": 1}, "val_loss": [1]}', 'but holds {"0": 1} there'),
])
def test_a_training_log_that_cannot_be_read(student, text, says):
    with pytest.raises(Unusable) as caught:
        training_log(logged(student, text), CURVES, [])
    shown = str(caught.value)
    assert shown.startswith("results/training_log.json ") and says in shown and len(shown) < 200
    assert "is no JSON" in says or "in ['train_loss']" in shown


def test_these_errors_are_no_verdicts():
    assert not issubclass(Unusable, Wrong) and not issubclass(Missing, Wrong)


@pytest.mark.parametrize(("error", "said"), [
    (Unrecorded("nms did not come to its end in other checks"),
     "nms did not come to its end in other checks"),
    (Missing("problem1/utils.py has no nms"), "problem1/utils.py has no nms"),
    (ValueError("0.25 is no index"), "ValueError: 0.25 is no index")])
def test_why_a_network_or_decoding_fails_is_said_without_names_of_the_kit(error, said):
    assert accuracy._why(error) == said
