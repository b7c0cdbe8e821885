"""Values as JSON and raw arrays: what crosses the process boundary, and what references store.

No pickle: whatever the sender writes, reading a frame builds only lists, dicts, numbers, strings
and numpy arrays of plain dtypes. A value is flattened to a JSON tree in which `{"array": i}` stands
for array i. Other kinds that JSON lacks are tagged in the same way: `tuple`, `dict` (keys of any
plain kind), `float` (nan and infinities), `object` (other types, of which only the name is sent).

Frame: magic, length of the JSON (uint32), length of the arrays (uint64), JSON, arrays.
"""

import json
import math
import struct
from collections import UserDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

MAGIC = b"GRADEW2\n"
HEADER = struct.Struct("<8sIQ")
DTYPES = {"bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64"}
MAX_JSON = 8 * 2**20
MAX_ARRAYS = 256 * 2**20
MAX_DEPTH = 12
MAX_BITS = 14_000  # of a whole number: Python writes none of more than 4,300 digits
MAX_TEXT = 2000
MAX_KEYS = 512  # of a dict: keys can be chosen so that reading n of them takes n * n steps


class Bounds(NamedTuple):
    """The most bytes of a frame: of its JSON, and of its arrays."""

    text: int
    arrays: int


LARGEST = Bounds(MAX_JSON, MAX_ARRAYS)


Array: TypeAlias = NDArray[Any]


class WireError(ValueError):
    """The bytes are no frame, or the value has no place in one."""


@dataclass(frozen=True)
class Foreign:
    """Stands for a returned object of a type that does not cross, for example a module."""

    type_name: str


