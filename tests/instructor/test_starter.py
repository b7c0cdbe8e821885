"""The starter: what `strip` makes of marked sources, and whether the committed files hold up."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest

from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.assignment.tasks import TASKS
from autograder.instructor import starter
from autograder.instructor.starter import differences, generate, strip
from tests.grading import SOLUTION, STARTER, write_files

REGION = """\
def area(box):
    \"\"\"Area of a box.\"\"\"
    # BEGIN SOLUTION Task 1.3 area P1.iou
    width = box[2] - box[0]
    return width * (box[3] - box[1])
    # END SOLUTION


def given(box):
    return area(box) + 1
"""


def test_a_region_becomes_one_line():
    assert strip(REGION, "utils.py") == (
        'def area(box):\n'
        '    """Area of a box."""\n'
        '    raise NotImplementedError("Task 1.3 area: see handout, rule P1.iou")\n'
        '\n\n'
        'def given(box):\n'
        '    return area(box) + 1\n')


def test_the_stub_stands_where_the_marker_stood_and_fits_the_line():
    name = "a_function_with_a_name_that_is_as_long_as_names_get"
    text = f"def f():\n    if True:\n        # BEGIN SOLUTION Task 1.3 {name} P1.iou\n" \
           "        return 1\n        # END SOLUTION\n"
    stripped = strip(text, "utils.py")
    ast.parse(stripped)
    assert max(map(len, stripped.splitlines())) <= 100
    assert stripped.splitlines()[2:] == [
        "        raise NotImplementedError(",
        f'            "Task 1.3 {name}: see handout, rule P1.iou"',
        "        )"]


def test_a_region_without_a_task_leaves_no_trace():
    text = "x = 1\n\n\n# BEGIN SOLUTION\ndef helper():\n    return 1\n\n\n# END SOLUTION\ny = 2\n"
    assert strip(text, "utils.py") == "x = 1\n\n\ny = 2\n"


def test_a_source_without_regions_stays():
    text = "x = 1\n\n\ndef f():\n    return x\n"
    assert strip(text, "utils.py") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\n# BEGIN SOLUTION\nb = 2\n", "u.py, line 2: the region is never closed"),
        ("a = 1\n# END SOLUTION\n", "u.py, line 2: a region ends that has not begun"),
        ("# BEGIN SOLUTION\n# END SOLUTION\n# END SOLUTION\n",
         "u.py, line 3: a region ends that has not begun"),
        ("# BEGIN SOLUTION\na = 1\n# BEGIN SOLUTION\n# END SOLUTION\n",
         "u.py, line 3: a region begins inside the one of line 1"),
        ("# BEGIN SOLUTION Task 1.3\n# END SOLUTION\n",
         "u.py, line 1: malformed marker '# BEGIN SOLUTION Task 1.3'"),
        ("# BEGIN SOLUTION Task 1.3 area iou\n# END SOLUTION\n",
         "u.py, line 1: malformed marker '# BEGIN SOLUTION Task 1.3 area iou'"),
        ("# BEGIN SOLUTION 1.3\n# END SOLUTION\n", "u.py, line 1: malformed marker"),
        ("# BEGIN SOLUTION\n# END SOLUTION here\n", "u.py, line 2: malformed marker"),
        ("a = 1  # BEGIN SOLUTION\n", "u.py, line 1: malformed marker"),
        ("#BEGIN SOLUTION\na = 1\n#END SOLUTION\n", "u.py, line 1: malformed marker"),
        ("# Begin solution\na = 1\n# End solution\n", "u.py, line 1: malformed marker"),
        ("a = 1\nb = 2  # mutants: free, any b\n",
         "u.py, line 2: a comment about mutants stands outside of a region"),
    ],
)
def test_markers_that_do_not_pair_up_are_refused(text, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        strip(text, "u.py")


@pytest.fixture
def small(tmp_path):
    """A solution of two files and the starter made of it."""
    write_files(tmp_path / "solution",
                {"problem1/utils.py": REGION, "problem2/model.py": "x = 1\n"})
    starter.write(tmp_path / "solution", tmp_path / "starter")
    return tmp_path


def test_a_solution_line_outside_of_its_region_is_a_leak(small):
    path = small / "solution" / "problem1" / "utils.py"
    path.write_text(REGION + "\n# return width * (box[3] - box[1])\n", encoding="utf-8")
    assert generate(small / "solution")  # a comment that is longer is another line
    line = "        return width * (box[3] - box[1])\n"
    marked = REGION.replace(line[4:], f"{line[4:].rstrip()}  # mutants: free, any width\n")
    path.write_text(marked + "\n" + line, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(
            "problem1/utils.py, line 9: a solution line leaks: "
            "'return width * (box[3] - box[1])'")):
        generate(small / "solution")


def test_drift_is_told_file_by_file(small):
    solution, generated = small / "solution", small / "starter"
    assert differences(solution, generated) == []
    (generated / "problem1" / "utils.py").write_text("edited = True\n", encoding="utf-8")
    (generated / "problem1" / "extra.py").write_text("", encoding="utf-8")
    (generated / "problem2" / "model.py").unlink()
    assert differences(solution, generated) == [
        "starter/problem2/model.py is missing",
        "starter/problem1/extra.py has no source in solution/",
        "starter/problem1/utils.py differs from what solution/problem1/utils.py generates"]
    assert starter.write(solution, generated) == ["problem1/utils.py", "problem2/model.py"]
    assert differences(solution, generated) == []
    assert not (generated / "problem1" / "extra.py").exists()
    assert (generated / "problem1" / "results").is_dir()


def test_the_command_checks_and_writes(small, monkeypatch, capsys):
    monkeypatch.setattr("autograder.instructor.command.KIT", small)
    assert main(["starter", "--check"]) == 0
    assert capsys.readouterr().out == "starter/ is what solution/ generates\n"
    (small / "starter" / "problem1" / "utils.py").write_text("", encoding="utf-8")
    assert main(["starter", "--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "starter/ has drifted: run `python -m autograder starter`")
    assert main(["starter"]) == 0 and main(["starter", "--check"]) == 0
    (small / "solution" / "problem1" / "utils.py").write_text("# END SOLUTION\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["starter"]) == 2
    assert capsys.readouterr().err == (
        "error: problem1/utils.py, line 1: a region ends that has not begun\n")


# --- the committed starter -------------------------------------------------------------------


def test_the_committed_starter_is_what_the_solution_generates():
    assert differences(SOLUTION, STARTER) == []


def test_no_marker_and_no_line_of_a_region_is_left():
    for name, text in generate(SOLUTION).items():
        assert "SOLUTION" not in text, name
        secret = starter.region_lines((SOLUTION / name).read_text(encoding="utf-8"))
        assert not secret & {line.strip() for line in text.splitlines()}, name


STUB = re.compile(r"Task (\S+) ([\w.]+): see handout, rule (P[12]\.\S+)$")


def stubs() -> list[tuple[str, str]]:
    """`(file, message)` of every NotImplementedError in the starter."""
    found = []
    for path in sorted(STARTER.glob("problem*/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc.func.id == "NotImplementedError":
                found.append((path.relative_to(STARTER).as_posix(), node.exc.args[0].value))
    return found


def test_every_stub_names_its_task_and_a_rule_of_the_handout():
    rules, handout = ASSIGNMENT.rules, ASSIGNMENT.rules_file.read_text(encoding="utf-8")
    for file, message in stubs():
        task, name, rule = STUB.match(message).groups()
        source = (STARTER / file).read_text(encoding="utf-8")
        assert name.split(".")[0] in re.findall(r"(?:def|class) (\w+)", source), (file, message)
        if task not in TASKS:  # read by a person
            assert f"### Task {task} " in handout, (file, message)
            continue
        assert file in TASKS[task].files, (file, message)
        assert any(r == rule or r.startswith(f"{rule}.") for r in rules), (file, message)


def test_every_task_with_code_has_a_stub():
    written = {STUB.match(message).group(1) for _, message in stubs()}
    assert {task.number for task in TASKS.values() if task.file.endswith(".py")} <= written


def test_docstrings_and_arguments_stay():
    """A student sees the same interface as the solution has, and the same documentation of it."""
    def interface(path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        return {node.name: (ast.get_docstring(node), ast.unparse(node.args)
                            if isinstance(node, ast.FunctionDef) else None)
                for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}

    for path in STARTER.glob("problem*/*.py"):
        reference = interface(SOLUTION / path.relative_to(STARTER))
        for name, described in interface(path).items():
            assert reference[name] == described, (path, name)


GIVEN = {
    "problem1": """
