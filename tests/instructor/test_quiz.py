"""Sheets of questions about a student's own work: keys, options, files."""

import itertools
import math
import re
import shutil
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest

from autograder import KIT
from autograder.assignment import ASSIGNMENT
from autograder.engine.sandbox.pool import Workers
from autograder.engine.submission import Submission
from autograder.instructor.classroom.intake import Handed, Submitter
from autograder.instructor.quiz import functions, sheets, trained
from tests.assignment import styles
from tests.grading import copy_solution, patch, sampled

QTI = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
IMSCP = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
STYLES = ("beginner", "loops", "numpy")


def overlap(a, b):
    """IoU of two boxes, in whole numbers."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return width * height / (sum(area) - width * height)


def shown(values, digits=0):
    return f"({', '.join(f'{value:.{digits}f}' for value in values)})".replace("-0.00", "0.00")


def greedy(boxes, scores, threshold):
    waiting, kept = sorted(range(len(boxes)), key=lambda i: -scores[i]), []
    while waiting:
        best, *waiting = waiting
        kept.append(best)
        waiting = [i for i in waiting if overlap(boxes[best], boxes[i]) <= threshold]
    return kept


def area_under(hits, objects):
    """AP from the points of the precision-recall curve."""
    points = [(sum(hits[:n]) / objects, sum(hits[:n]) / n) for n in range(1, len(hits) + 1)]
    steps = [0.0, *dict.fromkeys(recall for recall, _ in points)]
    return sum((now - before) * max(p for r, p in points if r >= now)
               for before, now in itertools.pairwise(steps))


def matches(anchors, box, label):
    ious = [overlap(anchor, box) for anchor in anchors]
    best = ious.index(max(ious))
    positive = [iou >= 0.5 or i == best for i, iou in enumerate(ious)]
    labels = ", ".join(str(label + 1 if p else 0) for p in positive)
    ignored = [str(i) for i, iou in enumerate(ious) if iou >= 0.3 and not positive[i]]
    return labels, ", ".join(ignored) or "none"


def anchor(sizes, scales, image_size, at):
    (height, width), = sizes
    cells = [(i, j, s) for i in range(height) for j in range(width) for s in scales[0]]
    i, j, s = cells[at]
    x, y = (j + 0.5) * image_size / width, (i + 0.5) * image_size / height
    return shown((x - s / 2, y - s / 2, x + s / 2, y + s / 2))


def centre(box):
    return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]]


def hits(args):
    (found,), (truth,) = args
    order = sorted(range(len(found["scores"])), key=lambda i: -found["scores"][i])
    free, result = list(range(len(truth))), []
    for i in order:
        own = [t for t in free if overlap(found["boxes"][i], truth[t]) >= 0.5]
        result.append(bool(own))
        free = [t for t in free if t not in own]
    return f"{area_under(result, len(truth)):.2f}"


def mined(loss, pos_mask, neg_mask, options):
    harder = sorted(np.flatnonzero(neg_mask), key=lambda i: -loss[i])
    return ", ".join(str(i) for i in sorted(harder[:options["ratio"] * max(1, sum(pos_mask))]))


def encoded(box, anchor):
    (x, y, w, h), (ax, ay, aw, ah) = centre(box), centre(anchor)
    return shown(((x - ax) / aw, (y - ay) / ah, math.log(w / aw), math.log(h / ah)), 2)


def decoded(deltas, anchor):
    ax, ay, aw, ah = centre(anchor)
    x, y = ax + deltas[0] * aw, ay + deltas[1] * ah
    w, h = aw * math.exp(deltas[2]) / 2, ah * math.exp(deltas[3]) / 2
    return shown((x - w, y - h, x + w, y + h))


def score(row):
    powers = [math.exp(value) for value in row[4:]]
    return f"{powers[0] / (1 + powers[0]) * max(powers[1:]) / sum(powers[1:]):.2f}"


def gaussian(inputs, x, y):
    (px, py), = inputs["keypoints"]
    inside = 0 <= px < inputs["width"] and 0 <= py < inputs["height"]
    return f"{inside * math.exp(-((x - px)**2 + (y - py)**2) / 8):.2f}"


def first_peak(heatmap):
    values = heatmap[0, 0].tolist()
    most = max(map(max, values))
    return next(shown((x, y)) for y, row in enumerate(values) for x, value in enumerate(row)
                if value == most)


def share(args, length):
    off = np.hypot(*np.moveaxis(args[0][0] - args[1][0], -1, 0))
    return f"{sum(bool(value <= 0.2 * length) for value in off) / 5:.1f}"


def key_by_hand(kind, item):
    """The right option of a kind of question about a function, worked out from its inputs."""
    inputs = item.question.inputs
    args = inputs.get("args")
    if kind in ("matched-labels", "ignored-anchors"):
        return matches(args[0].tolist(), args[1][0].tolist(), int(args[2][0]))[
            kind == "ignored-anchors"]
    if kind == "beside-the-peak":
        return gaussian(inputs, *position(item.text))
    return {
        "anchor-at": lambda: anchor(*args, inputs["kwargs"]["image_size"],
                                    int(item.text.split("anchor number ")[1].split()[0])),
        "iou-of-two": lambda: f"{overlap(args[0][0].tolist(), args[1][0].tolist()):.2f}",
        "encoded": lambda: encoded(args[0][0].tolist(), args[1][0].tolist()),
        "decoded": lambda: decoded(args[0][0].tolist(), args[1][0].tolist()),
        "mined": lambda: mined(**inputs),
        "kept-boxes": lambda: ", ".join(map(str, greedy(*args))),
        "kept-count": lambda: str(len(greedy(*args))),
        "score-of-a-detection": lambda: score(args[0][0].reshape(-1).tolist()),
        "average-precision": lambda: hits(args), "duplicates": lambda: hits(args),
        "outside-the-map": lambda: gaussian(inputs, *inputs["keypoints"][0]),
        "peak-of-a-map": lambda: first_peak(args[0]),
        "pck-by-the-box": lambda: share(args, 50), "pck-with-nan": lambda: share(args, 50),
        "pck-by-the-torso": lambda: share(args, 40)}[kind]()


def position(text):
    """Column and row in "column 3, row 4"."""
    return map(int, re.search(r"column (\d+), row (\d+)", text).groups())


def wrong_keys(workers, root, draws):
    inquiry = workers.about(Submission(root, ()))
    items = [sheets.Drawn(kind, kind.draw(np.random.default_rng(seed), "standard"), {})
             for kind in functions.KINDS.values() for seed in range(draws)]
    found = {id(each): option for each, option in sheets._answers(inquiry, items)}
    keys = [(each, found.get(id(each)), key_by_hand(each.kind.name, each.item)) for each in items]
    return [(each.item.text, key, by_hand) for each, key, by_hand in keys if key != by_hand]


def test_keys_are_those_worked_out_by_hand():
    with Workers(ASSIGNMENT) as workers:
        assert wrong_keys(workers, KIT / "solution", 6) == []


@pytest.mark.slow
@pytest.mark.parametrize("style", sampled(STYLES, 3))
def test_keys_of_code_in_another_style(style, tmp_path):
    root = styles.write(style, tmp_path / "copy")
    with Workers(ASSIGNMENT) as workers:
        assert wrong_keys(workers, root, 4) == []


@pytest.fixture(scope="module")
def workers():
    with Workers(ASSIGNMENT) as workers:
        yield workers


@pytest.fixture(scope="module")
def drawn(workers):
    """The items of a class; the mistakes of two tasks are enough for wrong options here."""
    few = {name: mistake for name, mistake in sheets.all_mistakes().items()
           if mistake.task in ("1.3", "2.5")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sheets, "all_mistakes", lambda: few)
        return sheets.drawn(7, "standard", KIT / "solution", workers)


def handed(path, name="ada"):
    return Submitter(name), Handed((Submitter(name),), path)


def test_a_sheet_asks_about_code_weights_and_logs(drawn, workers):
    made = sheets.sheet(*handed(KIT / "solution"), drawn, len(sheets.KINDS), 7, workers)
    kinds = {asked.kind for asked in made.asked}
    assert len(sheets.KINDS) >= 20
    assert len(kinds & set(trained.KINDS)) >= 8
    assert len(kinds & set(functions.KINDS)) >= 16
    for asked in made.asked:
        assert len(set(asked.options)) == len(asked.options) >= 3
        assert not asked.titles[asked.key]
    named = {asked.kind for asked in made.asked if any(asked.titles)}
    assert {"peak-of-a-map", "iou-of-two"} <= named


def test_the_key_is_what_the_own_code_answers(drawn, workers, tmp_path):
    root = copy_solution(tmp_path / "copy")
    patch(root, "problem2/evaluate.py", ("def extract_keypoints_from_heatmaps(",
                                         "def extract_keypoints_from_heatmaps(heatmaps):\n"
                                         "    return _right(heatmaps).flip(-1)\n\n\ndef _right("))
    only = [each for each in drawn if each.kind.name == "peak-of-a-map"]
    right = sheets.sheet(*handed(KIT / "solution"), only, 1, 7, workers).asked[0]
    swapped = sheets.sheet(*handed(root), only, 1, 7, workers).asked[0]
    x, y = right.options[right.key].strip("()").split(", ")
    assert swapped.options[swapped.key] == f"({y}, {x})"
    place = swapped.options.index(right.options[right.key])
    assert swapped.titles[place] == (sheets.CORRECT,)
    assert all(len(titles) <= sheets.TITLES for each in drawn for titles in each.wrong.values())
    sheets.write([sheets.Sheet("ada", "", (swapped,))], tmp_path, 7)
    assert "#This is what correct code answers." in (tmp_path / "quiz.gift").read_text()
    assert f"{sheets.LETTERS[place]}: {sheets.CORRECT}" in (tmp_path / "keys.csv").read_text()


def test_the_same_seed_gives_the_same_bytes(drawn, workers, tmp_path):
    for folder in ("one", "two"):
        made = [sheets.sheet(*handed(KIT / "solution", name), drawn, 5, 7, workers)
                for name in ("ada", "bo <b>")]
        sheets.write(made, tmp_path / folder, 7)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
                for folder in ("one", "two"))
    assert one == two
    assert set(one) == {"sheets.html", "keys.csv", "quiz.gift", "quiz.zip"}
    assert made[0].asked != made[1].asked
    assert b"bo &lt;b&gt;" in one["sheets.html"]
    assert one["keys.csv"].count(b"\n") == 1 + 10
    gift = one["quiz.gift"].decode()
    assert gift.count("$CATEGORY: ") == 2
    assert gift.count("\n=") == 10
    with zipfile.ZipFile(tmp_path / "one" / "quiz.zip") as package:
        manifest = ElementTree.fromstring(package.read("imsmanifest.xml"))
        files = [file.get("href") for file in manifest.iter(f"{{{IMSCP}}}file")]
        assert sorted([*files, "imsmanifest.xml"]) == sorted(package.namelist())
        for sheet, file in zip(made, files):
            test = ElementTree.fromstring(package.read(file))
            items = list(test.iter(f"{{{QTI}}}item"))
            assert "sheet-7-" in items[0].get("ident")
            assert len(items) == len(sheet.asked)
            for item, asked in zip(items, sheet.asked):
                text, *options = [each.text for each in item.find(f"{{{QTI}}}presentation").iter(
                    f"{{{QTI}}}mattext")]
                assert (text, tuple(options)) == (sheets.as_html(asked.text), tuple(
                    map(sheets.as_html, asked.options)))
                right, = (each.findtext(f".//{{{QTI}}}varequal") for each in item.iter(
                    f"{{{QTI}}}respcondition") if each.find(f"{{{QTI}}}setvar") is not None)
                assert right == asked.letter


def test_work_without_results_is_asked_about_its_code(drawn, workers, tmp_path):
    shutil.copytree(KIT / "starter", tmp_path / "starter")
    nothing = sheets.sheet(*handed(tmp_path / "starter"), drawn, 5, 7, workers)
    assert nothing.problem == "only 0 of 5 questions could be made"
    root = copy_solution(tmp_path / "copy")
    (root / "problem1" / "utils.py").write_text("while True:\n    raise SystemExit\n")
    made = sheets.sheet(*handed(root), drawn, 5, 7, workers)
    assert len(made.asked) == 5
    assert {asked.kind for asked in made.asked} <= set(functions.KINDS)


def test_the_command_makes_sheets_of_a_class(tmp_path, capsys, monkeypatch):
    from autograder.__main__ import main

    (tmp_path / "class").mkdir()
    (tmp_path / "file").write_text("")
    assert main(["quiz", str(tmp_path), "--out", str(tmp_path / "file")]) == 2
    assert f"{tmp_path}/file is a file" in capsys.readouterr().err
    shutil.copytree(KIT / "solution", tmp_path / "class" / "ada")
    monkeypatch.setattr(sheets, "all_mistakes", dict)
    (tmp_path / "roster.csv").write_text("login,name\nada,Ada Lovelace\n")
    assert main(["quiz", str(tmp_path / "class"), "--items", "2", "--seed", "3", "--roster",
                 str(tmp_path / "roster.csv"), "--out", str(tmp_path / "quiz")]) == 0
    assert "1 sheets of seed 3" in capsys.readouterr().out
    assert "ada,Ada Lovelace,1," in (tmp_path / "quiz" / "keys.csv").read_text()
