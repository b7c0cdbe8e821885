"""Mistakes in HeatmapNet and RegressionNet: tasks 2.3 and 2.4.

Those marked (*) change the network, so that the trained weights do not fit or answer otherwise.
Nothing can stand in for a network: they cost 2.10 or 2.11 as well.
"""

from . import mistake

HEAD = "self.head = nn.Conv2d(channels, num_keypoints, kernel_size=1)"
MAPS = "*skips, x = self.encoder(images)  # skips of 64, 32, 16 pixels; x [B,256,8,8]\n"
LAST = "nn.Linear(64, 2 * num_keypoints), nn.Sigmoid(),"
ANSWER = "        return self.head(features)\n"

MISTAKES = [
    mistake(
        "heatmapnet-keypoints-fixed", "always draws five heatmaps",
        "The argument num_keypoints has no effect. Use it for the channels of the last "
        "convolution.",
        "P2.heatmapnet.keypoints/1", [(HEAD, HEAD.replace("num_keypoints", "5"))]),
    mistake(
        "heatmapnet-image-size", "draws heatmaps of the size of the image",
        "The targets have 64 x 64 pixels, and the loss fails or broadcasts. End at half the size "
        "of the image.",
        "P2.heatmapnet.shape/1", [(
            "        return self.head(x)\n",
            "        return nn.functional.interpolate(self.head(x), scale_factor=2)\n")]),
    mistake(  # (*)
        "heatmapnet-one-upsampling-less", "ends at heatmaps of 32 x 32",
        "One doubling is missing on the way back up. From 8 x 8 to 64 x 64 there are three.",
        "P2.heatmapnet.shape/1", [(
            "skip: bool = True, heatmap_size: int = 64",
            "skip: bool = True, heatmap_size: int = 32")]),
    mistake(
        "heatmapnet-encoder-frozen", "runs the encoder without gradients",
        "Only the decoder learns, on features that stay random. Leave no_grad to evaluation, "
        "outside of the network.",
        "P2.heatmapnet.trainable/1",
        [(MAPS, "with torch.no_grad():\n            *skips, x = self.encoder(images)\n")]),
    mistake(
        "heatmapnet-dropout-in-evaluation",
        "applies dropout to heatmaps in evaluation mode as well",
        "Two passes over one image then differ, and the trained network loses accuracy. Tell "
        "functional dropout whether the network is training, or use the module.",
        "P2.heatmapnet.trainable/1",
        [(MAPS, MAPS + "        x = nn.functional.dropout(x, 0.05)\n")]),
    mistake(  # (*)
        "heatmapnet-layers-in-list", "keeps layers of HeatmapNet in a plain list",
        "They are neither trained nor saved, and eval() does not reach them. Use nn.ModuleList.",
        "P2.heatmapnet.trainable/1", [("self.decoder = nn.ModuleList()", "self.decoder = []")]),
    mistake(
        "heatmapnet-company", "lets heatmaps depend on the other images of the batch",
        "An image alone, as it comes when it is graded, then has other maps than in training. Take "
        "a mean or a maximum over one image at a time, and leave batch norm its statistics.",
        "P2.heatmapnet.keypoints/1", [  # alone an image is right, as it may be with any of these
            (MAPS, MAPS.replace("(images)", "(images / len(images))"))]),
    mistake(
        "heatmapnet-transposed", "swaps rows and columns of the heatmaps",
        "A keypoint is then found at the mirrored place. The last two dimensions are rows and "
        "columns, as in the image.",
        "P2.heatmapnet.trainable/1",
        [("        return self.head(x)\n", "        return self.head(x).transpose(2, 3)\n")]),
    mistake(
        "regressionnet-keypoints-fixed", "always names ten coordinates",
        "The argument num_keypoints has no effect. Use it for the size of the last layer.",
        "P2.regressionnet.keypoints/1", [(LAST, LAST.replace("2 * num_keypoints", "10"))]),
    mistake(
        "regressionnet-pairs", "answers pairs of shape [B, K, 2]",
        "The targets are 2K numbers in a row, and the loss fails or broadcasts. Return [B, 2K].",
        "P2.regressionnet.shape/1",
        [(ANSWER, "        return self.head(features).unflatten(1, (-1, 2))\n")]),
    mistake(  # (*)
        "regressionnet-without-sigmoid", "answers without a sigmoid",
        "Coordinates can then lie anywhere, also outside of the image. End with a sigmoid, so that "
        "they stay in 0..1.",
        "P2.regressionnet.shape/1", [(LAST, LAST.replace("nn.Sigmoid()", "nn.Identity()"))]),
    mistake(  # (*)
        "regressionnet-in-pixels", "answers in pixels",
        "The targets are in 0..1, and so should be the answers. Leave the output of the sigmoid as "
        "it is.",
        "P2.regressionnet.shape/1",
        [(ANSWER, "        return self.head(features) * images.shape[-1]\n")]),
    mistake(
        "regressionnet-without-dropout", "has no dropout",
        "With few images the linear layers learn the training set by heart. Put a dropout of 0.5 "
        "after the hidden layers.",
        "P2.regressionnet.dropout/1", [
            ("nn.Linear(256, 128), nn.ReLU(inplace=True), nn.Dropout(0.5),",
             "nn.Linear(256, 128), nn.ReLU(inplace=True), nn.Identity(),"),
            ("nn.Linear(128, 64), nn.ReLU(inplace=True), nn.Dropout(0.5),",
             "nn.Linear(128, 64), nn.ReLU(inplace=True), nn.Identity(),")]),
    mistake(
        "regressionnet-encoder-frozen", "runs the encoder of RegressionNet without gradients",
        "Only the linear layers learn, on features that stay random. Leave no_grad to evaluation, "
        "outside of the network.",
        "P2.regressionnet.dropout/2", [(
            "features = self.encoder(images)[-1].mean(dim=(2, 3))",
            "with torch.no_grad():\n"
            "            features = self.encoder(images)[-1].mean(dim=(2, 3))")]),
    mistake(
        "regressionnet-dropout-in-evaluation",
        "lets the dropout of RegressionNet act in evaluation mode as well",
        "Two passes over one image then differ, and the trained network loses accuracy. Use the "
        "dropout module, which rests in evaluation mode.",
        "P2.regressionnet.dropout/1",
        [(ANSWER, ANSWER.replace( "features)", "nn.functional.dropout(features, 0.05))"))]),
    mistake(
        "regressionnet-company", "lets coordinates depend on the other images of the batch",
        "An image alone, as it comes when it is graded, then has other coordinates than in "
        "training. Take a mean or a maximum over one image at a time, and leave batch norm its "
        "statistics.",
        "P2.regressionnet.keypoints/1",
        [(ANSWER, ANSWER.replace("features)", "features / features.max())"))]),
]
