"""Mistakes in the anchors: task 1.2."""

from . import mistake

CORNERS = "torch.stack([x - half, y - half, x + half, y + half], dim=-1)"
GRID = ('y, x, half = torch.meshgrid(centre_y, centre_x, half, indexing="ij")  # each [H, W, A]')

MISTAKES = [
    mistake(
        "anchors-scale-major", "puts all cells of one scale before the next scale",
        "The boxes are right but stand in other rows than the predictions they belong to, so "
        "training runs and learns nothing. Let the scales change fastest: all scales of a cell "
        "come before the next cell.",
        "P1.anchors.order/1",
        [(GRID, 'half, y, x = torch.meshgrid(half, centre_y, centre_x, indexing="ij")')]),
    mistake(
        "anchors-column-major", "runs through the cells column by column",
        "A prediction map flattens row by row, so that each prediction meets the anchor of the "
        "mirrored cell. Let the column change faster than the row.",
        "P1.anchors.order/1",
        [(GRID, 'x, y, half = torch.meshgrid(centre_x, centre_y, half, indexing="ij")')]),
    mistake(
        "anchors-no-half-cell", "centres anchors on the corners of the cells",
        "Every anchor is shifted by half a cell to the upper left. The centre of cell j is half a "
        "cell further than its edge.",
        "P1.anchors.box/1", [
            ("(torch.arange(height) + 0.5)", "torch.arange(height)"),
            ("(torch.arange(width) + 0.5)", "torch.arange(width)")]),
    *(mistake(
        f"anchors-no-half-cell-in-{axis}", f"forgets the half cell along {axis}",
        "Every anchor is shifted by half a cell along one axis. The centre of a cell lies half a "
        "cell further than its edge, along x and along y.",
        "P1.anchors.box/1", [(f"(torch.arange({size}) + 0.5)", f"torch.arange({size})")])
        for axis, size in (("x", "width"), ("y", "height"))),
    mistake(
        "anchors-from-edge-to-edge", "spreads the centres of cells from edge to edge of the image",
        "The first centre then lies at 0 and the last at the other edge, with steps that are too "
        "large. The centre of a cell is half a step away from its edges.",
        "P1.anchors.box/1", [
            ("(torch.arange(height) + 0.5) * (image_size / height)",
             "torch.linspace(0, image_size, height)"),
            ("(torch.arange(width) + 0.5) * (image_size / width)",
             "torch.linspace(0, image_size, width)")]),
    mistake(
        "anchors-half-pixel", "adds half a pixel instead of half a cell",
        "Every anchor lies nearly half a cell too far to the upper left. Add .5 to the number of "
        "the cell, before it is multiplied by the step.",
        "P1.anchors.box/1", [
            ("(torch.arange(height) + 0.5) * (image_size / height)",
             "torch.arange(height) * (image_size / height) + 0.5"),
            ("(torch.arange(width) + 0.5) * (image_size / width)",
             "torch.arange(width) * (image_size / width) + 0.5")]),
    mistake(
        "anchors-far-corner", "centres anchors on the lower right corners of the cells",
        "Every anchor is shifted by half a cell. The centre of cell j lies at j + .5 steps.",
        "P1.anchors.box/1", [
            ("(torch.arange(height) + 0.5)", "(torch.arange(height) + 1)"),
            ("(torch.arange(width) + 0.5)", "(torch.arange(width) + 1)")]),
    mistake(
        "anchors-corner-and-size", "gives anchors as upper left corner and size",
        "All other functions take the numbers for two corners. Give x1, y1, x2 and y2.",
        "P1.anchors.box/1",
        [(CORNERS, "torch.stack([x - half, y - half, 2 * half, 2 * half], dim=-1)")]),
    mistake(
        "anchors-scale-as-half-side", "takes the scale for half a side",
        "All anchors are twice as large as they should be and match other objects. A scale is the "
        "whole side: half of it lies on each side of the centre.",
        "P1.anchors.box/1", [(
            "torch.tensor(scales, dtype=torch.float32) / 2",
            "torch.tensor(scales, dtype=torch.float32)")]),
    mistake(
        "anchors-half-side-whole", "halves the scales with // instead of /",
        "An odd scale then gives an anchor that is one pixel too small. Divide without rounding.",
        "P1.anchors.box/1", [(
            "torch.tensor(scales, dtype=torch.float32) / 2",
            "torch.tensor(scales, dtype=torch.float32) // 2")]),
    mistake(
        "anchors-rounded", "rounds anchors to whole pixels",
        "They are then up to half a pixel off, and not square. Leave the fractions.",
        "P1.anchors.box/1", [("dim=-1).reshape(-1, 4))", "dim=-1).reshape(-1, 4).round())")]),
    mistake(
        "anchors-centre-and-size", "gives anchors as centre and size",
        "All other functions take the numbers for two corners. Give x1, y1, x2 and y2.",
        "P1.anchors.box/1", [(CORNERS, "torch.stack([x, y, 2 * half, 2 * half], dim=-1)")]),
    mistake(
        "anchors-y-before-x", "gives the corners of anchors as y before x",
        "Anchors land at the mirrored place, which shows as soon as an object is off the diagonal. "
        "x counts columns and comes first, y counts rows.",
        "P1.anchors.box/1",
        [(CORNERS, "torch.stack([y - half, x - half, y + half, x + half], dim=-1)")]),
    mistake(
        "anchors-image-size-fixed", "assumes images of 224 pixels whatever image_size says",
        "For images of another size all anchors are in the wrong place. Take the step between "
        "cells from the argument.",
        "P1.anchors.box/1",
        [("(image_size / height)", "(224 / height)"), ("(image_size / width)", "(224 / width)")]),
    mistake(
        "anchors-one-stride", "steps along x by the step between rows",
        "On a map that is not square the columns leave the image or do not reach its edge. x steps "
        "by the image size over the number of columns, y by that over the number of rows.",
        "P1.anchors.maps/1", [(
            "centre_x = (torch.arange(width) + 0.5) * (image_size / width)",
            "centre_x = (torch.arange(width) + 0.5) * (image_size / height)")]),
    mistake(
        "anchors-one-stride-in-y", "steps along y by the step between columns",
        "On a map that is not square the rows leave the image or do not reach its edge. y steps "
        "by the image size over the number of rows, x by that over the number of columns.",
        "P1.anchors.maps/1", [(
            "centre_y = (torch.arange(height) + 0.5) * (image_size / height)",
            "centre_y = (torch.arange(height) + 0.5) * (image_size / width)")]),
    mistake(
        "anchors-width-first", "takes the sizes of a map for width and height",
        "Rows and columns of a map that is not square are then swapped. Each pair is (H, W).",
        "P1.anchors.maps/1", [("for (height, width),", "for (width, height),")]),
    mistake(
        "anchors-step-rounded", "rounds the step between cells down to whole pixels",
        "Where the map does not divide the image, the last cells do not reach its edge. Divide "
        "without rounding.",
        "P1.anchors.maps/1", [
            ("(image_size / height)", "(image_size // height)"),
            ("(image_size / width)", "(image_size // width)")]),
    mistake(
        "anchors-scales-of-first-map", "uses the scales of the first map on every map",
        "Large objects then have no anchor of their size, and a map with another number of scales "
        "gets the wrong number of rows. Take for each map its own list.",
        "P1.anchors.scales/1", [(
            "torch.tensor(scales, dtype=torch.float32) / 2",
            "torch.tensor(anchor_scales[0], dtype=torch.float32) / 2")]),
    mistake(
        "anchors-scales-sorted", "sorts the scales of a map",
        "Each prediction belongs to a scale by its place. Take the scales in the order in which "
        "they are given.",
        "P1.anchors.order/1", [(
            "torch.tensor(scales, dtype=torch.float32) / 2",
            "torch.tensor(sorted(scales), dtype=torch.float32) / 2")]),
    mistake(
        "anchors-clipped", "clips anchors to the image",
        "Anchors at the border become smaller and move off their centre, so that offsets are "
        "measured from the wrong box. Leave them as they are, also where they reach out of the "
        "image.",
        "P1.anchors.unclipped/1",
        [("dim=-1).reshape(-1, 4))", "dim=-1).reshape(-1, 4).clamp(0, image_size))")]),
    mistake(
        "anchors-clipped-to-last-pixel", "clips anchors to the last pixel of the image",
        "Anchors at the border become smaller and move off their centre, and coordinates have no "
        "last pixel. Leave anchors as they are, also where they reach out of the image.",
        "P1.anchors.unclipped/1",
        [("dim=-1).reshape(-1, 4))", "dim=-1).reshape(-1, 4).clamp(0, image_size - 1))")]),
    mistake(
        "anchors-as-grid", "gives the anchors of a map as [H, W, A, 4]",
        "What follows wants one row for each anchor. Flatten them to [H*W*A, 4], in this order.",
        "P1.anchors.order/1", [("dim=-1).reshape(-1, 4))", "dim=-1))")]),
    mistake(
        "anchors-as-shares", "gives anchors as shares of the image",
        "All boxes of this homework are in pixels. Do not divide by image_size.",
        "P1.anchors.box/1",
        [("dim=-1).reshape(-1, 4))", "dim=-1).reshape(-1, 4) / image_size)")]),
    mistake(
        "anchors-centres-as-shares", "gives the centres of anchors as shares of the image",
        "The sides are in pixels, and so the centres must be. Multiply them by image_size.",
        "P1.anchors.box/1", [("* (image_size / height)", "/ height"),
                             ("* (image_size / width)", "/ width")]),
    mistake(
        "anchors-concatenated", "returns the anchors of all maps as one tensor",
        "The loss and the decoding take one entry per map and would go through single boxes. "
        "Return a list with a tensor for each map.",
        "P1.anchors.default/1", [("    return anchors\n", "    return torch.cat(anchors)\n")]),
]
