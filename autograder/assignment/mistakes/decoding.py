"""Mistakes in NMS and decoding: tasks 1.9 and 1.19."""

from . import mistake

ORDER = "torch.sort(scores, descending=True, stable=True).indices"
KEEP = "torch.stack(keep) if keep else order"
GREEDY = """    while len(order) > 0:
        best, order = order[0], order[1:]
        keep.append(best)
        # mutants: free (without .nan_to_num()), nothing is asked about boxes of nan
        overlap = compute_iou(boxes[best][None], boxes[order])[0].nan_to_num()
        order = order[overlap <= iou_threshold]
"""
CLASSES = "for c in labels.unique():\n            of_class = torch.nonzero(labels == c).flatten()"
SUPPRESSED = "of_class[nms(boxes[of_class], scores[of_class], nms_threshold)]"
SCORE = "score = flat[..., 4].sigmoid() * class_score"
BEST = """  # index order, so that equal scores stay in it
        best = torch.sort(scores[keep], descending=True, stable=True).indices[:max_detections]
        keep = keep[best]
"""

MISTAKES = [
    mistake(
        "nms-changes-scores", "changes the scores that it is given",
        "Whoever looks the scores of the kept boxes up finds other ones. Keep the order of the "
        "boxes in a tensor of your own.",
        "P1.nms.greedy/3", [(
            "        keep.append(best)\n",
            "        keep.append(best)\n"
            "        scores[best] = -1\n")]),
    mistake(
        "nms-threshold-inclusive", "suppresses a box whose IoU equals the threshold",
        "The rule removes only what overlaps more than the threshold. An equal IoU is kept.",
        "P1.nms.threshold/1", [("overlap <= iou_threshold", "overlap < iou_threshold")]),
    mistake(
        "nms-worst-first", "takes the boxes in ascending order of their scores",
        "Poor boxes then remove good ones. Begin with the highest score.",
        "P1.nms.greedy/1", [(ORDER, ORDER.replace("descending=True", "descending=False"))]),
    mistake(
        "nms-list-order", "takes the boxes in the order of the list, whatever their scores",
        "A box that comes early then removes a better one. Take the box with the highest score "
        "first.",
        "P1.nms.greedy/1", [(ORDER, "torch.arange(len(scores))")]),
    mistake(
        "nms-removed-boxes-remove", "lets boxes that were removed remove others",
        "In a chain of boxes the middle one takes away its neighbours, and these must not take "
        "away theirs. Compare only with boxes that were kept.",
        "P1.nms.greedy/1", [(
            GREEDY, """    for rank, index in enumerate(order):
        overlap = compute_iou(boxes[index][None], boxes[order[:rank]])[0]
        if (overlap <= iou_threshold).all():
            keep.append(index)
""")]),
    mistake(
        "nms-positions-when-sorted", "returns places in the sorted list for those of the boxes",
        "Place 0 is then always the best box. Look the places up in the order: order[keep].",
        "P1.nms.greedy/2", [(
            "order = " + ORDER, f"boxes = boxes[{ORDER}]\n    order = torch.arange(len(boxes))")]),
    mistake(
        "nms-places-off-by-one", "looks places among the other boxes up in the list with the best",
        "The one before each is then kept in its place. Take the best out of the order, or add 1.",
        "P1.nms.greedy/1", [(GREEDY, GREEDY.replace("order[overlap", "left[:-1][overlap").replace(
            "best, order = order[0], order", "best, left, order = order[0], order, order"))]),
    mistake(
        "nms-index-order", "returns the kept boxes in the order of their indices",
        "Whoever takes the first few expects the best ones. Return them best first.",
        "P1.nms.greedy/2", [(KEEP, "torch.stack(keep).sort().values if keep else order")]),
    mistake(
        "nms-mask", "returns a mask instead of indices",
        "A mask cannot say which box is the best. Return the int64 indices of the kept boxes, best "
        "first.",
        "P1.nms.greedy/2", [(
            "return " + KEEP,
            "kept = torch.zeros(len(boxes), dtype=torch.bool)\n    for index in keep:\n"
            "        kept[index] = True\n    return kept")]),
    mistake(
        "nms-ties-last", "takes the higher index first where scores are equal",
        "An ascending sort that is read from its end turns ties around. Sort in descending order, "
        "and stably.",
        "P1.nms.ties/1", [(ORDER, "torch.sort(scores, stable=True).indices.flip(0)")]),
    mistake(
        "nms-fails-without-boxes", "stacks an empty list when there are no boxes",
        "That raises, although nothing to keep is a right answer. Give an empty int64 tensor.",
        "P1.nms.empty/1", [(KEEP, "torch.stack(keep)")]),
    mistake(
        "nms-empty-of-floats", "returns a tensor of floats when there are no boxes",
        "torch.tensor of an empty list has floats, which are no indices. Give an empty int64 "
        "tensor.",
        "P1.nms.empty/1", [(KEEP, "torch.tensor(keep)")]),
    mistake(
        "nms-boxes", "returns the kept boxes instead of their indices",
        "Scores and labels cannot be selected with them. Return the int64 indices of the kept "
        "boxes, best first.",
        "P1.nms.greedy/2", [(KEEP, "boxes[torch.stack(keep)] if keep else boxes")]),
    mistake(
        "decode-nms-per-map", "runs NMS within each map",
        "An object that two maps find is reported twice. Collect the candidates of all maps first.",
        "P1.decode.nms/1", [(
            CLASSES, CLASSES.replace( "for c in labels.unique():",
            "groups = labels * 9 + maps[candidates]\n        for c in groups.unique():")
            .replace("labels == c", "groups == c"))]),
    mistake(
        "decode-nms-across-classes", "runs NMS over all classes together",
        "An object then removes another one of a different class beside it. Run NMS class by "
        "class.",
        "P1.decode.nms/1", [(
            CLASSES, CLASSES.replace("for c in labels.unique():", "if len(labels):")
            .replace("labels == c", "labels >= 0"))]),
    mistake(
        "decode-classes-moved-too-little",
        "moves the boxes of each class by the largest coordinate, for one NMS of all",
        "Boxes reach below 0 as well, so that those of two classes can still overlap, and one "
        "removes the other. Move them by the largest less the smallest coordinate and more, or run "
        "NMS class by class.",
        "P1.decode.nms/1", [(
            f"{CLASSES}\n            keep.append({SUPPRESSED})",
            "if len(boxes):\n"
            "            moved = boxes + (labels * (boxes.max() + 1))[:, None]\n"
            "            keep.append(nms(moved, scores, nms_threshold))")]),
    mistake(
        "decode-without-nms", "runs no NMS",
        "Every object is reported by all the anchors around it, and all but one are false "
        "positives. Suppress what overlaps a better detection of the same class.",
        "P1.decode.nms/1", [(SUPPRESSED, "of_class")]),
    mistake(
        "decode-nms-threshold-ignored", "runs NMS with .5 whatever nms_threshold it is given",
        "The argument has no effect. Pass it on to nms.",
        "P1.decode.nms/1", [("scores[of_class], nms_threshold)", "scores[of_class], 0.5)")]),
    mistake(
        "decode-nms-indices-of-class",
        "takes the indices that NMS returns for one class for those of all detections",
        "They count within the boxes of the class, so that other detections are kept than NMS has "
        "chosen. Look them up in the list of the detections of that class.",
        "P1.decode.nms/1", [(SUPPRESSED, SUPPRESSED.removeprefix("of_class[").removesuffix("]"))]),
    mistake(
        "decode-not-decoded", "returns offsets in the place of boxes",
        "Offsets are numbers around 0, all of them near the upper left corner. Decode them with "
        "the anchors of their places.",
        "P1.decode.score/2", [(
            "decode_boxes(flat[image, candidates, :4], anchors[candidates])",
            "flat[image, candidates, :4]")]),
    mistake(
        "decode-first-class-left-out", "takes the first class for the background",
        "Objects of this class are never found, and the others lose what it takes of the softmax. "
        "The background has no class here: objectness says whether there is an object.",
        "P1.decode.score/2", [(
            "flat[..., 5:].softmax(dim=-1).max(dim=-1)",
            "flat[..., 5:].softmax(dim=-1)[..., 1:].max(dim=-1)")]),
    mistake(
        "decode-objectness-alone", "takes the objectness alone for the score",
        "A detection whose class is a guess then ranks as high as a sure one. Multiply the "
        "objectness by the probability of the class.",
        "P1.decode.score/2", [(SCORE, "score = flat[..., 4].sigmoid()")]),
    mistake(
        "decode-class-alone", "leaves the objectness out of the score",
        "Every anchor is then a sure detection, on empty background as well. Multiply the "
        "probability of the class by the sigmoid of the objectness.",
        "P1.decode.score/2", [(SCORE, "score = class_score")]),
    mistake(
        "decode-objectness-raw", "uses the objectness logit without a sigmoid",
        "Scores are then negative or above 1, and thresholds mean nothing. The logit becomes a "
        "probability through the sigmoid.",
        "P1.decode.score/2", [(SCORE, "score = flat[..., 4] * class_score")]),
    mistake(
        "decode-class-sigmoid", "takes a sigmoid of each class logit instead of a softmax",
        "The classes were trained against each other, so that their logits mean something only "
        "together. Take the softmax over the classes.",
        "P1.decode.score/2", [("flat[..., 5:].softmax(dim=-1)", "flat[..., 5:].sigmoid()")]),
    mistake(
        "decode-softmax-with-objectness", "takes one softmax over the objectness and the classes",
        "Objectness was trained by itself. Take its sigmoid, and a softmax over the classes alone.",
        "P1.decode.score/2", [(SCORE, "score = class_score"), (
            "flat[..., 5:].softmax(dim=-1)", "flat[..., 4:].softmax(dim=-1)[..., 1:]")]),
    mistake(
        "decode-labels-from-one", "returns labels that count from 1",
        "Each detection is then one of the next class. Labels run from 0 to C - 1: the background "
        "has no place among them.",
        "P1.decode.score/1", [('"labels": labels[keep]', '"labels": labels[keep] + 1')]),
    mistake(
        "decode-first-image", "decodes only the first image of the batch",
        "All other images of the batch have no detections. Go through the whole batch.",
        "P1.decode.score/1", [("for image in range(len(flat)):", "for image in range(1):")]),
    mistake(
        "decode-predictions-clipped", "clips detections to the image",
        "Boxes at the border get another size and centre than the network predicted. Leave them as "
        "they are.",
        "P1.decode.score/2", [("anchors[candidates])", "anchors[candidates]).clamp(0, 224)")]),
    mistake(
        "decode-maps-misaligned", "looks up the map of a detection by the wrong index",
        "Positions among the candidates are not numbers of anchors, so that most detections seem "
        "to come from the first map. Carry the maps along wherever boxes and scores are selected.",
        "P1.decode.maps/1", [("maps[candidates[keep]]", "maps[keep]")]),
    mistake(
        "decode-three-anchors", "assumes three anchors per cell when it flattens the maps",
        "With another number of anchors the numbers of an anchor are torn apart, or do not fit at "
        "all. Work it out from the number of anchors and of cells of the map.",
        "P1.decode.maps/1", [("per_cell = len(map_anchors) // (height * width)", "per_cell = 3")]),
    mistake(
        "decode-anchors-before-cells", "decodes the maps anchor by anchor instead of cell by cell",
        "Predictions then meet the anchors of other cells. Move the channels to the end before you "
        "flatten, so that all anchors of a cell come before the next cell.",
        "P1.decode.score/2", [(
            "prediction.permute(0, 2, 3, 1).reshape(batch, -1, per_anchor)",
            "prediction.unflatten(1, (per_cell, per_anchor)).flatten(3)"
            ".transpose(2, 3).flatten(1, 2)")]),
    mistake(
        "decode-without-permute", "decodes the maps without moving the channels to the end",
        "The numbers of an anchor are then taken from neighbouring cells. Permute [B, channels, H, "
        "W] to [B, H, W, channels] first.",
        "P1.decode.score/2", [("prediction.permute(0, 2, 3, 1).", "prediction.")]),
    mistake(
        "decode-columns-first", "decodes the maps column by column instead of row by row",
        "Predictions then meet the anchors of other cells. Permute [B, channels, H, W] to "
        "[B, H, W, channels], so that the rows of the map stay rows.",
        "P1.decode.score/2",
        [("prediction.permute(0, 2, 3, 1)", "prediction.permute(0, 3, 2, 1)")]),
    mistake(
        "decode-threshold-strict", "drops a score that equals the threshold",
        "The rule keeps scores from the threshold on. An equal one stays.",
        "P1.decode.threshold/1",
        [("score[image] >= score_threshold", "score[image] > score_threshold")]),
    mistake(
        "decode-second-threshold", "drops scores below .1 or so, whatever score_threshold is",
        "A low threshold has no effect then, and AP misses what lies between. Compare with "
        "score_threshold alone.",
        "P1.decode.threshold/1",
        [("score[image] >= score_threshold", "score[image] >= max(score_threshold, 0.1)")]),
    mistake(
        "decode-threshold-on-objectness", "compares the objectness alone with the threshold",
        "A detection that is sure of an object but not of its class passes with a low score. "
        "Compare the whole score, objectness times class probability.",
        "P1.decode.threshold/1",
        [("score[image] >= score_threshold", "flat[image, :, 4].sigmoid() >= score_threshold")]),
    mistake(
        "decode-small-removed", "leaves out detections that are less than two pixels wide or high",
        "Other code does this to clean up, but no rule does. What has the score is kept.",
        "P1.decode.threshold/1", [(
            "        scores, labels = score[image, candidates]",
            "        large = ((boxes[:, 2:] - boxes[:, :2]) >= 2).all(dim=1)\n"
            "        candidates, boxes = candidates[large], boxes[large]\n"
            "        scores, labels = score[image, candidates]")]),
    mistake(
        "decode-unsorted", "returns detections class by class",
        "Cutting off after max_detections then drops good detections of the last class. Sort what "
        "NMS has kept by score, over all classes.",
        "P1.decode.best/1",
        [("torch.cat(keep).sort().values" + BEST, "torch.cat(keep)[:max_detections]\n")]),
    mistake(
        "decode-best-before-nms", "cuts to max_detections before NMS",
        "What NMS removes then leaves fewer than max_detections, although others were found. Cut "
        "what NMS has kept.",
        "P1.decode.best/1", [(
            "        boxes = decode_boxes(flat[image, candidates, :4]",
            "        best = score[image, candidates].argsort(descending=True)\n"
            "        candidates = candidates[best[:max_detections].sort().values]\n"
            "        boxes = decode_boxes(flat[image, candidates, :4]")]),
    mistake(
        "decode-unlimited", "ignores max_detections",
        "An image may then have any number of detections. Keep at most the best of them.",
        "P1.decode.best/1", [(".indices[:max_detections]", ".indices")]),
    mistake(
        "decode-best-of-each-class", "keeps max_detections of each class",
        "An image may then have several times as many as it should. Limit the detections of all "
        "classes together.",
        "P1.decode.best/1", [
            ("nms_threshold)])\n", "nms_threshold)][:max_detections])\n"),
            (".indices[:max_detections]", ".indices")]),
    mistake(
        "decode-empty-lists", "returns empty lists for an image without detections",
        "Code that compares or indexes boxes fails on a list. Give boxes of shape [0, 4] and empty "
        "tensors.",
        "P1.decode.empty/1", [(
            "        detections.append({\n",
            "        if len(keep) == 0:\n"
            '            detections.append({"boxes": [], "scores": [], "labels": [], '
            '"maps": []})\n'
            "            continue\n        detections.append({\n")]),
    mistake(
        "decode-empty-left-out", "leaves out images without detections",
        "The list then no longer lines up with the images, and later detections count for the "
        "wrong ones. Give one dict per image, empty or not.",
        "P1.decode.empty/1", [(
            "        detections.append({\n",
            "        if len(keep) == 0:\n            continue\n"
            "        detections.append({\n")]),
]
