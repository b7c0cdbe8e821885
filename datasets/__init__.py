"""The two synthetic datasets of the assignment: shapes to detect, stick figures to pose.

    recipe (profile, seed, counts, palette)
      -> scenes      `standard` (one stream per image) or `classic` (the course's one stream)
      -> images      `shapes` and `stick_figures` render scenes and state their annotations
      -> a folder    `store`: PNG + JSON, contact sheets, audit, manifest with digests

Coordinates are pixels, x right, y down. Boxes are `(x1, y1, x2, y2)`, keypoints `(x, y)`;
left and right are those of the image. Detection images are 224 x 224 RGB, keypoint images
128 x 128 grey. Ids start at 0, and validation ids continue after the training ids.

`python -m datasets generate` writes a dataset and `python -m datasets audit` checks one;
`datasets.draw` makes the same samples in memory.
"""

from datasets.recipe import DetectionSample, KeypointSample, draw, samples

__all__ = ["DetectionSample", "KeypointSample", "draw", "samples"]
