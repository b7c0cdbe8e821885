"""Mistakes in reading keypoints from heatmaps, in PCK and in pictures: tasks 2.5 to 2.7, 2.12."""

from . import mistake

PLACE = "torch.stack([index % width, index // width], dim=2).float()"
INDEX = "index = heatmaps.flatten(start_dim=2).argmax(dim=2)"
LENGTHS = "(truths.amax(dim=1) - truths.amin(dim=1)).norm(dim=1)"
DISTANCES = "(predictions - truths).norm(dim=2)"
RIGHT = "(distances <= threshold * lengths[:, None])"
SHARE = RIGHT + ".double().mean().item()"
UNKNOWN = ('        raise ValueError(f\'normalize_by must be "bbox" or "torso", '
           "got {normalize_by!r}')\n")

FINER = "    return torch.stack(finer, dim=2)\n"

MISTAKES = [
    mistake(
        "extract-row-not-floored", "divides the index by the width without rounding down",
        "y comes out up to a pixel too low, with a fraction that means nothing. Use the whole "
        "number of rows that fit into the index.",
        "P2.extract.xy/1", [("index // width", "index / width")]),
    mistake(
        "extract-rows-first", "returns (row, column) instead of (x, y)",
        "Every keypoint is mirrored at the diagonal. x is the column and comes first.",
        "P2.extract.xy/1",
        [("[index % width, index // width]", "[index // width, index % width]")]),
    mistake(
        "extract-by-height", "takes the height of the map for the length of a row",
        "On a map that is not square all places are wrong. A row is as long as the map is wide.",
        "P2.extract.xy/1", [("width = heatmaps.shape[-1]", "width = heatmaps.shape[-2]")]),
    mistake(
        "extract-y-by-height", "divides the index by the height of the map",
        "On a map that is not square y is wrong. A row is as long as the map is wide.",
        "P2.extract.xy/1", [("index // width", "index // heatmaps.shape[-2]")]),
    mistake(
        "extract-soft-argmax", "averages all places, weighted by a softmax of the map",
        "Over thousands of pixels with values in 0..1 the weights are nearly equal, and the "
        "average is always the middle of the map. Take the place of the maximum.",
        "P2.extract.xy/1", [
            (INDEX, "weights = heatmaps.flatten(start_dim=2).softmax(dim=2)\n"
             "    index = torch.arange(weights.shape[2])"),
            ("return " + PLACE,
             "return torch.stack([(weights * (index % width)).sum(dim=2),\n"
             "                        (weights * (index // width)).sum(dim=2)], dim=2)")]),
    mistake(
        "extract-row-and-column-apart", "finds the row and the column of the maximum apart",
        "Where the maximum stands at two places, the row of one may meet the column of the other. "
        "Look for one place in the flattened map.",
        "P2.extract.ties/1", [("return " + PLACE, (
            "return torch.stack([heatmaps.amax(dim=2).argmax(dim=2),\n"
            "                        heatmaps.amax(dim=3).argmax(dim=2)], dim=2).float()"))]),
    mistake(
        "extract-from-sums", "looks for the maximum of sums over rows and columns",
        "A wide low bump then wins against a high peak. Look for one place in the flattened map.",
        "P2.extract.xy/1", [("return " + PLACE, (
            "return torch.stack([heatmaps.sum(dim=2).argmax(dim=2),\n"
            "                        heatmaps.sum(dim=3).argmax(dim=2)], dim=2).float()"))]),
    mistake(
        "extract-mean-place", "averages all places, weighted by the values of the map",
        "Faint values far away pull the average to the middle of the map. Take the place of the "
        "maximum.",
        "P2.extract.xy/1", [("return " + PLACE, (
            "weights = heatmaps.flatten(start_dim=2).clamp(min=0)\n"
            "    weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-9)\n"
            "    at = torch.arange(weights.shape[2])\n"
            "    return torch.stack([(weights * (at % width)).sum(dim=2),\n"
            "                        (weights * (at // width)).sum(dim=2)], dim=2)"))]),
    mistake(
        "extract-in-image-pixels", "returns keypoints in pixels of the image",
        "Whoever scales them up gets them doubled twice. Return places in heatmap pixels.",
        "P2.extract.xy/1", [("return " + PLACE, f"return {PLACE} * 2")]),
    mistake(
        "extract-relative", "divides keypoints by the width and the height of the map",
        "Whoever scales heatmap pixels up then finds all keypoints in one corner. Return places in "
        "heatmap pixels.",
        "P2.extract.xy/1", [(
            "return " + PLACE,
            f"return {PLACE} / torch.tensor(\n"
            "        [width, heatmaps.shape[-2]])")]),
    mistake(
        "extract-relative-by-width", "divides keypoints by the width of the map",
        "Whoever scales heatmap pixels up then finds all keypoints in one corner. Return places in "
        "heatmap pixels.",
        "P2.extract.xy/1", [("return " + PLACE, f"return {PLACE} / width")]),
    mistake(
        "extract-zeros", "answers (0, 0) for every map",
        "All keypoints then lie in the upper left corner. Look at whether the places that are "
        "found reach what is returned.",
        "P2.extract.xy/1", [("return " + PLACE, f"return {PLACE} * 0")]),
    mistake(
        "extract-integers", "returns whole numbers of integer type",
        "Scaling or comparing them with coordinates may then fail or round. Return float32.",
        "P2.extract.shape/1", [("return " + PLACE, "return " + PLACE.removesuffix(".float()"))]),
    mistake(
        "extract-last-maximum", "takes the last of several equal maxima",
        "The rule names the first one, row by row. Keep the place that comes first.",
        "P2.extract.ties/1", [(
            INDEX, "flat = heatmaps.flatten(start_dim=2)\n"
            "    index = flat.shape[2] - 1 - flat.flip(2).argmax(dim=2)")]),
    mistake(
        "extract-largest-size", "takes the largest absolute value for the maximum",
        "A map may have a value far below 0, which is no maximum. Compare the values with their "
        "sign.",
        "P2.extract.negative/1", [(INDEX, INDEX.replace("heatmaps.", "heatmaps.abs()."))]),
    mistake(
        "extract-positive-only", "finds only maxima above 0",
        "A network's output is not bounded, and a map of negative values has a maximum as well. "
        "Start from the first value and not from 0.",
        "P2.extract.negative/1", [(INDEX, INDEX.replace("heatmaps.", "heatmaps.clamp(min=0)."))]),
    mistake(
        "extract-clamped", "clamps heatmaps to 0..1 before it looks for the maximum",
        "A network's output is not bounded: all places above 1 then seem equal, and all below 0. "
        "Take the map as it is.",
        "P2.extract.negative/1", [(INDEX, INDEX.replace("heatmaps.", "heatmaps.clamp(0, 1)."))]),
    mistake(
        "extract-faint-left-out", "answers (0, 0) where the maximum is below .5",
        "A faint maximum is the best answer that there is, and (0, 0) is wrong nearly always. "
        "Return the place of every maximum.",
        "P2.extract.xy/1", [(
            "return " + PLACE,
            f"return {PLACE} * (\n"
            "        heatmaps.amax(dim=(2, 3)).abs() > 0.5)[..., None]")]),
    mistake(
        "extract-changes-maps", "changes the maps that it is given",
        "Whoever compares or draws them afterwards has other maps. Work on a copy.",
        "P2.extract.xy/2", [(INDEX, "heatmaps /= heatmaps.amax()\n    " + INDEX)]),
    mistake(
        "pck-by-image-size", "measures distances by the size of the image",
        "A small figure is then judged too mildly, and the curve lies too high. Use the diagonal "
        "of the box around the true keypoints.",
        "P2.pck.bbox/1", [(LENGTHS, "torch.full((len(truths),), 128.0, dtype=torch.float64)")]),
    mistake(
        "pck-by-longer-side", "measures distances by one side of the box",
        "The limit is then too low. Use the diagonal of the box.",
        "P2.pck.bbox/1", [(LENGTHS, LENGTHS.replace(".norm(dim=1)", ".amax(dim=1)"))]),
    mistake(
        "pck-by-shorter-side", "measures distances by the shorter side of the box",
        "The limit is then far too low. Use the diagonal of the box.",
        "P2.pck.bbox/1", [(LENGTHS, LENGTHS.replace(".norm(dim=1)", ".amin(dim=1)"))]),
    mistake(
        "pck-by-width-plus-height", "measures distances by width plus height of the box",
        "The limit is then too mild, up to 1.41 times. Use the diagonal of the box.",
        "P2.pck.bbox/1", [(LENGTHS, LENGTHS.replace(".norm(dim=1)", ".sum(dim=1)"))]),
    mistake(
        "pck-by-root-of-area", "measures distances by the root of the area of the box",
        "That is at most .71 of the diagonal, and 0 for a figure in a line. Use the diagonal.",
        "P2.pck.bbox/1", [(LENGTHS, LENGTHS.replace(".norm(dim=1)", ".prod(dim=1).sqrt()"))]),
    mistake(
        "pck-by-predicted-box", "measures distances by the box around the predictions",
        "Wild predictions then raise their own limit. Use the box around the true keypoints.",
        "P2.pck.bbox/1", [(LENGTHS, LENGTHS.replace("truths", "predictions"))]),
    mistake(
        "pck-city-block", "adds the distances along x and y",
        "A keypoint that is off along both axes then counts as further away than it is. Use the "
        "straight distance.",
        "P2.pck.bbox/1",
        [(DISTANCES, "(predictions - truths).abs().sum(dim=2)")]),
    mistake(
        "pck-larger-axis", "takes the larger of the distances along x and y",
        "A keypoint that is off along both axes then counts as nearer than it is. Use the straight "
        "distance.",
        "P2.pck.bbox/1",
        [(DISTANCES, "(predictions - truths).abs().amax(dim=2)")]),
    mistake(
        "pck-root-mean-square", "averages the squared distances along x and y",
        "The distance comes out too small by the root of 2. Add the squares, and take the root.",
        "P2.pck.bbox/1", [(DISTANCES, DISTANCES + " / 2**0.5")]),
    mistake(
        "pck-without-length", "compares distances in pixels with the thresholds themselves",
        "Hardly any keypoint lies within a part of one pixel. Multiply the threshold by the length "
        "of the image.",
        "P2.pck.bbox/1", [(RIGHT, "(distances <= threshold)")]),
    mistake(
        "pck-squared", "compares squared distances with the limit",
        "A distance of 3 then counts as 9. Take the root.",
        "P2.pck.bbox/1",
        [(DISTANCES, "(predictions - truths).square().sum(dim=2)")]),
    mistake(
        "pck-rounded", "rounds the shares to two digits",
        "Shares of many keypoints then come out wrong by up to .005. Round where you print.",
        "P2.pck.bbox/2", [(SHARE, f"round({SHARE}, 2)")]),
    mistake(
        "pck-percent", "returns percentages from 0 to 100",
        "Plots and comparisons expect fractions. Return the share in 0..1.",
        "P2.pck.bbox/2", [(SHARE, SHARE + " * 100")]),
    mistake(
        "pck-counts", "returns how many keypoints are right",
        "Their number says nothing without that of all. Divide by N * K.",
        "P2.pck.bbox/2", [(SHARE, SHARE.replace(".mean()", ".sum()"))]),
    mistake(
        "pck-whole-images", "counts only images in which all keypoints are right",
        "One poor keypoint then costs the four others. Count keypoint by keypoint.",
        "P2.pck.bbox/2", [(SHARE, SHARE.replace(".double()", ".all(dim=1).double()"))]),
    mistake(
        "pck-changes-truths", "changes the true keypoints that it is given",
        "The second network is then compared with other truths. Compute in a new tensor, without "
        "-= and the like.",
        "P2.pck.bbox/3", [(
            "    distances = (predictions",
            "    ground_truths -= ground_truths.amin("
            "dim=1, keepdim=True)\n    distances = (predictions")]),
    mistake(
        "pck-strict", "does not count a distance that equals the limit",
        "The rule says at most the limit, so that an equal distance is right. With a limit of 0 "
        "even exact hits are lost otherwise.",
        "P2.pck.boundary/1", [("distances <= threshold", "distances < threshold")]),
    mistake(
        "pck-mean-length", "uses one length for all images",
        "Large figures are then judged too strictly and small ones too mildly. Each image has the "
        "length of its own figure.",
        "P2.pck.image/1", [(
            "    distances = (pred",
            "    lengths = lengths.mean().expand(len(truths))\n"
            "    distances = (pred")]),
    mistake(
        "pck-box-of-all", "takes one box around the keypoints of all images",
        "It is larger than any figure, so that nearly every prediction counts as right. Each image "
        "has the box of its own keypoints.",
        "P2.pck.image/1", [(
            LENGTHS,
            "(truths.amax(dim=(0, 1)) - truths.amin(dim=(0, 1))).norm().expand(len(truths))")]),
    mistake(
        "pck-first-length", "measures all images by the length of the first",
        "Other figures are then judged too strictly or too mildly. Each image has its own length.",
        "P2.pck.image/1", [(
            "    distances = (pred",
            "    lengths = lengths[:1].expand(len(truths))\n"
            "    distances = (pred")]),
    mistake(
        "pck-longest-length", "measures all images by the longest length",
        "Small figures are then judged too mildly. Each image has the length of its own figure.",
        "P2.pck.image/1", [(
            "    distances = (pred",
            "    lengths = lengths.amax().expand(len(truths))\n"
            "    distances = (pred")]),
    mistake(
        "pck-per-image", "divides by the number of images alone",
        "The share then reaches K instead of 1. Divide by N * K.",
        "P2.pck.bbox/2", [(SHARE, SHARE.replace(".mean()", ".sum().div(len(truths))"))]),
    mistake(
        "pck-origin-left-out", "leaves true keypoints at (0, 0) out, as if they were not visible",
        "The corner is a place like any other in this data. Count all keypoints.",
        "P2.pck.bbox/2",
        [(SHARE, SHARE.replace(".double()", "[(truths != 0).any(dim=2)].double()"))]),
    mistake(
        "pck-torso-to-one-foot", "measures the torso from the head to the left foot",
        "The length changes when the legs are spread. Take the middle between both feet.",
        "P2.pck.torso/1", [("truths[:, 3:5].mean(dim=1)", "truths[:, 3]")]),
    mistake(
        "pck-torso-between-feet", "measures the torso from foot to foot",
        "How far the legs are apart changes with the pose. Measure from the head to the middle of "
        "the feet.",
        "P2.pck.torso/1", [("lengths = (head - feet).norm(dim=1)",
                            "lengths = (truths[:, 3] - truths[:, 4]).norm(dim=1)")]),
    mistake(
        "pck-torso-to-hands", "measures the torso from the head to the middle between the hands",
        "The length changes when the arms move. Use the distance from the head to the middle "
        "between the feet.",
        "P2.pck.torso/1", [("truths[:, 3:5].mean(dim=1)", "truths[:, 1:3].mean(dim=1)")]),
    *(mistake(
        f"pck-torso-to-{side}-hand", f"measures the torso from the head to the {side} hand",
        "The length changes when the arm moves. Use the distance from the head to the middle "
        "between the feet.",
        "P2.pck.torso/1", [("truths[:, 3:5].mean(dim=1)", f"truths[:, {index}]")])
      for index, side in ((1, "left"), (2, "right"))),
    mistake(
        "pck-torso-ignored", 'measures by the box when asked for "torso"',
        "Both ways then give the same numbers. Use the distance from the head to the middle "
        "between the feet.",
        "P2.pck.torso/1", [("lengths = (head - feet).norm(dim=1)", "lengths = " + LENGTHS)]),
    mistake(
        "pck-torso-by-default", "measures by the torso where normalize_by is left out",
        "All numbers of the handout are measured by the box. The default is \"bbox\".",
        "P2.pck.bbox/1", [('thresholds, normalize_by="bbox"', 'thresholds, normalize_by="torso"')]),
    mistake(
        "pck-nan-left-out", "leaves predictions that are nan out of the count",
        "A network that answers nothing for hard keypoints then looks better. A nan is wrong, and "
        "counts.",
        "P2.pck.nan/1", [(SHARE, RIGHT + "[~distances.isnan()].double().mean().item()")]),
    mistake(
        "pck-nan-is-right", "counts predictions that are nan as right",
        "A network that answers nothing then has a perfect score. A nan is wrong, and counts.",
        "P2.pck.nan/1", [(
            "(predictions - truths).norm(dim=2)",
            "(predictions - truths).norm(dim=2).nan_to_num(0)")]),
    mistake(
        "pck-nan-as-zero", "takes a nan for the coordinate 0",
        "Near the corner of the image no answer then counts as a right one. A nan is wrong.",
        "P2.pck.nan/1",
        [("(predictions - truths).norm", "(predictions.nan_to_num(0) - truths).norm")]),
    mistake(
        "pck-length-one", "takes a length of 1 where it is 0",
        "Where all keypoints coincide, near misses then count as hits. With a length of 0 only "
        "exact hits are right.",
        "P2.pck.degenerate/1", [(
            "    distances = (pred",
            "    lengths = lengths.clamp(min=1)\n"
            "    distances = (pred")]),
    mistake(
        "pck-zero-length-left-out", "leaves images with a length of 0 out",
        "Their keypoints are missing from the share. Count them: exact hits are right, and all "
        "others wrong.",
        "P2.pck.degenerate/1", [(SHARE, RIGHT + "[lengths > 0].double().mean().item()")]),
    mistake(
        "pck-divides-by-zero", "divides distances by a length of 0",
        "Where all keypoints coincide, exact hits become nan and count as wrong. Multiply the "
        "length by the threshold instead.",
        "P2.pck.degenerate/1", [(RIGHT, "(distances / lengths[:, None] <= threshold)")]),
    mistake(
        "pck-zero-without-images", "gives 0 when there are no images",
        "That reads like a network that finds nothing. Without images the share is not defined, "
        "which nan says.",
        "P2.pck.empty/1", [(SHARE, SHARE + " if len(truths) else 0.0")]),
    mistake(
        "pck-unknown-as-bbox", "takes an unknown normalize_by for one that there is",
        "A typing error then gives other numbers than asked for, without a word. Raise a "
        "ValueError.",
        "P2.pck.unknown/1", [(UNKNOWN, "        lengths = " + LENGTHS + "\n")]),
    mistake(
        "curves-not-saved", "leaves no picture of the PCK curves at save_path",
        "A figure that is only shown is gone when the program ends. Save it to save_path.",
        "P2.plots.curves/1", [("    figure.savefig(save_path, dpi=150)\n", "")]),
    mistake(
        "curves-axes-swapped", "draws thresholds upwards and PCK to the right",
        "A better network then seems to lie lower and not higher. Thresholds belong on the "
        "horizontal axis.",
        "P2.plots.curves/2", [
            ("axes.plot(*zip(*sorted(pck.items()), strict=True),",
             "axes.plot(pck.values(), pck.keys(),"),
            (", ylim=(0, 1.02)", "")]),
    mistake(
        "curves-from-the-top", "draws the PCK curves with high values at the bottom",
        "Pixel rows count downwards, curves are read upwards. Leave the axis of values as it is, "
        "and draw PCK and not what is missing to 1.",
        "P2.plots.curves/2", [(
            "    axes.grid(alpha=0.3)\n",
            "    axes.grid(alpha=0.3)\n"
            "    axes.invert_yaxis()\n")]),
    mistake(
        "curves-elsewhere", "saves the PCK curves under a name of its own",
        "Whoever asks for the figure at save_path finds none. Save it to the path that is given.",
        "P2.plots.curves/1", [(
            "    figure.savefig(save_path, dpi=150)\n",
            "    figure.savefig(Path(save_path).with_name('pck.png'), dpi=150)\n")]),
    mistake(
        "predictions-not-saved", "leaves no picture of the predictions at save_path",
        "A figure that is only shown is gone when the program ends. Save it to save_path.",
        "P2.plots.predictions/1", [("    figure.savefig(save_path, dpi=120)\n", "")]),
    mistake(
        "predictions-y-before-x", "draws predicted keypoints at y, x instead of x, y",
        "They seem to be wrong where they are right. x counts columns and comes first, as in the "
        "keypoints.",
        "P2.plots.predictions/1", [(
            "predicted = torch.as_tensor(pred_keypoints).detach()",
            "predicted = torch.as_tensor(pred_keypoints).flip(-1).detach()")]),
    mistake(
        "predictions-channel-first", "draws an image of shape [1, H, W] as it is",
        "Matplotlib takes the last dimension for colours and raises. Remove the channel dimension "
        "before you draw.",
        "P2.plots.predictions/1", [(".squeeze().float().numpy()", ".float().numpy()")]),
    mistake(
        "subpixel-whole", "returns whole pixels",
        "On average they are .38 px off. The neighbours of the maximum tell on which side of it "
        "the centre lies.",
        "P2.subpixel.finer/2", [(FINER, "    return extract_keypoints_from_heatmaps(heatmaps)\n")]),
    mistake(
        "subpixel-middle-of-pixels", "adds half a pixel to whole ones",
        "Here the centre of a pixel is a whole number, so that nothing is to be added. Take a "
        "step that depends on the neighbours.",
        "P2.subpixel.finer/2",
        [(FINER, "    return extract_keypoints_from_heatmaps(heatmaps) + 0.5\n")]),
    mistake(
        "subpixel-away", "steps away from the higher neighbour",
        "The error grows instead of falling. The centre lies on the side of the higher neighbour.",
        "P2.subpixel.finer/2", [(
            "step = ((before - after) / (2",
            "away = torch.where(middle == peak, -1, 1)  # at the border, many stay where they are\n"
            "        step = (away * (before - after) / (2")]),
    mistake(
        "subpixel-y-first", "returns (y, x) instead of (x, y)",
        "Every keypoint is mirrored at the diagonal. x is the column and comes first.",
        "P2.subpixel.finer/1", [(FINER, "    return torch.stack(finer[::-1], dim=2)\n")]),
    mistake(
        "subpixel-logarithm-in-place", "changes the heatmaps that it is given",
        "Whoever draws the map afterwards draws something else. Work on a copy.",
        "P2.subpixel.finer/4",
        [("heatmaps.float().clamp(min=1e-20).log()", "heatmaps.clamp_(min=1e-20).log_()")]),
    mistake(
        "subpixel-edges-repeated", "takes the maximum itself for the neighbour outside of the map",
        "A peak on the border then always moves out of the map. Leave it where it is, "
        "or use the two pixels inside.",
        "P2.subpixel.border/1", [
            ("        middle = peak.clamp(1, size - 2)  # at the border, the parabola "
             "through the three next to it\n", "        middle = peak\n"),
            ("flat.gather(2, (index + step * stride)[..., None])[..., 0] for",
             "flat.gather(2, (index + ((peak + step).clamp(0, size - 1) - peak) * stride)"
             "[..., None])[..., 0] for")]),
    mistake(
        "subpixel-centroid", "takes the centre of mass of the whole map",
        "Where the border cuts the Gaussian off, its centre of mass lies further inside. Use the "
        "pixels around the maximum alone.",
        "P2.subpixel.border/1", [(
            FINER, """    mass = heatmaps.clamp(min=1e-20)
    mass = mass / mass.sum(dim=(2, 3), keepdim=True)
    return torch.stack([(mass.sum(dim=2) * torch.arange(width)).sum(dim=2),
                        (mass.sum(dim=3) * torch.arange(height)).sum(dim=2)], dim=2)
""")]),
    mistake(
        "subpixel-nan-on-flat-maps", "divides 0 by 0 on flat maps",
        "One nan then spoils every mean over images. Where the parabola has no maximum, stay where "
        "you are.",
        "P2.subpixel.finite/1",
        [("torch.where(bend < 0, middle + step, peak.float())", "middle + step")]),
]
