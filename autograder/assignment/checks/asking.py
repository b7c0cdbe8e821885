"""Questions that call a function of one problem: `call1("utils.compute_iou", boxes1, boxes2)`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ...engine.check import call
from ...engine.compare import OF_FORM, SUPPOSING, Wrong

call1, call2 = partial(call, "problem1"), partial(call, "problem2")


@contextmanager
def first_of_equals(hint: str = "") -> Iterator[None]:
    """Say, with what is wrong, how equal values keep their order."""
    try:
        yield
    except Wrong as wrong:
        said = str(wrong)
        mined = re.search(r"^(\d+) negatives should be mined, but (\d+)", said)
        if said.startswith(("the shape of ", "the type of ")) or OF_FORM.search(said) or (
                re.search(r" should have \d", said) or mined and int(mined[2]) < int(mined[1])):
            raise  # it is no order yet
        hint = f" ({hint})" if hint else ""
        raise Wrong(f"{wrong}{SUPPOSING}of equal values the first counts, sort with stable=True, "
                    f"or in numpy -values with kind='stable'{hint}.") from None
