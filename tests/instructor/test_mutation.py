"""Mutants of the solution: how they are made, excused and caught."""

import contextlib
import json
import re
from collections import Counter
from dataclasses import replace
from inspect import cleandoc

import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import all_mistakes
from autograder.assignment.tasks import TASKS
from autograder.engine.compare import Wrong
from autograder.engine.references import References
from autograder.engine.sandbox import pool as workers
from autograder.instructor.proof.excuses import (
    KINDS,
    Excuse,
    excuses_of,
    excuses_of_solution,
)
from autograder.instructor.proof.mutation import Mutant, mutants_of, mutants_of_solution
from autograder.instructor.proof.spread import Spread, Tried, over_draws, partly_right, repeat
from autograder.instructor.proof.survival import Survival, Verdict, excuse_of, sample, try_out
from tests.grading import SOLUTION, copy_solution, functional, patch

pytestmark = pytest.mark.proof

EVERY = 41  # of the sample in CI: about 25 mutants


def mutants(body: str, task: str = " Task 1.3 f P1.iou") -> list[Mutant]:
    """Mutants of a function with the given body, which is its graded region."""
    lines = [f"    {line}" for line in body.splitlines()]
    source = "\n".join(["def f(a, b):", f"    # BEGIN SOLUTION{task}", *lines,
                        "    # END SOLUTION", "    return 1 + 1", ""])
    return mutants_of(source, "problem1/utils.py")


@pytest.mark.parametrize(("line", "changed"), [
    ("x = a + b", {"x = a - b"}),
    ("x = a // b % a", {"x = a / b % a", "x = a // b // a"}),
    ("x = a & b", {"x = a | b"}),
    ("x = a >= b", {"x = a > b", "x = a < b"}),
    ("x = a is not b", {"x = a is b"}),
    ("x = a and b", {"x = a or b"}),
    ("x = a if b else f", {"x = a if not b else f"}),
    ("x = not a", {"x = a"}),
    ("x = ~a", {"x = a"}),
    ("x = -a", {"x = a"}),
    ("x = a[..., 2]", {"x = a[..., 3]", "x = a[..., 1]", "x = a[2, ...]"}),
    ("x = 0.5", {"x = 1.0", "x = 0.25"}),
    ("x = True", {"x = False"}),
    ("x = a.amax(b)", {"x = a.amin(b)", "x = a"}),
    ("x = max(1, a)", {"x = min(1, a)", "x = max(2, a)", "x = max(0, a)"}),
    ('x = f(a, b, reduction="sum")',
     {'x = f(a, b, reduction="mean")', "x = f(a, b, )", 'x = f(b, a, reduction="sum")'}),
    ("x = a[:b]", {"x = a[:b + 1]", "x = a[:b - 1]"}),
    ("x = a.clamp(min=b)", {"x = a.clamp()", "x = a"}),
    ("x = a.to(b.device)", set()),
    ("x = torch.arange(b, device=a)", set()),
    ("x = torch.log(a)", {"x = torch.log2(a)", "x = (a)"}),
    ("x, y = a", {"y, x = a"}),
    ("x: int = f", set()),
    ("a.step(b)", {"pass"}),
    ("a[b] = f", {"pass"}),
    ("a += b", {"a -= b", "pass"}),
    ('raise ValueError(f"{a + 1}")', {"pass"}),
    ('x = f"{a + 1}"', set()),
    ('"""Adds 1 to 2."""', set()),
])
def test_a_line_and_its_mutants(line, changed):
    found = mutants(line)
    assert {mutant.mutated for mutant in found} == changed
    assert len(found) == len(changed)
    for mutant in found:
        assert (mutant.original, mutant.line, mutant.function) == (line, 3, "f")
        assert mutant.tasks == ("1.3",)
        assert mutant.text.splitlines()[2].strip() == mutant.mutated
        compile(mutant.text, mutant.file, "exec")


