"""Arrays of drawn values."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], Any]


def array(draw: Draw, values: st.SearchStrategy, *shape: int, dtype: type = np.float32) -> Any:
    """Values of a strategy, in this shape."""
    count = math.prod(shape)
    return np.array(draw(st.lists(values, min_size=count, max_size=count)), dtype).reshape(shape)
