"""Similar works are found, independent ones are not, and no file stops the comparison."""

import ast
import itertools
import json
import random
import sys

import pytest

from autograder.instructor.classroom import similarity
from autograder.instructor.classroom.similarity import (
    EARLIER,
    FILE,
    LEAST,
    MAX_BYTES,
    MAX_FILES,
    MAX_LINE,
    SOLUTION,
    STUDENT,
    THRESHOLD,
    code,
    save,
    similar,
    sources,
)
from tests.grading import ROOT, write_files
from tests.grading import SOLUTION as SOLUTION_FOLDER

VARIANTS = ROOT / "tests" / "assignment" / "variants"


@pytest.fixture(scope="module")
def starter():
    return sources(ROOT / "starter")


@pytest.fixture(scope="module")
def variants():
    """Independent solutions: name -> files."""
    return {path.name: sources(path) for path in sorted(VARIANTS.iterdir())}


class Renamed(ast.NodeTransformer):
    """Gives every local name of a function another one."""

    def visit_FunctionDef(self, node):
        local = {n.id for n in ast.walk(node)
                 if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for n in ast.walk(node):
            if isinstance(n, ast.Name) and n.id in local:
                n.id = f"my_{n.id[::-1]}"
        return node


def disguised(content: bytes) -> bytes:
    """A copy with other names, other spacing, no comments and the functions in another order."""
    tree = Renamed().visit(ast.parse(content))
    imports = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    others = [n for n in tree.body if n not in imports]
    random.Random(0).shuffle(others)
    tree.body = imports + others
    return ast.unparse(tree).encode()


def test_independent_solutions_stay_below_half_of_the_threshold(variants, starter, monkeypatch):
    solution = sources(SOLUTION_FOLDER)
    monkeypatch.setattr(similarity, "THRESHOLD", THRESHOLD / 2)
    assert similar(variants, starter, solution) == []
    monkeypatch.setattr(similarity, "THRESHOLD", THRESHOLD / 4)
    closest = similar(variants, starter, solution)
    assert closest  # they do share something: the comparison sees it


def test_a_disguised_copy_stands_above_the_threshold_in_every_file(variants, starter):
    own = variants["defensive"]
    copy = {name.replace("utils", "tools"): disguised(text) for name, text in own.items()}
    pair, = similar({"one": own, "two": copy, "three": variants["loops"]}, starter)
    assert (pair.a, pair.b, pair.kind) == ("one", "two", STUDENT)
    assert min(pair.share_a, pair.share_b) > THRESHOLD
    assert {(m.file_a, m.file_b) for m in pair.files} == {
        (name, name.replace("utils", "tools")) for name in own}
    assert all(min(m.share_a, m.share_b) > THRESHOLD for m in pair.files)


def test_one_borrowed_file_is_found_and_alone_named(variants, starter):
    mixed = {**variants["beginner"], "problem1/utils.py": variants["sorting"]["problem1/utils.py"]}
    pair, = similar({"a": mixed, "b": variants["sorting"]}, starter)
    match, = pair.files
    assert match.file_a == match.file_b == "problem1/utils.py"
    assert (match.share_a, match.share_b) == (1, 1) and pair.share_a < THRESHOLD
    assert match.shared >= LEAST


def test_the_starter_does_not_count(starter):
    assert similar({"a": starter, "b": dict(starter)}, starter) == []
    assert similar({"a": starter, "b": dict(starter)}, {}) != []


def test_solution_and_earlier_work_are_compared_with_and_not_with_each_other(variants, starter):
    solution = {"problem1/loss.py": (SOLUTION_FOLDER / "problem1/loss.py").read_bytes()}
    own = {"problem1/loss.py": disguised(solution["problem1/loss.py"])}
    pairs = similar({"a": own, "b": variants["loops"]}, starter, solution,
                    {"2024": solution, "2025": variants["loops"]})
    assert {(p.a, p.b, p.kind) for p in pairs} == {
        ("a", "solution", SOLUTION), ("a", "2024", EARLIER), ("b", "2025", EARLIER)}


@pytest.mark.parametrize("content", [
    b"", b"\n", b"x", b"def f(:\n  '''", b"\xff\xfe\x00", b"\x00" * 5000, b"\xff" * 5000,
    b"a = 1\n" * (MAX_BYTES // 6 + 1), b"(" * 20_000, b'f"{' * 5000, "é∂ = 'ß'\r\n".encode() * 50,
], ids=["empty", "newline", "letter", "broken", "nul", "zeros", "latin", "huge", "open", "f",
        "unicode"])
def test_no_file_stops_the_comparison(content, variants, starter):
    own = variants["numpy"]
    odd = {**own, "problem1/odd.py": content}
    pair, = similar({"a": odd, "b": dict(odd), "c": {"problem1/odd.py": content}, "d": {}},
                    starter)[:1]
    assert (pair.a, pair.b) == ("a", "b") and pair.share_a == pair.share_b == 1


def test_nobody_and_one_alone_are_similar_to_none(variants, starter):
    assert similar({}, starter) == [] and similar({"a": variants["numpy"]}, starter) == []


def test_the_result_depends_on_no_order(variants, starter):
    own = {name: {**variants[name], "problem1/utils.py": variants["numpy"]["problem1/utils.py"]}
           for name in ("numpy", "loops", "sorting")}
    ways = [similar(dict(order), starter) for order in itertools.permutations(own.items())]
    assert len(ways[0]) == 3 and all(way == ways[0] for way in ways)


def test_a_folder_is_read_with_bounds(tmp_path):
    folder = write_files(tmp_path / "work", {
        "hw/problem1/utils.py": "x = 1\n", "hw/problem1/notes.txt": "", ".venv/lib.py": "y = 1\n",
        "own.py": "y = 'more than the others'\n",
        **{f"hw/problem1/a{i:03}.py": "z = 1" for i in range(MAX_FILES + 20)}})
    (folder / "hw" / "problem1" / "model.py").symlink_to("/etc/hostname")
    (folder / "hw" / "problem1" / "loss.py").mkdir()
    (folder / "loop").symlink_to(folder)
    read = sources(folder)
    assert len(read) == MAX_FILES and list(read)[:2] == ["hw/problem1/utils.py", "own.py"]
    assert not [name for name in read if not name.endswith(".py") or "venv" in name]


def test_a_copy_behind_a_wall_of_text_is_found(tmp_path, variants, starter):
    text = variants["numpy"]["problem1/utils.py"].decode()
    folder = write_files(tmp_path / "work", {
        "problem1/utils.py": "# " + "x" * MAX_BYTES + "\n" + "# y\n" * MAX_BYTES + text,
        **{f"problem1/aaa/{i}.py": "x = 1\n" * 50 for i in range(MAX_FILES)}})
    pair, = similar({"a": sources(folder), "b": variants["numpy"]}, starter)
    assert {match.file_a for match in pair.files} == {"problem1/utils.py"}


def test_a_line_that_keeps_the_lexer_busy_is_cut():
    hostile = ('x = "' + "\\N{" * (MAX_BYTES // 3)).encode()
    assert len(code(hostile)) == MAX_LINE


def test_pairs_are_saved_as_json(tmp_path, variants, starter):
    own = variants["numpy"]
    pairs = similar({"a": own, "b": own}, starter)
    save(pairs, tmp_path)
    content = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert content["threshold"] == THRESHOLD
    assert content["pairs"][0]["a"] == "a" and len(content["pairs"][0]["files"]) == len(own)


def test_without_copydetect_one_line_says_what_to_install(monkeypatch, starter):
    monkeypatch.setitem(sys.modules, "copydetect", None)
    with pytest.raises(ValueError, match="pip install -r requirements-dev.txt"):
        similar({"a": {"x.py": b"unlike any other file = 1\n"}}, {})
