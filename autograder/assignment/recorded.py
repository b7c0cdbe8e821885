"""Functions of earlier tasks that can be answered from a record, and how they are called."""

from collections.abc import Iterator
from typing import Any

import torch

from ..engine.sandbox.recording import ROWS_MAX, Recorded, rows_in, tensor


def _without_other_losses(arguments: dict[str, Any]) -> dict[str, Any]:
    """For mining: only the losses of negatives matter, so the others are set to 0."""
    loss, negative = (tensor(arguments[key]) for key in ("loss", "neg_mask"))
    return {**arguments, "loss": torch.where(negative.bool(), loss, 0.0)}


def _ranked(arguments: dict[str, Any]) -> dict[str, Any]:
    """For NMS: only the order of the scores matters."""
    order = torch.sort(tensor(arguments["scores"]), descending=True, stable=True).indices
    return {**arguments, "scores": order}


def _without_words(arguments: dict[str, Any]) -> dict[str, Any]:
    """Keys are numbers; how PCK is normalised is the same in all calls that are recorded."""
    return {name: value for name, value in arguments.items() if not isinstance(value, str)}


def _encoded_by_others(inputs: dict[str, Any],
                       keys: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Boxes and anchors `[n, 4]`: the solution encodes for positives, others for all anchors."""
    anchors = torch.unique(torch.cat(list(rows_in(inputs, 4))), dim=0)
    boxes = torch.unique(keys[:, :4].float(), dim=0)
    # An unmatched anchor's box is 0, and is encoded by those who encode for all anchors.
    boxes = torch.cat([torch.zeros(1, 4), boxes])
    yield anchors, anchors  # put in for unmatched ones, to avoid the logarithm of 0
    if len(boxes) * len(anchors) <= ROWS_MAX:
        yield boxes.repeat_interleave(len(anchors), 0), anchors.repeat(len(boxes), 1)


def _decoded_by_others(inputs: dict[str, Any],
                       keys: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Offsets and anchors, both `[n, 4]`, of all maps `[B, A*(5+C), S, S]` in the inputs."""
    lists: list[list[torch.Tensor]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            if value and all(isinstance(v, torch.Tensor) for v in value):
                lists.append(list(value))
            for item in value:
                walk(item)

    walk(inputs)
    maps = [item for item in lists if all(v.ndim == 4 for v in item)]
    anchors = [item for item in lists if all(v.ndim == 2 and v.shape[1] == 4 for v in item)]
    for some, other in ((m, a) for m in maps for a in anchors if len(m) == len(a)):
        for prediction, own in zip(some, other):
            per_cell = len(own) // (prediction.shape[2] * prediction.shape[3])
            if per_cell and prediction.shape[1] % per_cell == 0:
                rows = prediction.permute(0, 2, 3, 1).reshape(len(prediction), len(own), -1)
                yield from ((image[:, :4].float(), own.float()) for image in rows)


def _map_by_map(inputs: dict[str, Any], keys: torch.Tensor) -> Iterator[tuple[torch.Tensor]]:
    """Heatmaps `[n, 1, H, W]`: others ask about one keypoint after another."""
    for args in inputs.get("argument_lists", [inputs.get("args", [])]):
        yield from ((value.flatten(0, 1)[:, None],) for value in args
                    if isinstance(value, torch.Tensor) and value.ndim == 4)


# utils comes before the modules that import from it.
RECORDED = {
    "utils.compute_iou": Recorded(lambda boxes1, boxes2: ..., pairs=4),
    "utils.encode_boxes": Recorded(
        lambda boxes, anchors: ..., ("boxes", "anchors"), any_shape=True, more=_encoded_by_others),
    "utils.decode_boxes": Recorded(
        lambda deltas, anchors: ..., ("deltas", "anchors"), any_shape=True,
        more=_decoded_by_others),
    "utils.match_anchors_to_targets": Recorded(
        lambda anchors, target_boxes, target_labels, pos_threshold=0.5, neg_threshold=0.3: ...),
    "utils.nms": Recorded(lambda boxes, scores, iou_threshold: ..., canonical=_ranked,
                          empty=torch.zeros(0, dtype=torch.int64)),  # of a class without boxes
    "loss.DetectionLoss.hard_negative_mining": Recorded(
        lambda self, loss, pos_mask, neg_mask, ratio=3: ..., canonical=_without_other_losses),
    "evaluate.decode_predictions": Recorded(
        lambda predictions, anchors, score_threshold=0.05, nms_threshold=0.5,
        max_detections=100: ..., ("predictions",)),
    "evaluate.extract_keypoints_from_heatmaps": Recorded(
        lambda heatmaps: ..., ("heatmaps",), more=_map_by_map),
    "evaluate.compute_pck": Recorded(
        lambda predictions, ground_truths, thresholds, normalize_by="bbox": ...,
        canonical=_without_words),
    "dataset.KeypointDataset.generate_heatmap": Recorded(
        lambda self, keypoints, height, width: ..., ("keypoints",)),
}