def flatten(value: Any, to_array: Callable[[Any], Array | None] = lambda value: None
            ) -> tuple[Any, list[Array]]:
    """Turn a value into `(JSON tree, list of arrays)`.

    Args:
        to_array: turns tensors into arrays, and gives None for everything else.
    """
    arrays: list[Array] = []

    def walk(value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise WireError(f"nested more than {MAX_DEPTH} deep")
        if isinstance(value, (np.bool_, np.integer, np.floating)):
            value = value.item()
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            if value.bit_length() > MAX_BITS:
                raise WireError(f"a number of more than {MAX_BITS:,} bits")
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": repr(float(value))}
        if isinstance(value, str):
            return value[:MAX_TEXT]
        if isinstance(value, list):
            return [walk(item, depth + 1) for item in value]
        if isinstance(value, tuple):
            return {"tuple": [walk(item, depth + 1) for item in value]}
        if isinstance(value, (dict, Lazy)):
            if len(value) > MAX_KEYS:
                return {"object": f"dict of {len(value):,} entries"}
            items = [[walk(k, depth + 1), walk(v, depth + 1)] for k, v in value.items()]
            return {"dict": items}
        if isinstance(value, Foreign):
            return {"object": value.type_name}
        array = value if isinstance(value, np.ndarray) else to_array(value)
        if array is None or array.dtype.name not in DTYPES:
            name = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
            of = "" if array is None else f" of {array.dtype.name}"
            return {"object": f"{name}{of}"[:80]}
        # Not ascontiguousarray, which would make a scalar [] into [1].
        arrays.append(np.asarray(array, array.dtype.newbyteorder("="), order="C"))
        return {"array": len(arrays) - 1}

    return walk(value, 0), arrays


def unflatten(tree: Any, arrays: list[Array],
              from_array: Callable[[Array], Any] = lambda a: a) -> Any:
    """The inverse of `flatten`; `from_array` turns each array into what the receiver wants."""

    def walk(tree: Any, depth: int) -> Any:
        if depth > 2 * MAX_DEPTH:
            raise WireError("nested too deep")
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if isinstance(tree, list):
            return [walk(item, depth + 1) for item in tree]
        (kind, content), = tree.items()
        if kind == "array":
            return from_array(arrays[content])
        if kind == "float":
            return float(content)
        if kind == "tuple":
            return tuple(walk(item, depth + 1) for item in content)
        if kind == "dict":
            if len(content) > MAX_KEYS:
                raise WireError(f"a dict of more than {MAX_KEYS} entries")
            return {walk(k, depth + 1): walk(v, depth + 1) for k, v in content}
        if kind == "object":
            return Foreign(str(content))
        raise WireError(f"unknown kind {kind!r}")

    return walk(tree, 0)


class Lazy(UserDict[str, Any]):
    """A dict of which each value is made of its tree wherever it is asked for, and kept nowhere."""

    def __init__(self, trees: Any, make: Callable[[Any], Any]) -> None:
        super().__init__(trees)
        self.make = make

    def __getitem__(self, key: str) -> Any:
        return self.make(self.data[key])

    def __reduce__(self) -> tuple[Any, ...]:  # another process gets a dict
        return dict, (dict(self),)


def pack(value: Any, to_array: Callable[[Any], Array | None] = lambda value: None) -> bytes:
    """A value as one frame."""
    tree, arrays = flatten(value, to_array)
    shapes = [[array.dtype.name, list(array.shape)] for array in arrays]
    text = json.dumps([tree, shapes], allow_nan=False).encode()
    size = sum(array.nbytes for array in arrays)
    if len(text) > MAX_JSON or size > MAX_ARRAYS:
        raise WireError(f"too large: {len(text) + size:,} bytes")
    frame = b"".join([HEADER.pack(MAGIC, len(text), size), text, *(a.data for a in arrays)])
    arrays.clear()  # `walk`, which refers to itself, keeps them until garbage is collected
    return frame


def size_of(value: Any) -> tuple[int, int]:
    """Bytes of a value's JSON and of its arrays."""
    _, text, arrays = HEADER.unpack_from(pack(value))
    return text, arrays


def take_frame(stream: BinaryIO) -> bytes:
    """The bytes of one frame from a blocking binary stream; nothing of them is looked into.

    Raises:
        EOFError: the stream ended before the first byte.
        WireError: the stream ended too early, or the frame is beyond the bounds.
    """
    header = stream.read(HEADER.size)
    if not header:
        raise EOFError("no frame")
    if len(header) < HEADER.size:
        raise WireError("truncated header")
    magic, text_size, arrays_size = HEADER.unpack(header)
    if magic != MAGIC or text_size > LARGEST.text or arrays_size > LARGEST.arrays:
        raise WireError("not a frame, or one beyond the size limits")
    content = stream.read(text_size + arrays_size)
    if len(content) < text_size + arrays_size:
        raise WireError("truncated frame")
    return bytes(header + content)


def read_frame(stream: BinaryIO, from_array: Callable[[Array], Any] = lambda a: a) -> Any:
    """Read the value of one frame from a blocking binary stream.

    Raises:
        EOFError: the stream ended before the first byte.
        WireError: anything else that is not a whole, well-formed frame within the bounds.
    """
    return unpack(take_frame(stream), from_array)


def unpack(frame: bytes, from_array: Callable[[Array], Any] = lambda a: a) -> Any:
    """The value in the bytes of one frame.

    Raises:
        WireError: it is malformed.
    """
    _, text_size, arrays_size = HEADER.unpack_from(frame)
    payload = frame[HEADER.size + text_size:]  # a copy, which is aligned
    try:
        tree, shapes = json.loads(frame[HEADER.size:HEADER.size + text_size])
        arrays, offset = [], 0
        for dtype, shape in shapes:
            if dtype not in DTYPES or min(shape, default=0) < 0:  # numpy takes -1 for "the rest"
                raise WireError(f"array of {dtype!r}, {shape!r}")
            count = math.prod(shape)
            array = np.frombuffer(payload, dtype, count, offset).reshape(shape)
            arrays.append(array)
            offset += array.nbytes
        if offset != arrays_size:
            raise WireError("array sizes do not add up")
        value = unflatten(tree, arrays, from_array)
        arrays.clear()  # as in `pack`
        return value
    except WireError:
        raise
    # A hostile sender can make any of these lines fail in many ways; all mean "no valid frame".
    except Exception as error:
        raise WireError(f"malformed frame: {type(error).__name__}") from error
