"""Wrong code that people write, each a change of one passage of the solution."""

from . import boxes, detection, keypoints, limits, loss

# what the code does -> the sentence of the rules that it breaks, the checks that fail, the file, a
# passage, what stands in its place
VARIANTS = {**boxes.VARIANTS, **loss.VARIANTS, **detection.VARIANTS, **keypoints.VARIANTS,
            **limits.VARIANTS}
