"""Problem 1, tasks 1.2 to 1.5 and 1.9: anchors, IoU, box coding, matching, NMS.

Boxes are `(x1, y1, x2, y2)` in pixels, x to the right, y down. `A` anchors per cell, `N` anchors or
boxes, `M` ground truths. All functions are pure: they never write to their arguments.
"""

import torch

MAP_SIZES = [(56, 56), (28, 28), (14, 14)]
ANCHOR_SCALES = [[16, 24, 32], [48, 64, 96], [96, 128, 192]]
BACKGROUND = 0  # label of an anchor without an object; class c is label c + 1


def box_area(boxes: torch.Tensor) -> torch.Tensor:
    """Given: areas `[N]` in square pixels of boxes `[N, 4]` (xyxy).

    >>> import torch
    >>> from utils import box_area
    >>> box_area(torch.tensor([[10., 10., 14., 13.]]))
    tensor([12.])
    """
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    """Square anchors for every cell of every feature map.

    Args:
        feature_map_sizes: one `(H, W)` pair per map; maps need not be square.
        anchor_scales: one list of box sides in pixels per map; each map may have its own number
            `A` of scales.
        image_size: side of the (square) image in pixels.

    Returns:
        One float32 tensor `[H*W*A, 4]` (xyxy) per map. Cell (row i, column j) has its centre at
        `x = (j + .5) * image_size / W`, `y = (i + .5) * image_size / H`. Cells are row-major and
        the scale runs fastest: the order in which a prediction `[B, A*(5+C), H, W]` flattens
        after `permute(0, 2, 3, 1)`. Anchors are not clipped to the image.

    >>> from utils import generate_anchors
    >>> generate_anchors([(1, 2)], [[10, 20]], image_size=40)[0]
    tensor([[ 5., 15., 15., 25.],
            [ 0., 10., 20., 30.],
            [25., 15., 35., 25.],
            [20., 10., 40., 30.]])
    """
    # BEGIN SOLUTION Task 1.2 generate_anchors P1.anchors
    # mutants: equivalent (without dtype=torch.float32), half of a whole number is float32
    # mutants: equivalent (without indexing="ij"), this is the default of the pinned torch
    anchors = []
    for (height, width), scales in zip(feature_map_sizes, anchor_scales):
        centre_y = (torch.arange(height) + 0.5) * (image_size / height)
        centre_x = (torch.arange(width) + 0.5) * (image_size / width)
        half = torch.tensor(scales, dtype=torch.float32) / 2
        y, x, half = torch.meshgrid(centre_y, centre_x, half, indexing="ij")  # each [H, W, A]
        anchors.append(torch.stack([x - half, y - half, x + half, y + half], dim=-1).reshape(-1, 4))
    return anchors
    # END SOLUTION


def compute_iou(boxes1, boxes2):
    """Intersection over union of every pair of boxes.

    Args:
        boxes1: `[N, 4]` xyxy.
        boxes2: `[M, 4]` xyxy.

    Returns:
        `iou[N, M]` in 0..1, and 0 where the union is empty. Boxes that only touch have IoU 0.
        No epsilon: boxes with sides of .01 are as exact as large ones. `[0, 4]` is allowed on
        either side.

    >>> import torch
    >>> from utils import compute_iou
    >>> compute_iou(torch.tensor([[0., 0., 2., 2.]]), torch.tensor([[1., 0., 3., 2.]]))
    tensor([[0.3333]])
    """
    # BEGIN SOLUTION Task 1.3 compute_iou P1.iou
    top_left = torch.maximum(boxes1[:, None, :2], boxes2[None, :, :2])  # [N, M, 2]
    bottom_right = torch.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])  # [N, M, 2]
    # Disjoint boxes have a negative width or height, and two negatives would make an overlap.
    intersection = (bottom_right - top_left).clamp(min=0).prod(dim=-1)  # [N, M]
    union = box_area(boxes1)[:, None] + box_area(boxes2)[None, :] - intersection
    # Dividing 0 by 1 where the union is empty gives 0 and leaves every other pair untouched.
    return intersection / torch.where(union > 0, union, torch.ones_like(union))
    # END SOLUTION


def encode_boxes(boxes, anchors):
    """Boxes as the offsets `(tx, ty, tw, th)` that a network predicts for their anchors.

    `tx = (x_box - x_anchor) / w_anchor` and likewise `ty` for the centres, `tw = log(w_box /
    w_anchor)` and likewise `th`; no variances. (Faster R-CNN, Ren et al. 2015, equation 2.)

    Args:
        boxes: `[N, 4]` xyxy, sides above 0.
        anchors: `[N, 4]` xyxy; box i is encoded against anchor i.

    Returns:
        `[N, 4]`; zeros where a box equals its anchor. `decode_boxes` is the inverse.
    """
    # BEGIN SOLUTION Task 1.4 encode_boxes P1.coding
    size, anchor_size = boxes[..., 2:] - boxes[..., :2], anchors[..., 2:] - anchors[..., :2]
    centre, anchor_centre = boxes[..., :2] + size / 2, anchors[..., :2] + anchor_size / 2
    offset = (centre - anchor_centre) / anchor_size
    # mutants: equivalent (-1 -> 1), boxes are [N, 4]: the last axis is axis 1
    return torch.cat([offset, torch.log(size / anchor_size)], dim=-1)
    # END SOLUTION


