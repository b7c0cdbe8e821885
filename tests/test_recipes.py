"""The recipes of CONTRIBUTING.md, each performed on a copy of the kit: one edit, in one place.

None of them asks the known mistakes again, unless a question has changed.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from tests.grading import worth

pytestmark = pytest.mark.slow

KIT = Path(__file__).resolve().parents[1]
BOXES = "autograder/assignment/checks/test_p1_boxes.py"
POINTS = "autograder/assignment/points.toml"
TASKS = "autograder/assignment/tasks.py"
ALL_STORED = "public references for seed 641: 0 of "
IOU = float(worth("1.3"))
NO_MISTAKE = "known mistakes: 0 of "


class Copy:
    """A copy of the kit to edit and to run commands in."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("autograder", "datasets", "handout", "starter", "solution"):
            shutil.copytree(KIT / name, folder / name, ignore=shutil.ignore_patterns(
                "__pycache__", "visualizations", "runs", "study", "hidden.*", "*.png"))

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a passage that stands in a file once."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} holds {text.count(old)} times: {old}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def points(self, changes: dict[str, float | None]) -> None:
        """Give checks other points (None: their line goes); the total follows."""
        path, now = self.folder / POINTS, ASSIGNMENT.points
        text, total = path.read_text(encoding="utf-8"), now.total
        for number, value in changes.items():
            line = "" if value is None else f"{number} = {value:g}\n"
            text, there = re.subn(rf"^{re.escape(number)} = \S+\n", line, text, flags=re.M)
            if not there:
                text = re.sub(r"^\[points\].*\n", rf"\g<0>{line}", text, flags=re.M)
            total += (value or 0) - now.by_number.get(number, 0)
        path.write_text(re.sub(r"^total = \S+", f"total = {total:g}", text, flags=re.M),
                        encoding="utf-8")

    def run(self, *arguments: str) -> str:
        """What `python -m autograder ...` prints; it has to succeed."""
        done = subprocess.run([sys.executable, "-m", "autograder", *arguments], cwd=self.folder,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def nothing_to_ask(self) -> bool:
        """Whether all that is stored still holds."""
        said = self.run("references")
        return ALL_STORED in said and NO_MISTAKE in said


@pytest.fixture
def kit(tmp_path) -> Copy:
    return Copy(tmp_path)


@pytest.mark.proof
def test_another_tolerance(kit):
    kit.edit(BOXES, 'of the first argument."""\n    close(answer, expected, "iou")',
             'of the first argument."""\n    close(answer, expected, "iou", rtol=1e-3)')
    assert kit.nothing_to_ask()
    assert f"Total {IOU:g} / {IOU:g}" in kit.run("grade", "solution", "--only", "1.3")


@pytest.mark.proof
def test_another_sentence_and_another_title(kit):
    kit.edit(BOXES, "Boxes that lie apart or only touch have IoU 0.", "Boxes apart have IoU 0.")
    kit.edit(TASKS, '"IoU"', '"Intersection over union"')
    assert kit.nothing_to_ask()
    said = kit.run("grade", "starter", "--only", "1.3.3")
    assert "Boxes apart have IoU 0." in said and "Intersection over union" in said


@pytest.mark.proof
def test_other_points_none_and_extra_points(kit):
    one, two, left = (ASSIGNMENT.by_number[n].points for n in ("1.3.1", "1.3.3", "2.7.1"))
    kit.points({"1.3.1": 0, "1.3.3": one + two, "2.7.2": None})
    kit.edit(POINTS, "\n[extra]", "\n[extra]\n2.7.2 = 0.5")
    assert kit.nothing_to_ask()
    assert f"Total {IOU:g} / {IOU:g}" in kit.run("grade", "solution", "--only", "1.3")
    assert f"Total {left + 0.5:g} / {left:g}" in kit.run("grade", "solution", "--only", "2.7")


@pytest.mark.proof
def test_a_task_switched_off(kit):
    total = ASSIGNMENT.points.total
    kit.edit(POINTS, f"total = {total:g}", f"total = {total - float(worth('2.7')):g}")
    kit.edit(POINTS, "off = []", 'off = ["2.7"]')
    assert kit.nothing_to_ask()
    shown = kit.run("points") + kit.run("grade", "starter", "--only", "2")
    assert "2.7  " not in shown and "2.8  " in shown


@pytest.mark.proof
def test_a_new_check_with_a_new_rule(kit):
    kit.edit("handout/rules.md", "- **P1.iou.tiny**",
             "- **P1.iou.itself** A box with an area has IoU 1 with itself.\n- **P1.iou.tiny**")
    kit.edit(BOXES, '@check("1.4.1"', '''@check("1.3.9", "P1.iou.itself",
       lambda rng: (lambda some: call1(IOU, some, some))(boxes(rng, 3)))
def test_iou_of_a_box_with_itself(answer, expected):
    """Every box has IoU 1 with itself."""
    close(np.diagonal(answer), np.ones(3), "the diagonal of iou")


@check("1.4.1"''')
    kit.points({"1.3.9": 0.5})
    with pytest.raises(AssertionError, match="nothing is stored"):
        kit.run("references")
    said = kit.run("references", "--yes")
    assert "new check 1.3.9\n  asked:   compute_iou(torch" in said and "  answers: [[1, " in said
    assert "public references for seed 641: 1 of " in said
    asked = int(re.search(r"known mistakes: (\d+) of", said)[1])
    assert 0 < asked < 20  # those of task 1.3
    assert f"Total {IOU + 0.5:g} / {IOU + 0.5:g}" in kit.run("grade", "solution", "--only", "1.3")
    assert "Rule P1.iou.itself: A box" in kit.run("grade", "starter", "--only", "1.3.9")


@pytest.mark.proof
def test_a_new_known_mistake(kit):
    kit.edit("autograder/assignment/mistakes/boxes.py", "MISTAKES = [\n", '''MISTAKES = [
    mistake(
        "iou-halved", "returns half of the IoU",
        "Every value is half as large as it should be. Divide by the union alone.",
        "P1.iou.value/1", [("HERE", "HERE")]),
''')
    utils = (kit.folder / "solution/problem1/utils.py").read_text(encoding="utf-8")
    last = re.search(r"def compute_iou.*?\n(    return [^\n]+)\n", utils, re.S)[1]
    kit.edit("autograder/assignment/mistakes/boxes.py", '("HERE", "HERE")',
             f"({last!r}, {last + ' / 2'!r})")
    said = kit.run("references")
    assert ALL_STORED in said and "known mistakes: 1 of " in said
    wrong = kit.folder / "wrong"
    shutil.copytree(kit.folder / "solution", wrong)
    kit.edit("wrong/problem1/utils.py", last, f"{last} / 2")
    assert "returns half of the IoU" in kit.run("grade", "wrong", "--only", "1.3")


@pytest.mark.proof
def test_other_floors_and_targets(kit):
    kit.edit(POINTS, "floor = 0.65\ntarget = 0.94", "floor = 0.60\ntarget = 0.80")
    assert kit.nothing_to_ask()
    assert "nothing at 60%, all from 80%" in kit.run("points")
