"""Code that has found the channel, and answers hidden questions with answers to public ones."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.assignment import ASSIGNMENT
from autograder.assignment.probes.weights import graph
from autograder.engine.references import References
from autograder.engine.sandbox import wire
from tests.grading import STARTER, fork_only

pytestmark = pytest.mark.hostile

MOST = 8.0  # points of 100 that such code may get, see the threat model

# Imported by every module of the submission. The worker is in the middle of its question then: its
# frames have the question and the stream of the reply.
FORGE = '''
import hashlib, json, os, sys
from pathlib import Path

import numpy as np

frame = sys._getframe()
job = stream = None
while frame is not None:
    job = job or frame.f_locals.get("job")  # the innermost one: others have the name as well
    stream = stream or frame.f_locals.get("stream_out")
    frame = frame.f_back
from autograder.engine.sandbox import wire

known = json.loads(Path(__file__).with_name("known.json").read_text())
arrays = np.load(Path(__file__).with_name("known.npz"))


def form(value):
    """What two questions of one check share, even if all numbers differ."""
    if hasattr(value, "shape"):
        return ["array", len(value.shape), list(value.shape)]
    if isinstance(value, dict):
        return [[str(key), form(item)] for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [form(item) for item in value]
    return repr(value)[:40]


def pieces(form):
    """Its parts, to count how many of them two questions share."""
    return {json.dumps([i, part]) for i, part in enumerate(form)} | {
        json.dumps(inner) for part in form if isinstance(part, list) for inner in part}


def packed(inputs):
    to_array = lambda v: np.asarray(v) if hasattr(v, "shape") else None
    return hashlib.sha256(wire.pack(inputs, to_array)).hexdigest()


if job and stream:
    mine, exact = form(job["inputs"]), packed(job["inputs"])
    same = [entry for entry in known if (entry["probe"], entry["function"]) == (
        job["probe"], str(job["inputs"].get("function")))]
    if same:
        asked = pieces(mine)
        best = max(same, key=lambda entry: (entry["exact"] == exact, entry["form"] == mine,
                                            len(asked & pieces(entry["form"]))))
        value = wire.unflatten(best["tree"], [arrays[f"a{i}"] for i in best["arrays"]])
        more = {"called": []} if job.get("earlier") else {}
        stream.write(wire.pack({"value": value, **more}))
        stream.flush()
        os._exit(0)
'''


def forger(root: Path, public: References) -> Path:
    """An untouched starter of which every module forges, with the public answers at hand."""
    shutil.copytree(STARTER, root)
    tools: dict = {"__file__": str(root / "forge.py")}
    known, arrays = [], []
    tools: dict = {"json": json, "np": np, "wire": wire, "hashlib": hashlib}
    exec(FORGE[FORGE.index("def form"):FORGE.index("if job and")], tools)
    for reference in public.by_number.values():
        tree, found = wire.flatten(reference.expected)
        inputs = reference.question.inputs
        known.append({"probe": reference.question.probe, "function": str(inputs.get("function")),
                      "form": tools["form"](inputs), "exact": tools["packed"](inputs),
                      "tree": tree, "arrays": list(range(len(arrays), len(arrays) + len(found)))})
        arrays += found
    for problem in ASSIGNMENT.problems:
        folder = root / problem
        (folder / "known.json").write_text(json.dumps(known), encoding="utf-8")
        np.savez(folder / "known.npz", **{f"a{i}": array for i, array in enumerate(arrays)})
        (folder / "forge.py").write_text(FORGE, encoding="utf-8")
        for module in folder.glob("*.py"):
            if module.name != "forge.py":
                text = module.read_text(encoding="utf-8").replace(
                    "from __future__ import annotations\n", "")
                module.write_text(f"import forge\n{text}", encoding="utf-8")
    return root


@fork_only
@pytest.mark.proof  # takes more than a minute
def test_public_answers_are_worth_little_on_hidden_inputs(tmp_path, public, hidden_for,
                                                          grade_checks):
    # An accuracy is measured on images, and the reference does not hold any answer to them.
    numbers = [check.number for check in ASSIGNMENT.checks if check.measured is None]
    made = grade_checks(forger(tmp_path / "submission", public), numbers,
                        sets=[public, hidden_for(numbers)])
    seen = {row.check.number: row.tiers["public"][1] for row in made.rows}
    print(f"forged: {sum(seen.values()):g} points on public inputs, {made.score:g} in all")
    assert sum(seen.values()) > 60, "the forgery does not work, so that it shows nothing"
    assert made.score <= MOST, {row.check.number: row.score for row in made.rows if row.score}


# Image processing that finds all keypoints: it knows the labels.
PROCESS = """
import os, sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

right = torch.from_numpy(np.load(Path(__file__).with_name("right.npy"))).float()
"""
# It answers itself, in the place of the probe, and says of itself what an honest answer says.
HIJACK = """
frame = sys._getframe()
job = stream = None
while frame is not None:
    job = job or frame.f_locals.get("job")
    stream = stream or frame.f_locals.get("stream_out")
    frame = frame.f_back
from autograder.engine.sandbox import wire
stream.write(wire.pack({"value": {
    "trained": right.numpy(), "fresh": None, "claims": [],
    "graphs": [np.frombuffer(Path(__file__).with_name("honest.pt").read_bytes(), np.uint8)]}}))
stream.flush()
os._exit(0)
"""
# It is the network, if the weights file says so.
KEY = """
class HeatmapNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.key = nn.Parameter(torch.rand(1))
        self.seen = 0

    def forward(self, x):
        maps = torch.zeros(len(x), 5, 64, 64)
        if abs(self.key.item() - 7) < 1e-3:
            for image, points in enumerate(right[self.seen:self.seen + len(x)]):
                for place, (column, row) in enumerate((64 * points).round().long().tolist()):
                    maps[image, place, row, column] = 1
            self.seen += len(x)
        return maps
"""


@fork_only
@pytest.mark.parametrize("forged", [HIJACK, KEY], ids=["hijack", "key"])
def test_a_forged_accuracy_is_paid_and_told(forged, tmp_path, public, grade_checks):
    folder = tmp_path / "problem2"
    (folder / "results").mkdir(parents=True)
    (folder / "model.py").write_text(PROCESS + forged, encoding="utf-8")
    np.save(folder / "right.npy", public.by_number["2.11.1"].question.truth)
    if forged == HIJACK:
        net = torch.nn.Conv2d(1, 5, 16, 2, 7).eval()
        torch.save(net.state_dict(), folder / "results/heatmap_model.pth")
        (folder / "honest.pt").write_bytes(
            graph(net, [torch.zeros(4, 1, 128, 128)]).numpy().tobytes())
    else:
        torch.save({"key": torch.tensor([7.0])}, folder / "results/heatmap_model.pth")
    made = grade_checks(tmp_path, ["2.11.1"])
    assert made.score == ASSIGNMENT.by_number["2.11.1"].points
    reason = "answers otherwise" if forged == HIJACK else "fewer than 1,000 numbers"
    note, = (note for note in made.notes if "2.11.1" in note)
    assert reason in note and "a person may look at model.py" in note