import dataset, evaluate, loss, model, runtime, train, utils
import torch
out = {
    "area": utils.box_area(torch.tensor([[10., 10., 14., 13.]])).tolist(),
    "same": list(model.conv_block(3, 4)(torch.zeros(1, 3, 8, 8)).shape),
    "half": list(model.conv_block(3, 4, stride=2)(torch.zeros(1, 3, 8, 8)).shape),
    "wide": list(model.conv_block(3, 4, dilation=4)(torch.zeros(1, 3, 8, 8)).shape),
}
# ap_per_class is given and needs compute_ap alone
evaluate.compute_ap = lambda predictions, truths, threshold: float(len(truths[0]))
detection = {"boxes": torch.zeros(2, 4), "scores": torch.ones(2), "labels": torch.tensor([0, 2])}
target = {"boxes": torch.zeros(3, 4), "labels": torch.tensor([0, 0, 1])}
out["aps"] = evaluate.ap_per_class([detection], [target])
# detect is given and needs decode_predictions alone
evaluate.decode_predictions = lambda maps, anchors: [{"boxes": m} for m in maps[0]]
class Net(torch.nn.Linear):
    def forward(self, x): return [x, x]
found, targets = evaluate.detect(Net(1, 1).train(), [(torch.zeros(2, 3), ["a", "b"])], None)
out["detect"] = [len(found), targets]
""",
    "problem2": """
