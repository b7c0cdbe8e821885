"""What hostile submissions try: code that is imported or called, and files that are handed in."""

from . import (
    descriptors,
    files,
    flooding,
    lying,
    results,
    spying,
    stalling,
    starving,
    taking_down,
    weights,
)

IN_CODE = [*results.ATTACKS, *lying.ATTACKS, *spying.ATTACKS, *flooding.ATTACKS,
           *taking_down.ATTACKS, *starving.ATTACKS, *stalling.ATTACKS, *descriptors.ATTACKS]
IN_FILES = files.ATTACKS
WEIGHTS = weights.WEIGHTS
