"""Mistakes in the keypoint dataset and in heatmap encoding: tasks 2.1 and 2.2."""

from . import mistake

PIXELS = 'np.asarray(file.convert("L"), dtype=np.float32) / 255'
SCALED = "self.generate_heatmap(relative * size, size, size)"
POINTS = "keypoints = torch.as_tensor(keypoints, dtype=torch.float32)\n"
SHARES = "relative = keypoints / torch.tensor([width, height])"
READ = 'keypoints = torch.tensor(entry["keypoints"], dtype=torch.float32)'
MAPS = "return torch.where(inside, heatmaps, 0.0)"
INSIDE = "inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)"
KNOWN = ('            raise ValueError(f\'output_type must be "heatmap" or "regression", '
         "got {output_type!r}')\n")

ENTRIES = 'json.loads(Path(annotation_file).read_text(encoding="utf-8"))["images"]'

MISTAKES = [
    mistake(
        "keypoints-pixels-to-255", "gives grey images with values from 0 to 255",
        "A network that is trained on such numbers answers nonsense when it is graded on images in "
        "0..1. Divide by 255, so that white is 1.0.",
        "P2.dataset.image/2", [(PIXELS, PIXELS.removesuffix(" / 255"))]),
    mistake(
        "keypoints-pixels-by-brightest", "divides each image by its own brightest pixel",
        "A dark image then looks like a bright one, which it does not in the grading. Divide by "
        "255, whatever the image holds.",
        "P2.dataset.image/2",
        [(PIXELS, PIXELS.removesuffix(" / 255") + "\n            pixels /= pixels.max()")]),
    mistake(
        "keypoints-file-from-id", "takes the id for the name of the image file",
        "That holds by chance in the data of the course. The JSON's file_name says which file it "
        "is.",
        "P2.dataset.image/1", [('entry["file_name"]', "f\"{entry['id']:06d}.png\"")]),
    mistake(
        "keypoints-sorted-files", "takes the files of the folder in their order",
        "Images and keypoints then belong together by chance. The JSON's file_name says which file "
        "an entry is of.",
        "P2.dataset.image/1",
        [('self.image_dir / entry["file_name"]', "sorted(self.image_dir.iterdir())[index]")]),
    *(mistake(
        f"keypoints-sorted-by-{key}", f"sorts the JSON's images by their {word}",
        "Whoever expects item i to be entry i of the JSON gets another one. Keep the order of the "
        "JSON.",
        "P2.dataset.image/1", [(ENTRIES, f"sorted({ENTRIES}, key=lambda image: image['{key}'])")])
        for key, word in (("id", "id"), ("file_name", "file names"))),
    *(mistake(
        f"keypoints-pixels-{name}", title,
        "The networks are graded on images in 0..1, which then look too bright to yours. Leave out "
        "the mean and the standard deviation, or put them into the network.",
        "P2.dataset.image/2", [(PIXELS, f"({PIXELS} - {mean}) / {deviation}")])
        for name, title, mean, deviation in (
            ("centred", "moves pixel values to -1..1", 0.5, 0.5),
            ("of-imagenet", "normalises pixels by the mean and deviation of ImageNet",
             0.485, 0.229))),
    mistake(
        "keypoints-without-channel", "gives images without a channel dimension",
        "A batch of them is [B, 128, 128], which a convolution takes for one image with many "
        "channels. Give [1, 128, 128].",
        "P2.dataset.image/2", [("torch.from_numpy(pixels)[None]", "torch.from_numpy(pixels)")]),
    mistake(
        "regression-all-x-first", "lists all x before all y in regression targets",
        "Whoever reads pairs then takes an x for a y, so that a perfect network scores 0. "
        "Interleave them: x0, y0, x1, y1 and so on.",
        "P2.dataset.regression/1", [("relative.flatten()", "relative.T.flatten()")]),
    mistake(
        "regression-y-before-x", "puts y before x in regression targets",
        "Every keypoint is mirrored at the diagonal. x comes first, y second.",
        "P2.dataset.regression/1", [("relative.flatten()", "relative.flip(1).flatten()")]),
    mistake(
        "keypoints-y-first", "reads keypoints as (y, x)",
        "Every target is mirrored at the diagonal. The JSON has x first, y second.",
        "P2.dataset.regression/1", [(READ, READ + ".flip(1)")]),
    mistake(
        "keypoints-scaled-in-place", "scales the keypoints that it keeps, each time it reads them",
        "They shrink with every epoch. Compute the target from a copy.",
        "P2.dataset.regression/1", [
            (READ, 'for point in entry["keypoints"]:\n'
             "            point[:] = point[0] / width, point[1] / height\n" "        " + READ),
            (SHARES, "relative = keypoints")]),
    mistake(
        "regression-clamped", "moves regression targets into 0..1",
        "A keypoint outside of the image then seems to lie on its border. Divide by the image size "
        "alone.",
        "P2.dataset.regression/1", [("relative.flatten()", "relative.clamp(0, 1).flatten()")]),
    mistake(
        "keypoints-clamped", "moves keypoints outside of the image onto its last pixels",
        "They get a peak where none should be, and another place. Leave them where they are: "
        "generate_heatmap knows what to do.",
        "P2.dataset.heatmap/1", [(READ, READ + ".clamp(0, width - 1)")]),
    mistake(
        "regression-in-pixels", "gives regression targets in pixels",
        "A sigmoid reaches only 0..1, so that the network cannot come near them. Divide by the "
        "image size.",
        "P2.dataset.regression/1", [("relative.flatten()", "keypoints.flatten()")]),
    mistake(
        "regression-pairs", "gives regression targets of shape [K, 2]",
        "The network answers 2K numbers in a row, and the loss would broadcast the two shapes or "
        "fail. Flatten the pairs.",
        "P2.dataset.regression/1", [("image, relative.flatten()", "image, relative")]),
    mistake(
        "keypoints-by-last-pixel", "divides coordinates by the image size minus 1",
        "Keypoints move by up to a pixel when they are scaled back by the image size. Divide by "
        "the image size itself.",
        "P2.dataset.regression/1",
        [("torch.tensor([width, height])", "torch.tensor([width - 1, height - 1])")]),
    mistake(
        "keypoints-by-half-pixel", "moves keypoints by half a pixel when it scales them to the map",
        "Pixels here have whole coordinates, 0 is 0 in both. Multiply by S / image size alone.",
        "P2.dataset.heatmap/1",
        [(SCALED, SCALED.replace("relative * size,", "(keypoints + 0.5) * size / width - 0.5,"))]),
    mistake(
        "keypoints-by-128", "divides coordinates by 128, whatever the image size",
        "On images of another size all keypoints move. Take the size from the image.",
        "P2.dataset.regression/1", [("torch.tensor([width, height])", "torch.tensor([128, 128])")]),
    mistake(
        "regression-by-last-pixel", "divides regression targets by the image size minus 1",
        "Whoever multiplies by the image size finds every keypoint a little too far out. Divide by "
        "the size of the image.",
        "P2.dataset.regression/1", [(
            "relative.flatten()",
            "(keypoints / torch.tensor([width - 1, height - 1])).flatten()")]),
    mistake(
        "regression-by-127", "divides regression targets by 127",
        "The last pixel is number 127, and the image is 128 pixels wide; others are larger. Divide "
        "by the size of the image.",
        "P2.dataset.regression/1", [("relative.flatten()", "(keypoints / 127).flatten()")]),
    mistake(
        "keypoints-five", "gives the targets of five keypoints, however many there are",
        "With other figures some keypoints are lost. Take their number from the JSON.",
        "P2.dataset.regression/1", [("relative.flatten()", "relative[:5].flatten()")]),
    mistake(
        "keypoints-whole-pixels", "cuts keypoints down to whole pixels of the image",
        "A keypoint between two pixels moves to the upper left. Read coordinates as floats.",
        "P2.dataset.regression/1", [(READ, READ.replace("float32", "int64"))]),
    mistake(
        "keypoints-rounded", "rounds keypoints to whole pixels of the image",
        "A keypoint between two pixels moves by up to half a pixel. Take coordinates as they are.",
        "P2.dataset.regression/1", [(READ, READ + ".round()")]),
    mistake(
        "heatmap-targets-not-scaled", "draws keypoints in image pixels on the smaller heatmap",
        "Peaks are at twice the distance from the corner, or outside the map. Multiply the "
        "coordinates by the heatmap size over the image size.",
        "P2.dataset.heatmap/1", [(SCALED, "self.generate_heatmap(keypoints, size, size)")]),
    mistake(
        "heatmap-targets-halved", "halves keypoints whatever the size of heatmap and image",
        "That is right for 64 of 128 pixels alone. Multiply by heatmap_size over the size of the "
        "opened image.",
        "P2.dataset.heatmap/1",
        [(SCALED, SCALED.replace("relative * size", "keypoints / 2"))]),
    mistake(
        "heatmap-targets-rounded", "rounds keypoints to whole heatmap pixels",
        "Half a heatmap pixel is a whole pixel of the image that no network can get back. Pass on "
        "the scaled coordinates as they are.",
        "P2.dataset.heatmap/1",
        [(SCALED, SCALED.replace("relative * size", "(relative * size).round()"))]),
    mistake(
        "heatmap-targets-truncated", "cuts keypoints down to whole heatmap pixels",
        "Peaks move by up to two pixels of the image, always to the upper left. Pass on the scaled "
        "coordinates as they are.",
        "P2.dataset.heatmap/1",
        [(SCALED, SCALED.replace("relative * size", "(relative * size).floor()"))]),
    mistake(
        "heatmap-targets-clamped", "moves keypoints outside of the heatmap onto its last pixels",
        "They get a peak where none should be. Leave them where they are: generate_heatmap knows "
        "what to do.",
        "P2.dataset.heatmap/1",
        [(SCALED, SCALED.replace( "relative * size", "(relative * size).clamp(0, size - 1)"))]),
    mistake(
        "heatmap-targets-by-last-pixel", "scales keypoints by the heatmap size minus 1",
        "Peaks move by up to a heatmap pixel, the more the further right and down. Multiply by the "
        "heatmap size over the image size.",
        "P2.dataset.heatmap/1",
        [(SCALED, SCALED.replace("relative * size", "relative * (size - 1)"))]),
    mistake(
        "heatmap-targets-between-last-pixels",
        "scales keypoints by the heatmap size minus 1 over the image size minus 1",
        "That keeps the last pixels of both together, and moves what lies before them. Multiply "
        "by the heatmap size over the image size.",
        "P2.dataset.heatmap/1",
        [(SCALED, SCALED.replace("relative * size", "keypoints * (size - 1) / (width - 1)"))]),
    mistake(
        "heatmap-sigma-scaled", "scales sigma from the image to the map",
        "Peaks are then half as wide as they should be, or less. sigma is in heatmap pixels "
        "already.",
        "P2.dataset.options/1",
        [("self.sigma = sigma", "self.sigma = sigma * heatmap_size / 128")]),
    mistake(
        "heatmap-targets-half-pixel", "moves keypoints on the heatmap by half a pixel",
        "That is right where pixel centres lie at .5; here they are whole numbers. Multiply by "
        "the heatmap size over the image size, and leave it at that.",
        "P2.dataset.heatmap/1",
        [(SCALED, SCALED.replace("relative * size", "relative * size - 0.5"))]),
    mistake(
        "heatmap-size-ignored", "always draws heatmaps of 64 x 64",
        "The argument heatmap_size has no effect. Use it for the size of the map and for the scale "
        "of the keypoints.",
        "P2.dataset.options/1", [("self.heatmap_size = heatmap_size", "self.heatmap_size = 64")]),
    mistake(
        "output-type-unchecked", "takes any output_type for heatmaps",
        "A typing error then trains on the wrong targets without a word. Raise a ValueError for "
        "anything but the two words.",
        "P2.dataset.output-type/1",
        [('        if output_type not in ("heatmap", "regression"):\n' + KNOWN, "")]),
    mistake(
        "output-type-asserted", "checks output_type with an assert",
        "An AssertionError is meant for mistakes in your own code, and disappears with python -O. "
        "Raise a ValueError.",
        "P2.dataset.output-type/1", [(
            '        if output_type not in ("heatmap", "regression"):\n' + KNOWN,
            '        assert output_type in ("heatmap", "regression")\n')]),
    mistake(
        "heatmap-density", "draws a probability density instead of a peak of 1",
        "With sigma 2 the peak is .04, so that a network that predicts zero is nearly right. Leave "
        "out the factor before the exponential.",
        "P2.heatmap.peak/1",
        [(MAPS, MAPS.replace("heatmaps,", "heatmaps / (6.2832 * self.sigma**2),"))]),
    mistake(
        "heatmap-float64", "returns heatmaps in double precision",
        "The loss between them and a float32 output raises, or is slow. Return float32, which "
        "numpy does not do by itself.",
        "P2.heatmap.peak/1", [(MAPS, MAPS + ".double()")]),
    mistake(
        "heatmap-takes-image-pixels", "takes keypoints in image pixels for generate_heatmap",
        "The function scales them down once more, to where no keypoint is. Its keypoints are in "
        "heatmap pixels already: scale them where you call it.",
        "P2.heatmap.gaussian/1", [
            ("        " + POINTS,
             "        " + POINTS + "        keypoints = keypoints * "
             "torch.tensor([width, height]) / 128\n"),
            (SCALED, "self.generate_heatmap(keypoints, size, size)")]),
    mistake(
        "heatmap-without-two", "leaves out the 2 in the exponent",
        "The peaks are too narrow: at a distance of sigma they fall to .37 instead of .61. Divide "
        "the squared distance by 2 sigma^2.",
        "P2.heatmap.gaussian/1", [("(2 * self.sigma**2)", "(self.sigma**2)")]),
    mistake(
        "heatmap-sigma-not-squared", "divides by twice sigma instead of twice its square",
        "Only for a sigma of 1 is that the same. Divide the squared distance by 2 sigma^2.",
        "P2.heatmap.gaussian/1", [("(2 * self.sigma**2)", "(2 * self.sigma)")]),
    mistake(
        "heatmap-two-squared", "squares the 2 in the exponent as well",
        "The peaks are too wide: at a distance of sigma they fall to .78 instead of .61. Divide "
        "the squared distance by 2 sigma^2.",
        "P2.heatmap.gaussian/1", [("(2 * self.sigma**2)", "(2 * self.sigma) ** 2")]),
    mistake(
        "heatmap-sum-one", "divides each map by its sum",
        "The peak is then far below 1. Values fall from 1 at the keypoint.",
        "P2.heatmap.gaussian/1", [(
            MAPS, "heatmaps /= heatmaps.sum(dim=(1, 2), keepdim=True)\n        " + MAPS)]),
    mistake(
        "heatmap-sigma-fixed", "draws with a sigma of 2 whatever was asked for",
        "The argument has no effect, so that an ablation over sigma compares equal things. Use the "
        "sigma of the dataset.",
        "P2.heatmap.gaussian/1", [("(2 * self.sigma**2)", "(2 * 2.0**2)")]),
    mistake(
        "heatmap-distance-not-squared", "takes the distance instead of its square",
        "The peak becomes a sharp tip with wide tails. The exponent holds the squared distance.",
        "P2.heatmap.gaussian/1",
        [("torch.exp(-squared_distance", "torch.exp(-squared_distance.sqrt()")]),
    mistake(
        "heatmap-window", "draws the Gaussian in a window of three sigma",
        "The map then has a step where it should fall smoothly. Compute it over the whole map.",
        "P2.heatmap.gaussian/1", [(
            MAPS, "reach = 3 * self.sigma\n"
            "        inside = (inside & ((columns - x.round()).abs() <= reach)\n"
            "                  & ((rows - y.round()).abs() <= reach))\n" "        " + MAPS)]),
    mistake(
        "heatmap-cut-off", "draws the Gaussian within three sigma of the keypoint alone",
        "The map then has a step where it should fall smoothly. Compute it over the whole map.",
        "P2.heatmap.gaussian/1", [(
            MAPS, "inside = inside & (squared_distance <= 9 * self.sigma**2)\n        " + MAPS)]),
    mistake(
        "heatmap-centre-truncated", "truncates keypoints to whole pixels",
        "Peaks move by up to a heatmap pixel, always to the upper left. Measure the distance from "
        "the keypoint as it is.",
        "P2.heatmap.subpixel/1", [(POINTS, POINTS.replace("float32)", "float32).trunc()"))]),
    mistake(
        "heatmap-centre-rounded", "rounds keypoints to whole pixels",
        "Peaks move by up to half a heatmap pixel, and some onto the map or off it. Measure the "
        "distance from the keypoint as it is.",
        "P2.heatmap.subpixel/1", [(POINTS, POINTS.replace("float32)", "float32).round()"))]),
    mistake(
        "heatmap-drawn-at-whole-pixels", "draws each keypoint at the nearest whole pixel",
        "Peaks move by up to half a heatmap pixel, and with them what the network learns. Measure "
        "the distance from the keypoint as it is.",
        "P2.heatmap.subpixel/1", [(
            "(columns - x) ** 2 + (rows - y) ** 2",
            "(columns - x.round()) ** 2 + (rows - y.round()) ** 2")]),
    mistake(
        "heatmap-renormalised", "scales each map so that its highest pixel is 1",
        "Where exactly between two pixels a keypoint lies is then lost in part. Leave the values "
        "as the formula gives them.",
        "P2.heatmap.subpixel/1", [(
            MAPS, "heatmaps = heatmaps / heatmaps.amax(dim=(1, 2), keepdim=True)\n"
            "        " + MAPS)]),
    mistake(
        "heatmap-half-pixel", "takes the centre of a pixel to lie half a pixel further",
        "The map moves by half a pixel, and a keypoint at whole pixels has no peak of 1. Here the "
        "centres of pixels are whole numbers: measure the distance from (column, row).",
        "P2.heatmap.gaussian/1", [(
            "(columns - x) ** 2 + (rows - y) ** 2",
            "(columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2")]),
    mistake(
        "heatmap-rows-for-x", "counts rows with x and columns with y",
        "Every peak is mirrored at the diagonal. x counts columns, and y counts rows.",
        "P2.heatmap.shape/1",
        [("(columns - x) ** 2 + (rows - y) ** 2", "(columns - y) ** 2 + (rows - x) ** 2")]),
    mistake(
        "heatmap-y-first", "takes the first number of a keypoint for y",
        "Peaks then stand mirrored at the diagonal, and what is outside is judged so as well. A "
        "keypoint is (x, y): x belongs to columns and width.",
        "P2.heatmap.peak/1",
        [("x, y = keypoints[:, :, None, None]", "y, x = keypoints[:, :, None, None]")]),
    mistake(
        "heatmap-inside-swapped", "compares x with the height and y with the width of the map",
        "On a map that is not square, keypoints inside are lost and others outside are drawn. x is "
        "inside where it is below the width.",
        "P2.heatmap.outside/1",
        [(INSIDE, "inside = (x >= 0) & (x < height) & (y >= 0) & (y < width)")]),
    mistake(
        "heatmap-all-on-one-map", "draws all keypoints on every map",
        "No map can say which keypoint it is about. Channel k holds keypoint k alone.",
        "P2.heatmap.peak/1", [(MAPS, MAPS.replace("return ", "maps = ") + (
            "\n        return maps.amax(dim=0, keepdim=True).expand_as(maps)"))]),
    mistake(
        "heatmap-without-minus", "leaves out the minus in the exponent",
        "The map then grows with the distance from the keypoint. The exponent is negative.",
        "P2.heatmap.gaussian/1", [("torch.exp(-squared_distance", "torch.exp(squared_distance")]),
    mistake(
        "heatmap-to-255", "gives heatmaps with a peak of 255",
        "A network that answers between 0 and 1 never reaches it. The peak is 1.",
        "P2.heatmap.gaussian/1", [(MAPS, MAPS + " * 255")]),
    mistake(
        "heatmap-half-pixel-moved", "moves keypoints by half a pixel before it draws them",
        "The centres of pixels are whole numbers here. Draw a keypoint where it is.",
        "P2.heatmap.gaussian/1", [("    x, y = keypoints[:, :, None, None]",
                                   "    x, y = keypoints[:, :, None, None].sub(0.5)")]),
    mistake(
        "heatmap-tails-of-outside", "draws the tails of keypoints outside the map",
        "The border lights up although there is nothing to find. Give an empty channel for a "
        "keypoint that is not on the map.",
        "P2.heatmap.outside/1", [(MAPS, "return heatmaps")]),
    mistake(
        "heatmap-outside-clamped", "moves keypoints outside the map to its border",
        "The network learns to find keypoints where there are none. Give an empty channel for a "
        "keypoint that is not on the map.",
        "P2.heatmap.outside/1", [(
            "x, y = keypoints[:, :, None, None].unbind(1)  # [K,1,1] each",
            "x, y = keypoints[:, :, None, None].unbind(1)\n"
            "        x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)")]),
    mistake(
        "heatmap-last-pixel-outside", "takes keypoints beyond the last pixel's centre for outside",
        "The last row reaches from H - 1 to H, and the last column likewise. Inside ends before W "
        "and H.",
        "P2.heatmap.outside/2", [(
            INSIDE, INSIDE.replace("x < width", "x <= width - 1").replace(
                "y < height", "y <= height - 1"))]),
    mistake(
        "heatmap-outside-rounded", "decides by rounded coordinates what is outside the map",
        "A keypoint at -.25 is outside, and one at W - .25 inside. Compare the coordinates as they "
        "are.",
        "P2.heatmap.outside/2", [(
            INSIDE, INSIDE.replace("(x >=", "(x.round() >=").replace(
                "(x <", "(x.round() <").replace("(y >=", "(y.round() >=").replace(
                "(y <", "(y.round() <"))]),
    mistake(
        "heatmap-outside-by-window", "takes keypoints within three sigma of the map for inside",
        "The tail of a keypoint that is not on the map lights up its border. Inside ends at the "
        "map, whatever sigma is.",
        "P2.heatmap.outside/2", [(
            INSIDE, "reach = 3 * self.sigma\n"
            "        inside = ((x > -reach) & (x < width + reach)\n"
            "                  & (y > -reach) & (y < height + reach))")]),
    mistake(
        "heatmap-outside-truncated", "decides by truncated coordinates what is outside the map",
        "A keypoint at -.25 becomes one at 0, which is inside. Compare the coordinates as they "
        "are.",
        "P2.heatmap.outside/2",
        [(INSIDE, INSIDE.replace("(x >= 0)", "(x > -1)").replace( "(y >= 0)", "(y > -1)"))]),
    mistake(
        "heatmap-outside-from-last", "takes keypoints at x = W and y = H for inside",
        "The map ends before W and H. Compare with < and not with <=.",
        "P2.heatmap.outside/2",
        [(INSIDE, INSIDE.replace("< width", "<= width").replace("< height", "<= height"))]),
    *(mistake(
        f"heatmap-outside-from-last-in-{axis}", f"takes keypoints at {axis} = {side} for inside",
        f"The map ends before {side}. Compare with < and not with <=.",
        "P2.heatmap.outside/2", [(INSIDE, INSIDE.replace(f"< {name}", f"<= {name}"))])
        for axis, side, name in (("x", "W", "width"), ("y", "H", "height"))),
    mistake(
        "heatmap-edge-outside", "takes keypoints on the upper and left edge for outside",
        "Row 0 and column 0 belong to the map. Inside begins at 0, with 0 included.",
        "P2.heatmap.outside/2", [(INSIDE, INSIDE.replace(">= 0", "> 0"))]),
]
