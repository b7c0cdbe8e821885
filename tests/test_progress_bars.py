"""Progress bars are for people who watch: a file or a pipe gets a line a minute at most."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.engine.command import Bar

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("folder", ["autograder", "datasets", "handout", "solution", "starter"])
def test_no_bar_where_nobody_watches(folder):
    """`disable=None` lets tqdm look whether it writes to a terminal, which a notebook is not."""
    for path in {*(ROOT / folder).rglob("*.py")} - {*(ROOT / "handout/notebooks").iterdir()}:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and "tqdm" in {
                    getattr(part, "id", None) for part in (call.func, *call.args)}:
                keywords = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert keywords.get("disable") == "None", f"{path}, line {call.lineno}"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no terminals of this kind")
def test_the_bar_of_a_grade_moves():
    """Whoever judges must not capture it."""
    ours, theirs = os.openpty()
    subprocess.run([sys.executable, "-m", "autograder", "grade", "starter", "--only", "1.3"],
                   cwd=ROOT, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 10**5).decode()
    os.close(ours)
    assert "starting ..." in shown and re.search(r"check 1\.3\.\d: .*\d/8 ", shown), shown


def test_a_pipe_gets_lines(capsys):
    """What takes hours says so in a log, and what takes seconds says nothing."""
    assert [*Bar(range(5), "short", unit="check")] == [*range(5)]
    assert capsys.readouterr().err == ""
    bar = Bar(total=8, desc="grading", unit="submission")
    bar.update(2)
    bar.refresh()  # as after a minute
    bar.close()
    assert re.fullmatch(r"grading: 2 of 8, 00:00 so far, \S+ left\n", capsys.readouterr().err)
