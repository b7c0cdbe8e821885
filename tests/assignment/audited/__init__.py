"""What an audit asks each graded function: inputs over the whole domain of the rules, and oracles.

Coordinates are whole numbers times a power of two, and scores are few. So ties and thresholds are
met exactly in any arithmetic, and no difference is one of rounding. An oracle is written from the
rules alone, one object after the other, and shares no code with the solution.
"""

from . import detection, keypoints

FUNCTIONS = {**detection.FUNCTIONS, **keypoints.FUNCTIONS}
