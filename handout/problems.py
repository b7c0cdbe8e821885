"""Import the modules of one problem, which import each other by bare names."""

import importlib
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

KIT = Path(__file__).resolve().parents[1]
SOLUTION = KIT / "solution"


def load(folder: Path) -> SimpleNamespace:
    """All modules of a folder, freshly imported: `load(KIT / "solution" / "problem1").utils`.

    `sys.path` and `sys.modules` are left as they were, so that both problems, each with a
    `dataset.py` and a `model.py` of its own, can be used side by side.
    """
    names = sorted(path.stem for path in folder.glob("*.py"))
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


@cache
def solution(problem: int) -> SimpleNamespace:
    """The modules of the reference's problem 1 or 2, imported once."""
    return load(SOLUTION / f"problem{problem}")
