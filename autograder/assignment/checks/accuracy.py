"""How accuracies become points, and which weights count as trained."""

import math
import re
from collections.abc import Callable
from typing import Any

from ...engine.check import Judgement
from ...engine.compare import Wrong

# RegressionNet must beat the mean pose by three standard errors: more images, less luck.
GRADING_IMAGES = {"detector": 70, "2.11.1": 200, "2.11.2": 400}
# How many of them a network with fresh weights sees as well, where the grader cannot run it itself.
# A RegressionNet may start as the mean pose, near its floor: with fewer images than for the floor,
# chance would decide.
FRESH = {"detector": 8, "2.11.1": 20, "2.11.2": 400}
# Images on which weights must show that they have learned something, and how much that is: mAP or
# PCK beyond what answers to other images reach. Chance comes to .04 and seldom to .1, half of the
# target to .15.
DELIVERED = {"detector": 10, "keypoints": 40}
SOMETHING = 0.1
CANDIDATES, DETECTIONS = 300, 100  # raw rows of an image (of 100, mAP is .03 lower), and decoded

CLAIM_FILES = ("metrics.json", "training_log.json")
MOST_CLAIMS, LONGEST = 1000, 200  # claims that are looked at, and characters of their places
APART = 0.1  # by which a claim may be off: validation and grading images differ
MAP_KEY = re.compile(r"(val|valid|validation|best|final|test)*(map|meanap|meanaverageprecision)"
                     r"(at)?(iou)?(0?50?)?")


def learned(beyond: float, name: str, file: str, images: str = "made for grading") -> None:
    """Weights are those of a network that has learned something: its accuracy on some `images` lies
    far enough `beyond` that of answers to other images.

    Raises:
        Wrong: it does not show that.
    """
    if not beyond >= SOMETHING:
        raise Wrong(f"{name} on a few images {images}, with the weights in results/{file}, "
                    f"is {max(beyond, 0):.2f} higher than with answers to other images; "
                    f"{SOMETHING:g} would show that the network has learned something. Was it "
                    "trained for long enough, on images in 0..1, and were the weights saved "
                    "afterwards?")


def untrained(judgement: Judgement, seen: Any, number: int, file: str, fresh: float,
              accuracy: Callable[[Any, Any], float]) -> float:
    """The accuracy of a network without what it has learned. It is remarked where this rests on the
    word of the submission alone.

    Args:
        seen: what `networks_apart` returned, None where nothing came; number: of the network in it.
        fresh: the accuracy with fresh weights, as the submission says.
        accuracy: `accuracy(answers, images)` of answers to the images with these numbers.
    """
    found = {"lacks": "nothing came back"} if seen is None else seen[number]
    lacks = found["lacks"]
    if not lacks:
        trained, noised, shuffled = (accuracy(found[name], found["images"])
                                     for name in ("trained", "noised", "shuffled"))
        if trained - noised <= max(SOMETHING, trained / 2):
            return shuffled
        lacks = "what it answers hangs on the last digits of its weights"
    judgement.remarks.append(
        f"The grader could not see for itself what the network of results/{file} does ({lacks}), "
        "and takes the word of your code for it. This costs nothing; a person may look at "
        "model.py.")
    return fresh


def award(judgement: Judgement, accuracy: float, untrained: float, expected: dict,
          claims: list[tuple[str, float]], shortfall: Callable[[], str]) -> None:
    """Set the score between floor and target; raise `Wrong` with the numbers if it is not full.

    Args:
        judgement: gets score, remarks and the accuracy.
        untrained: accuracy of the same network with fresh or shuffled weights. A network that
            scores without its weights was not trained, whatever its accuracy.
        expected: `floor`, `target` and `reference` of this term.
        claims: `(where, accuracy)` that the submission itself reports; a difference is remarked.
        shortfall: says what is missing, see `assignment.shortfall`.
    """
    check, floor, target = judgement.check, expected["floor"], expected["target"]
    name = check.measured.title if check.measured else check.number
    judgement.accuracy = {"name": name, "measured": float(accuracy), "claimed": claims}
    for where, claimed in claims:
        if abs(claimed - accuracy) > APART:
            judgement.remarks.append(
                f"results/{where} claims {claimed:.2f} as {name}, but the weights handed in reach "
                f"{accuracy:.2f} on the grading images: are they of the run that you report?")
    if untrained >= max(floor, 0.1):
        raise Wrong(f"With random or shuffled weights {name} is {untrained:.2f} as well: what your "
                    "network answers does not come from training.")
    judgement.score = check.credit(accuracy, floor, target)
    if judgement.score < check.points:
        raise Wrong(f"{name} is {accuracy:.2f}; full points from {target:.2f}, none at "
                    f"{floor:.2f} (the reference reaches {expected['reference']:.2f}). "
                    f"{shortfall()}".rstrip())


def claimed_map(claims: Any) -> list[tuple[str, float]]:
    """The mAP that a submission reports of itself, with the place, at most one per file."""
    return _claimed(claims, lambda keys: MAP_KEY.fullmatch(re.sub(r"[^a-z0-9]", "", keys[-1])))


def claimed_pck(claims: Any, network: str, threshold: float) -> list[tuple[str, float]]:
    """The PCK of one network ("heatmap", "regression") that a submission reports of itself, in the
    answer of the probe `claims`."""
    def fits(keys: list[str]) -> bool:
        number = re.search(r"[0-9]{0,20}\.[0-9]{1,20}$", keys[-1])
        text = " ".join(keys)
        return (network in text and "pck" in text and number is not None
                and math.isclose(float(number[0]), threshold))

    return _claimed(claims, fits)


def _claimed(claims: Any, fits: Callable[[list[str]], Any]) -> list[tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    for path, value in claims[:MOST_CLAIMS]:
        path = " ".join(path[:LONGEST].split())  # keys may hold line ends
        file, *keys = path.split(": ")
        value = float(value)
        if (file in CLAIM_FILES and keys and math.isfinite(value)
                and fits([key.lower() for key in keys])):
            found.setdefault(file, (path, value / 100 if value > 1.5 else value))
    return list(found.values())
