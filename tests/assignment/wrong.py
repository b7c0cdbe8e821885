"""Wrong code that people write, each a change of one passage of the solution."""

DATASET, UTILS, LOSS, MODEL, EVALUATE = (f"problem1/{name}.py" for name in (
    "dataset", "utils", "loss", "model", "evaluate"))
OWN = 'annotations = self.annotations[entry["id"]]'
BOXES = '[a["bbox"] for a in annotations]'
COUNT = "max(1, int(pos_mask.sum())), int(neg_mask.sum()))"
CUT = ".indices[:max_detections]"
CANDIDATES = "        boxes = decode_boxes(flat[image, candidates, :4], anchors[candidates])\n"
TAKING = """        best_iou, gt = iou[d].max(dim=0)
        if best_iou >= iou_threshold:
"""
TRUTHS = "    num_targets = sum(len(boxes) for boxes in ground_truths)\n"

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
    "claims from an IoU of .1 on": (
        "P1.match.claim/1", "1.5.4", UTILS, "= iou_of_gt > 0", "= iou_of_gt > 0.1"),
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
    "low scores left out": (
        "P1.ap.area/1", "1.10.4", EVALUATE, 'scores.append(prediction["scores"][order])',
        'order = order[prediction["scores"][order] > 0.05]\n'
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
}