def decode_boxes(deltas, anchors):
    """The inverse of `encode_boxes`: `decode_boxes(encode_boxes(b, a), a) == b` up to rounding.

    Args:
        deltas: `[N, 4]` `(tx, ty, tw, th)`.
        anchors: `[N, 4]` xyxy.

    Returns:
        `[N, 4]` xyxy, not clipped to the image; the anchors where the deltas are 0.
    """
    # BEGIN SOLUTION Task 1.4 decode_boxes P1.coding
    anchor_size = anchors[..., 2:] - anchors[..., :2]
    centre = anchors[..., :2] + anchor_size / 2 + deltas[..., :2] * anchor_size
    size = anchor_size * torch.exp(deltas[..., 2:])
    # mutants: equivalent (-1 -> 1), boxes are [N, 4]: the last axis is axis 1
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)
    # END SOLUTION


def match_anchors_to_targets(
    anchors, target_boxes, target_labels, pos_threshold=0.5, neg_threshold=0.3
):
    """Decide for every anchor of one image which object it has to find, if any.

    An anchor whose best IoU is >= `pos_threshold` is positive and belongs to that ground truth;
    < `neg_threshold` is negative; between the two it is ignored (in neither mask). In addition,
    every ground truth that overlaps some anchor claims its best anchor (lowest index on ties),
    whatever the thresholds: a claimed anchor belongs to the ground truth that claimed it, is
    positive and is never negative. When two claim one anchor, the higher IoU has it (equal: the
    lower ground-truth index) and the other claims nothing else. Without ground truth, all anchors
    are negative.

    Args:
        anchors: `[N, 4]` xyxy, the anchors of all maps together.
        target_boxes: `[M, 4]` xyxy.
        target_labels: `[M]` int64 in 0..C-1.

    Returns:
        `matched_labels` int64 `[N]`: class + 1 on positives, 0 elsewhere;
        `matched_boxes` `[N, 4]`: the matched box on positives, 0 elsewhere;
        `pos_mask`, `neg_mask`: bool `[N]`.

    With thresholds .5 and .3, anchors whose best IoU is .6, .4 and .2 are positive, ignored and
    negative; if the .4 is the best that some ground truth has, that anchor is positive as well.
    """
    # BEGIN SOLUTION Task 1.5 match_anchors_to_targets P1.match
    num_anchors, num_targets = len(anchors), len(target_boxes)
    if num_targets == 0:
        nothing = torch.zeros(num_anchors, dtype=torch.bool, device=anchors.device)
        no_label = torch.full_like(nothing, BACKGROUND, dtype=torch.int64)
        return no_label, torch.zeros_like(anchors), nothing, ~nothing

    iou = compute_iou(anchors, target_boxes)  # iou[anchor, gt]
    best_iou, best_gt = iou.max(dim=1)  # [N]

    # claim[anchor, gt] holds the IoU of each ground truth with its best anchor and -1 elsewhere,
    # so that a row's maximum names the ground truth with the highest IoU that claims the anchor.
    iou_of_gt, anchor_of_gt = iou.max(dim=0)  # [M]; the first index on ties
    # mutants: equivalent (> 0 -> >= 0; > 0 -> > -1), two lines ask for an IoU above 0: one suffices
    # mutants: equivalent (ones_like -> zeros_like; without torch.ones_like), 0 or less is no claim
    is_claim = torch.zeros_like(iou, dtype=torch.bool)
    is_claim[anchor_of_gt, torch.arange(num_targets, device=iou.device)] = iou_of_gt > 0
    claim_iou, claiming_gt = torch.where(is_claim, iou, -torch.ones_like(iou)).max(dim=1)  # [N]
    claimed = claim_iou > 0

    pos_mask = (best_iou >= pos_threshold) | claimed
    neg_mask = (best_iou < neg_threshold) & ~claimed
    gt = torch.where(claimed, claiming_gt, best_gt)
    # mutants: free (without .long()), labels are int64
    matched_labels = torch.where(pos_mask, target_labels[gt] + 1, BACKGROUND).long()
    matched_boxes = torch.where(pos_mask[:, None], target_boxes[gt], 0)
    return matched_labels, matched_boxes, pos_mask, neg_mask
    # END SOLUTION


def nms(boxes, scores, iou_threshold):
    """Greedy non-maximum suppression.

    Takes the boxes by descending score (equal scores: lower index first); a box is kept unless its
    IoU with a kept one is > `iou_threshold` (an IoU equal to the threshold is kept).

    Args:
        boxes: `[N, 4]` xyxy.
        scores: `[N]`.

    Returns:
        int64 indices of the kept boxes, best first; int64 also where there are none, since a tensor
        of floats is no index.
    """
    # BEGIN SOLUTION Task 1.9 nms P1.nms
    # mutants: equivalent ([order])[0] -> [order])[-1]), one box has one row: the first is the last
    order = torch.sort(scores, descending=True, stable=True).indices
    keep = []
    while len(order) > 0:
        best, order = order[0], order[1:]
        keep.append(best)
        # mutants: free (without .nan_to_num()), nothing is asked about boxes of nan
        overlap = compute_iou(boxes[best][None], boxes[order])[0].nan_to_num()
        order = order[overlap <= iou_threshold]
    return torch.stack(keep) if keep else order
    # END SOLUTION
