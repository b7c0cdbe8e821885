"""Wrong code that people write, each a change of one passage of the solution."""

import re
from textwrap import dedent, indent

from tests.grading import SOLUTION

DATASET, UTILS, LOSS, MODEL, EVALUATE, ANALYSIS, TRAIN = (f"problem1/{name}.py" for name in (
    "dataset", "utils", "loss", "model", "evaluate", "analysis", "train"))
KEYPOINTS, NETWORKS, PCK, BASELINE, FITTING = (f"problem2/{name}.py" for name in (
    "dataset", "model", "evaluate", "baseline", "train"))
OWN = 'annotations = self.annotations[entry["id"]]'
BOXES = '[a["bbox"] for a in annotations]'
COUNT = "max(1, int(pos_mask.sum())), int(neg_mask.sum()))"
CUT = ".indices[:max_detections]"
CANDIDATES = "        boxes = decode_boxes(flat[image, candidates, :4], anchors[candidates])\n"
TAKING = """        best_iou, gt = iou[d].max(dim=0)
        if best_iou >= iou_threshold:
"""
OPTIMIZER = "torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)"
FLAT = "heatmaps.flatten(start_dim=2).argmax(dim=2)  # [B,K], position in reading order"
DISTANCES = "    distances = (predictions - truths).norm(dim=2)"
TRUTHS = "    num_targets = sum(len(boxes) for boxes in ground_truths)\n"



def whole(file: str, function: str, body: str) -> tuple[str, str, str]:
    """A file, the graded region of a function, and another body in its place."""
    text = (SOLUTION / file).read_text(encoding="utf-8")
    begin = re.search(rf"^( *)# BEGIN SOLUTION Task [\d.]+ {re.escape(function)} .*\n", text, re.M)
    assert begin, f"{file} has no region of {function}"
    region = text[begin.end():text.index("# END SOLUTION", begin.end())].rstrip(" ")
    return file, region, indent(dedent(body).strip("\n") + "\n", begin[1])


