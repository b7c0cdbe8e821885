"""How accuracies become points."""

from ..compare import Wrong
from ..measure import credit

GRADING_IMAGES = {"detector": 60, "keypoints": 200}


def award(accuracy: float, untrained: float, expected: dict, points: float, name: str,
          set_score, note: str = "") -> None:
    """Set the score between floor and target; raise `Wrong` with the numbers if it is not full.

    Args:
        untrained: what the same network reaches with fresh weights: one that scores without its
            weights was not trained, whatever its accuracy.
        expected: `floor`, `target` and `reference` of this term.
    """
    floor, target = expected["floor"], expected["target"]
    if untrained >= max(floor, 0.1):
        set_score(0.0)
        raise Wrong(f"With fresh random weights your network reaches {name} {untrained:.2f} as "
                    "well: what it answers does not come from training.")
    score = credit(accuracy, floor, target, points)
    set_score(score)
    if score < points or note:
        text = (f"{name} is {accuracy:.2f}; full points from {target:.2f}, none at {floor:.2f} "
                f"(the reference reaches {expected['reference']:.2f}).{note}")
        if score < points:
            raise Wrong(text)
