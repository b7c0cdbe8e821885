"""Tasks 2.8 and 2.9: training, and the commands around it."""

import json

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu(problem2):
    """The same arithmetic on every machine, also where there is a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem2.train, "choose_device", lambda: torch.device("cpu"))
        yield


# --- training ------------------------------------------------------------------------------


class TinyHeatmapNet(nn.Sequential):
    """4x4 patches of a 16 x 16 image to a 4 x 4 map, with dropout, so that randomness matters."""

    def __init__(self):
        super().__init__(nn.Conv2d(1, 64, 4, stride=4), nn.BatchNorm2d(64), nn.ReLU(),
                         nn.Dropout(0.1), nn.Conv2d(64, 2, 1))


class TinyRegressionNet(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(256, 4), nn.Sigmoid())


class Interrupted(list):
    """Batches that raise KeyboardInterrupt in the given pass."""

    def __init__(self, batches, at_pass):
        super().__init__(batches)
        self.passes_left = at_pass

    def __iter__(self):
        self.passes_left -= 1
        if self.passes_left == 0:
            raise KeyboardInterrupt
        return super().__iter__()


CASES = {"train_heatmap_model": (TinyHeatmapNet, (2, 4, 4)),
         "train_regression_model": (TinyRegressionNet, (4,))}


@pytest.fixture(params=CASES)
def case(request, problem2):
    """(training function, network class, data set) for both targets."""
    network, shape = CASES[request.param]
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(10, 1, 16, 16, generator=generator)
    targets = torch.full((10, *shape), 0.9)
    train = getattr(problem2.train, request.param)
    return train, network, TensorDataset(images, targets)


def shuffled(dataset):
    return DataLoader(dataset, batch_size=4, shuffle=True)


def test_validation_changes_nothing(case):
    """Same weights and buffers whatever the validation images are, and measured in eval mode."""
    train, network, dataset = case
    images, targets = dataset.tensors
    models, logs = [], []
    for val_images in (images, images * 100):
        torch.manual_seed(0)
        models.append(network())
        batches = [(images, targets)]
        logs.append(train(models[-1], batches, [(val_images, targets)], num_epochs=3))
    for first, second in zip(*(model.state_dict().values() for model in models), strict=True):
        assert torch.equal(first, second)
    models[0].eval()
    with torch.no_grad():
        expected = nn.functional.mse_loss(models[0](images), targets).item()
    assert logs[0]["val_loss"][-1] == pytest.approx(expected, rel=1e-5)


def test_losses_are_means_over_images_not_over_batches(case):
    train, network, dataset = case
    logs = []
    for batch_size in (3, 10):  # 10 images: the last batch of 3 holds a single one
        torch.manual_seed(0)
        loader = DataLoader(dataset, batch_size=batch_size)
        logs.append(train(network(), shuffled(dataset), loader, num_epochs=1))
    assert logs[0]["val_loss"] == pytest.approx(logs[1]["val_loss"], rel=1e-5)


def test_resumed_training_equals_an_uninterrupted_one(case, tmp_path, capsys):
    train, network, dataset = case
    val_batches = [dataset.tensors]

    def start(val_loader, checkpoint=None, seed=5):
        torch.manual_seed(seed)
        model = network()
        return model, train(model, shuffled(dataset), val_loader, num_epochs=6,
                            checkpoint=checkpoint, run={"seed": 5})

    whole, whole_log = start(val_batches)
    checkpoint = tmp_path / "checkpoint.pth"
    with pytest.raises(KeyboardInterrupt):
        start(Interrupted(val_batches, at_pass=4), checkpoint)
    # Another seed now: everything must come from the checkpoint.
    resumed, resumed_log = start(val_batches, checkpoint, seed=99)
    assert resumed_log == whole_log
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
    # Finished: the same weights and log again, without another step.
    again, again_log = start(Interrupted(val_batches, at_pass=1), checkpoint)
    assert again_log == whole_log
    assert torch.equal(next(again.parameters()), next(whole.parameters()))


@pytest.mark.parametrize("change", [{"num_epochs": 3}, {"run": {"seed": 2}}])
def test_checkpoint_of_another_run_is_not_continued(case, tmp_path, capsys, change):
    train, network, dataset = case
    options = {"num_epochs": 2, "run": {"seed": 1}, "checkpoint": tmp_path / "checkpoint.pth"}
    loaders = shuffled(dataset), [dataset.tensors]
    train(network(), *loaders, **options)
    torch.manual_seed(0)
    log = train(network(), *loaders, **(options | change))
    assert "other settings" in capsys.readouterr().out
    torch.manual_seed(0)
    assert train(network(), *loaders, num_epochs=len(log["train_loss"])) == log


def test_long_training_measures_its_precision_and_a_resumed_one_keeps_it(case, problem2, tmp_path,
                                                                         monkeypatch):
    train, network, dataset = case
    probes = []

    def probe(model, images, device):
        probes.append(len(images))
        return problem2.runtime.Precision(device, bfloat16=True)

    monkeypatch.setattr(problem2.train, "choose_precision", probe)
    options = {"num_epochs": 34, "checkpoint": tmp_path / "checkpoint.pth"}
    log = train(network(), shuffled(dataset), [dataset.tensors], **options)  # 34 * 3 steps
    assert probes == [4] and log["train_loss"][-1] < log["train_loss"][0]
    train(network(), shuffled(dataset), [dataset.tensors], **options)
    assert probes == [4]
    assert torch.load(options["checkpoint"], weights_only=True)["bfloat16"] is True


# --- main and the studies ------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(problem2, figures, tmp_path_factory):
    """Folder of the results of one short run of main()."""
    out = tmp_path_factory.mktemp("out") / "results"
    arguments = ["--data", str(figures), "--out", str(out), "--epochs", "2", "--batch-size", "4"]
    assert problem2.train.main(arguments) == 0
    return out


def test_main_writes_the_deliverables(problem2, trained):
    for name, network in (("heatmap", problem2.model.HeatmapNet),
                          ("regression", problem2.model.RegressionNet)):
        state = torch.load(trained / f"{name}_model.pth", weights_only=True)
        network().load_state_dict(state)
        for value in state.values():
            assert value.is_contiguous() and value.dtype in (torch.float32, torch.int64)
    log = json.loads((trained / "training_log.json").read_text())
    assert set(log) == {"heatmap", "regression"}
    for curve in log.values():
        assert {key: len(values) for key, values in curve.items()} == {"train_loss": 2,
                                                                       "val_loss": 2}
    files = {path.name for path in trained.rglob("*") if path.is_file()}
    assert {"pck_curves.png", "heatmap_0.png", "regression_0.png"} <= files
    assert not any("checkpoint" in name or "partial" in name for name in files)


def test_metrics_record(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert set(metrics) == {"heatmap", "regression", "mean_pose"}
    for row in metrics.values():
        assert list(row["pck"]) == ["0.05", "0.10", "0.15", "0.20"]
    log = json.loads((trained / "training_log.json").read_text())
    for name in ("heatmap", "regression"):
        row = metrics[name]
        assert row["val_mse"] == log[name]["val_loss"][-1]
        assert row["seconds"] > 0 and row["epochs"] == 2 and row["seed"] == 0
        assert row["precision"] == "float32"
        assert row["data"] == {"profile": "standard", "seed": 642, "train": 8, "val": 5}
        assert row["machine"]["torch"] == torch.__version__


def test_predictions_come_in_image_pixels(problem2, figures):
    """Networks that answer with the encoded truth: regression is exact, heatmaps within a pixel
    of the 64 x 64 map, which is two of the image, rounded to the nearer."""
    split = problem2.dataset.split_paths(figures, "val")
    loader = DataLoader(problem2.dataset.KeypointDataset(*split, output_type="regression"), 2)
    truths = torch.tensor([image["keypoints"] for image in loader.dataset.images]).float()

    class Oracle(nn.Module):
        def __init__(self, output_type):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))
            dataset = problem2.dataset.KeypointDataset(*split, output_type=output_type)
            self.answers = iter([target for _, target in dataset])

        def forward(self, images):
            return torch.stack([next(self.answers) for _ in images])

    for output_type, tolerance in (("regression", 0), ("heatmap", 1)):
        predictions, found = problem2.evaluate.predict_keypoints(Oracle(output_type), loader)
        assert torch.equal(found, truths)
        assert (predictions - truths).abs().max() <= tolerance


def test_main_stops_and_resumes(problem2, figures, trained, tmp_path, monkeypatch, capsys):
    """Interrupted in the second epoch of the second network; the result is that of one run."""
    arguments = ["--data", str(figures), "--out", str(tmp_path), "--epochs", "2",
                 "--batch-size", "4"]
    run_epoch = problem2.train._run_epoch
    calls = []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 7:  # training and validation, two epochs, then one of the second network
            raise KeyboardInterrupt
        return run_epoch(*args)

    monkeypatch.setattr(problem2.train, "_run_epoch", interrupted)
    assert problem2.train.main(arguments) == 130
    assert "same command" in capsys.readouterr().err
    assert problem2.train.main(arguments) == 0
    assert len(calls) == 9  # the epoch that was interrupted, and nothing else again
    assert (tmp_path / "training_log.json").read_text() == (
        trained / "training_log.json").read_text()


def test_only_one_network(problem2, figures, trained, tmp_path):
    """It is trained as in a full run, and what is known about the other is kept."""
    (tmp_path / "training_log.json").write_text('{"heatmap": {"train_loss": [], "val_loss": []}}')
    arguments = ["--data", str(figures), "--out", str(tmp_path), "--epochs", "2",
                 "--batch-size", "4", "--only", "regression"]
    assert problem2.train.main(arguments) == 0
    log = json.loads((tmp_path / "training_log.json").read_text())
    full = json.loads((trained / "training_log.json").read_text())
    assert log == {"heatmap": {"train_loss": [], "val_loss": []}, "regression": full["regression"]}
    assert not (tmp_path / "heatmap_model.pth").exists()


def test_missing_dataset_is_one_line(problem2, tmp_path, capsys):
    for main in (problem2.train.main, problem2.baseline.main):
        out = tmp_path / "out"
        assert main(["--data", str(tmp_path / "nowhere"), "--out", str(out)]) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1
        assert "nowhere" in printed.err and "make datasets" in printed.err
        assert not out.exists()


def test_failures_without_weights_is_one_line(problem2, figures, tmp_path, capsys):
    arguments = ["--data", str(figures), "--out", str(tmp_path), "--only", "failures"]
    assert problem2.baseline.main(arguments) == 2
    assert "make train PROBLEM=2" in capsys.readouterr().err


def test_the_full_ablation_varies_one_factor_at_a_time(problem2):
    baseline = problem2.baseline
    variants = [baseline.DEFAULT_VARIANT | change for change in baseline.ABLATION]
    assert {row["heatmap_size"] for row in variants} == {32, 64, 128}
    assert {row["sigma"] for row in variants} == {1.0, 2.0, 3.0, 4.0}
    assert {row["skip"] for row in variants} == {True, False}
    assert all(len(change) <= 1 for change in baseline.ABLATION)


def test_baseline_main(problem2, figures, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(problem2.baseline, "ABLATION", ({},))
    for name in ("heatmap", "regression"):
        (tmp_path / f"{name}_model.pth").write_bytes((trained / f"{name}_model.pth").read_bytes())
    arguments = ["--data", str(figures), "--out", str(tmp_path), "--epochs", "1"]
    assert problem2.baseline.main(arguments) == 0
    assert len(json.loads((tmp_path / "ablation.json").read_text())) == 1
    cases = json.loads((tmp_path / "failure_cases.json").read_text())
    assert set(cases) == {"both_right", "only_heatmap", "only_regression", "both_wrong"}
    assert "both_wrong" in capsys.readouterr().out
