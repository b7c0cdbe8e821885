"""Progress bars are for people who watch: none goes into a file or a pipe."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("folder", ["autograder", "datasets", "handout", "solution", "starter"])
def test_no_bar_where_nobody_watches(folder):
    """`disable=None` lets tqdm look whether it writes to a terminal."""
    for path in (ROOT / folder).rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and "tqdm" in {
                    getattr(part, "id", None) for part in (call.func, *call.args)}:
                keywords = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert keywords.get("disable") == "None", f"{path}, line {call.lineno}"
