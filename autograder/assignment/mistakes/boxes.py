"""Mistakes in IoU and box coding: tasks 1.3 and 1.4."""

from . import mistake

DIVISION = "return intersection / torch.where(union > 0, union, torch.ones_like(union))"
OVERLAP = "(bottom_right - top_left).clamp(min=0).prod(dim=-1)"
UNION = "union = box_area(boxes1)[:, None] + box_area(boxes2)[None, :] - intersection"
CORNERS = "return torch.cat([centre - size / 2, centre + size / 2], dim=-1)"
OFFSET = "offset = (centre - anchor_centre) / anchor_size"
ENCODED = "return torch.cat([offset, torch.log(size / anchor_size)], dim=-1)"

MISTAKES = [
    mistake(
        "iou-epsilon", "adds an epsilon to the union",
        "For small boxes the epsilon is a part of the union that counts, and the IoU comes out too "
        "low. Divide by the union itself, and treat the case of an empty union apart.",
        "P1.iou.tiny/1", [(DIVISION, "return intersection / (union + 1e-6)")]),
    mistake(
        "iou-machine-epsilon", "adds the dtype's machine epsilon to the union",
        "That is enough to falsify tiny boxes, and whole-number boxes have no such epsilon and "
        "raise. Divide by the union itself, and treat the case of an empty union apart.",
        "P1.iou.dtypes/1",
        [(DIVISION, "return intersection / (union + torch.finfo(boxes1.dtype).eps)")]),
    mistake(
        "iou-zero-by-zero", "divides 0 by 0 where the union is empty",
        "Boxes without area give nan, and one nan spoils every maximum and sum after it. Give 0 "
        "where the union has no area.",
        "P1.iou.empty-union/1", [(DIVISION, "return intersection / union")]),
    mistake(
        "iou-plus-one-pixel", "counts one pixel more in width and height",
        "Boxes that only touch then overlap, and small boxes overlap too much. Coordinates are "
        "continuous here: from 0 to 10 it is 10, not 11.",
        "P1.iou.value/2", [
            (OVERLAP, "(bottom_right - top_left + 1).clamp(min=0).prod(dim=-1)"),
            ("(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])",
             "(boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)")]),
    mistake(
        "iou-sum-as-union", "takes the sum of both areas for the union",
        "The overlap is counted twice, so that even two equal boxes reach only one half. Subtract "
        "the overlap from the sum once.",
        "P1.iou.value/1", [(UNION, UNION.removesuffix(" - intersection"))]),
    mistake(
        "iou-over-smaller-box", "divides the overlap by the smaller box",
        "A small box inside a large one then has IoU 1 and matches it perfectly. Divide by the "
        "area that the two boxes cover together.",
        "P1.iou.value/1",
        [(UNION, "union = torch.minimum(box_area(boxes1)[:, None], box_area(boxes2)[None, :])")]),
    mistake(
        "iou-not-clamped", "does not clamp negative overlaps to 0",
        "Boxes that lie apart have a negative width or height in common, and get an IoU that is "
        "not 0. Clamp width and height at 0 before you multiply them.",
        "P1.iou.disjoint/1", [(OVERLAP, "(bottom_right - top_left).prod(dim=-1)")]),
    mistake(
        "iou-not-clamped-guarded",
        "clamps neither width nor height of the overlap, and takes a negative union for empty",
        "Boxes that lie apart have a negative width or height in common, and get an IoU that is "
        "not 0. Clamp width and height at 0 before you multiply them.",
        "P1.iou.disjoint/1", [
            (OVERLAP, "(bottom_right - top_left).prod(dim=-1)"),
            (DIVISION, "return torch.where(union > 0, intersection / union, 0.0)")]),
    mistake(
        "iou-transposed", "gives the table of IoU with rows and columns swapped",
        "Row i belongs to box i of the first argument, and matching looks for the best anchor of "
        "each object there. Let the first boxes have the dimension [:, None].",
        "P1.iou.pairs/1",
        [(DIVISION, "return (intersection / torch.where(union > 0, union, 1.0)).T")]),
    *(mistake(
        f"iou-of-{name}", f"takes the boxes for {says}",
        "Boxes are x1, y1, x2, y2 everywhere in this homework. Compute the area from the "
        "differences of the corners.",
        "P1.iou.value/1", [("    top_left = ", (
            f"    boxes1, boxes2 = (torch.cat([{begin}, {begin} + b[:, 2:]], dim=-1)\n"
            "                      for b in (boxes1, boxes2))\n    top_left = "))])
        for name, says, begin in (
            ("corner-and-size", "corner, width and height", "b[:, :2]"),
            ("centre-and-size", "centre, width and height", "b[:, :2] - b[:, 2:] / 2"))),
    mistake(
        "iou-generalised", "gives the generalised IoU",
        "It is negative for boxes that lie apart, and less than the IoU for most. Leave the box "
        "around both out: IoU is overlap over union.",
        "P1.iou.disjoint/1", [(DIVISION, (
            "hull = (torch.maximum(boxes1[:, None, 2:], boxes2[None, :, 2:])\n"
            "            - torch.minimum(boxes1[:, None, :2], boxes2[None, :, :2])).prod(dim=-1)\n"
            "    return (intersection / union.clamp(min=1e-9)\n"
            "            - (hull - union) / hull.clamp(min=1e-9))"))]),
    mistake(
        "iou-clamped-after-product", "clamps the product of width and height instead of each",
        "For boxes that lie apart in both directions the product of two negative numbers is "
        "positive, and they seem to overlap. Clamp width and height one by one, before you "
        "multiply them.",
        "P1.iou.disjoint/1", [(OVERLAP, "(bottom_right - top_left).prod(dim=-1).clamp(min=0)")]),
    mistake(
        "iou-gap-as-overlap", "takes the size of a gap for that of an overlap",
        "Boxes that lie apart have a negative width or height in common, and abs() makes a gap an "
        "overlap. Clamp width and height at 0.",
        "P1.iou.disjoint/1", [(OVERLAP, "(bottom_right - top_left).abs().prod(dim=-1)")]),
    mistake(
        "iou-box-by-box", "compares box i only with box i of the other list",
        "Lists of different lengths raise, and all other pairs are missing. Every box of the first "
        "list meets every box of the second: insert a dimension into both, so that they broadcast.",
        "P1.iou.pairs/1", [
            ("boxes1[:, None, :2], boxes2[None, :, :2]", "boxes1[:, :2], boxes2[:, :2]"),
            ("boxes1[:, None, 2:], boxes2[None, :, 2:]", "boxes1[:, 2:], boxes2[:, 2:]"),
            ("box_area(boxes1)[:, None] + box_area(boxes2)[None, :]",
             "box_area(boxes1) + box_area(boxes2)")]),
    mistake(
        "iou-changes-boxes", "changes the boxes that it is given",
        "What calls it goes on with boxes that are no longer those of its objects. Compute what "
        "you need in a tensor of its own.",
        "P1.iou.pairs/2", [(DIVISION, f"boxes1[:, 2:] -= boxes1[:, :2]\n    {DIVISION}")]),
    mistake(
        "iou-empty-without-shape", "answers empty input with a tensor of shape [0]",
        "Code that indexes rows or columns of the table fails on it. Keep two dimensions, [0, M] "
        "or [N, 0]: the usual formula gives them without a special case.",
        "P1.iou.empty-input/1", [(
            "    top_left = ",
            "    if len(boxes1) == 0 or len(boxes2) == 0:\n        return torch.zeros(0)\n"
            "    top_left = ")]),
    mistake(
        "encode-without-logarithm", "encodes sizes without the logarithm",
        "A box of its anchor's size gets 1 instead of 0, and the network has to learn that offset "
        "for every box. Take the natural logarithm of the ratio of the sizes.",
        "P1.coding.encode/1",
        [(ENCODED, "return torch.cat([offset, size / anchor_size], dim=-1)")]),
    mistake(
        "encode-axis-by-axis", "gives the offsets in the order tx, tw, ty, th",
        "Decoding takes the second number for ty and the third for tw. Both offsets of the centre "
        "come first, then both of the size.",
        "P1.coding.encode/1", [(ENCODED, (
            "return torch.stack([offset, torch.log(size / anchor_size)], dim=-1).flatten(-2)"))]),
    mistake(
        "encode-with-variances", "divides the encoded offsets by variances",
        "The offsets come out 10 and 5 times too large, as in some SSD implementations. Leave "
        "variances out: they are not a part of this assignment.",
        "P1.coding.encode/2", [(
            ENCODED, "return torch.cat([offset / 0.1, torch.log(size / anchor_size) / 0.2], "
            "dim=-1)")]),
    mistake(
        "encode-by-width-alone", "divides the distance of the centres by the anchor's width alone",
        "Along y, anchors that are not square then get other offsets than decoding expects. Divide "
        "y by the height.",
        "P1.coding.encode/1", [(OFFSET, OFFSET + "[..., :1]")]),
    mistake(
        "encode-in-pixels", "encodes the distance of the centres in pixels",
        "Large anchors then get offsets many times larger than small ones, and the loss is about "
        "large objects only. Divide the distance by the anchor's width and height.",
        "P1.coding.encode/1", [(OFFSET, "offset = centre - anchor_centre")]),
    mistake(
        "encode-by-box-size", "divides the distance of the centres by the size of the box",
        "Decoding knows only the anchor, so that it cannot undo this. Divide by the anchor's width "
        "and height.",
        "P1.coding.encode/1", [(OFFSET, "offset = (centre - anchor_centre) / size")]),
    mistake(
        "encode-corners", "encodes the distance of the upper left corners",
        "The offset then depends on both sizes and not on the position alone. Take the difference "
        "of the centres.",
        "P1.coding.encode/1",
        [(OFFSET, "offset = (boxes[..., :2] - anchors[..., :2]) / anchor_size")]),
    mistake(
        "encode-changes-boxes", "changes the boxes that it encodes",
        "The next epoch gets the changed ones, if boxes are kept. Compute what you need in a "
        "tensor of its own.",
        "P1.coding.encode/3", [(ENCODED, f"boxes[..., 2:] -= boxes[..., :2]\n    {ENCODED}")]),
    mistake(
        "decode-with-variances", "multiplies offsets by variances when it decodes",
        "Boxes hardly leave their anchors, since their offsets count a tenth or a fifth. Leave "
        "variances out: they are not a part of this assignment.",
        "P1.coding.decode/1", [
            ("+ deltas[..., :2] * anchor_size", "+ deltas[..., :2] * 0.1 * anchor_size"),
            ("torch.exp(deltas[..., 2:])", "torch.exp(deltas[..., 2:] * 0.2)")]),
    mistake(
        "decode-by-decoded-size", "multiplies the distance of the centres by the decoded size",
        "Encoding divides it by the size of the anchor. Multiply by the same size.",
        "P1.coding.decode/1",
        [(CORNERS, "centre = anchor_centre + deltas[..., :2] * size\n    " + CORNERS)]),
    mistake(
        "decode-without-exponential", "decodes sizes without the exponential",
        "Offsets of 0 then give a box without area instead of the anchor. Undo the logarithm of "
        "the encoding.",
        "P1.coding.decode/1", [("torch.exp(deltas[..., 2:])", "deltas[..., 2:]")]),
    mistake(
        "decode-to-centre-and-size", "decodes to centre and size",
        "All other functions take the numbers for two corners. Go half a size to each side of the "
        "centre, and give x1, y1, x2 and y2.",
        "P1.coding.decode/1", [(CORNERS, "return torch.cat([centre, size], dim=-1)")]),
    mistake(
        "decode-centre-as-corner", "takes the decoded centre for the upper left corner",
        "All boxes are shifted by half their size to the lower right. Go half a size to each side "
        "of the centre.",
        "P1.coding.decode/1", [(CORNERS, "return torch.cat([centre, centre + size], dim=-1)")]),
    mistake(
        "decode-whole-sizes", "goes a whole size to each side of the centre when it decodes",
        "Decoded boxes are twice as wide and high as they should be. Half of the size lies on each "
        "side of the centre.",
        "P1.coding.decode/1",
        [(CORNERS, "return torch.cat([centre - size, centre + size], dim=-1)")]),
    mistake(
        "decode-from-corner", "adds decoded offsets to the anchor's upper left corner",
        "All boxes are shifted by half an anchor, and offsets of 0 do not give the anchor back. "
        "Offsets count from the anchor's centre.",
        "P1.coding.decode/1",
        [("anchors[..., :2] + anchor_size / 2 + deltas", "anchors[..., :2] + deltas")]),
    mistake(
        "decode-offsets-as-pixels", "adds decoded offsets to the centre as if they were pixels",
        "An offset of 1 then moves a box by a pixel instead of by the size of its anchor. Multiply "
        "by the anchor's width and height, which encoding has divided by.",
        "P1.coding.decode/1", [("+ deltas[..., :2] * anchor_size", "+ deltas[..., :2]")]),
    mistake(
        "decode-changes-deltas", "changes the offsets that it is given",
        "The network's output is changed by looking at it, and decoding it again gives other "
        "boxes. Mind exp_() in the place of exp().",
        "P1.coding.decode/3", [("torch.exp(deltas[..., 2:])", "deltas[..., 2:].exp_()")]),
    mistake(
        "decode-clipped", "clips decoded boxes to the image",
        "Boxes at the border change their size and centre, and decoding is no longer the inverse "
        "of encoding. Leave them as they are.",
        "P1.coding.decode/2", [(CORNERS, CORNERS + ".clamp(0, 224)")]),
]
