"""Frames: every value comes back as it went in, and bytes from a stranger do no harm."""

import io
import json
import math
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.engine.sandbox import channel, wire
from autograder.engine.sandbox.wire import Foreign, WireError


def there_and_back(value):
    return wire.read_frame(io.BytesIO(wire.pack(value)))


def frame(tree, shapes=(), payload: bytes = b"") -> bytes:
    """A frame with any content; `tree` may be JSON text of its own."""
    text = tree if isinstance(tree, bytes) else json.dumps([tree, list(shapes)]).encode()
    return wire.HEADER.pack(wire.MAGIC, len(text), len(payload)) + text + payload


def same(a, b) -> bool:
    """Equal in value, type, dtype and shape, with nan equal to nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    return a == b


# --- round trips ---------------------------------------------------------------------------

plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20))


@st.composite
def arrays(draw):
    """Arrays of every dtype that crosses, of 0 to 4 axes, some of them empty."""
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    dtype = draw(st.sampled_from(sorted(wire.DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    array = rng.normal(0, 50, shape)
    return np.asarray(np.abs(array) if dtype.startswith("u") else array).astype(dtype)


values = st.recursive(
    plain | arrays(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(plain.filter(lambda key: key == key), inner, max_size=4)),
    max_leaves=12)


def test_a_frame_keeps_no_array():
    array = np.zeros(3)
    kept = weakref.ref(array)
    there = wire.unpack(wire.pack({"x": array}), np.copy)
    del array
    assert there["x"].shape == (3,) and kept() is None


@given(value=values)
@settings(deadline=None, max_examples=150)
def test_values_come_back_as_they_were(value):
    assert same(there_and_back(value), value)


@given(value=values)
@settings(deadline=None, max_examples=30)
def test_a_frame_ends_where_it_says(value):
    packed = wire.pack(value)
    stream = io.BytesIO(packed + b"what follows")
    wire.read_frame(stream)
    assert stream.read() == b"what follows"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.asarray(2.5, dtype=np.float32), np.asarray(2.5, dtype=np.float32)),  # stays 0-d
        (np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32)),
        (np.arange(6).reshape(2, 3).T, np.array([[0, 3], [1, 4], [2, 5]])),  # not contiguous
        (np.array([1.5, -2.0], dtype=">f4"), np.array([1.5, -2.0], dtype=np.float32)),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ((), ()),
        ({0.05: 1.0, 0.1: (None, "x")}, {0.05: 1.0, 0.1: (None, "x")}),
        ({(1, 2): [3], None: 4, True: 5}, {(1, 2): [3], None: 4, True: 5}),
        ({"array": 0}, {"array": 0}),  # a dict that looks like a tag
        ([math.inf, -math.inf], [math.inf, -math.inf]),
        ("\ud800 and \x00", "\ud800 and \x00"),
    ],
)
def test_values_with_a_catch(value, expected):
    assert same(there_and_back(value), expected)


def test_nan_stays_nan():
    assert math.isnan(there_and_back(math.nan))
    assert math.isnan(there_and_back({"ap": np.float64("nan")})["ap"])


def test_long_texts_are_cut():
    assert there_and_back("x" * 10_000) == "x" * wire.MAX_TEXT


class Secret:
    """Something that only its own process can hold."""


@pytest.mark.parametrize(
    ("value", "name"),
    [(Secret(), f"{__name__}.Secret"), (json, "module"), (len, "builtin_function_or_method"),
     (1j, "complex"), ({1, 2}, "set"), (b"bytes", "bytes"), (range(3), "range"),
     (np.array(["text"]), "numpy.ndarray of str128"),
     (np.array([Secret()]), "numpy.ndarray of object"),
     (np.zeros(2, np.complex64), "numpy.ndarray of complex64")],
)
def test_foreign_objects_cross_as_their_type_name(value, name):
    assert there_and_back([value, 1]) == [Foreign(name), 1]


def test_tensors_cross_through_the_given_functions():
    class Tensor:
        def __init__(self, array):
            self.array = array

    packed = wire.pack({"x": Tensor(np.arange(3))},
                       lambda v: v.array if isinstance(v, Tensor) else None)
    back = wire.read_frame(io.BytesIO(packed), Tensor)
    assert isinstance(back["x"], Tensor) and back["x"].array.tolist() == [0, 1, 2]


# --- bounds --------------------------------------------------------------------------------


def nested(depth, wrap):
    value = 0
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {"k": v}],
                         ids=["list", "tuple", "dict"])
def test_depth_is_bounded(wrap):
    deepest = nested(wire.MAX_DEPTH, wrap)
    assert same(there_and_back(deepest), deepest)
    with pytest.raises(WireError, match="nested more than 12 deep"):
        wire.pack(wrap(deepest))


def test_a_value_that_holds_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(WireError, match="nested more than 12 deep"):
        wire.pack(value)


def test_size_is_bounded(monkeypatch):
    monkeypatch.setattr(wire, "MAX_ARRAYS", 1000)
    assert there_and_back(np.zeros(125)).shape == (125,)
    with pytest.raises(WireError, match="too large"):
        wire.pack(np.zeros(126))
    monkeypatch.setattr(wire, "MAX_JSON", 100)
    with pytest.raises(WireError, match="too large"):
        wire.pack(["x"] * 100)


# --- bytes from a stranger -----------------------------------------------------------------


def refused(data: bytes) -> WireError:
    with pytest.raises(WireError) as caught:
        wire.read_frame(io.BytesIO(data))
    return caught.value


def test_nothing_is_the_end_of_the_stream():
    with pytest.raises(EOFError):
        wire.read_frame(io.BytesIO(b""))


FOUR = np.arange(4, dtype=np.float32).tobytes()
ARRAY = {"array": 0}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x04\x95 a pickle, and one longer than a header", id="pickle"),
        pytest.param(b"EE641W1\n", id="header cut"),
        pytest.param(b"EE641W2\n" + frame(1)[8:], id="wrong magic"),
        pytest.param(wire.HEADER.pack(wire.MAGIC, 2**32 - 1, 0), id="text beyond the limit"),
        pytest.param(wire.HEADER.pack(wire.MAGIC, 0, 2**64 - 1), id="arrays beyond the limit"),
        pytest.param(wire.HEADER.pack(wire.MAGIC, 100, 0) + b"[]", id="text cut"),
        pytest.param(frame(ARRAY, [["float32", [4]]], FOUR)[:-1], id="arrays cut"),
        pytest.param(frame(b"\xff\xfe not text"), id="not UTF-8"),
        pytest.param(frame(b"[1, 2"), id="not JSON"),
        pytest.param(frame(b"null"), id="no pair of tree and shapes"),
        pytest.param(frame(b"[1, [], 3]"), id="three parts"),
        pytest.param(frame(b"[" + b"9" * 100_000 + b", []]"), id="a number of 100,000 digits"),
        pytest.param(frame(b"[" * 500_000 + b"]" * 500_000), id="nested 500,000 deep"),
        pytest.param(frame(b"[" * 60 + b"]" * 60), id="nested 60 deep"),
        pytest.param(frame({"module": "os"}), id="unknown kind"),
        pytest.param(frame({"array": 0, "tuple": []}, [["float32", [4]]], FOUR), id="two kinds"),
        pytest.param(frame({}), id="no kind"),
        pytest.param(frame({"array": 1}, [["float32", [4]]], FOUR), id="array that is not there"),
        pytest.param(frame({"array": "0"}, [["float32", [4]]], FOUR), id="array named by text"),
        pytest.param(frame({"float": "one"}), id="float that is none"),
        pytest.param(frame({"tuple": 3}), id="tuple of a number"),
        pytest.param(frame({"dict": [[[1], 2]]}), id="list as a key"),
        pytest.param(frame({"dict": [[ARRAY, 2]]}, [["float32", [4]]], FOUR), id="array as a key"),
        pytest.param(frame({"dict": [[1, 2, 3]]}), id="dict of triples"),
        pytest.param(frame(ARRAY, [["object", [1]]], bytes(8)), id="dtype object"),
        pytest.param(frame(ARRAY, [["V8", [1]]], bytes(8)), id="dtype void"),
        pytest.param(frame(ARRAY, [[["float32"], [4]]], FOUR), id="dtype in a list"),
        pytest.param(frame(ARRAY, [["float32", [-1]]], FOUR), id="shape -1"),
        pytest.param(frame(ARRAY, [["float32", [-1, 4]]], FOUR), id="shape -1, 4"),
        pytest.param(frame(ARRAY, [["float32", [-2, -2]]], FOUR), id="shape -2, -2"),
        pytest.param(frame(ARRAY, [["float32", [5]]], FOUR), id="shape too large"),
        pytest.param(frame(ARRAY, [["float32", [3]]], FOUR), id="shape too small"),
        pytest.param(frame(ARRAY, [["float32", [2**40, 2**40]]], FOUR), id="shape beyond memory"),
        pytest.param(frame(ARRAY, [["float32", [0, 2**63]]], b""), id="shape beyond an index"),
        pytest.param(frame(ARRAY, [["float32", [1] * 70 + [4]]], FOUR), id="too many axes"),
        pytest.param(frame(ARRAY, [["float32", [4.0]]], FOUR), id="shape of floats"),
        pytest.param(frame(ARRAY, [["float32", "4"]], FOUR), id="shape of text"),
        pytest.param(frame(1, [], FOUR), id="arrays that nobody names"),
    ],
)
def test_hostile_frames_are_refused(data):
    refused(data)


@given(data=st.binary(min_size=1, max_size=200))
@settings(deadline=None, max_examples=100)
def test_random_bytes_are_refused(data):
    refused(data)


@given(value=values, position=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=80)
def test_a_frame_cut_anywhere_is_refused(value, position):
    packed = wire.pack(value)
    kept = packed[:int(position * len(packed))]
    with pytest.raises(WireError if kept else EOFError):
        wire.read_frame(io.BytesIO(kept))


@given(value=values, position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@settings(deadline=None, max_examples=150)
def test_a_changed_byte_gives_a_value_or_a_wire_error(value, position, byte):
    mangled = bytearray(wire.pack(value))
    mangled[int(position * len(mangled))] = byte
    try:
        wire.read_frame(io.BytesIO(bytes(mangled)))
    except WireError:
        pass


json_trees = st.recursive(
    plain.filter(lambda v: not isinstance(v, int) or abs(v) < 2**63),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["array", "float", "tuple", "dict", "object", "class", ""]), inner,
            max_size=2)),
    max_leaves=10)


@given(tree=json_trees, shapes=json_trees, payload=st.binary(max_size=16))
@settings(deadline=None, max_examples=200)
def test_any_json_gives_a_value_or_a_wire_error(tree, shapes, payload):
    try:
        wire.read_frame(io.BytesIO(frame(json.dumps([tree, shapes]).encode(), (), payload)))
    except WireError:
        pass


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_whole_numbers_of_any_type_cross(dtype):
    assert there_and_back(np.array([1, 2], dtype)).dtype.name == dtype


def test_the_line_of_an_error_is_that_of_a_source():
    for line, kept in [(7, 7), (10**4200, None), (-1, None), (True, 1), ("7", None), (None, None)]:
        error = dict.fromkeys(channel.ERROR, "x") | {"line": line, "file": 5}
        answer = channel.parse(wire.pack({"error": error}), wire.LARGEST)
        assert answer.status == "error"
        assert (answer.error["line"], answer.error["file"]) == (kept, None)
