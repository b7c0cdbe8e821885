"""Functions of earlier tasks: recorded while the solution runs, or answered from that record.

A later task is graded again on recorded values when an earlier function of the same submission is
wrong. The record is data: rows and the value of every pair of them, or arguments and what a
function makes of each. It holds for calls that are transposed, in parts, or in another order, and
for nothing else.
"""

import contextlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from .keys import NEVER, OTHER_WAY, Unrecorded, find, rows_of, whole
from .keys import tensor as tensor
from .student import Absent, Student

PAIRS_MAX = 512  # rows of which all pairs are recorded
ROWS_MAX = 12_000


@dataclass(frozen=True)
class Recorded:
    """How the calls of a function are recorded.

    Args:
        form: a function with the same parameters.
        by_row: which of its arguments have one row per row of the result. Where none has, a call
            as a whole is recorded.
        pairs: above 0 if the result has a value for every row of the first argument with every row
            of the second: all pairs are recorded, of rows of so many numbers.
        any_shape: the rows may come in any shape `[..., k]`, and are broadcast.
        canonical: gives the arguments without what makes no difference to the result.
        empty: what a call gives whose first argument has no rows, recorded or not.
        more: `more(inputs, keys)` gives further arguments by row that other right solutions may
            ask about, from a question's inputs and the rows `[n, k]` that were asked.
    """

    form: Callable[..., Any]
    by_row: tuple[str, ...] = ()
    pairs: int = 0
    any_shape: bool = False
    canonical: Callable[[dict[str, Any]], dict[str, Any]] = lambda arguments: arguments
    empty: torch.Tensor | None = None
    more: Callable[[dict[str, Any], torch.Tensor], Iterable[tuple[torch.Tensor, ...]]] = (
        lambda inputs, keys: ())

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the interface by name; others that a student has added are left out."""
        form = inspect.signature(self.form)
        if "self" in form.parameters and (
                not args or isinstance(args[0], (torch.Tensor, np.ndarray, list, tuple))):
            args = (None, *args)  # a static method, called by its class
        bound = form.bind(*args, **{key: kwargs[key] for key in kwargs if key in form.parameters})
        bound.apply_defaults()
        bound.arguments.pop("self", None)
        return dict(bound.arguments)

    def keys(self, arguments: dict[str, Any]) -> torch.Tensor:
        """Keys that tell what a call asks for, one per row of its result: `[n, k]`.

        Raises:
            Unrecorded: arguments by row differ in length.
        """
        arguments = self.canonical(arguments)
        wholes = [whole(value) for key, value in arguments.items() if key not in self.by_row]
        rows = [rows_of(arguments[key]) for key in self.by_row]
        if len({len(r) for r in rows}) > 1:
            raise Unrecorded("with arguments of different lengths")
        count = len(rows[0]) if rows else 1
        return torch.cat([w.expand(count, -1) for w in wholes] + rows, dim=1)

    def difference(self, arguments: dict[str, Any], known: torch.Tensor) -> str:
        """The first argument that is another one than in all recorded calls, whose keys are `known
        [n, k]`, in a few words."""
        arguments, at = self.canonical(arguments), 0
        wholes = {name: whole(value)[None] for name, value in arguments.items()
                  if name not in self.by_row}
        rows = {name: rows_of(arguments[name]) for name in self.by_row}
        for name, key in {**wholes, **rows}.items():
            own = known[:, at:(at := at + key.shape[1])]
            with contextlib.suppress(Unrecorded):
                find(key, own)
                continue
            width = tensor(arguments[name]).shape[-1:].numel() or 1
            counts = sorted({int(count) // width for count in own[:, -1].tolist()})
            got = tensor(arguments[name]).numel() // width
            if name in wholes and key.numel() > 1 and got not in counts:
                return f"with {name} of {got} rows instead of {' or '.join(map(str, counts[:3]))}"
            return f"with values of {name} that the rules do not lead to"
        return "with a combination of arguments that the rules do not lead to"

    def as_rows(self, arguments: dict[str, Any]) -> torch.Size | None:
        """Turn arguments by row of another shape into lists of rows, in place.

        Returns:
            the shape that they had together; None where nothing had to be changed.
        """
        if not self.any_shape:
            return None
        values = [tensor(arguments[key]) for key in self.by_row]
        if all(value.ndim == 2 for value in values) and len({len(value) for value in values}) == 1:
            return None
        shape = torch.Size(np.broadcast_shapes(*(value.shape for value in values)))
        for key, value in zip(self.by_row, values):
            arguments[key] = value.expand(shape).reshape(-1, shape[-1])
        return shape


def recorded_by(package: str) -> dict[str, Recorded]:
    """The functions of an assignment that can be recorded: `"utils.compute_iou"` -> how.

    Modules that others import from come first.
    """
    name = f"{package}.recorded"
    if importlib.util.find_spec(name) is None:
        return {}
    functions: dict[str, Recorded] = importlib.import_module(name).RECORDED
    return functions


def prepare(student: Student, earlier: dict[str, Any] | None, inputs: dict[str, Any],
            functions: dict[str, Recorded]) -> "tuple[list[Record], set[str]]":
    """Put stand-ins in the place of earlier functions.

    Args:
        earlier: None; or `{"record": [names]}`, to pass calls on and record them; or `{"answer":
            {name: table}}`, to answer them from the tables.
        inputs: of the probe; rows in them may be asked about by other right solutions, and are
            recorded as well.
        functions: see `recorded_by`.

    Returns:
        The records in the making, and a set of names that fills up: the functions that have been
        answered from a table.
    """
    earlier = earlier or {}
    records: list[Record] = []
    called: set[str] = set()
    for name, how in functions.items():
        if name in earlier.get("record", ()):
            record = (Pairs if how.pairs else Record)(name, how, inputs)
            replace(student, name, record.around)
            records.append(record)
        elif name in earlier.get("answer", {}):
            stand_in = _stand_in(name, how, earlier["answer"][name], called)
            replace(student, name, partial(lambda new, _: new, stand_in))
    return records, called


def _stand_in(name: str, how: Recorded, table: dict[str, Any],
              called: set[str]) -> Callable[..., Any]:
    short, answer = name.split(".")[-1], answer_pairs if how.pairs else answer_rows

    def recorded(*args: Any, **kwargs: Any) -> Any:
        called.add(name)
        if not table:
            raise Unrecorded(f"{short} did not come to its end in other checks")
        try:
            return answer(how, table, args, kwargs)
        except Unrecorded as error:
            raise Unrecorded(f"{short} {error}") from None
        except Exception:  # for example other names of arguments, which is not wrong
            raise Unrecorded(f"{short} {OTHER_WAY}") from None

    return recorded


def replace(student: Student, name: str, make: Callable[[Any], Any]) -> None:
    """Replace a function in its module or class, and wherever the submission has a name for it."""
    path, attribute = name.rsplit(".", 1)
    owner = student(path) if "." in path else student.module(path)
    original = getattr(owner, attribute, None)
    absent = isinstance(original, Absent)  # one object for all names of a file that raises
    function = make(None if absent else original)
    setattr(owner, attribute, function)
    # `problem1.utils` becomes the module `utils`: a second copy would have no stand-ins.
    package, module_name = student.folder.name, path.split(".")[0]
    sys.modules[f"{package}.{module_name}"] = sys.modules[module_name]
    with contextlib.suppress(Exception):  # a student's own __init__.py may raise
        setattr(importlib.import_module(package), module_name, sys.modules[module_name])
    inside = str(student.folder.parent)
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", None) or "").startswith(inside):
            for alias, value in list(vars(module).items()):
                if original is not None and value is original and alias in (
                        {attribute} if absent else {alias}):
                    setattr(module, alias, function)


def answer_pairs(how: Recorded, table: dict[str, Any], args: tuple[Any, ...],
                 kwargs: dict[str, Any]) -> Any:
    """A call of a function of pairs, from a table of rows `[n, k]` and the value of each pair `[n,
    n]`."""
    first, second = how.arguments(args, kwargs).values()
    known = table["rows"].double()
    width = known.shape[1]
    index1, index2 = (find(tensor(b).reshape(-1, width), known) for b in (first, second))
    return _like(first, table["values"][index1[:, None], index2[None]])


def answer_rows(how: Recorded, table: dict[str, Any], args: tuple[Any, ...],
                kwargs: dict[str, Any]) -> Any:
    """A call of any other function, from a table of keys `[n, k]` and what belongs to each."""
    arguments = how.arguments(args, kwargs)
    values, first = table["values"], next(iter(arguments.values()))
    if how.empty is not None and not len(first):
        return _like(first, how.empty)
    shape = how.as_rows(arguments)
    known = table["keys"].double()
    try:
        index = find(how.keys(arguments), known)
    except Unrecorded as error:
        raise Unrecorded(
            how.difference(arguments, known) if str(error) == NEVER else str(error)) from None
    chosen = _like(first, values[index] if isinstance(values, torch.Tensor)
                   else _together([values[i] for i in index]))
    if shape is not None:
        chosen = chosen.reshape(shape)
    return chosen if how.by_row else chosen[0]


def _together(values: list[Any]) -> Any:
    """Tensors of one shape as one; any other list as it is."""
    alike = all(isinstance(v, torch.Tensor) and v.shape == values[0].shape for v in values)
    return torch.stack(values) if values and alike else values


def _like(example: Any, value: Any) -> Any:
    """A copy of a recorded value, as numpy array or tensor of the type that the caller uses."""
    if isinstance(value, dict):
        return {key: _like(example, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_like(example, item) for item in value)
    if not isinstance(value, torch.Tensor):
        return value
    if isinstance(example, np.ndarray):
        return value.numpy().copy()
    if isinstance(example, torch.Tensor) and example.is_floating_point() and (
            value.is_floating_point()):
        return value.to(example.dtype, copy=True)
    return value.clone()


# --- making a record ----------------------------------------------------------------------------


def rows_in(value: Any, width: int) -> Iterator[torch.Tensor]:
    """All arrays `[n, width]` in a question's inputs, as floats."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from rows_in(item, width)
    elif isinstance(value, torch.Tensor) and value.ndim == 2 and value.shape[1] == width:
        yield value.float()


