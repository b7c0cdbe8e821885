"""Where accuracy went: what of a detector's or a keypoint network's shortfall has which cause.

numpy only, since the grader's process has no torch.

Source of the parts of mAP: Bolya et al. 2020, "TIDE: a general toolbox for identifying object
detection errors".
"""

import numpy as np

from .measure import COCO, iou_matrix, mean_average_precision

FOREGROUND, BACKGROUND = 0.5, 0.1  # IoU from which a box is on an object, and below which on none
LEAST = 0.005  # a smaller part is not told
LEARNED = 0.25  # mAP, or a share of keypoints, below which no single kind of error is to blame
LITTLE = "No single kind of error explains it: the network has learned little (yet)."
# Each part, and the tasks in which it may have begun.
CLASS, PLACE, BOTH, DOUBLE, NOTHING, MISSED = (
    "boxes on an object of another class (loss_cls in 1.7, labels in 1.1 and 1.5)",
    "boxes that are off their object (1.4, loss_loc in 1.7)",
    "boxes that are off an object of another class",
    # NMS has been at work on them: of what is measured, the grader's has if the student's has not.
    "second boxes on an object, so loose that NMS has to keep them (loss_loc in 1.7)",
    "boxes on background (1.6, loss_obj in 1.7)",
    "objects without a box (1.2, 1.5)")


def map_parts(detections: list[dict], truths: list[dict]) -> dict[str, float]:
    """By how much mAP@0.5 rises where the errors of one kind alone are mended, the most first;
    arguments as for `mean_average_precision`."""
    before = mean_average_precision(detections, truths)
    errors = [_errors(found, truth) for found, truth in zip(detections, truths)]
    gains = {}
    for part in (CLASS, PLACE, BOTH, DOUBLE, NOTHING, MISSED):
        mended = [_mended(part, *each) for each in zip(detections, truths, errors)]
        after = mean_average_precision([found for found, _ in mended],
                                       [truth for _, truth in mended])
        gains[part] = after - before
    return dict(sorted(gains.items(), key=lambda gain: -gain[1]))


def _errors(found: dict, truth: dict) -> tuple[list[str], list[int], np.ndarray]:
    """For each detection its error ("" where it is right) and the object that it is about; and
    which objects are found."""
    kinds, about = [""] * len(found["boxes"]), [-1] * len(found["boxes"])
    taken = np.zeros(len(truth["boxes"]), dtype=bool)
    overlap = iou_matrix(found["boxes"].astype(np.float64), truth["boxes"].astype(np.float64))
    same = found["labels"][:, None] == truth["labels"][None]
    for i in np.argsort(-found["scores"], kind="stable"):
        own, other = overlap[i] * same[i], overlap[i] * ~same[i]
        free = own * ~taken
        if free.max(initial=0) >= FOREGROUND:
            about[i] = int(free.argmax())
            taken[about[i]] = True
        elif BACKGROUND <= own.max(initial=0) < FOREGROUND:
            kinds[i], about[i] = PLACE, int(own.argmax())
        elif other.max(initial=0) >= FOREGROUND:
            kinds[i], about[i] = CLASS, int(other.argmax())
        elif own.max(initial=0) >= FOREGROUND:
            kinds[i] = DOUBLE
        else:
            kinds[i] = BOTH if other.max(initial=0) >= BACKGROUND else NOTHING
    return kinds, about, taken


def _mended(part: str, found: dict, truth: dict, errors: tuple) -> tuple[dict, dict]:
    """Detections and objects of an image without the errors of one kind."""
    kinds, about, taken = errors
    if part == MISSED:  # those that another error explains are not missed
        explained = {object_ for kind, object_ in zip(kinds, about) if kind in (CLASS, PLACE)}
        keep = [j for j, found_ in enumerate(taken) if found_ or j in explained]
        return found, {name: values[keep] for name, values in truth.items()}
    boxes, labels, used = found["boxes"].copy(), found["labels"].copy(), taken.copy()
    keep = []
    for i in np.argsort(-found["scores"], kind="stable"):
        if kinds[i] == part:
            if part not in (CLASS, PLACE) or used[about[i]]:
                continue
            used[about[i]] = True
            boxes[i], labels[i] = (boxes[i] if part == CLASS else truth["boxes"][about[i]],
                                   truth["labels"][about[i]])
        keep.append(int(i))
    return {"boxes": boxes[keep], "labels": labels[keep], "scores": found["scores"][keep]}, truth


def of_map(detections: list[dict], truths: list[dict]) -> str:
    """The parts of what mAP@0.5 misses, in a sentence."""
    gains = map_parts(detections, truths)
    if mean_average_precision(detections, truths) + max(gains.values()) < LEARNED:
        return LITTLE
    parts = [f"{part} +{gain:.2f}" for part, gain in gains.items() if gain >= LEAST]
    return (f"What would raise it, each mended alone or by longer training: {', '.join(parts)}."
            if parts else "")


def of_places(detections: list[dict], truths: list[dict]) -> str:
    """How mAP falls where boxes are asked to be closer, in a sentence."""
    reached = {t: mean_average_precision(detections, truths, [t]) for t in COCO[::4]}
    if max(reached.values()) < LEARNED:
        return LITTLE
    at = ", ".join(f"{value:.2f} at IoU {t:g}" for t, value in reached.items())
    return (f"mAP is {at}. If it is high at .5 and falls early, objects are found and boxes lie "
            "loosely: look at decoding and the targets of loss_loc (1.4, 1.7), or train longer.")


def of_pck(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> str:
    """What predictions `[N, K, 2]` beyond the threshold are, in a sentence."""
    diagonal = np.linalg.norm(truth.max(axis=1) - truth.min(axis=1), axis=-1)[:, None, None]

    def share(points: np.ndarray) -> float:
        return float((np.linalg.norm(points - truth, axis=-1) <= threshold * diagonal[..., 0])
                     .mean())

    if len(truth) > 1 and predicted.std(axis=0).mean() < 0.1 * truth.std(axis=0).mean():
        return "It answers nearly the same for every image."
    orders = {"y before x": predicted[..., ::-1], "all x before all y": predicted.reshape(
        len(predicted), 2, -1).transpose(0, 2, 1)}
    order = max(orders, key=lambda order: share(orders[order]))
    if share(orders[order]) > LEARNED + share(predicted):
        return (f"Read as {order}, {100 * share(orders[order]):.0f} % would be right: look at the "
                "order in the targets.")
    distance = np.linalg.norm(predicted[:, :, None].astype(np.float64) - truth[:, None], axis=-1)
    inside = distance <= threshold * diagonal  # [N, predicted, true]
    right = np.einsum("nkk->nk", inside)
    swapped = ~right & inside.any(axis=2)
    near = ~right & ~swapped & (np.einsum("nkk->nk", distance) <= 2 * threshold * diagonal[..., 0])
    far = ~right & ~swapped & ~near
    if (~far).mean() < LEARNED:
        return LITTLE
    said = [
        (swapped, "lie where another keypoint is (left and right?)"),
        (near, "are off by less than twice the limit"), (far, "are further away")]
    shares = [f"{100 * which.mean():.0f} % {what}" for which, what in said if which.mean() >= LEAST]
    return f"Of all predicted keypoints {', '.join(shares)}." if shares else ""