import baseline, dataset, evaluate, model, runtime, train
import pathlib
out = {"split": [path.as_posix() for path in dataset.split_paths("data", "val")]}
""",
}
RUNTIME = """
import pathlib, random, tempfile, numpy, torch
runtime.seed_everything(3)
first = [random.random(), numpy.random.rand(), torch.rand(1).item()]
runtime.seed_everything(3)
out["seeded"] = first == [random.random(), numpy.random.rand(), torch.rand(1).item()]
device = torch.device("cpu")
net = torch.nn.Conv2d(1, 1, 3)
before = net.weight.clone()
precision = runtime.choose_precision(net, torch.zeros(1, 1, 8, 8), device)
out["precision"] = str(precision) in ("float32", "bfloat16 autocast, channels last")
out["unchanged"] = torch.equal(before, net.weight) and net.weight.grad is None
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    runtime.save_atomically({"a": 1}, folder / "x.pth")
    runtime.write_json([1], folder / "x.json")
    out["files"] = sorted(path.name for path in folder.iterdir())
    out["saved"] = torch.load(folder / "x.pth", weights_only=True)
out["machine"] = sorted(runtime.describe_machine(device))
import json
print(json.dumps(out))
"""


@pytest.mark.parametrize("problem", ["problem1", "problem2"])
def test_every_file_imports_and_what_is_given_works(problem):
    run = subprocess.run(
        [sys.executable, "-B", "-c", GIVEN[problem] + RUNTIME], cwd=STARTER / problem,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    out = json.loads(run.stdout)
    assert out.pop("seeded") and out.pop("precision") and out.pop("unchanged")
    assert out.pop("files") == ["x.json", "x.pth"] and out.pop("saved") == {"a": 1}
    assert out.pop("machine") == ["device", "numpy", "processor", "python", "threads", "torch"]
    assert out == {
        "problem1": {"area": [12.0], "same": [1, 4, 8, 8], "half": [1, 4, 4, 4],
                     "wide": [1, 4, 8, 8], "aps": [2.0, 1.0, 0.0], "detect": [2, ["a", "b"]]},
        "problem2": {"split": ["data/val", "data/val_annotations.json"]},
    }[problem]
