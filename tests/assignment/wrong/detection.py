"""Wrong code of the other tasks of problem 1: network, training, detections, what is measured."""

from .passages import (
    ANALYSIS,
    CANDIDATES,
    CUT,
    DATASET,
    EVALUATE,
    MODEL,
    TAKING,
    TRAIN,
    TRUTHS,
    UTILS,
    whole,
)

KEPT = "            iou[:, gt] = -1  # taken\n    return hits\n"
ANSWER = "        return [head(m) for head, m in zip(self.heads, (map56, map28, map14))]\n"
OF_CHANNELS = """\
        outputs = [head(m) for head, m in zip(self.heads, (map56, map28, map14))]
        for maps in (o.unflatten(1, (3 if o.shape[1] == 24 else 2, -1)) for o in outputs):{}
        return outputs
"""
KEPT_ANYWAY = "        if best_iou > 0:\n" + KEPT

VARIANTS = {
    "statistics of the batch": (
        "P1.model.batch/1", "1.8.2 1.8.4", MODEL, "nn.BatchNorm2d(out_channels)",
        "nn.BatchNorm2d(out_channels, track_running_stats=False)"),
    "three classes": (
        "P1.decode.nms/1", "1.19.2", EVALUATE, "for c in labels.unique()", "for c in range(3)"),
    "maps told by the size of boxes": (
        "P1.decode.maps/1", "1.19.2", EVALUATE, "maps[candidates[keep]]",
        "torch.bucketize(boxes[keep][:, 2] - boxes[keep][:, 0], torch.tensor([14.0, 28.0]))"),
    "anchors kept from the first call": (
        "P1.decode.nms/1", "1.19.3", EVALUATE, "    flat = []\n    maps = []\n",
        "    kept = decode_predictions.__dict__.setdefault('kept', {})\n"
        "    anchors = kept.setdefault(tuple(map(len, anchors)), anchors)\n"
        "    flat = []\n    maps = []\n"),
    "nms by objectness": (
        "P1.decode.nms/1", "1.19.3", EVALUATE, "nms(boxes[of_class], scores[of_class],",
        "nms(boxes[of_class], flat[image, candidates[of_class], 4],"),
    "limit for the whole batch": ("P1.decode.best/1", "1.19.5", EVALUATE, CUT, (
        '.indices[:max(0, max_detections - sum(len(d["labels"]) for d in detections))]')),
    "never more than a hundred detections": (
        "P1.decode.best/1", "1.19.5", EVALUATE, CUT, ".indices[:min(max_detections, 100)]"),
    "another default threshold": (
        "P1.decode.threshold/1", "1.19.6", EVALUATE,
        "score_threshold=0.05", "score_threshold=0.01"),
    "200 detections by default": (
        "P1.decode.best/1", "1.19.5", EVALUATE, "max_detections=100", "max_detections=200"),
    "NMS from .45 by default": (
        "P1.decode.nms/1", "1.19.5", EVALUATE, "nms_threshold=0.5, max", "nms_threshold=0.45, max"),
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
    "detections filled with a third of their colour": (
        "P1.scale.detections/2", "1.12.3", EVALUATE, "fill=False, color=colour",
        'facecolor=(1, 0, 1, 0.3 * (colour == "magenta")), edgecolor=colour'),
    "outlines of sure detections alone": (
        "P1.scale.detections/1", "1.12.3", EVALUATE, '        x, y = draw(box, "magenta", "-")\n',
        "        if score < 0.5:\n            continue\n"
        '        x, y = draw(box, "magenta", "-")\n'),
    "detections filled, objects outlined": (
        "P1.scale.detections/2", "1.12.3", EVALUATE, "fill=False, color=colour",
        'fill=colour == "magenta", color=colour'),
    "objects filled, detections outlined": (
        "P1.scale.detections/2", "1.12.3", EVALUATE, "fill=False, color=colour",
        'fill=colour == "black", color=colour'),
    "anchors of the first map filled": (
        "P1.coverage.picture/2", "1.15.4", ANALYSIS, "fill=False, color=colour",
        'fill=index == 0 and style == "-", color=colour'),
    "the best hundred before NMS": (
        "P1.decode.best/1", "1.19.5", EVALUATE, CANDIDATES,
        "        candidates = candidates[torch.sort(score[image, candidates], descending=True)"
        ".indices[:100]].sort().values\n" + CANDIDATES),
    "the root of the product as the score": (
        "P1.decode.score/2", "1.19.1 1.19.4 1.19.6", EVALUATE,
        "score = flat[..., 4].sigmoid() * class_score",
        "score = (flat[..., 4].sigmoid() * class_score).sqrt()"),
    "logits turned into scores in place": (
        "P1.decode.score/3", "1.19.1", EVALUATE, "score = flat[..., 4].sigmoid() * class_score",
        "score = flat[..., 4].sigmoid() * class_score\n"
        "    predictions[0][:, 4].sigmoid_()"),
    "an object of two that a detection fits best, taken or not": (
        "P1.ap.unmatched/1", "1.10.5", EVALUATE, "            iou[:, gt] = -1  # taken\n",
        "            iou[d + 1:, gt] *= -1\n"
        "        iou[d + 1:] = torch.where(iou[d + 1:].abs() == iou[d + 1:].abs().amax("
        "dim=1, keepdim=True), iou[d + 1:], -iou[d + 1:].abs())\n"),
    "maps behind an activation": (
        "P1.model.shapes/2", "1.8.1", MODEL, "[head(m) for", "[head(m).sigmoid() for"),
    "an object kept from others by a detection that fits too little": (
        "P1.ap.unmatched/1", "1.10.5", EVALUATE, KEPT, KEPT_ANYWAY),
    "an object counted for nobody once a detection has overlapped it": (
        "P1.scale.counts/1", "1.12.1", EVALUATE, KEPT, KEPT_ANYWAY),
    "an object of a size that is kept from others by a detection that fits too little": (
        "P1.sizes.found/2", "1.17.1", ANALYSIS, """\
            if len(bins) and iou[d].max() >= iou_threshold:
                gt = int(iou[d].argmax())
                iou[:, gt] = -1  # taken
                if inside[gt]:
""", """\
            if len(bins) and iou[d].max() > 0:
                fits, gt = iou[d].max() >= iou_threshold, int(iou[d].argmax())
                iou[:, gt] = -1  # taken
                if fits and inside[gt]:
"""),
    "101 points of recall": (
        "P1.ap.area/1", "1.10.1 1.10.2 1.10.4 1.10.5 1.10.6 1.10.9 1.10.10", EVALUATE,
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
    "a step for the first batches alone": (
        "P1.train.learns/1", "1.11.1", TRAIN, "        optimizer.step()\n",
        "        if len(losses) < 4:\n            optimizer.step()\n"),
    "anchors divided by the size of images": (
        "P1.train.learns/2", "1.11.1", TRAIN, "        optimizer.step()\n",
        "        optimizer.step()\n        [a.div_(224) for a in anchors]\n"),
    "anchors of the first map put last": (
        "P1.train.validate/2", "1.11.3", TRAIN, "    return mean_losses([\n        criterion(",
        "    anchors.append(anchors.pop(0))\n    return mean_losses([\n        criterion("),
    "vectors not trained": (
        "P1.train.learns/1", "1.11.1", TRAIN, "    losses = []\n    bar",
        "    [p.requires_grad_(p.dim() > 1) for p in model.parameters()]\n"
        "    losses = []\n    bar"),
    "batch norm of images left in evaluation mode": (
        "P1.train.learns/1", "1.11.1", TRAIN, "    losses = []\n    bar",
        "    import torch.nn as nn\n"
        "    [m.eval() for m in model.modules() if isinstance(m, nn.BatchNorm2d)]\n"
        "    losses = []\n    bar"),
    "anchors clipped in place": (
        "P1.scale.counts/2", "1.12.1", EVALUATE,
        "    # mutants: free, what a picture shows\n    figure = Figure(figsize=(4.5",
        "    [a.clamp_(0, 224) for a in anchors]\n    figure = Figure(figsize=(4.5"),
    "layers sorted in place": (
        "P1.features.left/3", "1.16.3", ANALYSIS, "    modules = dict(model.named_modules())\n",
        "    layers.sort(reverse=True)\n    modules = dict(model.named_modules())\n"),
    "images above 512 pixels shrunk": (
        "P1.dataset.image/2", "1.1.1", DATASET, 'image = file.convert("RGB")\n',
        'image = file.convert("RGB")\n            image.thumbnail((512, 512))\n'),
    "positives whose centre is in the object": (
        "P1.match.bands/1", "1.5.1", UTILS, "    pos_mask = (best_iou >= pos_threshold)",
        "    centre, of_gt = (anchors[:, :2] + anchors[:, 2:]) / 2, target_boxes[best_gt]\n"
        "    inside = ((of_gt[:, :2] <= centre) & (centre <= of_gt[:, 2:])).all(dim=1)\n"
        "    pos_mask = inside & (best_iou >= pos_threshold)"),
    "objectness through a sigmoid": (
        "P1.model.shapes/2", "1.8.1", MODEL, ANSWER, OF_CHANNELS.format("""
            maps[:, :, 4:5] = maps[:, :, 4:5].sigmoid()""")),
    "classes through a softmax": (
        "P1.model.shapes/2", "1.8.1", MODEL, ANSWER, OF_CHANNELS.format("""
            maps[:, :, 5:] = maps[:, :, 5:].softmax(2)""")),
    "offsets through a tanh": (
        "P1.model.shapes/2", "1.8.1", MODEL, ANSWER, OF_CHANNELS.format("""
            maps[:, :, :4] = maps[:, :, :4].tanh()""")),
    "boxes below a pixel left out": (
        "P1.decode.threshold/1", "1.19.4", EVALUATE, CANDIDATES, CANDIDATES
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
    "boxes suppressed from an IoU of .3 on": (
        "P1.decode.nms/1", "1.19.3", EVALUATE, "scores[of_class], nms_threshold)",
        "scores[of_class], 0.5 if nms_threshold == 0.5 else 0.3)"),
    "boxes suppressed from an IoU of .7 on": (
        "P1.decode.nms/1", "1.19.3", EVALUATE, "scores[of_class], nms_threshold)",
        "scores[of_class], 0.5 if nms_threshold == 0.5 else 0.7)"),
    "images without objects left out of a batch": (
        "P1.train.learns/1", "1.11.1 1.11.2", TRAIN,
        "    for images, targets in bar:\n", "    for images, targets in bar:\n"
        '        keep = [i for i, t in enumerate(targets) if len(t["boxes"])] or [*range(4)]\n'
        "        images, targets = images[keep], [targets[i] for i in keep]\n"),
    "counts drawn over those before": (
        "P1.scale.picture/1", "1.12.2", EVALUATE, "figure = Figure(figsize=(4.5, 3.8), "
        'layout="constrained")\n    axes = figure.subplots()\n',
        "import matplotlib.pyplot as plt\n    figure, axes = plt.gcf(), plt.gca()\n"),
    "detections drawn over those before": (
        "P1.scale.detections/1", "1.12.3", EVALUATE, "figure = Figure(figsize=(5, 5), "
        'layout="constrained")\n    axes = figure.subplots()\n',
        "import matplotlib.pyplot as plt\n    figure, axes = plt.gcf(), plt.gca()\n"),
    "anchors drawn over those before": (
        "P1.coverage.picture/1", "1.15.4", ANALYSIS, "panels = figure.subplots(1, len(anchors), "
        "squeeze=False)[0]\n", "import matplotlib.pyplot as plt\n    figure = plt.gcf()\n"
        "    panels = [plt.subplot(1, len(anchors), i + 1) for i in range(len(anchors))]\n"),
    "edges moved in place": (
        "P1.sizes.found/5", "1.17.1", ANALYSIS, "    num_bins = len(edges) - 1\n",
        "    num_bins = len(edges) - 1\n    edges[0] -= 1e-9\n"),
    "anchors of its own": (
        "P1.train.learns/1", "1.11.1 1.11.2", TRAIN, "targets, anchors)\n        optimizer",
        "targets, generate_anchors(MAP_SIZES, ANCHOR_SCALES))\n        optimizer"),
    "sizes cut to whole pixels": (
        "P1.sizes.bins/1", "1.17.2", ANALYSIS, "np.searchsorted(edges, sides.numpy()",
        "np.searchsorted(edges, sides.floor().numpy()"),
    "maps counted from detections": (
        "P1.sizes.found/1", "1.17.3", ANALYSIS, "np.zeros((len(MAP_SIZES), num_bins)",
        'np.zeros((max([int(m) + 1 for d in detections for m in d["maps"]] or [1]), num_bins)'),
    "edges cut to whole pixels": (
        "P1.sizes.bins/1", "1.17.1", ANALYSIS, "np.searchsorted(edges,",
        "np.searchsorted([int(edge) for edge in edges],"),
    "every image divided by its deviation": (
        "P1.model.trainable/3", "1.8.4", MODEL, "        map56 = self.stage56(self.stem(x))",
        "        x = x / x.std(dim=(1, 2, 3), keepdim=True)\n"
        "        map56 = self.stage56(self.stem(x))"),
    "sides at most seven times those of anchors": (
        "P1.decode.score/2", "1.19.1 1.19.3", EVALUATE, "flat[image, candidates, :4], anchors[c",
        "flat[image, candidates, :4].clamp(max=2), anchors[c"),
    "NMS on boxes cut off at the border": (
        "P1.decode.nms/1", "1.19.3", EVALUATE, "nms(boxes[of_class],",
        "nms(boxes[of_class].clamp(0, 224),"),
    "detections and objects without negative coordinates": (
        "P1.ap.unmatched/1", "1.10.5", EVALUATE,
        '        hits.append(match_detections(prediction["boxes"][order], boxes, iou_threshold))',
        '        hits.append(match_detections(prediction["boxes"][order].clamp(min=0),\n'
        "                                     boxes.clamp(min=0), iou_threshold))"),
    "detections cut off at the border": (
        "P1.scale.counts/1", "1.12.1", EVALUATE, 'match_detections(detection["boxes"][of_class],',
        'match_detections(detection["boxes"][of_class].clamp(0, 224),'),
    "the object that fits best, taken or not": (
        "P1.scale.counts/1", "1.12.1", EVALUATE, "            np.add.at(counts[:, c],",
        "            fits = compute_iou(detection[\"boxes\"][of_class], truth)\n"
        "            best = fits.argmax(dim=1).tolist() if len(truth) else []\n"
        "            hits = torch.tensor([float(fits[d, g]) >= 0.5 and g not in best[:d]\n"
        "                                 for d, g in enumerate(best)] or [False] * len(hits),\n"
        "                                dtype=torch.bool)\n"
        "            np.add.at(counts[:, c],"),
    "anchors with an IoU of .3 and more": (
        "P1.coverage.picture/1", "1.15.4", ANALYSIS, "(map_anchors[best],",
        "(map_anchors[best][best_iou >= 0.3],"),
    "sizes of boxes without negative coordinates": (
        "P1.sizes.found/2", "1.17.1", ANALYSIS,
        'iou = compute_iou(detection["boxes"], target["boxes"])',
        'iou = compute_iou(detection["boxes"].clamp(min=0), target["boxes"].clamp(min=0))'),
    "classes moved apart by the size of the image": (
        "P1.decode.nms/1", "1.19.3", EVALUATE, "        for c in labels.unique():\n"
        "            of_class = torch.nonzero(labels == c).flatten()\n"
        "            keep.append(of_class[nms(boxes[of_class], scores[of_class], "
        "nms_threshold)])\n",
        "        keep.append(nms(boxes + 224 * labels[:, None], scores, nms_threshold))\n"),
    "scores rounded to three digits": (
        "P1.ap.unmatched/1", "1.10.6", EVALUATE, "hits = hits[torch.sort(scores,",
        "hits = hits[torch.sort(scores.double().round(decimals=3),"),
    "an anchor for one object": (
        "P1.coverage.share/1", "1.15.1 1.15.2 1.15.3", ANALYSIS,
        'fits = (compute_iou(target["boxes"], map_anchors) >= iou_threshold).any(dim=1)',
        'iou, fits = compute_iou(target["boxes"], map_anchors), []\n'
        "            for row in iou:\n"
        "                fits.append(bool(row.max() >= iou_threshold))\n"
        "                iou[:, row.argmax()] *= not fits[-1]\n"
        "            fits = torch.tensor(fits, dtype=torch.bool)"),
    "one bin without its axis": (
        "P1.sizes.found/1", "1.17.3", ANALYSIS, "    return found, objects\n",
        "    return found.squeeze(), objects\n"),
    "scores from .5 on, whatever the threshold": (
        "P1.sizes.thresholds/1", "1.17.3", ANALYSIS,
        'torch.nonzero(detection["scores"] >= score_threshold)',
        'torch.nonzero(detection["scores"] >= max(score_threshold, 0.5))'),
    "pictures of 224 pixels": (
        "P1.scale.detections/1", "1.12.3", EVALUATE,
        '    axes.imshow(np.asarray(image).transpose(1, 2, 0))\n    axes.axis("off")\n',
        '    axes.imshow(np.asarray(image).transpose(1, 2, 0))\n    axes.axis("off")\n'
        "    axes.set_xlim(0, 224)\n    axes.set_ylim(224, 0)\n"),
}