class Record:
    """Passes the calls of a function on, and keeps a key and a value for each row of them."""

    def __init__(self, name: str, how: Recorded, inputs: dict[str, Any]) -> None:
        self.name, self.how, self.inputs = name, how, inputs
        self.original: Callable[..., Any] = how.form
        self.keys: list[torch.Tensor] = []
        self.values: list[Any] = []

    def around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The function that takes the place of `original`."""
        self.original = original

        def recorded(*args: Any, **kwargs: Any) -> Any:
            value = original(*args, **kwargs)
            self.keep(self.how.arguments(args, kwargs), value)
            return value

        return recorded

    @property
    def worth_keeping(self) -> bool:
        """Whether the record can answer anything: whether the function was called."""
        return bool(self.keys)

    def keep(self, arguments: dict[str, Any], value: Any) -> None:
        """Remember a call."""
        self.keys.append(self.how.keys(arguments))
        self.values += list(value) if self.how.by_row else [value]

    def table(self) -> dict[str, Any]:
        """The record as data.

        Raises:
            ValueError: it would be too large.
        """
        for rows in list(self.how.more(self.inputs, torch.cat(self.keys))):
            self.keys.append(torch.cat([rows_of(r) for r in rows], dim=1))
            self.values += list(self.original(*rows))
        keys = torch.cat(self.keys)
        if len(keys) > ROWS_MAX:
            raise ValueError(f"{len(keys)} rows of {self.name}, more than {ROWS_MAX}, to record")
        # Sorted, so that the order tells nothing about which row belongs where.
        index = [i for _, i in sorted({tuple(k.tolist()): i for i, k in enumerate(keys)}.items())]
        return {"keys": keys[index].float(), "values": _together([self.values[i] for i in index])}


class Pairs(Record):
    """Records the rows that a function of pairs is asked about, and the values of all pairs."""

    @property
    def worth_keeping(self) -> bool:
        """Whether rows were asked about, or could be: other right solutions may call the function
        where this one does not."""
        return bool(self.keys) or next(rows_in(self.inputs, self.how.pairs), None) is not None

    def keep(self, arguments: dict[str, Any], value: Any) -> None:
        self.keys += [tensor(rows).float() for rows in arguments.values()]

    def table(self) -> dict[str, torch.Tensor]:
        rows = torch.unique(torch.cat([torch.zeros(0, self.how.pairs), *self.keys]), dim=0)
        if len(rows) > PAIRS_MAX:
            raise ValueError(f"{len(rows)} rows, more than {PAIRS_MAX}, to record all pairs of")
        # Other right solutions may ask about all rows of the inputs.
        for others in rows_in(self.inputs, self.how.pairs):
            more = torch.unique(torch.cat([rows, others]), dim=0)
            rows = more if len(more) <= PAIRS_MAX else rows
        return {"rows": rows, "values": self.original(rows, rows)}