def test_only_what_differs_is_shown_of_several_lines():
    body = "x = f(\n    a,\n    b[1],\n)\nreturn x"
    shown = {(m.line, m.original, m.mutated) for m in mutants(body)}
    assert shown == {(5, "b[1],", "b[2],"), (5, "b[1],", "b[0],"), (4, "a, b[1],", "b[1], a,")}
    for mutant in mutants(body):
        assert mutant.text.endswith("    )\n    return x\n    # END SOLUTION\n    return 1 + 1\n")


def test_regions_without_a_task_belong_to_the_tasks_of_their_file():
    source = ("# BEGIN SOLUTION\nHALF = 0.5\n# END SOLUTION\n"
              "def f(a):\n    # BEGIN SOLUTION Task 1.3 f P1.iou\n    return not a\n"
              "    # END SOLUTION\n"
              "class C:\n    def g(self):\n"
              "        # BEGIN SOLUTION Task 1.5 g P1.match\n        return -1\n"
              "        # END SOLUTION\n"
              "def h():\n    # BEGIN SOLUTION Task 2.99 h P2.none\n    return 2\n"
              "    # END SOLUTION\n")
    places = {(m.line, m.function, m.tasks) for m in mutants_of(source, "problem1/utils.py")}
    assert places == {(2, "", ("1.3", "1.5")), (6, "f", ("1.3",)), (11, "C.g", ("1.5",))}


@pytest.fixture(scope="module")
def of_solution():
    return mutants_of_solution(SOLUTION)


def test_every_mutant_is_another_program(of_solution):
    assert len(of_solution) > 1500
    assert len({(mutant.file, mutant.text) for mutant in of_solution}) == len(of_solution)
    for mutant in of_solution[::20]:
        source = (SOLUTION / mutant.file).read_text(encoding="utf-8")
        assert mutant.text != source
        bare = [" ".join(re.sub("#.*", "", text).split()) for text in (mutant.original, source)]
        assert bare[0] in bare[1]
        compile(mutant.text, mutant.file, "exec")


def excused(body: str) -> tuple[list[Mutant], list[Excuse]]:
    """The mutants and the excuses of a file with this text as a region."""
    source = f"# BEGIN SOLUTION Task 1.3 f P1.iou\n{cleandoc(body)}\n# END SOLUTION\nx = 1\n"
    return mutants_of(source, "problem1/utils.py"), excuses_of(source, "problem1/utils.py")


@pytest.mark.parametrize(("body", "lines"), [
    ("x = a + b  # mutants: free, so it is\ny = a + b", {2}),
    ("x = a + b\n# mutants: free, so it is\ny = a + b\nz = a + b\n\nz = a + b", {4, 5}),
    ("# mutants: free, so it is\n# mutants: free, so it is\nx = a + b\n\nz = a + b", {4, 6}),
    ("x = a + b\n# mutants: free, so it is\ndef f(a):\n    a += b\n\n    a += b\n\n\ny = a + b",
     {5, 7}),
    ("for a in b:\n    # mutants: free, so it is\n    x = a + b\ny = a + b", {4}),
    ("x = f(\n    # mutants: free, so it is\n    a + b,\n)\ny = a + b", {4}),
])
def test_an_excuse_is_about_its_line_or_the_block_below_or_a_region(body, lines):
    mutants, excuses = excused(body)
    assert {m.line for m in mutants if excuses[0].fits(m) and m.operator == "arithmetic"} == lines
    assert excuses[0].reason == "so it is" and "# mutants" not in str(mutants)


