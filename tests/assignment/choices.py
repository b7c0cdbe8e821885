"""Odd but right: choices of other code bases, several in each submission, that lose nothing."""

from .wrong.passages import (
    ANALYSIS,
    BASELINE,
    DATASET,
    EVALUATE,
    KEYPOINTS,
    LOSS,
    PCK,
    UTILS,
    whole,
)

DIVISION = "return intersection / torch.where(union > 0, union, torch.ones_like(union))"
SUM = "return float((precision * hits).sum() / num_targets)"
LOGARITHM = "torch.log(size / anchor_size)"
BCE = """obj_loss = F.binary_cross_entropy_with_logits(
            objectness, pos_mask.to(objectness.dtype), reduction="none"
        )
"""

# name -> what the code does -> file, passage, what stands in its place
CHOICES = {
    "torchvision": {
        "areas in a wider type": (UTILS, "top_left = torch.maximum(boxes1", (
            "kind = boxes1.dtype if boxes1.is_floating_point() else torch.float32\n"
            "    boxes1, boxes2 = boxes1.double(), boxes2.double()\n"
            "    top_left = torch.maximum(boxes1")),
        "and back": (UTILS, DIVISION, DIVISION.replace("return ", "return (") + ").to(kind)"),
        "roots multiplied": (
            ANALYSIS, '(target["boxes"][:, 2:] - target["boxes"][:, :2]).prod(dim=1).sqrt()',
            '(target["boxes"][:, 2:] - target["boxes"][:, :2]).sqrt().prod(dim=1)'),
        "random numbers seeded on import": (
            ANALYSIS, "from utils import MAP_SIZES, compute_iou\n",
            "from utils import MAP_SIZES, compute_iou\n\ntorch.manual_seed(0)\n"),
        "sides clamped at 1000 / 16": (
            UTILS, "torch.exp(deltas[..., 2:])", "torch.exp(deltas[..., 2:].clamp(max=4.135))"),
        "base anchors and shifts": whole(UTILS, "generate_anchors", """
            anchors = []
            for (height, width), scales in zip(feature_map_sizes, anchor_scales):
                half = torch.as_tensor(scales, dtype=torch.float32)[:, None] / 2
                base = torch.cat([-half, -half, half, half], dim=1)
                y = (torch.arange(height) + .5) * image_size / height
                x = (torch.arange(width) + .5) * image_size / width
                shift_y, shift_x = torch.meshgrid(y, x, indexing="ij")
                shifts = torch.stack([shift_x.flatten(), shift_y.flatten()] * 2, dim=1)
                anchors.append((shifts[:, None] + base).reshape(-1, 4))
            return anchors
            """),
        "NMS of all classes at once, moved apart": (
            EVALUATE, "        for c in labels.unique():\n"
            "            of_class = torch.nonzero(labels == c).flatten()\n"
            "            keep.append(of_class[nms(boxes[of_class], scores[of_class], "
            "nms_threshold)])\n",
            "        width = boxes.max() - boxes.min() + 1 if len(boxes) else 0\n"
            "        apart = labels[:, None] * width\n"
            "        keep.append(nms(boxes + apart, scores, nms_threshold))\n"),
        "cross-entropy by hand": (
            LOSS, 'F.cross_entropy(positive[:, 5:], labels[pos_mask] - 1, reduction="sum")',
            "-(positive[:, 5:].log_softmax(1)[torch.arange(len(positive)), labels[pos_mask] - 1])"
            ".sum()"),
    },
    "detectron2": {
        "a quotient only where boxes overlap": (
            UTILS, DIVISION, "return torch.where(intersection > 0, intersection / union, 0.0)"),
        "sides of a millionth at least": (
            UTILS, LOGARITHM, "torch.log(size.clamp(min=1e-6) / anchor_size)"),
        "at most a thousand before NMS": (
            EVALUATE, "        boxes = decode_boxes(flat[image, candidates, :4]",
            "        top = score[image, candidates].topk(min(1000, len(candidates))).indices\n"
            "        candidates = candidates[top]\n"
            "        candidates = candidates[torch.isfinite(flat[image, candidates]).all(dim=1)]\n"
            "        boxes = decode_boxes(flat[image, candidates, :4]"),
        "kept indices in a list": whole(UTILS, "nms", """
            keep, order = [], scores.argsort(descending=True, stable=True)
            while len(order):
                keep.append(order[0])
                iou = compute_iou(boxes[order[:1]], boxes[order[1:]])[0]
                order = order[1:][iou <= iou_threshold]
            return keep
            """),
        "and looked up one by one": (
            EVALUATE, "keep.append(of_class[nms(boxes[of_class], scores[of_class], "
            "nms_threshold)])", "found = nms(boxes[of_class], scores[of_class], nms_threshold)\n"
            "            keep.append(torch.stack([of_class[i] for i in found]))"),
        "binary cross-entropy by softplus": (
            LOSS, BCE, "obj_loss = F.softplus(objectness) - objectness * pos_mask\n"),
        "smooth L1 by hand": (
            LOSS, 'F.smooth_l1_loss(positive[:, :4], encoded, reduction="sum")',
            "torch.where((off := (positive[:, :4] - encoded).abs()) < 1, off**2 / 2, off - 0.5)"
            ".sum()"),
        "images kept as bytes until they are asked for": (
            DATASET, "pixels = np.array(image, dtype=np.float32) / 255",
            "pixels = np.asarray(image, np.uint8).astype(np.float64) * (1 / 255)\n"
            "            pixels = pixels.astype(np.float32)"),
    },
    "the VOC devkit": {
        "sentinels and an epsilon of float64": (
            EVALUATE, SUM, "recall = (true_positives / num_targets).tolist()\n"
            "    before = [0.0, *recall[:-1]]\n"
            "    return float(sum((r - b) * float(p) for r, b, p in zip(recall, before, precision))"
            ")"),
        "an epsilon that only an empty union meets": (
            UTILS, DIVISION, "return intersection / union.clamp(min=1e-12)"),
        "numpy's lexsort": whole(LOSS, "hard_negative_mining", """
            import numpy as np
            places = np.flatnonzero(neg_mask.numpy())
            ranked = places[np.lexsort((places, -loss.detach().numpy()[places]))]
            mined = torch.zeros(len(loss), dtype=torch.bool)
            mined[ranked[:ratio * max(1, int(pos_mask.sum()))].tolist()] = True
            return mined
            """),
        "a list of suppressed flags": whole(UTILS, "nms", """
            order = (-scores).argsort(stable=True).tolist()
            iou, suppressed, keep = compute_iou(boxes, boxes), set(), []
            for place, i in enumerate(order):
                if i not in suppressed:
                    keep.append(i)
                    suppressed.update(j for j in order[place + 1:] if iou[i, j] > iou_threshold)
            return torch.tensor(keep, dtype=torch.long)
            """),
        "bins by bucketize": (
            ANALYSIS, 'bins = np.searchsorted(edges, sides.numpy(), side="right") - 1',
            "bins = torch.bucketize(sides, torch.tensor(edges, dtype=sides.dtype), right=True)"
            ".numpy() - 1"),
    },
    "COCO": {
        "trapezoids under the interpolated curve": (
            EVALUATE, SUM, "recall = torch.cat([torch.zeros(1), true_positives / num_targets])\n"
            "    return float(torch.trapezoid(torch.cat([precision[:1], precision]), recall))"),
        "objects in a loop, the last one first": whole(UTILS, "match_anchors_to_targets", """
            n = len(anchors)
            labels, boxes = torch.zeros(n, dtype=torch.long), torch.zeros_like(anchors)
            if len(target_boxes) == 0:
                return labels, boxes, labels > 0, labels == 0
            iou = compute_iou(anchors, target_boxes)
            best, owner = iou.max(dim=1)
            positive, negative = best >= pos_threshold, best < neg_threshold
            claim = torch.zeros(n)
            for gt in reversed(range(len(target_boxes))):
                anchor = int(iou[:, gt].argmax())
                if iou[anchor, gt] > 0 and iou[anchor, gt] >= claim[anchor]:
                    claim[anchor], owner[anchor] = iou[anchor, gt], gt
            positive, negative = positive | (claim > 0), negative & (claim == 0)
            labels[positive] = target_labels[owner[positive]] + 1
            boxes[positive] = target_boxes[owner[positive]]
            return labels, boxes, positive, negative
            """),
        "a log of each side": (
            UTILS, LOGARITHM, "torch.log(size) - torch.log(anchor_size)"),
        "shares object by object": whole(ANALYSIS, "anchor_coverage", """
            table = torch.full((len(anchors), num_classes), float("nan"), dtype=torch.float64)
            for m, own in enumerate(anchors):
                for c in range(num_classes):
                    boxes = torch.cat([t["boxes"][t["labels"] == c] for t in targets])
                    if len(boxes):
                        best = torch.stack([compute_iou(b[None], own).max() for b in boxes])
                        table[m, c] = (best >= iou_threshold).double().mean()
            return table
            """),
    },
    "mmpose": {
        "a product of two Gaussians": (
            KEYPOINTS, "heatmaps = torch.exp(-squared_distance / (2 * self.sigma**2))",
            "heatmaps = (torch.exp(-(columns - x) ** 2 / (2 * self.sigma**2))\n"
            "                    * torch.exp(-(rows - y) ** 2 / (2 * self.sigma**2)))"),
        "coordinates by divmod": (
            PCK, "return torch.stack([index % width, index // width], dim=2).float()",
            "y = torch.div(index, width, rounding_mode='floor')\n"
            "    return torch.stack([index - y * width, y], dim=-1).to(torch.float32)"),
        "distances over lengths": (
            PCK, "(distances <= threshold * lengths[:, None]).double()",
            "torch.where(lengths[:, None] > 0, distances / lengths[:, None] <= threshold,\n"
            "                               distances == 0).double()"),
        "a quarter of a pixel": whole(PCK, "decode_subpixel", """
            found = extract_keypoints_from_heatmaps(heatmaps)
            height, width = heatmaps.shape[2:]
            for b in range(len(heatmaps)):
                for k in range(heatmaps.shape[1]):
                    x, y = found[b, k].long().tolist()
                    one = heatmaps[b, k]
                    if 0 < x < width - 1:
                        found[b, k, 0] += 0.25 * torch.sign(one[y, x + 1] - one[y, x - 1])
                    if 0 < y < height - 1:
                        found[b, k, 1] += 0.25 * torch.sign(one[y + 1, x] - one[y - 1, x])
            return found
            """),
        "pictures of a former call removed": (
            BASELINE, "    Path(save_dir).mkdir(parents=True, exist_ok=True)\n",
            "    Path(save_dir).mkdir(parents=True, exist_ok=True)\n"
            "    for old in Path(save_dir).glob('failure_*.png'):\n        old.unlink()\n"),
        "two more variants of the ablation": (
            BASELINE, '    {"skip": False},\n',
            '    {"skip": False},\n    {"heatmap_size": 32, "skip": False},\n'
            '    {"heatmap_size": 128, "sigma": 4.0},\n'),
        "indices in a tensor": (
            BASELINE, '"images": images', '"images": torch.tensor(images, dtype=torch.int64)'),
        "batches of one image": (
            BASELINE, "loader = DataLoader(dataset, batch_size=32)",
            "loader = DataLoader(dataset)"),
    },
}