# what the code does -> the sentence of the rules that it breaks, the checks that fail, the file, a
# passage, what stands in its place
VARIANTS = {
    "boxes clipped to the image": ("P1.dataset.boxes/1", "1.1.2", DATASET, BOXES, (
        '[[min(max(v, 0), entry[side]) for v, side in zip(a["bbox"], ("width", "height") * 2)] '
        "for a in annotations]")),
    "thin boxes left out": ("P1.dataset.boxes/1", "1.1.2", DATASET, OWN, (
        'annotations = [a for a in self.annotations[entry["id"]] '
        'if a["bbox"][2] - a["bbox"][0] > 1]')),
    "categories numbered anew": (
        "P1.dataset.boxes/2", "1.1.2", DATASET, '[a["category_id"] for a in annotations]', (
        '[sorted({b["category_id"] for v in self.annotations.values() for b in v}).index('
        'a["category_id"]) for a in annotations]')),
    "file named after the id": (
        "P1.dataset.order/1", "1.1.3", DATASET, 'entry["file_name"]', 'f"{entry[\'id\']:06d}.png"'),
    "files counted": (
        "P1.dataset.order/1", "1.1.3", DATASET, "return len(self.images)",
        'return len(list(self.image_dir.glob("*.png")))'),
    "transform before the conversion": (
        "P1.dataset.transform/1", "1.1.6", DATASET, 'file.convert("RGB")',
        'file.convert("RGB") if self.transform is None else file.copy()'),
    "batches by number of objects": (
        "P1.collate/1", "1.1.7", DATASET, "zip(*batch)",
        'zip(*sorted(batch, key=lambda item: len(item[1]["labels"])))'),
    "overlaps of 100,000 pixels at most": (
        "P1.iou.large/1", "1.3.6", UTILS, "(bottom_right - top_left).clamp(min=0)",
        "(bottom_right - top_left).clamp(0, 1e5)"),
    "claims from an IoU of .001 on": (
        "P1.match.claim/1", "1.5.4", UTILS, "= iou_of_gt > 0", "= iou_of_gt > 0.001"),
    "label of the best object": (
        "P1.match.claim-wins/1", "1.5.5", UTILS,
        "target_labels[gt] + 1", "target_labels[best_gt] + 1"),
    "claims of the best object alone": (
        "P1.match.claim-wins/1", "1.5.5", UTILS, "(best_iou >= pos_threshold) | claimed",
        "(best_iou >= pos_threshold) | claimed & (claiming_gt == best_gt)"),
    "3 negatives without positives": (
        "P1.mining.no-positives/1", "1.6.4", LOSS, "ratio * " + COUNT,
        "ratio * int(pos_mask.sum()) or 3, int(neg_mask.sum()))"),
    "losses of 0 are not mined": (
        "P1.mining.few/1", "1.6.5", LOSS,
        "mined[hardest] = True", "mined[hardest[loss[hardest] > 0]] = True"),
    "ignored anchors mined": (
        "P1.loss.obj/1", "1.7.1 1.7.6", LOSS, "        obj_loss = F.binary",
        "        neg_mask = ~pos_mask\n        obj_loss = F.binary"),
    "other thresholds in the loss": (
        "P1.loss.joint/1", "1.7.1 1.7.6", LOSS, 'target["labels"].to(anchors.device)\n',
        'target["labels"].to(anchors.device), 0.5, 0.4\n'),
    "statistics of the batch": (
        "P1.model.batch/1", "1.8.2 1.8.4", MODEL, "nn.BatchNorm2d(out_channels)",
        "nn.BatchNorm2d(out_channels, track_running_stats=False)"),
    "three classes": (
        "P1.decode.nms/1", "1.9.6", EVALUATE, "for c in labels.unique()", "for c in range(3)"),
    "maps told by the size of boxes": (
        "P1.decode.maps/1", "1.9.6", EVALUATE, "maps[candidates[keep]]",
        "torch.bucketize(boxes[keep][:, 2] - boxes[keep][:, 0], torch.tensor([14.0, 28.0]))"),
    "nms by objectness": (
        "P1.decode.nms/1", "1.9.7", EVALUATE, "nms(boxes[of_class], scores[of_class],",
        "nms(boxes[of_class], flat[image, candidates[of_class], 4],"),
    "limit for the whole batch": ("P1.decode.best/1", "1.9.9", EVALUATE, CUT, (
        '.indices[:max(0, max_detections - sum(len(d["labels"]) for d in detections))]')),
    "another default threshold": (
        "P1.decode.threshold/1", "1.9.10", EVALUATE,
        "score_threshold=0.05", "score_threshold=0.01"),
    "200 detections by default": (
        "P1.decode.best/1", "1.9.9", EVALUATE, "max_detections=100", "max_detections=200"),
    "NMS from .45 by default": (
        "P1.decode.nms/1", "1.9.9", EVALUATE, "nms_threshold=0.5, max", "nms_threshold=0.45, max"),
    "IoU of .6 by default": (
        "P1.ap.threshold/1", "1.10.4", EVALUATE, "ground_truths, iou_threshold=0.5):",
        "ground_truths, iou_threshold=0.6):"),
    "a small epsilon in the precision": (
        "P1.ap.perfect/1", "1.10.3", EVALUATE, "torch.arange(1, len(hits) + 1)",
        "(torch.arange(1, len(hits) + 1) + 1e-6)"),
    "scores of 0 left out": (
        "P1.ap.area/1", "1.10.4", EVALUATE, 'scores.append(prediction["scores"][order])',
        'order = order[prediction["scores"][order] > 0]\n'
        '        scores.append(prediction["scores"][order])'),
    "the object that fits least": ("P1.ap.unmatched/1", "1.10.5", EVALUATE, TAKING, (
        "        best_iou, gt = torch.where(iou[d] < iou_threshold, 9.0, iou[d]).min(dim=0)\n"
        "        if best_iou <= 1:\n")),
    "images without detections left out": ("P1.ap.images/1", "1.10.6", EVALUATE, TRUTHS, (
        '    found = [len(p["scores"]) > 0 for p in predictions]\n'
        "    num_targets = sum(len(b) for b, f in zip(ground_truths, found) "
        "if f or not any(found))\n")),
    "IoU above .5": (
        "P1.scale.counts/1", "1.12.1", EVALUATE, "truth, iou_threshold=0.5)", "truth, 0.5001)"),
    "IoU from .45 on": (
        "P1.scale.counts/1", "1.12.1", EVALUATE, "truth, iou_threshold=0.5)", "truth, 0.45)"),
    "scores from .45 on": (
        "P1.scale.counts/1", "1.12.1", EVALUATE,
        'detection["scores"] >= 0.5', 'detection["scores"] >= 0.45'),
    "labels as large as the image": (
        "P1.scale.detections/2", "1.12.3", EVALUATE,
        "fontsize=8,", 'fontsize=8, bbox={"facecolor": "white", "pad": 300},'),
    # In other styles, after what people get wrong in other code bases.
    "boxes taken for x, y, width, height": (
        "P1.dataset.boxes/1", "1.1.2 1.1.3", DATASET, BOXES,
        '[[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in annotations)]'),
    "labels that leave 0 to the background": (
        "P1.dataset.boxes/2", "1.1.2", DATASET, '[a["category_id"] for a in annotations]',
        '[a["category_id"] + 1 for a in annotations]'),
    "blue first, as OpenCV reads": (
        "P1.dataset.image/2", "1.1.1 1.1.5", DATASET, "/ 255  # [H, W, 3]",
        "[..., ::-1].copy() / 255"),
    "types of boxes left to torch": (
        "P1.dataset.boxes/1", "1.1.2", DATASET, "dtype=torch.float32).reshape", ").reshape"),
    "types of labels left to torch": (
        "P1.dataset.empty/1", "1.1.4", DATASET,
        "annotations], dtype=torch.int64)", "annotations])"),
    "boxes of doubles where there are none": (
        "P1.dataset.empty/1", "1.1.4", DATASET, "dtype=torch.float32).reshape",
        "dtype=torch.float32 if annotations else torch.float64).reshape"),
    "images resized for the network, bilinearly": (
        "P1.dataset.image/2", "1.1.1", DATASET, "pixels = np.array(image, dtype",
        "pixels = np.array(image.resize((224, 224), Image.BILINEAR), dtype"),
    "three scales on every map": (
        "P1.anchors.scales/1", "1.2.4", UTILS, "torch.tensor(scales, dtype=torch.float32)",
        "torch.tensor([*scales * 3][:3], dtype=torch.float32)"),
    "labels and masks of numbers without objects": (
        "P1.match.empty/1", "1.5.7", UTILS,
        "return no_label, torch.zeros_like(anchors), nothing, ~nothing",
        "return no_label.float(), torch.zeros_like(anchors), nothing.int(), (~nothing).int()"),
    "all negatives in the place of mined ones": (
        "P1.loss.obj/1", "1.7.1 1.7.6", LOSS, "obj_loss[pos_mask | mined]",
        "obj_loss[pos_mask | neg_mask]"),
    "detections filled, objects outlined": (
        "P1.scale.detections/2", "1.12.3", EVALUATE, "fill=False, color=colour",
        'fill=colour == "magenta", color=colour'),
    "objects filled, detections outlined": (
        "P1.scale.detections/2", "1.12.3", EVALUATE, "fill=False, color=colour",
        'fill=colour == "black", color=colour'),
    "anchors of the first map filled": (
        "P1.coverage.picture/2", "1.15.4", ANALYSIS, "fill=False, color=colour",
        'fill=index == 0 and style == "-", color=colour'),
    "annotations of the index instead of the id": (
        "P1.dataset.order/1", "1.1.3", DATASET, OWN,
        'annotations = self.annotations.get(index, [])'),
    "centres at the corners of cells": ("P1.anchors.box/1", "1.2.1 1.2.3 1.2.6", *whole(
        UTILS, "generate_anchors", """
        anchors = []
        for (height, width), scales in zip(feature_map_sizes, anchor_scales):
            for_map = []
            for i in range(height):
                for j in range(width):
                    for side in scales:
                        x, y = j * image_size / width, i * image_size / height
                        for_map.append([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
            anchors.append(torch.tensor(for_map, dtype=torch.float32))
        return anchors
        """)),
    "strides that are whole numbers": ("P1.anchors.box/1", "1.2.3", *whole(
        UTILS, "generate_anchors", """
        import numpy as np
        anchors = []
        for (height, width), scales in zip(feature_map_sizes, anchor_scales):
            y, x, s = np.meshgrid((np.arange(height) + .5) * (image_size // height),
                                  (np.arange(width) + .5) * (image_size // width),
                                  np.asarray(scales) / 2, indexing="ij")
            boxes = np.stack([x - s, y - s, x + s, y + s], axis=-1).reshape(-1, 4)
            anchors.append(torch.from_numpy(boxes).float())
        return anchors
        """)),
    "centres spread from border to border": (
        "P1.anchors.box/1", "1.2.1 1.2.3 1.2.6", UTILS,
        "(torch.arange(width) + 0.5) * (image_size / width)",
        "torch.linspace(0, image_size, width)"),
    "corners rounded to whole pixels": (
        "P1.anchors.box/1", "1.2.1 1.2.3", UTILS, "dim=-1).reshape(-1, 4))",
        "dim=-1).reshape(-1, 4).round())"),
    "overlap over the smaller box": (
        "P1.iou.value/1", "1.3.1 1.3.2 1.3.5 1.3.6 1.3.8", UTILS,
        "    union = box_area(boxes1)[:, None] + box_area(boxes2)[None, :] - intersection\n",
        "    union = torch.minimum(box_area(boxes1)[:, None], box_area(boxes2)[None, :])\n"),
    "overlap only where a corner lies inside": ("P1.iou.value/1", "1.3.2", *whole(
        UTILS, "compute_iou", """
        iou = torch.zeros(len(boxes1), len(boxes2))
        for i, a in enumerate(boxes1.tolist()):
            for j, b in enumerate(boxes2.tolist()):
                inside = False
                for p, q in ((a, b), (b, a)):
                    for x in (p[0], p[2]):
                        for y in (p[1], p[3]):
                            inside |= q[0] <= x <= q[2] and q[1] <= y <= q[3]
                if inside:
                    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                    union = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - w * h
                    iou[i, j] = w * h / union if union > 0 else 0
        return iou
        """)),
    "generalised IoU": ("P1.iou.disjoint/1", "1.3.2 1.3.3 1.3.4 1.3.6 1.3.7 1.3.8", *whole(
        UTILS, "compute_iou", """
        lt = torch.max(boxes1[:, None, :2], boxes2[:, :2])
        rb = torch.min(boxes1[:, None, 2:], boxes2[:, 2:])
        inter = (rb - lt).clamp(min=0).prod(-1)
        union = box_area(boxes1)[:, None] + box_area(boxes2) - inter
        hull = (torch.max(boxes1[:, None, 2:], boxes2[:, 2:])
                - torch.min(boxes1[:, None, :2], boxes2[:, :2])).prod(-1)
        iou = inter / union.where(union > 0, torch.ones_like(union))
        return iou - (hull - union) / hull.where(hull > 0, torch.ones_like(hull))
        """)),
    "half precision": ("P1.iou.large/1", "1.3.6 1.3.7", *whole(
        UTILS, "compute_iou", """
        a, b = boxes1.float(), boxes2.float()
        a, b = a - a.floor().amin(0) * 0, b
        lt, rb = torch.max(a[:, None, :2], b[:, :2]), torch.min(a[:, None, 2:], b[:, 2:])
        inter = (rb - lt).clamp(min=0).prod(-1).clamp(max=65504)
        union = (box_area(a)[:, None] + box_area(b)).clamp(max=65504) - inter
        return torch.where(union > 0, inter / union, 0.0)
        """)),
    "truncated to whole pixels": (
        "P1.iou.value/2", "1.3.2 1.3.5", UTILS,
        "    top_left = torch.maximum(boxes1",
        "    boxes1, boxes2 = boxes1.long().float(), boxes2.long().float()\n"
        "    top_left = torch.maximum(boxes1"),
    "both offsets by the width": (
        "P1.coding.encode/1", "1.4.1 1.4.2", UTILS,
        "offset = (centre - anchor_centre) / anchor_size",
        "offset = (centre - anchor_centre) / anchor_size[..., :1]"),
    "sides by the root of the area": (
        "P1.coding.encode/1", "1.4.1 1.4.2", UTILS, "torch.log(size / anchor_size)",
        "torch.log(size / anchor_size.prod(-1, keepdim=True).sqrt())"),
    "centres kept in the cell by a sigmoid": (
        "P1.coding.decode/1", "1.4.3 1.4.4", UTILS,
        "anchors[..., :2] + anchor_size / 2 + deltas[..., :2] * anchor_size",
        "anchors[..., :2] + torch.sigmoid(deltas[..., :2]) * anchor_size"),
    "sides at most doubled": (
        "P1.coding.decode/1", "1.4.3 1.4.4", UTILS, "torch.exp(deltas[..., 2:])",
        "torch.exp(deltas[..., 2:].clamp(max=0.69))"),
    "negative corners set to 0": (
        "P1.coding.decode/2", "1.4.3 1.4.4", UTILS,
        "torch.cat([centre - size / 2, centre + size / 2], dim=-1)",
        "torch.cat([centre - size / 2, centre + size / 2], dim=-1).relu()"),
    "all equally good anchors claimed": (
        "P1.match.ties/1", "1.5.9", UTILS,
        "is_claim[anchor_of_gt, torch.arange(num_targets, device=iou.device)] = iou_of_gt > 0",
        "is_claim |= (iou == iou_of_gt) & (iou_of_gt > 0)"),
    "the loser claims its next best anchor": ("P1.match.conflict/1", "1.5.6", *whole(
        UTILS, "match_anchors_to_targets", """
        n, m = len(anchors), len(target_boxes)
        labels, boxes = torch.zeros(n, dtype=torch.long), torch.zeros_like(anchors)
        pos, neg = torch.zeros(n, dtype=torch.bool), torch.ones(n, dtype=torch.bool)
        if m == 0:
            return labels, boxes, pos, neg
        iou = compute_iou(anchors, target_boxes)
        best, owner = iou.max(dim=1)
        pos, neg = best >= pos_threshold, best < neg_threshold
        left = iou.clone()
        for _ in range(m):
            value, place = left.max(), int(left.argmax())
            if value <= 0:
                break
            anchor, gt = divmod(place, m)
            owner[anchor], pos[anchor], neg[anchor] = gt, True, False
            left[anchor], left[:, gt] = -1, -1
        labels[pos], boxes[pos] = target_labels[owner[pos]] + 1, target_boxes[owner[pos]]
        return labels, boxes, pos, neg
        """)),
    "claims need the negative threshold": (
        "P1.match.claim/1", "1.5.4 1.5.5 1.5.9", UTILS, "= iou_of_gt > 0",
        "= iou_of_gt >= neg_threshold"),
    "ignored anchors have label -1": (
        "P1.match.labels/1", "1.5.2", UTILS,
        "torch.where(pos_mask, target_labels[gt] + 1, BACKGROUND).long()",
        "torch.where(pos_mask, target_labels[gt] + 1, torch.where(neg_mask, 0, -1)).long()"),
    "boxes of ignored anchors as well": (
        "P1.match.boxes/1", "1.5.3", UTILS, "torch.where(pos_mask[:, None], target_boxes[gt], 0)",
        "torch.where(neg_mask[:, None], 0, target_boxes[gt])"),
    "negatives by the mean overlap": (
        "P1.match.bands/1", "1.5.10", UTILS, "(best_iou < neg_threshold) & ~claimed",
        "(iou.mean(dim=1) < neg_threshold) & ~pos_mask"),
    "ranks by two sorts, at most all but one": ("P1.mining.few/1", "1.6.5", *whole(
        LOSS, "hard_negative_mining", """
        ranked = loss.clone()
        ranked[~neg_mask] = -1
        _, order = ranked.sort(descending=True, stable=True)
        _, rank = order.sort()
        count = torch.clamp(ratio * pos_mask.sum().clamp(min=1), max=int(neg_mask.sum()) - 1)
        return (rank < count) & neg_mask
        """)),
    "losses of others set to 0": ("P1.mining.negatives/1", "1.6.2 1.6.5", *whole(
        LOSS, "hard_negative_mining", """
        k = min(ratio * max(1, int(pos_mask.sum())), int(neg_mask.sum()))
        order = sorted(range(len(loss)), key=lambda i: -float(loss[i]) * float(~pos_mask[i]))
        mask = torch.zeros(len(loss), dtype=torch.bool)
        for i in order[:k]:
            mask[i] = True
        return mask
        """)),
    "negatives drawn at random": (
        "P1.mining.hardest/1", "1.6.1 1.6.2 1.6.3 1.6.4 1.6.6", LOSS, "mined[hardest] = True",
        "places = torch.nonzero(neg_mask).flatten()\n"
        "        mined[places[torch.randperm(len(places))[:count]]] = True"),
    "the easiest negatives": (
        "P1.mining.hardest/1", "1.6.1 1.6.2 1.6.3 1.6.4 1.6.6", LOSS,
        'candidates = loss.detach().masked_fill(~neg_mask, float("-inf"))',
        'candidates = (-loss.detach()).masked_fill(~neg_mask, float("-inf"))'),
    "focal loss": (
        "P1.loss.obj/1", "1.7.1", LOSS, "        mined = torch.stack(",
        "        obj_loss = obj_loss * (1 - torch.exp(-obj_loss)) ** 2\n"
        "        mined = torch.stack("),
    "smoothed labels": (
        "P1.loss.cls/1", "1.7.2", LOSS, 'labels[pos_mask] - 1, reduction="sum")',
        'labels[pos_mask] - 1, reduction="sum", label_smoothing=0.1)'),
    "smooth L1 with beta 1/9": (
        "P1.loss.loc/1", "1.7.3", LOSS, 'encoded, reduction="sum")',
        'encoded, reduction="sum", beta=1 / 9)'),
    "the mean over the four coordinates": (
        "P1.loss.loc/1", "1.7.3", LOSS, 'encoded, reduction="sum") / num_positives',
        'encoded, reduction="sum") / num_positives / 4'),
    "objectness per mined anchor": (
        "P1.loss.obj/1", "1.7.1", LOSS, "obj_loss[pos_mask | mined].sum() / num_positives",
        "obj_loss[pos_mask].sum() / num_positives + obj_loss[mined].mean()"),
    "targets numbered from 1 in place": (
        "P1.loss.obj/2", "1.7.1 1.7.2", LOSS, "        matches = [\n",
        '        for target in targets:\n            target["labels"] += 1\n'
        '            target["labels"].remainder_(self.num_classes)\n        matches = [\n'),
    "boxes that are removed remove others": ("P1.nms.greedy/1", "1.9.1", *whole(
        UTILS, "nms", """
        order = scores.sort(descending=True, stable=True).indices
        iou = compute_iou(boxes[order], boxes[order]).triu(diagonal=1)
        return order[(iou <= iou_threshold).all(dim=0)]
        """)),
    "suppressed by centres": ("P1.nms.greedy/1", "1.9.2 1.9.5 1.9.6 1.9.7 1.9.9", *whole(
        UTILS, "nms", """
        keep = []
        for i in scores.sort(descending=True, stable=True).indices.tolist():
            x, y = (boxes[i, :2] + boxes[i, 2:]) / 2
            if not any(boxes[k, 0] <= x <= boxes[k, 2] and boxes[k, 1] <= y <= boxes[k, 3]
                       for k in keep):
                keep.append(i)
        return torch.tensor(keep, dtype=torch.int64)
        """)),
    "kept boxes in the order of the list": (
        "P1.nms.greedy/2", "1.9.1", UTILS, "return torch.stack(keep) if keep else order",
        "return torch.stack(keep).sort().values if keep else order"),
    "the best hundred before NMS": (
        "P1.decode.best/1", "1.9.9", EVALUATE, CANDIDATES,
        "        candidates = candidates[torch.sort(score[image, candidates], descending=True)"
        ".indices[:100]].sort().values\n" + CANDIDATES),
    "the root of the product as the score": (
        "P1.decode.score/2", "1.9.5 1.9.8 1.9.10", EVALUATE,
        "score = flat[..., 4].sigmoid() * class_score",
        "score = (flat[..., 4].sigmoid() * class_score).sqrt()"),
    "a threshold for the objectness alone": (
        "P1.decode.threshold/1", "1.9.8", EVALUATE, "score[image] >= score_threshold)",
        "flat[image, :, 4].sigmoid() >= score_threshold)"),
    "each class by its own sigmoid": (
        "P1.decode.score/2", "1.9.5", EVALUATE, "flat[..., 5:].softmax(dim=-1)",
        "flat[..., 5:].sigmoid()"),
    "logits turned into scores in place": (
        "P1.decode.score/3", "1.9.5", EVALUATE, "score = flat[..., 4].sigmoid() * class_score",
        "score = flat[..., 4].sigmoid() * class_score\n"
        "    predictions[0][:, 4].sigmoid_()"),
    "an object of two that a detection fits best, taken or not": (
        "P1.ap.unmatched/1", "1.10.5", EVALUATE, "            iou[:, gt] = -1  # taken\n",
        "            iou[d + 1:, gt] *= -1\n"
        "        iou[d + 1:] = torch.where(iou[d + 1:].abs() == iou[d + 1:].abs().amax("
        "dim=1, keepdim=True), iou[d + 1:], -iou[d + 1:].abs())\n"),
    "101 points of recall": (
        "P1.ap.area/1", "1.10.2 1.10.4 1.10.5 1.10.6 1.10.9 1.10.10", EVALUATE,
        "return float((precision * hits).sum() / num_targets)",
        "recall = true_positives / num_targets\n"
        "    points = [precision[recall >= r / 100].max() if (recall >= r / 100).any() else 0.0\n"
        "              for r in range(101)]\n    return float(sum(points) / 101)"),
    "lists sorted in place": (
        "P1.ap.unmatched/2", "1.10.5", EVALUATE,
        '        scores.append(prediction["scores"][order])',
        '        prediction["boxes"], prediction["scores"] = (\n'
        '            prediction[key][order] for key in ("boxes", "scores"))\n'
        '        order = torch.arange(len(order))\n'
        '        scores.append(prediction["scores"][order])'),
    "a mean of the images": ("P1.ap.images/1", "1.10.6 1.10.10", *whole(
        EVALUATE, "compute_ap", """
        each = []
        for prediction, boxes in zip(predictions, ground_truths):
            order = torch.sort(prediction["scores"], descending=True, stable=True).indices
            hits = match_detections(prediction["boxes"][order], boxes, iou_threshold).double()
            if len(boxes):
                tp = hits.cumsum(0)
                p = tp / torch.arange(1, len(hits) + 1)
                p = p.flip(0).cummax(0).values.flip(0) if len(hits) else p
                each.append(float((p * hits).sum() / len(boxes)))
        return sum(each) / len(each) if each else float("nan")
        """)),
    "anchors whose centre lies in the object": (
        "P1.coverage.share/1", "1.15.1 1.15.2 1.15.3", ANALYSIS,
        'fits = (compute_iou(target["boxes"], map_anchors) >= iou_threshold).any(dim=1)',
        'centre = (map_anchors[:, :2] + map_anchors[:, 2:]) / 2\n'
        '            b = target["boxes"][:, None]\n'
        '            fits = ((b[..., :2] <= centre) & (centre <= b[..., 2:])).all(-1).any(1)'),
    "IoU of .45 by default": (
        "P1.ap.threshold/1", "1.10.4", EVALUATE, "ground_truths, iou_threshold=0.5):",
        "ground_truths, iou_threshold=0.49):"),
    "positives from .45 on by default": (
        "P1.match.bands/1", "1.5.10", UTILS, "pos_threshold=0.5, neg", "pos_threshold=0.45, neg"),
    "negatives below .25 by default": (
        "P1.match.bands/1", "1.5.9 1.5.10", UTILS, "neg_threshold=0.3\n", "neg_threshold=0.25\n"),
    "a sigma of 1.9 by default": (
        "P2.dataset.options/1", "2.1.3", KEYPOINTS, "sigma=2.0):", "sigma=1.9):"),
    "a ratio of 4 by default": (
        "P1.mining.hardest/1", "1.6.1 1.6.2 1.6.3", LOSS, "neg_mask, ratio=3):",
        "neg_mask, ratio=4):"),
    "a default threshold of .45 for anchors": (
        "P1.coverage.share/1", "1.15.1 1.15.2", ANALYSIS, "targets, iou_threshold=0.5, *",
        "targets, iou_threshold=0.45, *"),
    "boxes of targets rounded in place": (
        "P1.coverage.images/3", "1.15.2", ANALYSIS,
        '        np.add.at(objects, target["labels"].numpy(), 1)\n',
        '        np.add.at(objects, target["labels"].numpy(), 1)\n'
        '        target["boxes"] = target["boxes"].round()\n'),
    "filled rectangles of anchors": (
        "P1.coverage.picture/2", "1.15.4", ANALYSIS, "x2 - x1, y2 - y1, fill=False, color=colour",
        "x2 - x1, y2 - y1, fill=True, color=colour"),
    "the largest anchors": (
        "P1.coverage.picture/1", "1.15.4", ANALYSIS,
        'best_iou, best = compute_iou(target["boxes"], map_anchors).max(dim=1)',
        'area = (map_anchors[:, 2:] - map_anchors[:, :2]).prod(1)\n'
        '        best = area.topk(len(target["boxes"])).indices\n'
        '        best_iou = torch.zeros(len(best))'),
    "the root of the mean square": (
        "P1.features.mean/1", "1.16.1 1.16.2", ANALYSIS,
        "output.detach().abs().mean(dim=1).float()",
        "output.detach().square().mean(dim=1).sqrt().float()"),
    "all hooks cleared": (
        "P1.features.left/2", "1.16.3", ANALYSIS,
        "        for hook in hooks:\n            hook.remove()\n",
        "        for module in modules.values():\n            module._forward_hooks.clear()\n"
        "            module._forward_pre_hooks.clear()\n"),
    "the mode of the root for all modules": (
        "P1.features.left/1", "1.16.3", ANALYSIS, "            module.training = mode\n",
        "            module.training = modes[model]\n"),
    "parameters frozen for the pass": (
        "P1.features.left/1", "1.16.3", ANALYSIS, "            model.eval()(images)\n",
        "            model.eval().requires_grad_(False)(images)\n"
        "        model.requires_grad_(True)\n"),
    "images clipped in place": (
        "P1.features.left/3", "1.16.3", ANALYSIS, "            model.eval()(images)\n",
        "            model.eval()(images)\n            images.clamp_(0.2, 0.8)\n"),
    "hooks with gradients left": (
        "P1.features.left/2", "1.16.3", ANALYSIS, "    maps = {}\n",
        "    maps = {}\n    for name in layers:\n"
        "        modules[name].register_full_backward_hook(lambda *_: None)\n"),
    "the first object that fits": ("P1.sizes.found/2", "1.17.2", ANALYSIS,
        "gt = int(iou[d].argmax())", "gt = int((iou[d] >= iou_threshold).float().argmax())"),
    "numpy's histogram": (
        "P1.sizes.bins/1", "1.17.2", ANALYSIS, "inside = (bins >= 0) & (bins < num_bins)",
        "bins[sides.numpy() == edges[-1]] = num_bins - 1\n"
        "        inside = (bins >= 0) & (bins < num_bins)"),
    "objects from an IoU of .45 on by default": (
        "P1.sizes.thresholds/1", "1.17.3", ANALYSIS, "edges, iou_threshold=0.5,",
        "edges, iou_threshold=0.45,"),
    "scores from .49 on by default": (
        "P1.sizes.thresholds/1", "1.17.3", ANALYSIS, "score_threshold=0.5)",
        "score_threshold=0.49)"),
    "wrong detections taken out of the list": (
        "P1.sizes.found/5", "1.17.1", ANALYSIS, "        for d in torch.nonzero(detection",
        '        detection["scores"][(iou < 0).all(dim=1)] = 0\n'
        '        for d in torch.nonzero(detection'),
    "losses in training mode": (
        "P1.train.validate/1", "1.11.3", TRAIN, "    model.eval()\n    return mean_losses([",
        "    model.train()\n    return mean_losses(["),
    "gradients summed over the epoch": (
        "P1.train.learns/1", "1.11.1", TRAIN, "        optimizer.zero_grad()\n", ""),
    "a step for the first batches alone": (
        "P1.train.learns/1", "1.11.1", TRAIN, "        optimizer.step()\n",
        "        if len(losses) < 4:\n            optimizer.step()\n"),
    "large images made smaller": (
        "P1.dataset.image/2", "1.1.1", DATASET, 'file.convert("RGB")',
        'file.convert("RGB")\n            image.thumbnail((224, 224))'),
    "boxes cut off at 224 pixels": (
        "P1.dataset.boxes/1", "1.1.2", DATASET, BOXES,
        '[[min(v, 224) for v in a["bbox"]] for a in annotations]'),
    "scales cut to whole pixels": (
        "P1.anchors.box/1", "1.2.4", UTILS, "torch.tensor(scales, dtype=torch.float32) / 2",
        "torch.tensor(scales).int() / 2"),
    "boxes of a pixel at least": (
        "P1.coding.encode/1", "1.4.2", UTILS, "torch.log(size / anchor_size)",
        "torch.log(size.clamp(min=1) / anchor_size)"),
    "anchors of a pixel at least": (
        "P1.coding.encode/1", "1.4.2", UTILS, "    offset = (centre - anchor_centre)",
        "    anchor_size = anchor_size.clamp(min=1)\n    offset = (centre - anchor_centre)"),
    "decoded boxes of a pixel at least": (
        "P1.coding.decode/1", "1.4.4", UTILS, "size = anchor_size * torch.exp(deltas[..., 2:])",
        "size = (anchor_size * torch.exp(deltas[..., 2:])).clamp(min=1)"),
    "centres at most three anchors away": (
        "P1.coding.decode/1", "1.4.4", UTILS, "deltas[..., :2] * anchor_size",
        "deltas[..., :2].clamp(-3, 3) * anchor_size"),
    "decoded boxes cut off at 512 pixels": (
        "P1.coding.decode/2", "1.4.4", UTILS,
        "torch.cat([centre - size / 2, centre + size / 2], dim=-1)",
        "torch.cat([centre - size / 2, centre + size / 2], dim=-1).clamp(max=512)"),
    "256 anchors at most": (
        "P1.mining.hardest/1", "1.6.1", LOSS, COUNT, COUNT[:-1] + ", 256)"),
    "the logarithm of a probability and a little": (
        "P1.loss.obj/1", "1.7.1", LOSS, """F.binary_cross_entropy_with_logits(
            objectness, pos_mask.to(objectness.dtype), reduction="none"
        )
""", "-torch.where(\n            pos_mask, torch.log(objectness.sigmoid() + 1e-8),\n"
        "            torch.log(1 - objectness.sigmoid() + 1e-8))\n"),
    "the logarithm of a class's probability and a little": (
        "P1.loss.cls/1", "1.7.2", LOSS, "F.cross_entropy(positive[:, 5:],",
        "F.nll_loss((positive[:, 5:].softmax(dim=1) + 1e-8).log(),"),
    "nothing with a score of 0 and below": (
        "P1.nms.greedy/1", "1.9.1", UTILS, "    keep = []\n",
        "    order = order[scores[order] > 0]\n    keep = []\n"),
    "200 boxes at most, as SSD has it": (
        "P1.nms.greedy/1", "1.9.1", UTILS, "    keep = []\n",
        "    order = order[:200]\n    keep = []\n"),
    "boxes moved into the image": (
        "P1.nms.greedy/1", "1.9.1", UTILS, "    keep = []\n",
        "    boxes = boxes.clamp(min=0)\n    keep = []\n"),
    "boxes of whole pixels": (
        "P1.nms.greedy/1", "1.9.1 1.9.9", UTILS, "    keep = []\n",
        "    boxes = boxes.long().float()\n    keep = []\n"),
    "boxes below a pixel left out": (
        "P1.decode.threshold/1", "1.9.8", EVALUATE, CANDIDATES, CANDIDATES
        + "        large = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(dim=1)\n"
        "        candidates, boxes = candidates[large], boxes[large]\n"),
    "numpy's sort of equal scores": (
        "P1.ap.ties/1", "1.10.10", EVALUATE,
        "hits[torch.sort(scores, descending=True, stable=True).indices]",
        "hits[torch.from_numpy(np.argsort(-scores.numpy()))]"),
    "one image squeezed": (
        "P1.features.mean/1", "1.16.1", ANALYSIS, "output.detach().abs().mean(dim=1).float()",
        "output.detach().abs().mean(dim=1).float().squeeze()"),
    "hooks of these layers cleared": (
        "P1.features.left/2", "1.16.3", ANALYSIS,
        "        for hook in hooks:\n            hook.remove()\n",
        "        for name in layers:\n            modules[name]._forward_hooks.clear()\n"),
    "labels numbered from 1 for a batch": (
        "P1.collate/2", "1.1.7", DATASET, "    images, targets = zip(*batch)\n",
        "    images, targets = zip(*batch)\n    for target in targets:\n"
        '        target["labels"] += 1\n'),
    "an image darkened in place": (
        "P1.scale.detections/3", "1.12.3", EVALUATE, "axes.imshow(np.asarray(image)",
        "axes.imshow(np.asarray(image.mul_(0.9))"),
    "an image darkened in place under anchors": (
        "P1.coverage.picture/3", "1.15.4", ANALYSIS, "axes.imshow(np.asarray(image)",
        "axes.imshow(np.asarray(image.mul_(0.9))"),
    "batches without objects skipped": (
        "P1.train.learns/1", "1.11.1 1.11.2", TRAIN,
        "    for images, targets in bar:\n        loss =",
        '    for images, targets in bar:\n        if not any(len(t["boxes"]) for t in targets):\n'
        "            continue\n        loss ="),
    "anchors of its own": (
        "P1.train.learns/1", "1.11.1 1.11.2", TRAIN, "targets, anchors)\n        optimizer",
        "targets, generate_anchors(MAP_SIZES, ANCHOR_SCALES))\n        optimizer"),
    "edges cut to whole pixels": (
        "P1.sizes.bins/1", "1.17.1", ANALYSIS, "np.searchsorted(edges,",
        "np.searchsorted([int(edge) for edge in edges],"),
    "keypoints divided by 127": (
        "P2.dataset.regression/1", "2.1.2 2.1.3 2.1.4", KEYPOINTS,
        "keypoints / torch.tensor([width, height])",
        "keypoints / torch.tensor([width - 1, height - 1])"),
    "keypoints of images of 128 pixels": (
        "P2.dataset.heatmap/1", "2.1.4", KEYPOINTS, "        size = self.heatmap_size\n",
        "        size = self.heatmap_size\n        relative = keypoints / 128\n"),
    "a window of three sigma": (
        "P2.heatmap.gaussian/1", "2.2.2", KEYPOINTS, "return torch.where(inside, heatmaps, 0.0)",
        "return torch.where(inside & (squared_distance <= 9 * self.sigma**2), heatmaps, 0.0)"),
    "centres of pixels at a half": (
        "P2.heatmap.peak/1", "2.2.1 2.2.2 2.2.3 2.2.4 2.2.5", KEYPOINTS,
        "(columns - x) ** 2 + (rows - y) ** 2",
        "(columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2"),
    "peaks scaled to 1": (
        "P2.heatmap.subpixel/1", "2.2.3", KEYPOINTS, "return torch.where(inside, heatmaps, 0.0)",
        "heatmaps = heatmaps / heatmaps.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)\n"
        "        return torch.where(inside, heatmaps, 0.0)"),
    "keypoints within three sigma are inside": (
        "P2.heatmap.outside/2", "2.2.5", KEYPOINTS,
        "inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)",
        "r = 3 * self.sigma\n"
        "        inside = (x > -r) & (x < width + r) & (y > -r) & (y < height + r)"),
    "maps without a positive value are at 0": (
        "P2.extract.negative/1", "2.5.4", PCK,
        "return torch.stack([index % width, index // width], dim=2).float()",
        "found = torch.stack([index % width, index // width], dim=2).float()\n"
        "    return found * (heatmaps.amax(dim=(2, 3)) > 0)[..., None]"),
    "a quarter towards the neighbour": (
        "P2.extract.xy/1", "2.5.1 2.5.5", PCK,
        "return torch.stack([index % width, index // width], dim=2).float()",
        "return torch.stack([index % width, index // width], dim=2).float() + 0.25"),
    "a mean of the keypoints that are numbers": (
        "P2.pck.nan/1", "2.6.5", PCK,
        "(distances <= threshold * lengths[:, None]).double().mean().item()",
        "(distances <= threshold * lengths[:, None])[~distances.isnan()].double().mean().item()"),
    "the longer side of the box": (
        "P2.pck.bbox/1", "2.6.1 2.6.2 2.6.3", PCK,
        "lengths = (truths.amax(dim=1) - truths.amin(dim=1)).norm(dim=1)  # [N]",
        "lengths = (truths.amax(dim=1) - truths.amin(dim=1)).amax(dim=1)"),
    "a length of 1 at least": (
        "P2.pck.degenerate/1", "2.6.6", PCK,
        "(distances <= threshold * lengths[:, None])",
        "(distances <= threshold * lengths[:, None].clamp(min=1))"),
    "the box of the predictions": (
        "P2.pck.bbox/1", "2.6.1 2.6.2 2.6.3 2.6.5", PCK,
        "lengths = (truths.amax(dim=1) - truths.amin(dim=1)).norm(dim=1)  # [N]",
        "lengths = (predictions.amax(dim=1) - predictions.amin(dim=1)).norm(dim=1)"),
    "the centroid of the whole map": ("P2.subpixel.finer/3", "2.12.1 2.12.2", *whole(
        PCK, "decode_subpixel", """
        import numpy as np
        maps = np.clip(heatmaps.numpy().astype(np.float64), 0, None)
        total = maps.sum(axis=(2, 3))
        total[total == 0] = 1
        rows, columns = np.arange(maps.shape[2]), np.arange(maps.shape[3])
        x = (maps.sum(axis=2) * columns).sum(axis=2) / total
        y = (maps.sum(axis=3) * rows).sum(axis=2) / total
        return torch.from_numpy(np.stack([x, y], axis=2)).float()
        """)),
    "half of the training images": (
        "P2.ablation.pck/3", "2.9.1 2.9.2", BASELINE,
        "model, DataLoader(train_set, batch_size, shuffle=True),",
        "model, DataLoader(torch.utils.data.Subset(train_set, range(len(train_set) // 2)), "
        "batch_size),"),
    "five epochs by default": (
        "P2.ablation.pck/2", "2.9.1", BASELINE, "save_path=None, epochs=10",
        "save_path=None, epochs=5"),
    "another seed by default": (
        "P2.ablation.seeds/1", "2.9.1", BASELINE, "epochs=10, seeds=(0,)", "epochs=10, seeds=(1,)"),
    "keypoints within the limit alone": (
        "P2.failures.counts/3", "2.9.3", BASELINE, "<= threshold * diagonals",
        "< threshold * diagonals"),
    "five images by default": (
        "P2.failures.images/1", "2.9.4", BASELINE, "max_images=3)", "max_images=5)"),
    "a threshold of .12 by default": (
        "P2.failures.counts/3", "2.9.4", BASELINE, "save_dir, threshold=0.1,",
        "save_dir, threshold=0.12,"),
    "a ReLU in the place of the sigmoid": (
        "P2.regressionnet.shape/1", "2.4.1", NETWORKS,
        "nn.Linear(64, 2 * num_keypoints), nn.Sigmoid(),",
        "nn.Linear(64, 2 * num_keypoints), nn.ReLU(),"),
    "one convolution for a heatmap": ("P2.heatmapnet.trainable/1", "2.3.1 2.3.2 2.3.3", *whole(
        NETWORKS, "HeatmapNet.forward", """
        x = nn.functional.avg_pool2d(images, 2)
        weight = self.head.weight[:, :9].reshape(-1, 1, 3, 3)
        return nn.functional.conv2d(x, weight, self.head.bias, padding=1)
        """)),
    "one convolution before the mean": ("P2.regressionnet.dropout/2", "2.4.1 2.4.2 2.4.3", *whole(
        NETWORKS, "RegressionNet.forward", """
        weight = self.head[0].weight.flatten()[:2304].reshape(256, 1, 3, 3)
        return self.head(nn.functional.conv2d(images, weight).relu().mean(dim=(2, 3)))
        """)),
    "keypoints kept on the image": (
        "P2.dataset.regression/1", "2.1.2", KEYPOINTS, "return image, relative.flatten()",
        "return image, relative.flatten().clamp(0, 1)"),
    "output types in capitals": (
        "P2.dataset.output-type/1", "2.1.5", KEYPOINTS,
        '        if output_type not in ("heatmap", "regression"):\n',
        "        output_type = output_type.lower()\n"
        '        if output_type not in ("heatmap", "regression"):\n'),
    "maximum in half precision": (
        "P2.extract.xy/1", "2.5.5", PCK, FLAT, FLAT.replace("heatmaps", "heatmaps.half()")),
    "maximum of values rounded to four digits": (
        "P2.extract.xy/1", "2.5.5", PCK, FLAT,
        FLAT.replace("heatmaps", "heatmaps.round(decimals=4)")),
    "negative values set to 0 in place": (
        "P2.extract.xy/2", "2.5.4", PCK, FLAT, FLAT + "\n    heatmaps.clamp_(min=0)\n"),
    "a single keypoint without its axis": (
        "P2.extract.shape/1", "2.5.2", PCK,
        "return torch.stack([index % width, index // width], dim=2).float()",
        "return torch.stack([index % width, index // width], dim=2).float().squeeze(1)"),
    "the first 64 rows and columns": (
        "P2.extract.xy/1", "2.5.2", PCK, FLAT, FLAT.replace("heatmaps", "heatmaps[..., :64, :64]")),
    "nan in y taken for 0": (
        "P2.pck.nan/1", "2.6.5", PCK, DISTANCES,
        "    predictions = torch.stack([predictions[..., 0], predictions[..., 1].nan_to_num()],"
        " dim=2)\n" + DISTANCES),
    "nan replaced in place": (
        "P2.pck.bbox/3", "2.6.5", PCK,
        "    predictions = torch.as_tensor(predictions, dtype=torch.float64)\n",
        "    predictions[predictions.isnan()] = 1e9\n"
        "    predictions = torch.as_tensor(predictions, dtype=torch.float64)\n"),
    "feet by whole pixels": (
        "P2.pck.torso/1", "2.6.4", PCK,
        "truths[:, 3:5].mean(dim=1)", "truths[:, 3:5].sum(dim=1) // 2"),
    "normalisers in capitals": (
        "P2.pck.unknown/1", "2.6.8", PCK, '    if normalize_by == "bbox":\n',
        '    normalize_by = normalize_by.lower()\n    if normalize_by == "bbox":\n'),
    "no hits at a threshold of 0": (
        "P2.pck.boundary/1", "2.6.6", PCK, "(distances <= threshold * lengths[:, None])",
        "((distances <= threshold * lengths[:, None]) & (threshold > 0))"),
    "pictures of five keypoints": (
        "P2.plots.predictions/1", "2.7.2", PCK,
        "draw_keypoints(axes, image, pred_keypoints, gt_keypoints)\n    figure.legend",
        "draw_keypoints(axes, image, pred_keypoints[:5], gt_keypoints[:5])\n    figure.legend"),
    "the image darkened in place": (
        "P2.plots.predictions/2", "2.7.2", PCK,
        "draw_keypoints(axes, image, pred_keypoints, gt_keypoints)\n    figure.legend",
        "draw_keypoints(axes, image.mul_(0.5), pred_keypoints, gt_keypoints)\n    figure.legend"),
    "targets of the neighbour": (
        "P2.train.heatmap/3", "2.8.1 2.8.2", FITTING,
        "outputs.float(), targets.to(precision.device))",
        "outputs.float(), targets.to(precision.device).roll(int(training), 0))"),
    "the last layers trained alone": (
        "P2.train.heatmap/3", "2.8.1 2.8.2", FITTING, OPTIMIZER, OPTIMIZER.replace(
            "model.parameters()", "[*model.parameters()][-2:]")),
    "the first layer trained alone": (
        "P2.train.heatmap/3", "2.8.1 2.8.2", FITTING, OPTIMIZER, OPTIMIZER.replace(
            "model.parameters()", "[*model.parameters()][:1]")),
    "gradients of two batches": (
        "P2.train.heatmap/1", "2.8.1 2.8.2", FITTING, """\
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
""", """\
                if count // len(images) % 2 == 0:
                    optimizer.zero_grad()
                loss.backward()
                if count // len(images) % 2:
                    optimizer.step()
"""),
    "a learning rate of 1e-2": (
        "P2.train.heatmap/2", "2.8.1 2.8.2", FITTING,
        "LEARNING_RATE = 1e-3", "LEARNING_RATE = 1e-2"),
    "a weight decay of .1": (
        "P2.train.heatmap/2", "2.8.1 2.8.2", FITTING, OPTIMIZER,
        OPTIMIZER.replace("LEARNING_RATE", "LEARNING_RATE, weight_decay=0.1")),
    "the first two epochs trained": (
        "P2.train.returns/1", "2.8.1 2.8.2", FITTING,
        "precision, optimizer, bar.update)\n",
        "precision, optimizer, bar.update) if epoch < 2 else train_loss\n"),
    "validation images for batch norm": (
        "P2.train.heatmap/1", "2.8.3", FITTING,
        "            val_loss = _run_epoch(model, val_loader, precision)\n",
        "            with torch.no_grad():\n"
        "                [model.train()(images) for images, _ in val_loader]\n"
        "            val_loss = _run_epoch(model, val_loader, precision)\n"),
    "validation in training mode": (
        "P2.train.returns/1", "2.8.3", FITTING, "    model.train(training)\n",
        "    model.train()\n"),
    "losses of batches over the number of images": (
        "P2.train.returns/1", "2.8.3", FITTING, "total += loss.item() * len(images)",
        "total += loss.item()"),
}