@pytest.mark.parametrize(("line", "change", "mutated"), [
    ("x = a[0] + b[0]", "0 -> -1", {"x = a[-1] + b[0]", "x = a[0] + b[-1]"}),
    ("x = f(a, dtype=b, dim=1)", "without dtype=b", {"x = f(a, dim=1)"}),
    ("x = a.sum().mean()", "without .sum()", {"x = a.mean()"}),
    ("x = f(len(a), g(b, 1))", "swap len(a), g(b, 1)", {"x = f(g(b, 1), len(a))"}),
    ("a.step()", "a.step() -> pass", {"pass"}),
    ("x = a + b", "without a; a + b -> a - b", {"x = a - b"}),
])
def test_an_excuse_that_lists_changes_is_about_no_others(line, change, mutated):
    mutants, (excuse,) = excused(f"{line}  # mutants: equivalent ({change}), so it is")
    assert {mutant.mutated for mutant in mutants if excuse.fits(mutant)} == mutated


def test_an_excuse_that_is_not_true_is_reported():
    (plus, minus), excuses = excused("""
        x = a + b  # mutants: equivalent (a + b -> a - b; without a), so it is
        y = a - b  # mutants: free, so it is
        z = a  # mutants: unasked, so it is
        """)
    survival = Survival([plus, minus], excuses,
                        [Verdict(plus, "1.3.1", "is wrong"), Verdict(minus, "1.3.2", "is wrong")])
    assert survival.untrue() == [
        "problem1/utils.py, line 2: equivalent: there is no mutant without a",
        "problem1/utils.py, line 2: equivalent: check 1.3.1 does catch x = a - b",
        "problem1/utils.py, line 3: free: every mutant is caught",
        "problem1/utils.py, line 4: unasked: there is no such mutant",
    ]


def test_excused_mutants_do_not_count_and_others_do():
    found, excuses = excused("""
        x = a + b
        y = a - b  # mutants: free, so it is
        z = a * b
        z = a // b
        """)
    survival = Survival(found, excuses, [Verdict(found[0], "1.3.1"), *(
        Verdict(mutant, None) for mutant in found[1:])])
    assert survival.caught == 1 and survival.share == 1 / 3
    assert survival.survivors == found[2:]
    assert survival.summary() == [
        "4 of 4 mutants: 1 caught, 2 survive (33.3% caught)",
        "  1 more do what the rules leave free",
        "  survives: problem1/utils.py:4 z = a * b  ->  z = a / b",
        "  survives: problem1/utils.py:5 z = a // b  ->  z = a / b"]
    assert survival.failures() == ["33.3% of the mutants are caught, less than 97%"]


@pytest.mark.parametrize(("excuse", "says"), [
    ("harmless, so it is", "there is no kind 'harmless' (there are equivalent, free, unasked)"),
    ("free", "not of the form `# mutants: KIND (CHANGES), REASON`"),
    ("equivalent, so it is", "changes that are equivalent are listed one by one"),
    ("free (0 for 1), so it is",
     "'0 for 1' is none of `old -> new`, `without old` and `swap a, b`"),
])
def test_an_excuse_that_cannot_be_read_is_named_with_its_line(excuse, says):
    with pytest.raises(ValueError, match=f"^{re.escape(f'problem1/utils.py, line 3: {says}')}$"):
        excused(f"x = a + b\ny = a + b  # mutants: {excuse}")


def test_the_excuses_of_the_solution_name_mutants_that_it_has(of_solution):
    excuses = excuses_of_solution(SOLUTION)
    assert Survival(of_solution, excuses, []).untrue() == []
    kinds = Counter(given.kind for m in of_solution if (given := excuse_of(m, excuses)))
    assert set(kinds) == set(KINDS)
    assert kinds["equivalent"] < 0.1 * len(sample(of_solution, excuses, 1))


def test_a_sample_of_mutants_is_caught(of_solution, warm, public):
    # Networks of full size take seconds each.
    quick = [mutant for mutant in of_solution if not mutant.file.endswith("model.py")]
    chosen = sample(quick, excuses_of_solution(SOLUTION), EVERY)
    assert 20 <= len(chosen) <= 30
    verdicts = try_out(SOLUTION, chosen, public, warm)
    assert {str(verdict.mutant) for verdict in verdicts if verdict.check is None} == set()
    for verdict in verdicts:
        assert verdict.check.rsplit(".", 1)[0] in verdict.mutant.tasks and verdict.message


