"""The report of the study: its numbers come from data, and the page is whole."""

import html as markup
import json
import re
import shutil

import numpy as np
import pytest
import torch

from handout import chromium
from handout.__main__ import REPORT, main
from handout.figures.detection import seen_pixels
from handout.problems import KIT, load
from handout.study import report, runs, training
from handout.study.report import detection, keypoints, stored
from tests.browser import DESKTOP, PHONE, broken_images, overflowing

pytestmark = pytest.mark.slow
IMAGES = 16


def change(folder, name, **values):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The report of results of which two have changed."""
    base = tmp_path_factory.mktemp("report")
    folder = base / "results"
    shutil.copytree(runs.RESULTS, folder)
    result = json.loads((folder / "keypoints-pooling-1.json").read_text())
    change(folder, "keypoints-pooling-1", pck=result["pck"] | {"0.10": 0.987},
           machine=result["machine"] | {"processor": "a slide rule"})
    change(folder, "detector-standard-0", map=0.123456)
    path = base / "report.html"
    path.write_text(report.build(folder, IMAGES), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def text(built):
    """What a reader sees: no tags, no style, one space between words."""
    body = built.read_text(encoding="utf-8").split("</style>")[1]
    return " ".join(markup.unescape(re.sub(r"<[^>]+>", " ", body)).split())


# --- the page --------------------------------------------------------------------------------


def test_no_number_is_typed():
    """In texts and captions: only names of problems, definitions of thresholds, formats."""
    allowed = re.compile(r"Problem [12]:|\(P1[.\w, -]+\)|95 %|"
                         r"(IoU|IoU of|at least|score|score of|Below|below) \.[35]\b|"
                         r"loss × 1000|answering 0|%[+]?\.\df")
    for path in report.TEXTS:
        text = path.read_text(encoding="utf-8")
        code = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.S)
        captions = [words for part in code.findall(text)
                    for words in re.findall(r'"([^"]*)"', part) if " " in words]
        said = "\n".join([code.sub("", text), *captions])
        assert re.findall(r".{,20}\d+.{,10}", allowed.sub("", said)) == [], path.name


def test_numbers_follow_the_stored_results(text):
    standard = [json.loads((runs.RESULTS / f"detector-standard-{seed}.json").read_text())["map"]
                for seed in (1, 2)]
    pooling = [json.loads((runs.RESULTS / f"keypoints-pooling-{seed}.json").read_text())["pck"]
               for seed in (0, 2)]
    for written in (f"{np.mean([0.123456, *standard]):.3f} (0.123–{max(standard):.3f})",
                    f"{min(pck['0.10'] for pck in pooling):.3f}–0.987", "a slide rule"):
        assert written in text


def test_what_was_asked_for_is_there(text):
    for words in (
        "Accuracy and training", "What the rules cost", "What the anchors cover",
        "What a cell sees", "What the maps show",
        "Which map finds which class and size", "Do maps specialise?",
        "HeatmapNet, published – 98.9 100.0 100.0 100.0",
        "RegressionNet, published – 3.9 14.6 29.1 43.4", "Error by keypoint", "Where they fail",
        "The collapse to the average pose", "One reason, isolated", "soft-argmax",
        "What the choices of HeatmapNet are worth", "no skip connections",
        "Losses of different targets cannot be compared", "sort-by-x oracle",
        "Do heatmaps model uncertainty?", "How it was measured", torch.__version__.split("+")[0],
    ):
        assert words in text, words


def test_links_and_figures_are_whole(built):
    html = built.read_text(encoding="utf-8")
    targets = re.findall(r'\bid="([^"]+)"', html)
    assert len(targets) == len(set(targets))
    assert {link.removeprefix("#") for link in re.findall(r'href="([^"]*)"', html)} <= set(targets)
    assert not re.search(r"<script|<link|@import|url\(|https?://(?!www\.w3\.org)", html)
    shown = re.findall(r'id="figure-([^"]+)"', html)
    assert sorted(shown) == sorted(report.FIGURES)
    assert all(len(draw.__doc__.split()) > 15 for draw in report.FIGURES.values())


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_sticks_out(open_page, built, width):
    page = open_page(built, width)
    assert overflowing(page) == [] and broken_images(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_is_wide_enough(open_page, built):
    page = open_page(built, 665)  # A4 less its margins
    page.emulate_media(media="print")
    assert overflowing(page) == []
    assert page.evaluate("""() => [...document.querySelectorAll(".wide")]
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))""") == []


# --- the command -----------------------------------------------------------------------------


def test_the_command_writes_where_git_does_not_look(monkeypatch, tmp_path, capsys):
    assert "/handout/report/" in (KIT / ".gitignore").read_text().splitlines()
    assert REPORT == KIT / "handout" / "report"
    monkeypatch.setattr(report, "build", lambda: "<p>page</p>")  # built above
    monkeypatch.setattr(chromium, "find", lambda: None)
    assert main(["report", "--out", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "report.html").read_text() == "<p>page</p>"
    assert "no PDF: no Chromium here" in capsys.readouterr().out


def test_missing_and_damaged_data_end_in_one_line(monkeypatch, tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="python -m handout.study"):
        stored.load(tmp_path)
    (tmp_path / "keypoints-pooling-0.json").write_text("{")  # the first of the study
    with pytest.raises(ValueError, match="keypoints-pooling-0.json is damaged"):
        stored.load(tmp_path)
    monkeypatch.setattr(runs, "KIT", tmp_path)
    assert main(["report", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and "run `make train PROBLEM=1`" in error
    assert not (tmp_path / "out").exists()


def test_a_result_outlives_comments_and_no_change_of_code_or_data(monkeypatch, tmp_path):
    shutil.copytree(KIT / "solution" / "problem1", tmp_path / "solution" / "problem1",
                    ignore=shutil.ignore_patterns("results"))
    data = tmp_path / "datasets" / "detection"
    data.mkdir(parents=True)
    for split in ("train", "val"):
        (data / f"{split}_annotations.json").write_text("{}")
    monkeypatch.setattr(runs, "KIT", tmp_path)
    run = runs.RUNS["detector-standard-0"]
    keys = [run.key()]
    loss = tmp_path / "solution" / "problem1" / "loss.py"
    for old, new in (("# A stable sort", "# Sorting"), ("ratio=3", "ratio=2")):
        loss.write_text(loss.read_text().replace(old, new))
        keys.append(run.key())
    (data / "val_annotations.json").write_text("[]")
    assert keys[0] == keys[1] and len({*keys, run.key()}) == 3


# --- measurements ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured():
    return detection.Detection(stored.load()[0], IMAGES)


@pytest.fixture(scope="module")
def problem1():
    return load(KIT / "solution" / "problem1")


def test_found_objects_are_those_that_the_solution_counts(measured, tmp_path):
    batch = (measured.images(), [{"boxes": torch.tensor(s.boxes), "labels": torch.tensor(s.labels)}
                                 for s in measured.samples])
    counts = measured.problem.evaluate.analyze_scale_performance(
        measured.model, [batch], measured.anchors, tmp_path)
    found = measured.objects.found >= 0
    own = np.zeros_like(counts)
    np.add.at(own, (measured.objects.found[found], measured.objects.label[found]), 1)
    assert counts.sum() > 20 and own.tolist() == counts.tolist()


def test_the_truth_in_place_of_a_rule(measured):
    rules = measured.rules
    plain = rules["as the rules are"]
    assert plain["hits"] == (measured.objects.found >= 0).sum() < plain["confident"]
    silent, rated = rules["ignored anchors silent"], rules["no score above the IoU of its box"]
    assert silent["confident"] < plain["confident"] and silent["hits"] == plain["hits"]
    assert plain["coco"] + 0.05 < min(rated["coco"], rules["positives with exact boxes"]["coco"])


def test_the_target_of_an_objectness_can_be_the_iou(problem1):
    anchors = [torch.tensor([[0.0, 0, 10, 10], [0, 0, 20, 20]]), torch.tensor([[80.0, 80, 90, 90]])]
    targets = [{"boxes": torch.tensor([[0.0, 0, 10, 10]]), "labels": torch.tensor([1])},
               {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}]
    # Two anchors in one cell, then one: the first is the object's, its box half as wide.
    maps = [torch.zeros(2, 16, 1, 1), torch.zeros(2, 8, 1, 1)]
    maps[0][0, 2:5, 0, 0] = torch.tensor([np.log(0.5), 0, 3])
    given, other = (criterion()(maps, targets, anchors) for criterion in (
        problem1.loss.DetectionLoss, training.with_iou_target(problem1)))
    changed = {name: float(other[name] - given[name]) for name in given}
    # cross-entropy at the target .5 - at the target 1 = (1 - .5) * the logit 3, for one positive
    assert changed == pytest.approx(
        {"loss_obj": 1.5, "loss_total": 1.5, "loss_cls": 0, "loss_loc": 0}, abs=1e-5)


def test_finer_decoders_are_closer():
    data = keypoints.Keypoints({}, IMAGES)
    whole, quarter, parabola = data.decoders.values()
    assert whole["error"] > quarter["error"] > parabola["error"]
    assert whole["pck"] == pytest.approx(
        data.pck(data.heatmap.points)[keypoints.STRICT], abs=1e-4)


def test_giou_of_offsets():
    boxes = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0], [0, 0, np.log(2), 0]])
    # the same; side by side; a box apart: 1 + 1/3; twice as wide: 1 - 1/2
    for box, loss in zip(boxes, (0, 1, 4 / 3, 1 / 2)):
        assert training.giou_loss(box[None], torch.zeros(1, 4)).item() == pytest.approx(loss)


def test_anchor_coverage_is_that_of_all_anchors(measured):
    anchors = torch.cat(measured.anchors)
    boxes = torch.cat([torch.tensor(sample.boxes) for sample in measured.samples])
    best = measured.problem.utils.compute_iou(boxes, anchors).max(dim=1).values
    assert np.allclose(measured.objects.iou.max(axis=1), best, atol=1e-5)


@pytest.mark.proof
def test_receptive_fields_with_and_without_a_border(measured):
    assert tuple(field.theoretical for field in measured.plain_fields) == seen_pixels()
    assert tuple(field.measured for field in measured.plain_fields) == seen_pixels()
    # 14 x 14: 65 pixels of the backbone, and dilations of 1, 2, 4, 6 cells of 16 pixels both ways
    assert measured.reference_fields[2].theoretical == 65 + 2 * 13 * 16


def test_the_square_that_holds_a_share():
    magnitude = np.zeros((9, 9))
    magnitude[4, 4], magnitude[4, 6] = 6, 4  # the middle, and 2 pixels to its right
    assert detection._holding(magnitude, 4.5, 0.5) <= 1
    assert detection._holding(magnitude, 4.5, 0.9) == 4


def test_calibration_of_a_perfect_and_of_a_boastful_net():
    right = np.array([True] * 3 + [False])
    honest = keypoints.calibrate(right, np.array([0.78, 0.76, 0.74, 0.72]))
    assert honest.gap == pytest.approx(0) and honest.bins == [(pytest.approx(0.75), 0.75, 4)]
    boastful = keypoints.calibrate(right, np.array([0.98, 0.99, 1.01, 1.02]))
    assert boastful.gap == pytest.approx(0.25)


def test_the_oracle_of_classic_data_is_the_audit_s():
    data = keypoints.Keypoints(stored.load()[0], 200)
    pck = data.pck(data.oracle, data.classic_truth)
    assert [round(pck[t], 3) for t in keypoints.THRESHOLDS[1:]] == [0.836, 0.862, 0.892, 0.924]


def test_the_claim_about_pooling_follows_the_numbers():
    def study(pooled, placed):
        values = {"keypoints-pooling": pooled, "keypoints-pooling-no-dropout": pooled,
                  "keypoints-flatten": placed, "keypoints-flatten-no-dropout": placed,
                  "keypoints-soft-argmax": placed}
        return {group: [{"pck": {"0.20": value}}] for group, value in values.items()}

    assert report._pooling_isolated(study(0.5, 0.9)) is True
    assert report._pooling_isolated(study(0.9, 0.5)) is False
