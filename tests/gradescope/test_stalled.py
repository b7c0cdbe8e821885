"""The upload against a starter with all public answers, which stalls the grader on hidden ones."""

import os
import shutil
import sys

import numpy as np
import pytest

from autograder.engine.results import GRADER_BROKE, NOT_RUN
from autograder.engine.sandbox import wire
from tests.grading import STARTER
from tests.hostile.attacks.stalling import ATTACKS, KNOWN
from tests.hostile.submissions import SPY_MODULE, TOKEN

FUNCTIONS = {"compute_iou": "boxes1, boxes2", "encode_boxes": "boxes, anchors",
             "decode_boxes": "deltas, anchors"}
STALLS = [attack.call.removeprefix(KNOWN) for attack in ATTACKS if attack.call.startswith(KNOWN)]


def total(args) -> float:
    """What tells one question from another; `total` of the attacks."""
    return round(float(sum(np.asarray(a, np.float64).sum() for a in args)), 2)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0,
                    reason="the platform grades as root, on Linux")
@pytest.mark.timeout(600)
def test_public_answers_are_worth_nothing_once_the_grader_is_stalled(platform, public):
    known = {name: {} for name in FUNCTIONS}
    for reference in public.by_number.values():
        name = reference.question.asked.rpartition(".")[2]
        if name in FUNCTIONS and reference.question.probe == "call":
            known[name][total(reference.question.inputs["args"])] = reference.expected.tolist()
    assert sum(map(len, known.values())) > 8 and len(STALLS) > 8
    shutil.copytree(STARTER, platform.root / "submission")
    problem = platform.root / "submission/problem1"
    (problem / "spy.py").write_text(
        f"TOKEN, MAGIC, GRADER, BYSTANDER = {TOKEN!r}, {wire.MAGIC!r}, 0, 0\n{SPY_MODULE}",
        encoding="utf-8")
    stalls = "".join(f"def stall{n}(args):\n    " + body.strip().replace("\n", "\n    ") + "\n\n"
                     for n, body in enumerate(STALLS))
    functions = "".join(
        f"def {name}({arguments}):\n    return answer({name!r}, ({arguments}))\n\n"
        for name, arguments in FUNCTIONS.items())
    with (problem / "utils.py").open("a", encoding="utf-8") as file:
        file.write(f"""
from spy import *
KNOWN = {known!r}
{stalls}
def answer(name, args):
    if total(args) in KNOWN[name]:
        return torch.tensor(KNOWN[name][total(args)])
    number = int(args[0].sum()) % {len(STALLS)}
    globals()[f"stall{{number}}"](args)

{functions}""")
    results, log = platform.run()
    assert results["score"] == 0
    verdicts = {test["extra_data"]["verdict"] for test in results["tests"]}
    assert not verdicts & {NOT_RUN, GRADER_BROKE} and "BROKE" not in log
    rows = {test["number"]: test["output"] for test in results["tests"]
            if test["visibility"] == "visible"}
    assert rows["1.3.1"].startswith("Right on the public inputs, but not on other inputs")