def test_the_command_prints_and_stores(tmp_path, capsys, warm, monkeypatch):
    monkeypatch.setattr(workers, "Workers", lambda *_: contextlib.nullcontext(warm))
    code = main(["prove", "--mutants", "--sample", "700", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert code == 0, printed
    stored = json.loads((tmp_path / "mutants.json").read_text(encoding="utf-8"))
    assert stored["survivors"] == [] and stored["caught"] == stored["tried"] == 2
    assert stored["caught_by"][0]["message"]
    assert f"2 of {stored['mutants']} mutants: 2 caught, 0 survive (100.0% caught)\n" in printed


def test_a_solution_that_is_wrong_itself_proves_nothing(tmp_path, warm, public):
    copy_solution(tmp_path)
    patch(tmp_path, "problem1/utils.py", (".clamp(min=0)", ""))
    mutant = next(m for m in mutants_of_solution(tmp_path) if m.function == "compute_iou")
    with pytest.raises(Wrong, match=r"the solution itself fails check 1\.3\.2: iou\["):
        try_out(tmp_path, [mutant], public, warm)


def some(references: References, *tasks: str) -> References:
    return replace(references, by_number={number: references.by_number[number]
                                          for number in functional(*tasks)})


def test_grades_of_the_solution_are_all_the_same(public, tmp_path, warm):
    repeats = repeat(SOLUTION, some(public, "1.3", "1.11", "2.8"), 3, [warm])
    assert repeats.failures() == [] and len(set(repeats.scores)) == 1
    assert repeats.summary() == [
        f"3 grades of one submission: {repeats.scores[0]:g} points, 0 rows differ"]


def test_a_grade_that_depends_on_chance_is_found(public, tmp_path, warm):
    copy_solution(tmp_path)
    patch(tmp_path, "problem1/utils.py",
          ("    top_left = torch.maximum", "    import os\n    boxes1 = boxes1 + os.urandom(1)[0]\n"
                                           "    top_left = torch.maximum"))
    repeats = repeat(tmp_path, some(public, "1.3"), 2, [warm])
    assert any(re.match(r"grade 2 of check 1\.3\.\d: .*should be.* instead of ", line)
               for line in repeats.failures())


def test_points_that_depend_on_the_draw_are_found(public, tmp_path, warm):
    by_chance, wrong = copy_solution(tmp_path / "1"), copy_solution(tmp_path / "2")
    patch(by_chance, "problem1/utils.py",
          ("    top_left = torch.maximum", "    boxes1 = boxes1 + int(boxes1.sum() * 97) % 2\n"
                                           "    top_left = torch.maximum"))
    patch(wrong, "problem1/utils.py", ("    top_left = torch.maximum", "    raise\n"
                                       "    top_left = torch.maximum"))
    asked = frozenset({"1.3"})
    full, scores = over_draws(
        {"right": Tried(SOLUTION, asked, True), "lucky": Tried(by_chance, asked),
         "wrong": Tried(wrong, asked)}, SOLUTION, some(public, "1.3", "1.4"), [1, 2, 3], warm)
    own = sum(check.points for check in ASSIGNMENT.selected("1.3"))
    assert scores["right"] == [full] * 3 and scores["wrong"] == [full - own] * 3
    spread = Spread(scores, ["right"], full, .6)
    assert [line.split(" deviates by ")[0] for line in spread.failures()] == [
        "lucky", "points for trained accuracy deviate by 0.60 over the images"]


def test_submissions_that_are_right_in_part_say_where(tmp_path):
    for name, tried in partly_right(SOLUTION, tmp_path, 4).items():
        tasks = {all_mistakes()[mistake].task for mistake in name.split()}
        assert tasks <= tried.tasks and not tried.right
        assert tried.tasks >= {task.number for task in TASKS.values() if tasks & {*task.needs}}
