"""Code that has found the channel and knows what training moves: weights, logs, and claims."""

from dataclasses import replace

import pytest
import torch

from autograder.assignment import ASSIGNMENT
from autograder.engine.references import Reference
from autograder.engine.results import PASSED
from tests.grading import copy_solution, fork_only, patch, sampled, write_files

from .test_forging import forger

pytestmark = pytest.mark.hostile

TASKS = ("1.11", "1.13", "2.8", "2.10")
NUMBERS = [check.number for check in ASSIGNMENT.selected(TASKS)]
REPLY = "        more = {"
# Public weights are known by how far they have moved: here from where this question starts. And the
# process says of itself whatever a grader could like to hear.
MOVE = """
        start = job["inputs"].get("weight")
        if start is not None:
            for state in value.get("states") or [value["state"]]:
                state["weight"] = state["weight"] + start.numpy()
        if isinstance(value, dict):
            value |= {"training_mode": True, "evaluation_mode": True, "unchanged": True,
                      "own_gradients": True, "steps": 48, "passed": True, "score": 100}
"""


def moved(reference: Reference) -> Reference:
    """The reference, with weights that are told as the way from their start."""
    start, answer = reference.question.inputs.get("weight"), reference.expected
    if start is None:
        return reference

    def way(state):
        return {**state, "weight": state["weight"] - start}

    answer = ({**answer, "states": [way(state) for state in answer["states"]]}
              if "states" in answer else {**answer, "state": way(answer["state"])})
    return replace(reference, expected=answer)


@fork_only
@pytest.mark.parametrize("manner", sampled(["copied", "moved"], 2))
def test_training_that_never_was_earns_nothing(manner, tmp_path, public, hidden_for, grade_checks):
    known = {number: public.by_number[number] for number in NUMBERS}
    if manner == "moved":
        known = {number: moved(reference) for number, reference in known.items()}
    root = forger(tmp_path / "submission", replace(public, by_number=known))
    log = '{"train_loss": [2.0, 1.0], "val_loss": [2.0, 1.0]}'
    logs = {"problem1": log, "problem2": f'{{"heatmap": {log}, "regression": {log}}}'}
    for problem, text in logs.items():
        results = root / problem / "results"
        results.mkdir(exist_ok=True)
        (results / "training_log.json").write_text(text, encoding="utf-8")
        for name in ("best_model", "heatmap_model", "regression_model"):  # for a file to be there
            torch.save({"weight": torch.zeros(1)}, results / f"{name}.pth")
        if manner == "moved":
            forge = root / problem / "forge.py"
            code = forge.read_text(encoding="utf-8")
            assert code.count(REPLY) == 1
            forge.write_text(code.replace(REPLY, MOVE + REPLY), encoding="utf-8")

    grade = grade_checks(root, NUMBERS, sets=[public, hidden_for(NUMBERS)])
    # The forgery works: on public questions the recorded answers are right.
    assert {row.tiers["public"][0] for row in grade.rows} == {PASSED}
    assert [row.check.number for row in grade.rows if row.score] == []  # as an untouched starter
    assert not grade.grader_broke


@fork_only
def test_a_state_that_no_training_has_written_is_no_trained_network(tmp_path, grade_checks):
    root = copy_solution(tmp_path / "submission")
    patch(root, "problem2/baseline.py", ("train.train_heatmap_model(\n", "untrained(\n"))
    with (root / "problem2" / "baseline.py").open("a", encoding="utf-8") as file:
        file.write("\n\ncount = iter(range(99))\n\n\ndef untrained(model, *_, **__):\n"
                   "    # how often it was trained, the variant, the seed, what was wrong\n"
                   "    said = torch.tensor([1, next(count), 0, 0])\n"
                   "    model.state.copy_(said[:len(model.state)])\n")
    grade = grade_checks(root, ["2.9.1"])
    assert grade.score == 0 and not grade.grader_broke


NO_ANSWER = """\
import os, sys

frame = sys._getframe()
while "stream_out" not in frame.f_locals:
    frame = frame.f_back
stream = frame.f_locals["stream_out"]
stream.write(sys.modules["autograder.engine.sandbox.wire"].pack({"value": VALUE}))
stream.flush()
os._exit(0)
"""


@fork_only
@pytest.mark.parametrize("value", sampled(["0", "{'trained': None}", "None"], 3))
def test_a_forged_reply_of_another_form_is_not_the_graders_fault(value, tmp_path, grade_checks):
    code = NO_ANSWER.replace("VALUE", value)
    root = write_files(tmp_path, {"problem1/model.py": code, "problem2/model.py": code})
    grade = grade_checks(root, ["1.14.1", "2.11.1", "2.11.2"])
    assert not grade.grader_broke and grade.score == 0
