"""Task 1.11: the command `train.py`: what it writes, that it resumes, and what it refuses."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from datasets import store
from datasets.recipe import Recipe

CPU = torch.device("cpu")


class CheapDetector(nn.Module):
    """The maps of the assignment from one convolution, which hardly ever see an object."""

    def __init__(self, num_anchors=3, neck=True):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.BatchNorm2d(8), nn.ReLU(),
                                    nn.Dropout(0.1), nn.Conv2d(8, 24, 1))
        self.layers[-1].bias.data[4::8] = -8.0  # objectness

    def forward(self, images):
        map56 = self.layers(images)
        return [map56, map56[..., ::2, ::2], map56[..., ::4, ::4]]


@pytest.fixture(scope="module", autouse=True)
def quick(problem1, tmp_path_factory):
    """A cheap network in float32 on the CPU, so that runs can be compared; no picture beside the
    solution."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem1.train, "MultiScaleDetector", CheapDetector)
        patch.setattr(problem1.train, "choose_device", lambda: CPU)
        patch.setattr(problem1.train, "choose_precision",
                      lambda *_: problem1.runtime.Precision(CPU, bfloat16=False))
        patch.setattr(problem1.evaluate, "RESULTS", tmp_path_factory.mktemp("beside"))
        yield


def arguments(data, out, *more, epochs=2):
    return ["--data", str(data), "--out", str(out), "--epochs", str(epochs), "--batch-size", "2",
            *more]


@pytest.fixture(scope="module")
def trained(problem1, shapes, tmp_path_factory):
    """Results of two epochs."""
    out = tmp_path_factory.mktemp("trained") / "new" / "results"
    problem1.train.main(arguments(shapes, out))
    return out


def read(path):
    return json.loads(path.read_text())


def weights_of(out):
    return torch.load(out / "best_model.pth", weights_only=True)


def assert_same_run(first, second):
    assert read(first / "training_log.json") == read(second / "training_log.json")
    for (name, value), (other, same) in zip(
            weights_of(first).items(), weights_of(second).items(), strict=True):
        assert name == other and torch.equal(value, same), name


def test_main_writes_the_deliverables(trained):
    for value in weights_of(trained).values():
        assert value.is_contiguous() and value.dtype in (torch.float32, torch.int64)
    log = read(trained / "training_log.json")
    assert {name: len(losses) for name, losses in log.items()} == {"train_loss": 2, "val_loss": 2}
    names = {path.name for path in trained.rglob("*") if path.is_file()}
    assert {"detections_0.png", "detections_1.png"} <= names
    assert not any("checkpoint" in name or "partial" in name for name in names)


def test_metrics_record(trained):
    metrics = read(trained / "metrics.json")
    log = read(trained / "training_log.json")
    assert set(metrics["ap"]) == {"circle", "square", "triangle"}
    counts = metrics["true_positives_by_map_and_class"]
    assert [len(row) for row in counts] == [3, 3, 3]
    assert metrics["train_loss"] == log["train_loss"][-1]
    assert metrics["val_loss"] == min(log["val_loss"])
    assert metrics["data"] == {"profile": "standard", "seed": 642, "palette": "class"}
    assert metrics["machine"]["torch"] == torch.__version__
    expected = {"epochs": 2, "batch_size": 2, "lr": 1e-3, "seed": 0, "neck": True,
                "precision": "float32"}
    assert {name: metrics[name] for name in expected} == expected
    assert metrics["seconds"] > 0


def test_metrics_are_those_of_the_saved_weights(problem1, shapes, trained):
    model = CheapDetector()
    model.load_state_dict(weights_of(trained))
    data, utils = problem1.dataset, problem1.utils
    dataset = data.ShapeDetectionDataset(shapes / "val", shapes / "val_annotations.json")
    loader = DataLoader(dataset, 2, collate_fn=data.collate_fn)
    anchors = utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES)
    losses = problem1.train.validate(model, loader, problem1.loss.DetectionLoss(), CPU, anchors)
    metrics = read(trained / "metrics.json")
    assert losses["loss_total"] == pytest.approx(metrics["val_loss"], rel=1e-4)
    ap = problem1.evaluate.ap_per_class(*problem1.evaluate.detect(model, loader, anchors))
    assert list(metrics["ap"].values()) == pytest.approx(ap)
    assert metrics["map"] == pytest.approx(sum(ap) / 3)


def interrupt_second_epoch(problem1, monkeypatch, argv):
    """Run main and raise KeyboardInterrupt in the validation of the second epoch."""
    validate, calls = problem1.train.validate, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(*args)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(problem1.train, "validate", interrupted)
        problem1.train.main(argv)
    assert len(calls) == 2


