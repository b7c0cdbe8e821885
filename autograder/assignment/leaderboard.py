"""What an optional leaderboard shows: accuracies of trained networks."""

from typing import Any

from ..engine.compare import sequence
from .measure import assignment_anchors, decode, mean_average_precision, pck


def _map(answer: Any, truth: Any) -> float:
    """mAP@0.5, through the student's own decoding or the grader's, whichever is higher."""
    anchors = assignment_anchors()
    raw = mean_average_precision(
        [decode(image, anchors) for image in sequence(answer["raw"], len(truth), "raw")], truth)
    own = mean_average_precision(answer["decoded"], truth) if answer["decoded"] else 0.0
    return max(own, raw)


COLUMNS = {  # number of the check whose question is asked -> title, what counts
    "1.14.1": ("Detector mAP@0.5", _map),
    "2.11.1": ("HeatmapNet PCK@.05", lambda answer, truth: pck(answer["trained"], truth, 0.05)),
}
