"""Compare an answer with the reference and say, for a student, how they differ.

Every function returns None or raises `Wrong` with a message. `got` always comes first: what the
student's code returned; `expected` is the reference.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .relations import relation
from .sandbox.wire import Array as Array
from .sandbox.wire import Foreign

SUPPOSING = " If all else is right: "
# In messages about what a result is, before any of its values is looked at.
OF_FORM = re.compile(r" should (be an? |have the entry )")


class Wrong(AssertionError):
    """The answer breaks the rule; the message says how. What follows `SUPPOSING` in it is left out
    where the mistake is known."""


def kind(value: Any) -> str:
    """What a value is, in the words of a message: `tensor [3, 4] of float32`."""
    if isinstance(value, np.ndarray):
        return f"a tensor {list(value.shape)} of {value.dtype.name}"
    if isinstance(value, Foreign):
        return f"an object of type {value.type_name}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of length {len(value)}"
    return "None (is a return missing?)" if value is None else f"{value!r}"[:60]


def number(value: Any) -> str:
    """A short, readable form of a number or of a small array."""
    if isinstance(value, np.ndarray):
        if value.size > 16:  # more numbers do not read well in a sentence
            return f"{kind(value)[2:]}"
        return "[" + ", ".join(number(v) for v in value) + "]" if value.ndim else number(value[()])
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)


def array(got: Any, name: str, shape: Sequence[int] | None = None,
          dtype: str | None = None) -> Array:
    """`got` as an array, or `Wrong` if it is something else, or has another shape or dtype.

    Numbers and lists of numbers (or of tensors [] of one) count as arrays, since many a correct
    answer comes as one.

    Args:
        dtype: exact name ("int64"), or "float" or "bool" or "integer" for a family.
    """
    if isinstance(got, (bool, int, float, np.generic)):  # the last: of an array's entries
        got = np.asarray(got)
    if isinstance(got, (list, tuple)) and all(
            isinstance(v, (bool, int, float)) or isinstance(v, np.ndarray) and not v.ndim
            for v in got):
        got = np.asarray(got)
    if not isinstance(got, np.ndarray):
        what = "a number" if shape is not None and len(shape) == 0 else "a tensor"
        raise Wrong(f"{name} should be {what}, but is {kind(got)}.")
    if shape is not None and list(got.shape) != list(shape):
        raise Wrong(f"the shape of {name} should be {list(shape)}, but is {list(got.shape)}.")
    if of_another := _of_another_type(got, name, dtype):
        raise Wrong(of_another)
    return got


def _of_another_type(got: Array, name: str, dtype: str | None) -> str:
    """What is wrong with the type of an array; "" if nothing is."""
    families = {"float": np.floating, "integer": np.integer, "bool": np.bool_}
    right = not dtype or (np.issubdtype(got.dtype, families[dtype]) if dtype in families
                          else got.dtype.name == dtype)
    return "" if right else f"the type of {name} should be {dtype}, but is {got.dtype.name}."


def close(
    got: Any,
    expected: Array,
    name: str,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    dtype: str | None = None,
    where: Callable[[tuple[int, ...]], str] | None = None,
) -> None:
    """Values agree within `atol + rtol * |expected|`, nan only where nan is expected.

    Args:
        where: names an element for the message: index tuple -> "anchor 7: row 0, column 2".
    """
    expected = np.asarray(expected)
    given = array(got, name, expected.shape)
    got, want = given.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.abs(got - want)
        wrong = ~(difference <= atol + rtol * np.abs(want))
    wrong &= ~(np.isnan(got) & np.isnan(want)) & ~(got == want)
    if not wrong.any():
        array(given, name, dtype=dtype)
        return
    excess = np.where(wrong, np.nan_to_num(difference, nan=np.inf, posinf=np.inf), -1.0)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(excess), excess.shape))
    # `iou[1, 4]`, and of a name of several words `iou of int64 boxes, at [1, 4],`
    at = f", at {list(worst)}" if " " in name else f"{list(worst)}"
    place = (f"{name}{at}" if worst else name) + (f" ({where(worst)})" if where else "")
    place += "," * (bool(worst) and " " in name)
    share = (f" {int(wrong.sum())} of {wrong.size} values differ{_in_columns(wrong)}."
             if wrong.size > 1 else "")
    should, found = number(expected[worst]), number(given[worst])
    if should == found:  # they differ beyond six digits
        should, found = repr(float(want[worst])), repr(float(got[worst]))
    tolerance = atol + rtol * abs(float(np.nan_to_num(want[worst])))
    # of interest only where it could have been met
    within = f" (tolerance {tolerance:.2g})" if 0 < excess[worst] < 100 * tolerance else ""
    of_another = _of_another_type(given, name, dtype)
    raise Wrong(" ".join(filter(None, [
        f"{place} should be {should}, but is {found}{within}.{share}", relation(got, want),
        f"Beside that, {of_another}" if of_another else ""])))


def _in_columns(wrong: Array) -> str:
    """`, all in columns 1 and 3`, where these are half of a few columns at most, mostly wrong."""
    rows = wrong.reshape(-1, wrong.shape[-1])
    columns = np.flatnonzero(rows.any(axis=0))
    if wrong.ndim < 2 or not 2 * len(columns) <= wrong.shape[-1] <= 8 or (
            not 1 < wrong.sum() >= rows[:, columns].size / 2):
        return ""
    return f", all in column{'s' * (len(columns) > 1)} {' and '.join(map(str, columns))}"


def equal(
    got: Any,
    expected: Array,
    name: str,
    dtype: str | None = None,
    where: Callable[[tuple[int, ...]], str] | None = None,
) -> None:
    """Whole numbers or truth values agree exactly; arguments as for `close`."""
    close(got, expected, name, rtol=0, atol=0, dtype=dtype, where=where)


def in_order(rows: Array) -> Array:
    """The rows `[N, D]`, sorted: for answers in which their order does not count."""
    ordered: Array = rows[np.lexsort(np.round(rows, 3).T[::-1])]
    return ordered


def entries(got: Any, keys: Sequence[Any], name: str) -> list[Any]:
    """The values of `keys` in the dict `got`, or `Wrong`. Numeric keys may be off by rounding."""
    if not isinstance(got, dict):
        raise Wrong(f"{name} should be a dict with {', '.join(map(repr, keys))}, "
                    f"but is {kind(got)}.")
    values = []
    for key in keys:
        if key in got:
            values.append(got[key])
            continue
        near = [k for k in got if isinstance(k, float) and isinstance(key, float)
                and abs(k - key) < 1e-6]
        if not near:
            raise Wrong(f"{name} should have the entry {key!r}; it has "
                        f"{', '.join(map(repr, list(got)[:8])) or 'none'}.")
        values.append(got[near[0]])
    return values


def sequence(got: Any, length: int, name: str) -> list[Any]:
    """`got` as a list of `length` entries, or `Wrong`."""
    if not (isinstance(got, (list, tuple)) or isinstance(got, np.ndarray) and got.ndim > 0):
        unread = "; what is in it was not looked at" if isinstance(got, dict) else ""
        raise Wrong(f"{name} should be a list of {length}, but is {kind(got)}{unread}.")
    if len(got) != length:
        entry = "entry" if length == 1 else "entries"
        raise Wrong(f"{name} should have {length} {entry}, but has {len(got)}.")
    return list(got)
