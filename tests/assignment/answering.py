"""Answer hidden questions of many draws in one process, and write the answers to a file.

    python -m tests.assignment.answering FOLDERS NUMBERS DRAWS FILE

FOLDERS hold a problem of right solutions, each with files in the place of those before it. NUMBERS
are those of checks, with commas. A check has 0.1 s for each draw, and is left out of the rest then.
"""

import os
import pickle
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from autograder.assignment import ASSIGNMENT
from autograder.engine.check import Check, Question
from autograder.engine.references import draw
from autograder.engine.sandbox import wire
from autograder.engine.sandbox.child import _array, make_room
from autograder.engine.sandbox.probes import probes_of
from autograder.engine.sandbox.student import Student

SECONDS = 0.1  # of a draw, on average


def question(check: Check, number: int) -> Question:
    """The question of a draw."""
    return draw(check, number, "hidden", {})


def tensors(value):
    """The same value with tensors in the place of arrays, as it reaches student code."""
    tree, arrays = wire.flatten(value)
    return wire.unflatten(tree, [np.array(array) for array in arrays],
                          lambda array: torch.from_numpy(array.copy()))


def main(folders: str, numbers: str, count: str, out: str) -> None:
    torch.set_num_threads(1)
    probes, found = probes_of(ASSIGNMENT.package), {}
    draws = range(int(count))
    chosen = [ASSIGNMENT.by_number[number] for number in numbers.split(",")]
    questions = {check.number: [question(check, number) for number in draws] for check in chosen}
    make_room()
    with tempfile.TemporaryDirectory() as room:
        work = Path(room) / Path(folders).name
        for folder in folders.split(os.pathsep):
            shutil.copytree(folder, work, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("results", "__pycache__"))
        (work / "results").mkdir()
        own = {path.name for path in work.iterdir()} | {"__pycache__"}
        os.chdir(work)
        sys.path[:0] = [str(work)]
        student = Student(work)
        for number, asked in questions.items():
            answers, begin = [], time.monotonic()
            for place, each in enumerate(asked):
                if time.monotonic() - begin > SECONDS * len(draws):
                    break
                for path in work.iterdir():  # what the draw before has left
                    if path.name not in own:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()
                torch.manual_seed(place)
                try:
                    value = {"value": probes[each.probe](student, **tensors(each.inputs))}
                except Exception as error:
                    value = {"error": f"{type(error).__name__}: {error}"[:300]}
                answers.append(wire.unflatten(*wire.flatten(value, _array)))
            found[number] = answers
        os.chdir("/")
    Path(out).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
