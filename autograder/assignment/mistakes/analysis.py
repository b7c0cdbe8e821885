"""Mistakes in the analysis of a detector: tasks 1.15, 1.16 and 1.17."""

from . import mistake

FITS = 'fits = (compute_iou(target["boxes"], map_anchors) >= iou_threshold).any(dim=1)'
SHARES = "        return found / objects\n"
COUNTED = '        np.add.at(objects, target["labels"].numpy(), 1)\n'
KEPT = "maps[name] = output.detach().abs().mean(dim=1).float()"
RUN = """        with torch.no_grad():
            model.eval()(images)
"""
MODES = """        for module, mode in modes.items():
            module.training = mode
"""
REMOVED = """        for hook in hooks:
            hook.remove()
"""
SIDES = ('(target["boxes"][:, 2:] - target["boxes"][:, :2]).prod(dim=1).sqrt()')
OTHER_CLASS = '        iou[detection["labels"][:, None] != target["labels"]] = -1\n'
TAKING = """                gt = int(iou[d].argmax())
                iou[:, gt] = -1  # taken
"""

MISTAKES = [
    mistake(
        "coverage-strict", "asks for an IoU above iou_threshold",
        "An anchor whose IoU equals the threshold fits as well. Compare with >=.",
        "P1.coverage.share/1", [(FITS, FITS.replace(">=", ">"))]),
    mistake(
        "coverage-threshold-ignored", "asks anchors for an IoU of .5 whatever threshold it gets",
        "The argument has no effect. Compare with iou_threshold.",
        "P1.coverage.share/1", [(FITS, FITS.replace("iou_threshold", "0.5"))]),
    mistake(
        "coverage-of-anchors", "counts the anchors that fit objects instead of the objects",
        "An object with two anchors then counts twice, and a share may exceed 1. Ask of each "
        "object whether any anchor fits it.",
        "P1.coverage.share/1", [(
            FITS, "fits = torch.nonzero(compute_iou("
            'target["boxes"], map_anchors) >= iou_threshold)[:, 0]')]),
    mistake(
        "coverage-mean-overlap", "averages the best IoU of the objects",
        "It says how well anchors fit, and not how many objects can be learned. Count the objects "
        "whose best IoU is at least iou_threshold.",
        "P1.coverage.share/1", [
            (FITS, 'fits = compute_iou(target["boxes"], map_anchors).amax(dim=1)'),
            ('np.add.at(of_map, target["labels"][fits].numpy(), 1)',
             'np.add.at(of_map, target["labels"].numpy(), fits.numpy())')]),
    mistake(
        "coverage-share-of-pairs", "gives the share of pairs of object and anchor that fit",
        "Of thousands of anchors one is enough. Ask of each object whether any anchor fits it.",
        "P1.coverage.share/1", [
            (FITS, FITS.replace("fits = ", "fits = (").replace(".any(dim=1)", (
                ").float().mean(dim=1)"))),
            ('np.add.at(of_map, target["labels"][fits].numpy(), 1)',
             'np.add.at(of_map, target["labels"].numpy(), fits.numpy())')]),
    mistake(
        "coverage-best-map", "counts an object for the map of its best anchor alone",
        "An object may have anchors on two maps, and each of them can learn to find it. Look at "
        "every map by itself.",
        "P1.coverage.share/1", [(FITS, (
            'every = [compute_iou(target["boxes"], a).amax(dim=1) for a in anchors]\n'
            "            best, place = torch.stack(every).max(dim=0)\n"
            "            own = next(i for i, a in enumerate(anchors) if a is map_anchors)\n"
            "            fits = (best >= iou_threshold) & (place == own)"))]),
    mistake(
        "coverage-counts", "returns how many objects are covered instead of their share",
        "Classes with many objects then seem better covered. Divide by the objects of the class.",
        "P1.coverage.share/1", [(SHARES, "        return found\n")]),
    mistake(
        "coverage-label-less-one", "takes label 1 for the first class",
        "Objects of class 0 then count for the last class. The labels of targets begin at 0.",
        "P1.coverage.share/1", [(SHARES, "        return np.roll(found / objects, -1, axis=1)\n")]),
    mistake(
        "coverage-of-all-objects", "divides by the objects of all classes",
        "A class with few objects then never reaches 1. Divide by the objects of its own class.",
        "P1.coverage.share/1", [(SHARES, "        return found / objects.sum()\n")]),
    mistake(
        "coverage-transposed", "returns the coverage with classes as rows",
        "The rows are maps and the columns are classes. Return [maps, C].",
        "P1.coverage.share/1", [(SHARES, "        return (found / objects).T\n")]),
    *(mistake(
        name, title, why + "Count over all images, and divide once at the end.",
        "P1.coverage.images/1", [(
            SHARES, "        shares = [anchor_coverage(anchors, [t], iou_threshold, "
            "num_classes=num_classes)\n"
            "                  for t in targets] if len(targets) > 1 else [found / objects]\n"
            f"        return np.{mean}(shares, axis=0)\n")])
        for mean, name, title, why in (
            ("nanmean", "coverage-mean-over-images", "averages the shares of the images",
             "An object that is alone in its image then weighs as much as ten in another one. "),
            ("mean", "coverage-mean-with-nan", "averages the shares of the images, those without "
             "objects of the class included", "The share of such an image is nan, and one nan "
             "makes the mean nan. "))),
    mistake(
        "coverage-until-empty-image", "stops at an image without objects",
        "What comes after it is not counted. Go on with the next image.",
        "P1.coverage.images/2",
        [(COUNTED, '        if len(target["labels"]) == 0:\n            break\n' + COUNTED)]),
    mistake(
        "coverage-zero-without-objects", "gives 0 for a class without objects",
        "That reads as if no anchor fitted them. Where there is nothing to fit the share is not "
        "defined, which nan says.",
        "P1.coverage.classes/1", [(SHARES, "        return np.nan_to_num(found / objects)\n")]),
    mistake(
        "coverage-classes-from-labels", "takes the number of classes from the labels it sees",
        "A class that the images do not show has no column then. Take num_classes.",
        "P1.coverage.classes/2", [(
            "    found, objects = np.zeros((len(anchors)",
            '    num_classes = max(int(t["labels"].max()) + 1 for t in targets '
            'if len(t["labels"]))\n    found, objects = np.zeros((len(anchors)')]),
    mistake(
        "coverage-picture-not-saved", "leaves no picture of the coverage at save_path",
        "A figure that is only shown is gone when the program ends. Save it to save_path.",
        "P1.coverage.picture/1", [("    figure.savefig(save_path, dpi=120)\n", "")]),
    mistake(
        "coverage-picture-of-all-anchors", "draws every anchor of a map",
        "Nobody sees which of them fits an object. Draw the one with the highest IoU.",
        "P1.coverage.picture/1", [("(map_anchors[best],", "(map_anchors,")]),
    mistake(
        "coverage-picture-without-objects", "draws anchors without the objects that they fit",
        "How well an anchor fits shows only beside its object. Draw both.",
        "P1.coverage.picture/1",
        [('(target["boxes"], "black", "--")):', '(target["boxes"][:0], "black", "--")):')]),
    mistake(
        "features-signed", "averages values with their signs",
        "What is strongly negative in one channel and positive in another becomes 0. Take absolute "
        "values before the mean.",
        "P1.features.mean/1", [(KEPT, KEPT.replace(".abs()", ""))]),
    mistake(
        "features-absolute-of-mean", "takes the absolute value of the mean",
        "Channels of opposite signs have cancelled each other by then. Take absolute values before "
        "the mean.",
        "P1.features.mean/1", [(KEPT, KEPT.replace(".abs().mean(dim=1)", ".mean(dim=1).abs()"))]),
    mistake(
        "features-summed", "adds the channels up instead of averaging them",
        "Layers with more channels then look more active. Take the mean over the channels.",
        "P1.features.mean/1", [(KEPT, KEPT.replace("mean(dim=1)", "sum(dim=1)"))]),
    mistake(
        "features-normalised", "divides each map by its highest value",
        "Maps of two images can then not be compared. Leave the range of colours to the picture.",
        "P1.features.mean/1", [(
            KEPT, KEPT + "\n            maps[name] /= maps[name].amax(dim=(1, 2), keepdim=True)")]),
    mistake(
        "features-of-the-input", "keeps what goes into a layer instead of what comes out",
        "A hook gets the module, its arguments and its output, in this order. Keep the output.",
        "P1.features.mean/1", [(
            "def keep(_module, _arguments, output):\n",
            "def keep(_module, _arguments, output):\n"
            "            output = _arguments[0]\n")]),
    mistake(
        "features-float64", "gives maps of float64",
        "They take twice the memory, and mixing types raises elsewhere. Give float32.",
        "P1.features.mean/1", [(KEPT, KEPT.replace("float()", "double()"))]),
    mistake(
        "features-looked-at-late", "looks at what layers returned only after the whole pass",
        "A ReLU in place has changed them by then. Reduce the output inside the hook, or copy it "
        "there.",
        "P1.features.mean/2", [
            (KEPT, "maps[name] = output.detach()"),
            ("    return maps\n    # END",
             "    return {name: value.abs().mean(dim=1) for "
             "name, value in maps.items()}\n    # END")]),
    mistake(
        "features-under-last-name", "keeps all maps under the name of the last layer",
        "A function that is made in a loop looks the loop's variable up when it runs, and by then "
        "the loop is at its end. Hand each hook its name when you make it.",
        "P1.features.mean/1", [(KEPT, KEPT.replace("maps[name]", "maps[layers[-1]]"))]),
    mistake(
        "features-in-training-mode", "runs the model in the mode that it finds",
        "In training mode dropout hides values at random, and batch norm uses this batch. Call "
        "model.eval() first.",
        "P1.features.mode/1", [("model.eval()(images)", "model(images)")]),
    mistake(
        "features-with-gradient", "keeps the gradient of the maps",
        "Each map then holds the whole pass in memory. Run the model under torch.no_grad() or "
        "detach what you keep.",
        "P1.features.mode/2",
        [(".detach().abs()", ".abs()"), (RUN, "        model.eval()(images)\n")]),
    mistake(
        "features-left-in-evaluation-mode", "leaves the model in evaluation mode",
        "Training that goes on afterwards has neither dropout nor statistics of its batches. "
        "Put the model back into the mode that it was in.",
        "P1.features.left/1", [(MODES, "")]),
    mistake(
        "features-mode-of-the-model", "puts all modules into the mode of the whole model",
        "Parts may have been in another mode. Remember that of every module, and put each back.",
        "P1.features.left/1", [(MODES, "        model.train(modes[model])\n")]),
    mistake(
        "features-put-into-training-mode", "puts the model into training mode at the end",
        "A model that was in evaluation mode answers otherwise afterwards. Remember the mode, and "
        "put it back.",
        "P1.features.left/1", [(MODES, "        model.train()\n")]),
    mistake(
        "features-hooks-left", "leaves its hooks on the model",
        "Every later pass then runs them too, and keeps its maps. Call remove() on each handle.",
        "P1.features.left/2", [(REMOVED, "")]),
    mistake(
        "features-hooks-left-by-errors", "leaves its hooks on a model that raises",
        "Who calls it again after the error has two of each. Remove them in a finally block.",
        "P1.features.left/2", [(
            "    try:\n" + RUN + "    finally:\n" + REMOVED,
            "    try:\n" + RUN + REMOVED.replace("    for", "    for") + "    finally:\n")]),
    mistake(
        "features-unknown-keyerror", "raises KeyError for an unknown layer",
        "The rule asks for a ValueError, which tells a wrong argument from a fault inside. Look "
        "the names up first.",
        "P1.features.unknown/1",
        [("raise ValueError(f\"the model has no layer {name!r}\")", "raise KeyError(name)")]),
    mistake(
        "features-unknown-left-out", "leaves unknown layers out without a word",
        "A typing error then shows much later, as a missing map. Raise a ValueError.",
        "P1.features.unknown/1", [
            ("    maps = {}\n",
             "    maps = {}\n    layers = [name for name in layers if name in modules]\n"),
            ("            raise ValueError(f\"the model has no layer {name!r}\")",
             "            continue")]),
    mistake(
        "features-unknown-not-named", "does not say which layer is unknown",
        "Among five names one has to guess. Put the name into the text of the ValueError.",
        "P1.features.unknown/2", [('f"the model has no layer {name!r}"', '"a layer is unknown"')]),
    mistake(
        "sizes-of-detections", "takes the size of the detection instead of that of the object",
        "A box that is too small then moves its object to another bin. Take the true box.",
        "P1.sizes.bins/1", [(
            "                if inside[gt]:\n"
            '                    found[int(detection["maps"][d]), bins[gt]] += 1\n',
            '                box = detection["boxes"][d]\n'
            "                k = np.searchsorted(edges, float((box[2:] - box[:2]).prod()"
            '.sqrt()), side="right") - 1\n'
            "                if 0 <= k < num_bins:\n"
            '                    found[int(detection["maps"][d]), k] += 1\n')]),
    mistake(
        "sizes-by-width", "takes the width of an object for its size",
        "A flat object then counts as a large one. Take the root of width times height.",
        "P1.sizes.bins/1", [(SIDES, '(target["boxes"][:, 2] - target["boxes"][:, 0])')]),
    mistake(
        "sizes-by-longer-side", "takes the longer side of an object for its size",
        "A long and thin object then counts as a large one. Take the root of width times height.",
        "P1.sizes.bins/1", [(SIDES, SIDES.replace(".prod(dim=1).sqrt()", ".amax(dim=1)"))]),
    *(mistake(
        f"sizes-by-{name}", f"takes {what} of an object for its size",
        "The size is the side of a square of the same area. Take the root of width * height.",
        "P1.sizes.bins/1", [(SIDES, SIDES.replace(".prod(dim=1).sqrt()", end))])
        for name, what, end in (("mean-side", "the mean of width and height", ".mean(dim=1)"),
                                ("diagonal", "the diagonal", ".norm(dim=1)"))),
    mistake(
        "sizes-of-any-score", "finds objects by detections of any score",
        "An unsure detection then finds an object for a map. Leave out what scores below "
        "score_threshold.",
        "P1.sizes.thresholds/1", [(
            'for d in torch.nonzero(detection["scores"] >= score_threshold).flatten():',
            'for d in range(len(detection["scores"])):')]),
    mistake(
        "sizes-in-last-bin-otherwise", "counts objects of no bin in the last one",
        "Objects below the first edge and beyond the last belong nowhere. Leave them out of the "
        "counts.",
        "P1.sizes.bins/2", [(
            "    inside = (bins >= 0)",
            "    bins[(bins < 0) | (bins >= num_bins)] = num_bins - 1\n"
            "        inside = (bins >= 0)")]),
    mistake(
        "sizes-transposed", "returns the counts of sizes with bins as rows",
        "The rows are maps and the columns are bins. Return [maps, K].",
        "P1.sizes.found/1", [("    return found, objects\n", "    return found.T, objects\n")]),
    mistake(
        "sizes-exchanged", "returns objects before found",
        "Who unpacks the result then takes the one for the other. Return (found, objects).",
        "P1.sizes.found/1", [("    return found, objects\n", "    return objects, found\n")]),
    mistake(
        "sizes-by-area", "takes the area of an object for its size",
        "Edges are in pixels, areas are in square pixels. Take the root of width times height.",
        "P1.sizes.bins/1", [(SIDES, SIDES.replace(".sqrt()", ""))]),
    mistake(
        "sizes-of-the-image", "divides the size of an object by the size of the image",
        "Edges are in pixels, so that no object lies between them. Leave the sizes in pixels.",
        "P1.sizes.bins/1", [(SIDES, SIDES + " / 224")]),
    mistake(
        "sizes-lower-edge-outside", "leaves the lower edge of a bin to the bin before",
        "An object whose size equals an edge belongs to the bin that begins there. In searchsorted "
        "the side decides.",
        "P1.sizes.bins/1",
        [('edges, sides.numpy(), side="right"', 'edges, sides.numpy(), side="left"')]),
    mistake(
        "sizes-last-bin-open", "counts objects beyond the last edge in the last bin",
        "The last edge is an upper limit like all others. Leave these objects out of the counts.",
        "P1.sizes.bins/2", [(
            "    inside = (bins >= 0)",
            "    bins = np.minimum(bins, num_bins - 1)\n        inside = (bins >= 0)")]),
    mistake(
        "sizes-first-fit", "gives a detection to the first object that it overlaps enough",
        "Where two objects lie close together, the order of the list decides which one is found. "
        "Take the free object with the highest IoU.",
        "P1.sizes.found/2",
        [("gt = int(iou[d].argmax())", "gt = int((iou[d] >= iou_threshold).int().argmax())")]),
    mistake(
        "sizes-others-not-matched", "matches only objects that belong to a bin",
        "A detection of a large object then goes to a small one beside it. Match all objects, and "
        "leave some out only when you count.",
        "P1.sizes.bins/2", [(
            '        iou[detection["labels"]',
            "        iou[:, ~inside] = -1\n"
            '        iou[detection["labels"]')]),
    mistake(
        "sizes-nearest-alone", "tries the nearest object alone, also where it is taken",
        "A second object beside it that the detection fits is then missed. Take the highest IoU "
        "among objects that are still free.",
        "P1.sizes.found/2", [
            ("        for d in torch.nonzero(",
             "        taken = set()\n        for d in torch.nonzero("),
            ("            if len(bins) and iou[d].max() >= iou_threshold:\n",
             "            if len(bins) and iou[d].max() >= iou_threshold and int("
             "iou[d].argmax()) not in taken:\n"),
            ("                iou[:, gt] = -1  # taken\n", "                taken.add(gt)\n")]),
    mistake(
        "sizes-class-of-nearest", "looks at the class of the nearest object alone",
        "Where an object of another class lies nearer, the detection finds nothing. Take the "
        "highest IoU among objects of its own class.",
        "P1.sizes.found/2", [
            ('        iou[detection["labels"][:, None] != target["labels"]] = -1\n', ""),
            ("            if len(bins) and iou[d].max() >= iou_threshold:\n",
             '            same = target["labels"] == detection["labels"][d]\n'
             "            if len(bins) and iou[d].max() >= iou_threshold and same["
             "iou[d].argmax()]:\n")]),
    mistake(
        "sizes-class-ignored", "lets detections of the wrong class find an object",
        "A circle found as a square is not found. Compare a detection only with objects of its "
        "class.",
        "P1.sizes.found/2",
        [('        iou[detection["labels"][:, None] != target["labels"]] = -1\n', "")]),
    mistake(
        "sizes-duplicates", "counts an object once for each detection on it",
        "A map with many duplicates then seems to find more than there is. Each object counts "
        "once, for its detection with the highest score.",
        "P1.sizes.found/2",
        [(TAKING, TAKING.replace("                iou[:, gt] = -1  # taken\n", ""))]),
    mistake(
        "sizes-worst-first", "goes through the detections from the lowest score to the highest",
        "An object then counts for the map of its poorest detection. Take the best score first.",
        "P1.sizes.found/2",
        [(">= score_threshold).flatten():", ">= score_threshold).flatten().flip(0):")]),
    mistake(
        "sizes-best-overlap", "gives an object to the detection that overlaps it most",
        "A better score counts more than a better overlap. Go through the detections by descending "
        "score.",
        "P1.sizes.found/2", [(
            OTHER_CLASS, OTHER_CLASS +
            '        iou[detection["scores"] < score_threshold] = -1\n'
            "        if len(iou):\n            iou[iou < iou.amax(dim=0)] = -1\n")]),
    mistake(
        "sizes-objects-found-alone", "counts among all objects only those that are found",
        "How many were missed can then not be read from the result. Count every object.",
        "P1.sizes.found/3",
        [("    return found, objects\n", "    return found, found.sum(axis=0)\n")]),
    mistake(
        "sizes-empty-images", "does not expect images without detections or objects",
        "The maximum over no boxes raises. Go on with the next image there.",
        "P1.sizes.found/4", [("if len(bins) and iou[d]", "if iou[d]")]),
    mistake(
        "sizes-shares", "returns shares of the objects instead of how many are found",
        "Shares hide how many objects there were. Return whole numbers.",
        "P1.sizes.found/1",
        [("    return found, objects\n", "    return found / np.maximum(objects, 1), objects\n")]),
    *(mistake(
        f"sizes-{what.lower()}-strict", f"does not count {a} {what} that equals {name}",
        f"The rule says that {a} {what} from the threshold on suffices. Compare with >=.",
        "P1.sizes.thresholds/1", [(f"{value} >= {name}", f"{value} > {name}")])
        for a, what, value, name in (("a", "score", '["scores"]', "score_threshold"),
                                     ("an", "IoU", "iou[d].max()", "iou_threshold"))),
    mistake(
        "sizes-thresholds-ignored", "finds objects by thresholds of .5 whatever it is given",
        "Both arguments have no effect. Compare with them.",
        "P1.sizes.thresholds/1", [
            ('["scores"] >= score_threshold', '["scores"] >= 0.5'),
            ("iou[d].max() >= iou_threshold", "iou[d].max() >= 0.5")]),
]
