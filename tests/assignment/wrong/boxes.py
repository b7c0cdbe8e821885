"""Wrong code of tasks 1.1 to 1.5 and 1.9: data, boxes, matching, NMS."""

from .passages import BOXES, DATASET, OWN, UTILS, whole

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
    "boxes without area left out": (
        "P1.dataset.boxes/1", "1.1.2", DATASET, OWN, (
            'annotations = [a for a in self.annotations[entry["id"]] '
            'if a["bbox"][2] > a["bbox"][0]]')),
    "pixels taken for numbers in 0..1 where none is above 1": (
        "P1.dataset.image/2", "1.1.1", DATASET, "pixels = np.array(image, dtype=np.float32) / 255",
        "pixels = np.array(image, dtype=np.float32)\n"
        "            pixels = pixels / 255 if pixels.max() > 1 else pixels"),
    "the larger of two objects wins": (
        "P1.match.conflict/1", "1.5.6", UTILS, "claiming_gt = torch.where(is_claim, iou,",
        "claiming_gt = torch.where(is_claim, box_area(target_boxes)[None],"),
    "file named after the id": (
        "P1.dataset.order/1", "1.1.3", DATASET, 'entry["file_name"]', 'f"{entry[\'id\']:06d}.png"'),
    "files counted": (
        "P1.dataset.order/1", "1.1.3", DATASET, "return len(self.images)",
        'return len(list(self.image_dir.glob("*.png")))'),
    "a transform's tensor divided by 255": (
        "P1.dataset.transform/1", "1.1.6", DATASET, "            image = self.transform(image)\n",
        "            image = self.transform(image)\n"
        "            image = image / 255 if isinstance(image, torch.Tensor) else image\n"),
    "transform before the conversion": (
        "P1.dataset.transform/1", "1.1.6", DATASET, 'file.convert("RGB")',
        'file.convert("RGB") if self.transform is None else file.copy()'),
    "batches by number of objects": (
        "P1.collate/1", "1.1.7", DATASET, "zip(*batch)",
        'zip(*sorted(batch, key=lambda item: len(item[1]["labels"])))'),
    "overlaps of 100,000 pixels at most": (
        "P1.iou.large/1", "1.3.6 1.3.8", UTILS, "(bottom_right - top_left).clamp(min=0)",
        "(bottom_right - top_left).clamp(0, 1e5)"),
    "claims from an IoU of .001 on": (
        "P1.match.claim/1", "1.5.4", UTILS, "= iou_of_gt > 0", "= iou_of_gt > 0.001"),
    "label of the best object": (
        "P1.match.claim-wins/1", "1.5.5", UTILS,
        "target_labels[gt] + 1", "target_labels[best_gt] + 1"),
    "claims of the best object alone": (
        "P1.match.claim-wins/1", "1.5.5", UTILS, "(best_iou >= pos_threshold) | claimed",
        "(best_iou >= pos_threshold) | claimed & (claiming_gt == best_gt)"),
    "claims of objects without a positive of their own": (
        "P1.match.claim/1", "1.5.5", UTILS, "= iou_of_gt > 0",
        "= (iou_of_gt > 0) & ~((iou >= pos_threshold) & (\n"
        "        best_gt[:, None] == torch.arange(num_targets))).any(dim=0)"),
    "two negative sides make an overlap": (
        "P1.iou.disjoint/1", "1.3.2 1.3.3 1.3.7 1.3.8", UTILS, ".clamp(min=0).prod(dim=-1)",
        ".prod(dim=-1).clamp(min=0)"),
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
    "height of the overlap without its sign": (
        "P1.iou.disjoint/1", "1.3.3 1.3.8", UTILS, "(bottom_right - top_left).clamp(min=0)",
        "torch.stack([(bottom_right - top_left)[..., 0].clamp(min=0),\n"
        "                           (bottom_right - top_left)[..., 1].abs()], dim=-1)"),
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
    "half precision": ("P1.iou.large/1", "1.3.6 1.3.7 1.3.8", *whole(
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
        "P1.match.claim/1", "1.5.4", UTILS, "= iou_of_gt > 0",
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
    "boxes that are removed remove others": ("P1.nms.greedy/1", "1.9.1", *whole(
        UTILS, "nms", """
        order = scores.sort(descending=True, stable=True).indices
        iou = compute_iou(boxes[order], boxes[order]).triu(diagonal=1)
        return order[(iou <= iou_threshold).all(dim=0)]
        """)),
    "suppressed by centres": ("P1.nms.greedy/1", "1.9.1 1.9.2", *whole(
        UTILS, "nms", """
        keep = []
        for i in scores.sort(descending=True, stable=True).indices.tolist():
            x, y = (boxes[i, :2] + boxes[i, 2:]) / 2
            if not any(boxes[k, 0] <= x <= boxes[k, 2] and boxes[k, 1] <= y <= boxes[k, 3]
                       for k in keep):
                keep.append(i)
        return torch.tensor(keep, dtype=torch.int64)
        """)),
    "positives from .45 on by default": (
        "P1.match.bands/1", "1.5.10", UTILS, "pos_threshold=0.5, neg", "pos_threshold=0.45, neg"),
    "negatives below .25 by default": (
        "P1.match.bands/1", "1.5.10", UTILS, "neg_threshold=0.3\n", "neg_threshold=0.25\n"),
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
        "P1.nms.greedy/1", "1.9.1", UTILS, "    keep = []\n",
        "    boxes = boxes.long().float()\n    keep = []\n"),
    "labels numbered from 1 for a batch": (
        "P1.collate/2", "1.1.7", DATASET, "    images, targets = zip(*batch)\n",
        "    images, targets = zip(*batch)\n    for target in targets:\n"
        '        target["labels"] += 1\n'),
    "anchors kept for maps of the same sizes": (
        "P1.anchors.box/1", "1.2.1", UTILS, "    anchors = []\n    for (height, width), scales",
        "    kept = generate_anchors.__dict__\n    key = str(feature_map_sizes)\n"
        "    if key in kept:\n        return kept[key]\n    anchors = kept[key] = []\n"
        "    for (height, width), scales"),
    "a row for every step of floating point": (
        "P1.anchors.maps/1", "1.2.3", UTILS, "(torch.arange(height) + 0.5) * (image_size / height)",
        "torch.arange(0, image_size, image_size / height) + image_size / height / 2"),
    "lists emptied one by one": (
        "P1.anchors.scales/2", "1.2.4", UTILS,
        "    for (height, width), scales in zip(feature_map_sizes, anchor_scales):\n",
        "    while feature_map_sizes:\n"
        "        (height, width), scales = feature_map_sizes.pop(0), anchor_scales.pop(0)\n"),
    "whole numbers of 32 bits": (
        "P1.iou.dtypes/1", "1.3.8", UTILS, "    top_left = torch.maximum(boxes1",
        "    if not boxes1.is_floating_point():\n"
        "        boxes1, boxes2 = boxes1.int(), boxes2.int()\n"
        "    top_left = torch.maximum(boxes1"),
    "anchors cut off at the border before coding": (
        "P1.coding.encode/1", "1.4.2", UTILS, "    size, anchor_size = boxes[..., 2:]",
        "    anchors = anchors.clamp(min=0)\n    size, anchor_size = boxes[..., 2:]"),
    "matching without negative coordinates": (
        "P1.match.bands/1", "1.5.10", UTILS, "    iou = compute_iou(anchors, target_boxes)",
        "    iou = compute_iou(anchors.clamp(min=0), target_boxes.clamp(min=0))"),
    "scales sorted in place": (
        "P1.anchors.scales/2", "1.2.2 1.2.4", UTILS,
        "    for (height, width), scales in zip(feature_map_sizes, anchor_scales):\n",
        "    for (height, width), scales in zip(feature_map_sizes, anchor_scales):\n"
        "        scales.sort()\n"),
    "a threshold of 0 taken for none": (
        "P1.nms.threshold/1", "1.9.2", UTILS, "    keep = []\n",
        "    iou_threshold = iou_threshold or 0.5\n    keep = []\n"),
    "the smaller of the objects that fit": (
        "P1.match.bands/1", "1.5.10", UTILS, "best_iou, best_gt = iou.max(dim=1)  # [N]\n",
        "best_iou, best_gt = iou.max(dim=1)  # [N]\n"
        "    areas = box_area(target_boxes).expand_as(iou)\n"
        "    fits = iou >= pos_threshold\n"
        "    smaller = torch.where(fits, areas, torch.inf).argmin(dim=1)\n"
        "    best_gt = torch.where(fits.any(dim=1), smaller, best_gt)\n"),
}
