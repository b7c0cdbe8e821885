"""The rooms of the autograder: imports run one way, and the engine knows no assignment."""

import ast
import graphlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from autograder import engine
from autograder.assignment import ASSIGNMENT
from autograder.engine.digests import code_of
from tests.grading import ROOT, STARTER

PACKAGE = ROOT / "autograder"
# room -> the rooms it may import from; the package's own __init__ has two constants for all
MAY_IMPORT = {
    "engine": {"engine"},
    "assignment": {"assignment", "engine"},
    "gradescope": {"gradescope", "engine"},
    "instructor": {"instructor", "gradescope", "assignment", "engine"},
    "__main__": {"engine"},  # loads the assignment, and the instructor's room if it is there
}


def dotted(path: Path) -> str:
    """`engine.check` of a file of the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(path): path for path in PACKAGE.rglob("*.py")}


def imported(module: str) -> Iterator[str]:
    """The modules of the package that a module imports, anywhere but for type checkers alone."""
    path = MODULES[module]
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    package = ["autograder", *module.split(".")][:None if path.name == "__init__.py" else -1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        waiting += ast.iter_child_nodes(node)
        names = [alias.name for alias in node.names] if isinstance(
            node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            base += node.module.split(".") if node.module else []
            names = [".".join([*base, name]) for name in names]
        for name in names:
            if name.startswith("autograder."):
                name = name.removeprefix("autograder.")
                yield name if name in MODULES else name.rpartition(".")[0]


GRAPH = {module: set(imported(module)) - {""} for module in MODULES}


def test_imports_run_one_way():
    crossing = {(module, other) for module, others in GRAPH.items() for other in others
                if module and other.split(".")[0] not in MAY_IMPORT[module.split(".")[0]]}
    assert crossing == set()


def test_no_modules_import_each_other():
    list(graphlib.TopologicalSorter(GRAPH).static_order())  # raises CycleError


def test_an_assignment_uses_the_public_modules_of_the_engine():
    public = re.findall(r"^    ([\w.]+)  +\S", engine.__doc__.split("The others")[0], re.M)
    assert public and all(f"engine.{name}" in MODULES for name in public)
    used = {other for module, others in GRAPH.items() if module.split(".")[0] == "assignment"
            for other in others if other.split(".")[0] == "engine"}
    assert used <= {f"engine.{name}" for name in public}


def test_the_engine_names_nothing_of_this_assignment():
    classes, functions = set(), set()
    for path in STARTER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                classes.add(node.name)
            if isinstance(node, ast.FunctionDef) and "_" in node.name.strip("_"):
                functions.add(node.name)
    own = {*ASSIGNMENT.problems, *classes, *functions, *ASSIGNMENT.rules,
           *(check.number for check in ASSIGNMENT.every_check), "IoU", "mAP", "PCK", "EE641"}
    assert {"problem1", "HeatmapNet", "compute_iou", "1.3.2"} <= own
    for module, path in MODULES.items():
        if module.startswith("engine"):  # docstrings may give examples
            code = code_of(path.read_bytes()).decode()
            assert own & set(re.findall(r"P\d[.\w-]+|\d+\.\d+\.\d+|[A-Za-z]\w*", code)) == set(), (
                module)


def test_a_name_has_one_meaning():
    classes = Counter(node.name for path in MODULES.values()
                      for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                      if isinstance(node, ast.ClassDef))
    assert {name for name, count in classes.items() if count > 1} == set()
