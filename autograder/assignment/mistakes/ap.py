"""Mistakes in average precision and in the analysis of scales: tasks 1.10 and 1.12."""

from . import mistake

AREA = "    return float((precision * hits).sum() / num_targets)\n"
RECALL = "    recall = true_positives / num_targets\n"
INTERPOLATION = ("    precision = precision.flip(0).cummax(dim=0).values.flip(0) "
                 "if len(hits) else precision\n")
RANKED = "hits[torch.sort(scores, descending=True, stable=True).indices].double()"
TOTAL = "    num_targets = sum(len(boxes) for boxes in ground_truths)\n"
TAKING = """        best_iou, gt = iou[d].max(dim=0)
        if best_iou >= iou_threshold:
            hits[d] = True
            iou[:, gt] = -1  # taken
"""
TRUTH = 'truth = target["boxes"][target["labels"] == c]'
MATCHED = 'match_detections(detection["boxes"][of_class], truth, iou_threshold=0.5)'

MISTAKES = [
    mistake(
        "ap-eleven-points", "averages the precision at eleven recalls",
        "That is AP as it was before 2010, and coarser. Take the whole area under the curve, with "
        "a step at every recall that occurs.",
        "P1.ap.area/1", [(
            AREA, RECALL +
            "    points = [precision[recall >= r] for r in torch.linspace(0, 1, 11)]\n"
            "    return float(sum(p.max() for p in points if len(p)) / 11)\n")]),
    mistake(
        "ap-eleven-tenths", "averages the precision at the recalls 0, .1, .2 and so on",
        "That is AP as it was before 2010, and coarser. Take the whole area under the curve, with "
        "a step at every recall that occurs.",
        "P1.ap.area/1", [(
            AREA, RECALL +
            "    points = [precision[recall >= i / 10] for i in range(11)]\n"
            "    return float(sum(p.max() for p in points if len(p)) / 11)\n")]),
    mistake(
        "ap-hundred-and-one-points", "averages the precision at 101 recalls",
        "So pycocotools does, which comes close to the area. Add up a step at every recall.",
        "P1.ap.area/1", [(
            AREA, RECALL + "    at = np.searchsorted(recall.numpy(), np.linspace(0, 1, 101))\n"
            "    return float(precision[at[at < len(precision)]].sum() / 101)\n")]),
    mistake(
        "ap-mean-of-precision-and-recall", "averages the last precision and recall",
        "That says nothing about the ranking of the detections. AP is the area under the curve of "
        "precision over recall.",
        "P1.ap.area/1", [(
            AREA, RECALL +
            "    return float((precision[-1] + recall[-1]) / 2) if len(hits) else 0.0\n")]),
    mistake(
        "ap-ascending", "takes detections by ascending score",
        "The worst detections then come first, and precision is low from the start. Begin with the "
        "highest score.",
        "P1.ap.unmatched/1", [
            ('torch.sort(prediction["scores"], descending=True', 'torch.sort(prediction["scores"]'),
            (RANKED, RANKED.replace("descending=True, ", ""))]),
    mistake(
        "ap-unranked", "takes detections in the order in which they come",
        "Average precision rates a ranking, and none is left. Sort the detections of all images by "
        "score, the highest first.",
        "P1.ap.unmatched/1", [
            ('torch.sort(prediction["scores"], descending=True, stable=True).indices',
             'torch.arange(len(prediction["scores"]))'),
            (RANKED, "hits.double()")]),
    mistake(
        "ap-trapezoids", "joins the points of the curve by straight lines",
        "The area then differs at every miss. Precision keeps its value from one recall to the "
        "next: add rectangles.",
        "P1.ap.area/1", [(INTERPOLATION, ""), (AREA, RECALL + (
            "    recall = torch.cat([torch.zeros(1), recall])\n"
            "    precision = torch.cat([torch.ones(1), precision])\n"
            "    return float(torch.trapezoid(precision, recall))\n"))]),
    mistake(
        "ap-recall-of-detections", "divides by the number of detections instead of objects",
        "Objects that nothing has found then cost nothing. Recall is a share of the objects.",
        "P1.ap.area/1", [(AREA, AREA.replace("num_targets", "max(1, len(hits))"))]),
    mistake(
        "ap-best-so-far", "takes the highest precision up to a recall instead of beyond it",
        "Precision then never falls, and misses cost nothing once something was hit. Run the "
        "maximum from the other end of the curve.",
        "P1.ap.area/1", [(INTERPOLATION, INTERPOLATION.replace(".flip(0)", ""))]),
    mistake(
        "ap-mean-precision", "averages the precision over all detections",
        "Objects that are not found then cost nothing, and misses count that change no recall. "
        "Add up precision times the step in recall, which is 0 at a miss.",
        "P1.ap.area/1", [(INTERPOLATION, ""), (
            AREA, "    return float(precision.mean()) if len(hits) else 0.0\n")]),
    mistake(
        "ap-not-interpolated", "takes the precision as it is at each hit",
        "Precision goes up and down along the ranking, and each dip counts. Replace it by the "
        "highest precision at that recall or beyond.",
        "P1.ap.interpolation/1", [(INTERPOLATION, "")]),
    mistake(
        "ap-no-point-at-recall-zero", "begins the curve at the first detection and not at recall 0",
        "The area before the first hit is missing, so that a single perfect detection gets 0. Let "
        "the curve start at recall 0, and use steps.",
        "P1.ap.perfect/1",
        [(AREA, RECALL + "    return float(torch.trapezoid(precision, recall))\n")]),
    mistake(
        "ap-epsilon-in-recall", "adds an epsilon to the number of objects",
        "Recall never reaches 1, so that even a perfect detector falls short. Divide by the number "
        "of objects, and treat the case of none apart.",
        "P1.ap.perfect/1", [(AREA, AREA.replace("/ num_targets", "/ (num_targets + 0.1)"))]),
    mistake(
        "ap-recall-of-found", "divides by the number of objects that are found",
        "What is missed then costs nothing. Divide by the number of all objects.",
        "P1.ap.area/1", [(AREA, AREA.replace("num_targets", "max(1, hits.sum())"))]),
    mistake(
        "ap-truth-against-itself", "evaluates the ground truth against itself",
        "AP is 1 whatever the network answers. Match the predictions with the ground truth.",
        "P1.ap.area/1", [(
            TOTAL, '    predictions = [{"boxes": b, "scores": torch.ones(len(b))} '
            "for b in ground_truths]\n" + TOTAL)]),
    mistake(
        "ap-object-found-twice", "lets several detections find the same object",
        "Duplicates count as hits, and AP can exceed 1. Once an object is found, further "
        "detections of it are false positives.",
        "P1.ap.once/1", [(
            'match_detections(prediction["boxes"][order], boxes, iou_threshold)',
            '(compute_iou(prediction["boxes"][order], boxes) >= iou_threshold)'
            ".any(dim=1)")]),
    mistake(
        "ap-best-object-only", "does not offer a detection the second best object",
        "Where the best object is taken already, the detection may still find another one beside "
        "it. Look for the best among the objects that are still free.",
        "P1.ap.unmatched/1", [
            ("    for d in range(len(boxes)):\n",
             "    taken = set()\n    for d in range(len(boxes)):\n"),
            (TAKING, """        best_iou, gt = iou[d].max(dim=0)
        if best_iou >= iou_threshold and int(gt) not in taken:
            hits[d] = True
            taken.add(int(gt))
""")]),
    mistake(
        "ap-list-order", "takes the detections of an image in the order of the list",
        "A poor detection may then take an object from a better one. Sort them by score before you "
        "match them.",
        "P1.ap.unmatched/1", [(
            'torch.sort(prediction["scores"], descending=True, stable=True).indices',
            'torch.arange(len(prediction["scores"]))')]),
    mistake(
        "ap-best-overlap-wins", "lets every object have the detection that overlaps it most",
        "The hit is then not the detection with the highest score, but any that happens to fit "
        "well. Go through the detections by descending score, and let each look for its object.",
        "P1.ap.unmatched/1", [(
            '        hits.append(match_detections(prediction["boxes"][order], boxes, '
            "iou_threshold))",
            '        iou = compute_iou(prediction["boxes"][order], boxes)\n'
            "        hits.append(torch.zeros(len(iou), dtype=torch.bool))\n"
            "        if iou.numel():\n"
            "            hits[-1][iou.argmax(dim=0)[iou.amax(dim=0) >= iou_threshold]] = True")]),
    mistake(
        "ap-first-object", "takes the first object whose IoU suffices instead of the best",
        "Which object a detection gets then depends on the order of the list. Take the free one "
        "with the highest IoU.",
        "P1.ap.unmatched/1", [(
            "best_iou, gt = iou[d].max(dim=0)",
            "gt = (iou[d] >= iou_threshold).int().argmax()\n"
            "        best_iou = iou[d, gt]")]),
    mistake(
        "ap-empty-images-left-out", "leaves out the detections of images without objects",
        "All of them are false positives, and the more of them, the lower AP should be. Rank them "
        "with those of all other images.",
        "P1.ap.images/1", [(
            "    for prediction, boxes in zip(predictions, ground_truths):\n",
            "    for prediction, boxes in zip(predictions, ground_truths):\n"
            "        if len(boxes) == 0:\n            continue\n")]),
    mistake(
        "ap-undetected-images-left-out", "leaves out the objects of images without detections",
        "What is not found there costs no recall. Count the objects of all images.",
        "P1.ap.images/1", [(
            TOTAL, TOTAL.replace(
                "for boxes in ground_truths", "for boxes, seen in zip(ground_truths, predictions)\n"
                "                      if len(seen['scores'])"))]),
    mistake(
        "ap-images-pooled", "matches detections with the objects of all images",
        "A detection may then find an object at the same place of another image. Match within each "
        "image, and rank together only afterwards.",
        "P1.ap.images/1", [(
            TOTAL, "    predictions = [{key: torch.cat([p[key] for p in predictions])\n"
            '                    for key in ("boxes", "scores")}]\n'
            "    ground_truths = [torch.cat(ground_truths)]\n" + TOTAL)]),
    mistake(
        "ap-mean-over-images", "averages the AP of each image",
        "An image with one object weighs as much as one with ten, and scores of different images "
        "are never compared. Rank the detections of all images together.",
        "P1.ap.images/1", [(
            TOTAL, "    if len(ground_truths) > 1:\n"
            "        return float(np.nanmean([\n"
            "            compute_ap([p], [g], iou_threshold)\n"
            "            for p, g in zip(predictions, ground_truths)]))\n" + TOTAL)]),
    mistake(
        "ap-ranked-image-by-image", "ranks detections image by image",
        "A poor detection of the first image then comes before a good one of the second. Sort the "
        "detections of all images by score.",
        "P1.ap.images/1", [(RANKED, "hits.double()")]),
    mistake(
        "ap-ties-reversed", "turns the order of detections with equal scores around",
        "An ascending sort that is read from its end does that. Sort in descending order, and "
        "stably.",
        "P1.ap.ties/1",
        [(RANKED, "hits[torch.sort(scores, stable=True).indices.flip(0)].double()")]),
    mistake(
        "ap-nan-without-detections", "gives nan when there are no detections",
        "A class of which nothing is found then leaves the mean, as if it did not exist. With "
        "objects but without detections AP is 0.",
        "P1.ap.none/1", [(
            "    if num_targets == 0:\n",
            '    if num_targets == 0 or sum(len(p["scores"]) for p in predictions) == 0:'
            "\n")]),
    mistake(
        "ap-zero-without-objects", "gives 0 when there are no objects",
        "A class that the images do not show then lowers the mean. Without objects AP is not "
        "defined, which nan says.",
        "P1.ap.nan/1", [('return float("nan")', "return 0.0")]),
    mistake(
        "ap-threshold-strict", "does not count an IoU that equals the threshold",
        "The rule says that an IoU from the threshold on suffices. An equal one is a hit.",
        "P1.ap.threshold/1", [("if best_iou >= iou_threshold:", "if best_iou > iou_threshold:")]),
    mistake(
        "ap-threshold-ignored", "asks for an IoU of .5 whatever iou_threshold it is given",
        "The argument has no effect. Compare with iou_threshold.",
        "P1.ap.threshold/1",
        [("boxes, iou_threshold))\n    # mutants", "boxes, 0.5))\n    # mutants")]),
    mistake(
        "scale-best-overlap", "counts the detection that overlaps an object most",
        "An object counts for the map of its best-scored detection, also where another map found "
        "it more exactly. Go through the detections by descending score.",
        "P1.scale.counts/1", [(
            "hits = " + MATCHED,
            'iou = compute_iou(detection["boxes"][of_class], truth)\n'
            "            hits = torch.zeros(len(iou), dtype=torch.bool)\n"
            "            if iou.numel():\n"
            "                hits[iou.argmax(dim=0)[iou.amax(dim=0) >= 0.5]] = True")]),
    mistake(
        "scale-duplicates", "counts every detection on an object, also when another has found it",
        "A map with many duplicates then seems to find more. Each object counts once, for its "
        "detection with the highest score.",
        "P1.scale.counts/1", [(
            "            hits = match_detections(detection[\"boxes\"][of_class], truth, "
            "iou_threshold=0.5)\n",
            "            found = compute_iou(detection[\"boxes\"][of_class], truth)\n"
            "            hits = (found >= 0.5).any(dim=1)\n")]),
    mistake(
        "scale-all-scores", "counts detections of any score",
        "Guesses that happen to lie on an object count as found. Only scores from .5 on do.",
        "P1.scale.counts/1", [('detection["scores"] >= 0.5', 'detection["scores"] >= 0.0')]),
    mistake(
        "scale-score-strict", "does not count a score of exactly .5",
        "The rule counts scores from .5 on. Compare with >=.",
        "P1.scale.counts/1", [('detection["scores"] >= 0.5', 'detection["scores"] > 0.5')]),
    mistake(
        "scale-iou-strict", "does not count an IoU of exactly .5",
        "The rule counts an IoU from .5 on. Compare with >=.",
        "P1.scale.counts/1", [(MATCHED, MATCHED.replace("0.5", "0.500001"))]),
    mistake(
        "scale-class-ignored", "counts detections of the wrong class",
        "A circle found as a square is not found. Compare a detection only with objects of its "
        "class.",
        "P1.scale.counts/1", [(TRUTH, 'truth = target["boxes"]')]),
    mistake(
        "scale-without-iou", "counts all detections, whether they lie on an object or not",
        "The table then tells how much each map predicts, not how much it finds. Count only what "
        "overlaps an object of its class by .5 or more.",
        "P1.scale.counts/1",
        [("hits = " + MATCHED, "hits = torch.ones(int(of_class.sum())).bool()")]),
    mistake(
        "scale-transposed", "returns the counts with classes as rows",
        "The rows are maps and the columns are classes, and a square table does not tell that they "
        "are swapped. Return [3 maps, 3 classes].",
        "P1.scale.counts/1", [("    return counts\n", "    return counts.T\n")]),
    mistake(
        "scale-shares", "returns shares instead of counts",
        "Shares hide how many objects there were. Return whole numbers.",
        "P1.scale.counts/1",
        [("    return counts\n", "    return counts / max(1, counts.sum())\n")]),
    mistake(
        "scale-no-picture", "does not save the counts to scale_performance.png",
        "A figure that is only shown, or saved under another name, cannot be handed in. Save it as "
        "results/visualizations/scale_performance.png.",
        "P1.scale.picture/1", [('"scale_performance.png"\n', '"scale_analysis.png"\n')]),
    mistake(
        "detections-not-saved", "leaves no picture of the detections at save_path",
        "A figure that is only shown is gone when the program ends. Save it to save_path.",
        "P1.scale.detections/1", [(
            "    save_path.parent.mkdir(parents=True, exist_ok=True)\n"
            "    figure.savefig(save_path, dpi=120)\n", "")]),
    mistake(
        "detections-channels-first", "draws an image of shape [3, H, W] as it is",
        "Matplotlib expects the colours last and raises. Move the channels to the end before you "
        "draw.",
        "P1.scale.detections/1",
        [("axes.imshow(np.asarray(image).transpose(1, 2, 0))", "axes.imshow(np.asarray(image))")]),
]
