"""Grade the starter with one function written, through `run_autograder`: does this image grade?

    python -m autograder.gradescope.selfcheck
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .. import THE_ASSIGNMENT
from ..engine.assignment import load
from ..engine.sandbox.layers import describe
from . import leaderboard

SOURCE = Path(__file__).resolve().parents[2]
RULE = "P1.collate"  # of collate_fn, a function that gives nothing away
GIVEN = '''

def collate_fn(batch):
    return torch.stack([item[0] for item in batch]), [item[1] for item in batch]
'''


class BrokenImage(Exception):
    """The image does not grade as it should; the message is for the log of the build."""


def main() -> int:
    """Say whether the image works; exit code 0 if so, else 1."""
    with tempfile.TemporaryDirectory(prefix="selfcheck-") as folder:
        root = Path(folder)
        (root / "source").symlink_to(SOURCE)
        shutil.copytree(SOURCE / "starter", root / "submission")
        with (root / "submission/problem1/dataset.py").open("a", encoding="utf-8") as file:
            file.write(GIVEN)
        run = subprocess.run(
            [SOURCE / "run_autograder"], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "AUTOGRADER_ROOT": folder})
        try:
            content = json.loads((root / "results/results.json").read_text(encoding="utf-8"))
            judge(content, (load(THE_ASSIGNMENT).references / f"{leaderboard.NAME}.json").is_file())
        except (BrokenImage, OSError, ValueError) as error:
            print(f"{run.stdout}\nTHIS IMAGE DOES NOT GRADE: {error}")
            return 1
    print(f"The check of {RULE} passes, and all others say what is not written yet.")
    print("What stands between student code and this image:")
    print("\n".join(describe(content["extra_data"]["isolation"])))
    return 0


def judge(content: dict[str, Any], with_leaderboard: bool) -> None:
    """Hold a results.json against what this submission deserves.

    Raises:
        BrokenImage: with the first difference.
    """
    if content["extra_data"]["grader_broke"] or content["extra_data"]["not_run"]:
        raise BrokenImage("the grader broke")
    for test in content["tests"]:
        passed = test["status"] == "passed"
        if passed != (test["extra_data"]["rule"] == RULE):
            raise BrokenImage(f"check {test['number']} {test['status']}: {test['output']}")
    deserved = sum(test["max_score"] for test in content["tests"] if test["status"] == "passed")
    if content["score"] < deserved:  # 0 where the check of `RULE` is worth nothing, or switched off
        raise BrokenImage(f"the score is {content['score']:g} instead of {deserved:g}")
    if with_leaderboard != ("leaderboard" in content):
        raise BrokenImage("the leaderboard is missing")


if __name__ == "__main__":
    sys.exit(main())
