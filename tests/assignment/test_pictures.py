"""What pictures must show: odd styles pass, and what is missing is said."""

from pathlib import Path

import pytest

from tests.grading import failed, message, sampled, write_files

pytestmark = pytest.mark.slow

CHECKS = ["1.12.3", "2.7.1", "2.7.2"]
STYLES = sorted((Path(__file__).parent / "variants" / "odd" / "pictures").glob("*.py"))


def submission(root: Path, text: str) -> Path:
    """The same functions in both problems."""
    return write_files(root, {"problem1/evaluate.py": text, "problem2/evaluate.py": text})


@pytest.mark.parametrize("style", sampled(STYLES, 6), ids=lambda path: path.stem)
def test_fair(style, tmp_path, grade_checks, public, hidden_for):
    text = style.read_text(encoding="utf-8")
    grade = grade_checks(submission(tmp_path, text), CHECKS, sets=[public, hidden_for(CHECKS)])
    assert failed(grade) == set()


PLAIN = next(path for path in STYLES if path.stem == "plain").read_text(encoding="utf-8")


@pytest.mark.parametrize(("old", "new", "number", "says"), sampled([
    ("for found in (ground_truths, predictions)", "for found in (predictions, predictions)",
     "1.12.3", "does not show the ground truth on the image"),
    ("for found in (ground_truths, predictions)", "for found in (ground_truths, ground_truths)",
     "1.12.3", "does not show the detections on the image"),
    ('found["boxes"].numpy()', 'found["boxes"].numpy()[:, [1, 0, 3, 2]]',
     "1.12.3", "does not show the"),
    ('(image.permute(1, 2, 0).numpy() * 255)', "np.full((224, 224, 3), 128)",
     "1.12.3", "is not to be seen in its picture"),
    ("image.permute(1, 2, 0)", "image.permute(2, 1, 0)", "1.12.3", "is not to be seen"),
    ("Image.fromarray(np.concatenate(copies, axis=1))",
     "Image.fromarray(np.concatenate(copies, axis=1)[::-1])", "1.12.3", "the image upside down:"),
    ("Image.fromarray(np.concatenate(copies, axis=1))", "Image.new('RGB', (400, 300), 'white')",
     "1.12.3", "writes to save_path is empty: all of it has one colour."),
    ("Image.fromarray(np.concatenate(copies, axis=1)).save(save_path)",
     "Image.fromarray(copies[0]).save(save_path, format='JPEG')", "1.12.3", "a JPEG file"),
    ("for x, y in points.tolist()", "for y, x in points.tolist()",
     "2.7.2", "at their place; at (y, x) something is drawn"),
    ("for x, y in points.tolist()", "for x, y in points[1:].tolist()",
     "2.7.2", "does not show the predicted keypoints on the image, at their place."),
    ("(gt_keypoints, \"lime\")", "(pred_keypoints, \"lime\")",
     "2.7.2", "does not show the true keypoints on the image"),
    ("    picture.save(save_path)\n", "", "2.7.2", "but nothing was found there"),
    ("(pck_heatmap, pck_regression))", "(pck_heatmap, pck_heatmap))",
     "2.7.1", "is each curve drawn, and all of it?"),
    ("ax.set_ylim(0, 1.05)", "ax.set_ylim(0, 1.05); ax.invert_xaxis()",
     "2.7.1", "turns an axis round"),
], 3))
def test_flaws(old, new, number, says, tmp_path, grade_checks):
    assert PLAIN.count(old) == 1
    grade = grade_checks(submission(tmp_path, PLAIN.replace(old, new)), CHECKS)
    assert failed(grade) == {number}
    assert says in message(grade, number)


SCALE = '''
import matplotlib.pyplot as plt
import numpy as np
from pathlib import Path

def analyze_scale_performance(model, dataloader, anchors):
    counts = np.zeros((3, 3), int)
    for images, targets in dataloader:
        for index, m in enumerate(model(images)):
            rows = m.unflatten(1, (3, 8)).transpose(1, 2)
            for label in rows[:, 5:].argmax(1)[rows[:, 4] > 0]:
                counts[index, label] += 1
    Path("results/visualizations").mkdir(parents=True, exist_ok=True)
    plt.figure()
    plt.{draw}
    plt.savefig("results/visualizations/scale_performance.png")
    return counts
'''


@pytest.mark.parametrize(("draw", "says"), sampled([
    ("bar(range(9), counts.ravel())", None),
    ("table(counts.astype(str).tolist(), loc='center')", None),
    ("bar(range(3), counts.sum(axis=0))", "is the same for other counts"),
    ("title('counts')", "is the same for other counts"),
    ("close(); plt.figure()", "scale_performance.png is empty: all of it has one colour."),
    ("imshow(np.random.default_rng().random((9, 9)))", "differs although the counts are the same"),
], 2))
def test_counts_are_drawn(draw, says, tmp_path, grade_checks):
    root = write_files(tmp_path, {"problem1/evaluate.py": SCALE.format(draw=draw)})
    grade = grade_checks(root, ["1.12.2"])
    assert failed(grade) == (set() if says is None else {"1.12.2"})
    assert says is None or says in message(grade, "1.12.2")