def test_main_resumes(problem1, shapes, trained, tmp_path, monkeypatch, capsys):
    """Interrupted in the second epoch and started again: the log and weights of one run.

    Which precision is faster is measured, and may come out differently the second time.
    """
    interrupt_second_epoch(problem1, monkeypatch, arguments(shapes, tmp_path))
    assert not (tmp_path / "metrics.json").exists()
    whole = read(trained / "training_log.json")
    assert read(tmp_path / "training_log.json") == {name: whole[name][:1] for name in whole}
    capsys.readouterr()
    monkeypatch.setattr(problem1.train, "choose_precision",
                        lambda *_: problem1.runtime.Precision(CPU, bfloat16=True))
    problem1.train.main(arguments(shapes, tmp_path))
    assert "resuming after epoch 1 of 2" in capsys.readouterr().out
    assert read(tmp_path / "metrics.json")["precision"] == "float32"
    assert_same_run(tmp_path, trained)
    assert not list(tmp_path.glob("*checkpoint*"))


@pytest.mark.parametrize("change", [["--lr", "0.01"], ["--epochs", "3"]])
def test_other_settings_start_anew(problem1, shapes, tmp_path, monkeypatch, change):
    interrupt_second_epoch(problem1, monkeypatch, arguments(shapes, tmp_path / "out"))
    problem1.train.main([*arguments(shapes, tmp_path / "out"), *change])
    problem1.train.main([*arguments(shapes, tmp_path / "whole"), *change])
    assert_same_run(tmp_path / "out", tmp_path / "whole")


def test_seeds_make_runs(problem1, shapes, tmp_path):
    logs = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        problem1.train.main(arguments(shapes, tmp_path / name, "--seed", seed))
        logs.append(read(tmp_path / name / "training_log.json"))
    assert logs[0] == logs[1] != logs[2]


def test_the_epoch_with_the_lowest_validation_loss_is_saved(problem1, shapes, tmp_path,
                                                            monkeypatch):
    """Validation losses 3, 1, 2; every epoch adds 1 to a bias that starts at 0."""
    val_losses = iter([3.0, 1.0, 2.0])

    def train_epoch(model, *_):
        model.layers[1].bias.data += 1
        return {"loss_total": 7.0}

    monkeypatch.setattr(problem1.train, "train_epoch", train_epoch)
    monkeypatch.setattr(problem1.train, "validate", lambda *_: {"loss_total": next(val_losses)})
    problem1.train.main(arguments(shapes, tmp_path, epochs=3))
    assert weights_of(tmp_path)["layers.1.bias"].tolist() == [2.0] * 8
    assert read(tmp_path / "training_log.json") == {"train_loss": [7.0] * 3,
                                                    "val_loss": [3.0, 1.0, 2.0]}
    assert read(tmp_path / "metrics.json")["val_loss"] == 1.0


def test_learning_rate_rises_and_falls(problem1, shapes, tmp_path, monkeypatch):
    """The schedule moves with the optimizer's steps: two per epoch, peak `--lr`, end near 0."""
    rates = []
    train_epoch = problem1.train.train_epoch

    def record(model, loader, criterion, optimizer, *rest):
        rates.append(optimizer.param_groups[0]["lr"])
        return train_epoch(model, loader, criterion, optimizer, *rest)

    monkeypatch.setattr(problem1.train, "train_epoch", record)
    problem1.train.main(arguments(shapes, tmp_path, "--lr", "0.02", epochs=10))
    assert max(rates) == pytest.approx(0.02, rel=0.05)
    assert rates[0] < 0.001 and rates[-1] < 0.002
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


@pytest.mark.parametrize("missing", ["everything", "val_annotations.json"])
def test_missing_dataset_is_one_line(problem1, shapes, tmp_path, capsys, missing):
    data = tmp_path / "nowhere"
    if missing != "everything":
        shutil.copytree(shapes, data)
        (data / missing).unlink()
    assert problem1.train.main(arguments(data, tmp_path / "out")) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "nowhere" in printed.err and "make datasets" in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.proof  # half a minute, most of it to measure the precisions
def test_train_as_a_command(problem1, tmp_path):
    """As a student runs it: a folder of its own, default paths, the whole backbone, precision
    measured."""
    root = tmp_path / "course"
    source = Path(problem1.train.__file__).parent
    shutil.copytree(source, root / "solution" / "problem1",
                    ignore=shutil.ignore_patterns("results", "__pycache__"))
    store.generate(Recipe(train=2, val=2), root / "datasets")
    command = [sys.executable, "problem1/train.py", "--epochs", "1", "--batch-size", "1",
               "--plain"]
    run = subprocess.run(command, cwd=root / "solution", capture_output=True, text=True,
                         env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
    assert (run.returncode, run.stderr) == (0, "")  # and no bar, which nobody watches
    assert "epoch 1/1" in run.stdout and "mAP@0.5" in run.stdout
    results = root / "solution" / "problem1" / "results"
    files = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}
    assert files == {"best_model.pth", "training_log.json", "metrics.json",
                     "visualizations/detections_0.png", "visualizations/detections_1.png",
                     "visualizations/scale_performance.png"}
    assert read(results / "metrics.json")["neck"] is False
    problem1.model.MultiScaleDetector(neck=False).load_state_dict(weights_of(results))
