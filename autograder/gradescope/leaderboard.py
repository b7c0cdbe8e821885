"""An optional leaderboard: accuracies of the trained networks on images that no check uses.

The questions are those of two accuracy checks, drawn for a tier of their own. They are stored
beside the references, without an answer of the solution, since nothing is compared with it.
"""

import math
from pathlib import Path
from typing import Any

from .. import references
from ..catalogue import all_checks
from ..measure import assignment_anchors, decode, mean_average_precision, pck
from ..questions import Question
from ..submission import Submission
from ..workers import Workers

NAME = "leaderboard"


def _map(answer: Any, truth: Any) -> float:
    """mAP@0.5, through the student's own decoding or the grader's, whichever is higher."""
    anchors = assignment_anchors()
    raw = mean_average_precision([decode(image, anchors) for image in answer["raw"]], truth)
    own = mean_average_precision(answer["decoded"], truth) if answer["decoded"] else 0.0
    return max(own, raw)


COLUMNS = {  # number of the check whose question is asked -> title, what counts
    "1.14.1": ("Detector mAP@0.5", _map),
    "2.11.1": ("HeatmapNet PCK@.05", lambda answer, truth: pck(answer["trained"], truth, 0.05)),
}


def save(seed: int, made: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the questions and store them beside the references in `folder`."""
    asked = {check.number: references.ask(check, seed, NAME, made) for check in all_checks()
             if check.number in COLUMNS}
    return references.save_tree(NAME, made, {
        number: {key: getattr(question, key) for key in
                 ("problem", "probe", "inputs", "truth", "results", "cpu_seconds")}
        for number, question in asked.items()}, folder)


def entries(submission: Submission, workers: Workers, seconds: float,
            folder: Path = references.FOLDER) -> list[dict[str, Any]]:
    """The leaderboard in the format of results.json; a network that gives no answer has 0.

    Args:
        seconds: after which it is given up.
    """
    _, stored = references.load_tree(NAME, folder)
    inquiry = workers.about(submission, seconds)
    rows = []
    for number, (title, measure) in COLUMNS.items():
        question = Question(**stored[number])
        answer = inquiry.ask(question, number, references.worker_seed(number)).result()
        value = 0.0
        if answer.status == "ok":
            try:
                value = float(measure(answer.value, question.truth))
            except Exception:  # only a forged answer has a form that cannot be measured
                pass
        rows.append({"name": title, "value": round(value, 2) if math.isfinite(value) else 0.0,
                     "order": "desc"})
    return rows
