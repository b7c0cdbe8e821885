"""Mistakes in the multi-scale detector: task 1.8.

Those marked (*) change the network, so that the trained weights do not fit or answer otherwise.
Nothing can stand in for a network: they cost 1.13 or 1.14 as well.
"""

from . import mistake

FINEST = "        map56 = self.stage56(self.stem(x))\n"
HEADS = "[head(m) for head, m in zip(self.heads, (map56, map28, map14))]"

MISTAKES = [
    mistake(
        "model-classes-fixed", "always predicts three classes",
        "The argument num_classes has no effect. Compute the channels from it.",
        "P1.model.options/1", [("(5 + num_classes)", "8")]),
    mistake(
        "model-anchors-fixed", "always predicts three anchors per cell",
        "The argument num_anchors has no effect. Compute the channels from it.",
        "P1.model.options/1", [("outputs = num_anchors *", "outputs = 3 *")]),
    mistake(  # (*)
        "model-without-objectness", "leaves the objectness out of the channels of an anchor",
        "An anchor has four offsets, an objectness and its classes. Multiply the anchors by 5 + "
        "the number of classes.",
        "P1.model.shapes/1", [("(5 + num_classes)", "(4 + num_classes)")]),
    mistake(  # (*)
        "model-stride-missing", "does not halve the map before its first output",
        "The maps come out with sides of 112, 56 and 28, for which there are no anchors. Use "
        "stride 2 in all convolutions of the backbone but the first.",
        "P1.model.shapes/1",
        [("self.stage56 = conv_block(64, 128, stride=2)", "self.stage56 = conv_block(64, 128)")]),
    mistake(  # (*)
        "model-coarse-map-first", "returns the coarsest map first",
        "Anchors come in the order 56, 28, 14, so that every prediction meets a wrong anchor. "
        "Return the finest map first.",
        "P1.model.shapes/1", [(HEADS, HEADS + "[::-1]")]),
    mistake(
        "model-batch-dropped", "drops the batch dimension of a single image",
        "A squeeze removes every dimension of size 1, also that of a batch of one. Leave the batch "
        "dimension alone, or name the dimension that you squeeze.",
        "P1.model.shapes/1", [(HEADS, HEADS.replace("head(m)", "head(m).squeeze()"))]),
    mistake(
        "model-anchors-in-rows", "returns predictions of shape [B, S * S, A * (5 + C)]",
        "The loss and the decoder expect maps, and flatten them themselves. Return the maps as the "
        "last convolutions give them.",
        "P1.model.shapes/1",
        [(HEADS, HEADS.replace("head(m)", "head(m).flatten(2).transpose(1, 2)"))]),
    mistake(
        "model-backbone-frozen", "runs the backbone without gradients",
        "Only the heads learn, on features that stay random. Leave no_grad to evaluation, outside "
        "of the network.",
        "P1.model.trainable/2", [
            ("import torch.nn as nn\n", "import torch\nimport torch.nn as nn\n"),
            (FINEST, "        with torch.no_grad():\n    " + FINEST)]),
    mistake(
        "model-dropout-in-evaluation", "applies dropout in evaluation mode as well",
        "Two passes over one image then differ, and trained networks lose accuracy. Tell "
        "functional dropout whether the network is training, or use the module.",
        "P1.model.trainable/3",
        [(FINEST, "        map56 = F.dropout(self.stage56(self.stem(x)), 0.1)\n")]),
    mistake(  # (*)
        "model-background-by-default", "counts the background as a fourth class unless told",
        "Background is what the objectness says, and no class of its own. By default there are 3 "
        "classes.",
        "P1.model.batch/1",
        [("num_classes=3, num_anchors=3, neck", "num_classes=4, num_anchors=3, neck")]),
    mistake(
        "model-finest-map-transposed", "swaps rows and columns of the finest map",
        "Its predictions stand at the mirrored place and meet the anchors of other cells. The last "
        "two dimensions are rows and columns, as in the image.",
        "P1.model.trainable/1",
        [("(map56, map28, map14))]", "(map56.transpose(2, 3), map28, map14))]")]),
]
