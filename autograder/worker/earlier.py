"""Functions of earlier tasks: recorded while the solution runs, or answered from that record.

A later task is graded again on recorded values when an earlier function of the same submission is
wrong. The record is data: boxes and the IoU of every pair of them, rows and what a function makes
of each. It holds for calls that are transposed, chunked or in another order, and for nothing else.
"""

import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import numpy as np
import torch

from .student import Student

PAIRS_MAX = 512  # boxes of which all pairs are recorded
ROWS_MAX = 12_000
RAW_MAX = 8  # numbers of a row that are kept as they are; longer ones are projected
TOLERANCE = 1e-3


class Unrecorded(Exception):
    """An earlier function was called with inputs that the record does not hold."""


MINING = "loss.DetectionLoss.hard_negative_mining"
BOXES = ({"boxes", "anchors"}, {"deltas", "anchors"})  # arguments that are rows of four numbers

# How each function is called, and which of its arguments have one row per row of the result. Where
# none has, a call as a whole is recorded.
SIGNATURES = {
    "utils.compute_iou": (lambda boxes1, boxes2: ..., ()),
    "utils.encode_boxes": (lambda boxes, anchors: ..., ("boxes", "anchors")),
    "utils.decode_boxes": (lambda deltas, anchors: ..., ("deltas", "anchors")),
    "utils.match_anchors_to_targets": (
        lambda anchors, target_boxes, target_labels, pos_threshold=0.5, neg_threshold=0.3: ...,
        ()),
    "utils.nms": (lambda boxes, scores, iou_threshold: ..., ()),
    MINING: (
        lambda self, loss, pos_mask, neg_mask, ratio=3: ..., ()),
    "evaluate.decode_predictions": (
        lambda predictions, anchors, score_threshold=0.05, nms_threshold=0.5,
        max_detections=100: ..., ("predictions",)),
    "dataset.KeypointDataset.generate_heatmap": (
        lambda self, keypoints, height, width: ..., ("keypoints",)),
}


def prepare(student: Student, earlier: dict[str, Any] | None,
            inputs: dict) -> "tuple[list[Pairs | Rows], set[str]]":
    """Put stand-ins in the place of earlier functions.

    Args:
        earlier: None; or `{"record": [names]}`, to pass calls on and record them; or `{"answer":
            {name: table}}`, to answer them from the tables.
        inputs: of the probe: what may be asked as well is recorded along with what is.

    Returns:
        the records that are being made, and the names of the functions that have been answered
        from tables, which fills as they are called.
    """
    earlier = earlier or {}
    records, called = [], set()
    for name in SIGNATURES:  # utils comes before the modules that import from it
        if name in earlier.get("record", ()):
            record = Pairs(name, inputs) if name == "utils.compute_iou" else Rows(name, inputs)
            _replace(student, name, record.around)
            records.append(record)
        elif name in earlier.get("answer", {}):
            answer = answer_pairs if name == "utils.compute_iou" else answer_rows
            table = earlier["answer"][name]
            _replace(student, name,
                     lambda original, a=answer, n=name, t=table: _stand_in(a, n, t, called))
    return records, called


def _stand_in(answer: Callable, name: str, table: dict, called: set[str]) -> FunctionType:
    def recorded(*args, **kwargs):
        called.add(name)
        try:
            return answer(name, table, args, kwargs)
        except Unrecorded:
            raise
        except Exception:  # other names of arguments, None for a tensor: as right as the record's
            raise Unrecorded(_other_way(name)) from None

    return recorded


def _other_way(name: str) -> str:
    return f"{name.split('.')[-1]} was called in a way that is not recorded"


def _replace(student: Student, name: str, make: Callable) -> None:
    """Replace a function in its module or class, and wherever the submission has a name for it."""
    path, attribute = name.rsplit(".", 1)
    owner = student(path)
    original = getattr(owner, attribute, None)
    function = make(original)
    setattr(owner, attribute, function)
    _unify(student.folder.name, path.split(".")[0])
    inside = str(student.folder.parent)
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", None) or "").startswith(inside):
            for alias, value in list(vars(module).items()):
                if original is not None and value is original:
                    setattr(module, alias, function)


def _unify(package: str, module: str) -> None:
    """Let `problem1.utils` be `utils`: a second copy of the module would have no stand-ins."""
    sys.modules[f"{package}.{module}"] = sys.modules[module]
    with contextlib.suppress(Exception):  # an __init__.py of the student's may fail
        setattr(importlib.import_module(package), module, sys.modules[module])


def _arguments(name: str, args: tuple, kwargs: dict) -> dict[str, Any]:
    """The arguments that the interface names, however they came; optional ones of the student's own
    are left out.
    """
    form = inspect.signature(SIGNATURES[name][0])
    if "self" in form.parameters and (not args or isinstance(args[0], (torch.Tensor, np.ndarray,
                                                                       list, tuple))):
        args = (None, *args)  # a static method, called by its class
    bound = form.bind(*args, **{key: kwargs[key] for key in kwargs if key in form.parameters})
    bound.apply_defaults()
    bound.arguments.pop("self", None)
    return bound.arguments


def _one_shape(arguments: dict[str, Any], by_row: tuple[str, ...]) -> torch.Size | None:
    """The shape in which rows of boxes `[..., 4]` come that are more than a list of them.

    The arguments then become such lists; None where they are already.
    """
    if set(by_row) not in BOXES:
        return None
    values = [_tensor(arguments[key]) for key in by_row]
    if all(value.ndim == 2 for value in values) and len({len(value) for value in values}) == 1:
        return None
    shape = torch.broadcast_shapes(*(value.shape for value in values))
    for key, value in zip(by_row, values):
        arguments[key] = value.expand(shape).reshape(-1, shape[-1])
    return shape


def _tensor(value: Any) -> torch.Tensor:
    value = value.detach() if isinstance(value, torch.Tensor) else torch.as_tensor(
        np.asarray(value))
    return value.to("cpu", torch.float64)


def _project(rows: torch.Tensor) -> torch.Tensor:
    """Rows `[n, k]` as `[n, RAW_MAX or fewer]` numbers that tell them apart."""
    count = rows.shape[1]
    if count <= RAW_MAX:
        return rows
    angle = torch.arange(count, dtype=torch.float64)
    waves = torch.stack([torch.cos(f * angle + f) for f in (0.37, 1.19, 2.03)])  # [3, k]
    scaled = (rows.double() / count**0.5) @ waves.T
    return torch.cat([torch.full((len(rows), 1), float(count)), scaled], dim=1)


def _whole(value: Any) -> torch.Tensor:
    """One argument as a whole: numbers `[k]`."""
    if isinstance(value, (list, tuple)) and value and getattr(value[0], "ndim", 0) > 0:
        return torch.cat([_whole(item) for item in value])
    value = _tensor(value)
    if value.ndim == 0:
        return value[None]
    # Padded, so that few numbers and many make keys of one length.
    flat = torch.nn.functional.pad(value.flatten(), (0, max(0, RAW_MAX + 1 - value.numel())))
    return torch.cat([_project(flat[None])[0], torch.tensor([float(value.numel())])])


def _rows(value: Any) -> torch.Tensor:
    """One argument row by row: `[n, k]`; a list of arrays has its rows side by side."""
    if isinstance(value, (list, tuple)) and value and getattr(value[0], "ndim", 0) > 1:
        return torch.cat([_rows(item) for item in value], dim=1)
    value = _tensor(value)
    return _project(value.flatten(1) if value.ndim > 1 else value[:, None])


def _keys(name: str, arguments: dict[str, Any]) -> torch.Tensor:
    """What a call asks for, one key per row of its result: `[n, k]`."""
    _, by_row = SIGNATURES[name]
    if name == MINING:  # what the loss is elsewhere makes no difference
        loss, negative = (_tensor(arguments[key]) for key in ("loss", "neg_mask"))
        arguments = {**arguments, "loss": torch.where(negative.bool(), loss, 0.0)}
    whole = [_whole(value) for key, value in arguments.items() if key not in by_row]
    rows = [_rows(arguments[key]) for key in by_row]
    if len({len(r) for r in rows}) > 1:
        raise Unrecorded(f"{name.split('.')[-1]} was called with arguments of different lengths")
    count = len(rows[0]) if rows else 1
    return torch.cat([w.expand(count, -1) for w in whole] + rows, dim=1)


def _find(asked: torch.Tensor, known: torch.Tensor, name: str) -> torch.Tensor:
    """For every row of `asked [n, k]` the index of the nearest row of `known [m, k]`."""
    if len(asked) == 0:
        return torch.zeros(0, dtype=torch.int64)
    if asked.shape[1] != known.shape[1] or len(known) == 0:
        raise Unrecorded(_other_way(name))
    found = []
    for part in asked.split(256):
        distance = (part[:, None] - known[None]).abs() / (1 + 1e-2 * known.abs())  # [n, m, k]
        nearest, index = distance.amax(dim=-1).nan_to_num(nan=float("inf")).min(dim=1)
        if (nearest > TOLERANCE).any():
            raise Unrecorded(
                f"{name.split('.')[-1]} was called with inputs that the reference never has")
        found.append(index)
    return torch.cat(found)


def answer_pairs(name: str, table: dict, args: tuple, kwargs: dict) -> Any:
    """`compute_iou` from a table of boxes `[n, 4]` and the IoU of each pair `[n, n]`."""
    boxes1, boxes2 = _arguments(name, args, kwargs).values()
    known = table["boxes"].double()
    index1, index2 = (_find(_tensor(b).reshape(-1, 4), known, name) for b in (boxes1, boxes2))
    return _like(boxes1, table["iou"][index1[:, None], index2[None]])


def answer_rows(name: str, table: dict, args: tuple, kwargs: dict) -> Any:
    """Any other function from a table of keys `[n, k]` and what belongs to each."""
    arguments = _arguments(name, args, kwargs)
    _, by_row = SIGNATURES[name]
    values, first = table["values"], next(iter(arguments.values()))
    shape = _one_shape(arguments, by_row)
    index = _find(_keys(name, arguments), table["keys"].double(), name)
    if isinstance(values, torch.Tensor):
        chosen = _like(first, values[index])
        if shape is not None:
            chosen = chosen.reshape(shape)
    else:
        chosen = [_like(first, values[i]) for i in index]
    return chosen if by_row else chosen[0]


def _like(example: Any, value: Any) -> Any:
    """A recorded value as a fresh copy, of the kind (numpy, float64) that the caller works with."""
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


def _boxes_in(value: Any) -> Iterator[torch.Tensor]:
    """All arrays `[n, 4]` of floats in a question's inputs."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _boxes_in(item)
    elif isinstance(value, torch.Tensor) and value.ndim == 2 and value.shape[1] == 4:
        yield value.float()


def _predictions_in(value: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Offsets and anchors, both `[n, 4]`, of maps `[B, A*(5+C), S, S]` in a question's inputs."""
    lists = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            if value and all(isinstance(v, torch.Tensor) for v in value):
                lists.append(value)
            for item in value:
                walk(item)

    walk(value)
    maps = [item for item in lists if all(v.ndim == 4 for v in item)]
    anchors = [item for item in lists if all(v.ndim == 2 and v.shape[1] == 4 for v in item)]
    for some in maps:
        for other in anchors:
            if len(some) == len(other):
                for prediction, own in zip(some, other):
                    cells = prediction.shape[2] * prediction.shape[3]
                    per_cell = len(own) // cells
                    if per_cell and prediction.shape[1] % per_cell == 0:
                        rows = prediction.permute(0, 2, 3, 1).reshape(
                            len(prediction), len(own), -1)
                        for image in rows:
                            yield image[:, :4], own


class Pairs:
    """Records the boxes that `compute_iou` is asked about, and then the IoU of all their pairs."""

    def __init__(self, name: str, inputs: dict):
        self.name, self.inputs = name, inputs
        self.boxes: list[torch.Tensor] = []

    @property
    def worth_keeping(self) -> bool:
        """Even where it was never called: others may ask where one need not, about no boxes."""
        return bool(self.boxes) or next(_boxes_in(self.inputs), None) is not None

    def around(self, original: Callable) -> Callable:
        self.original = original

        def recorded(*args, **kwargs):
            self.boxes += [_tensor(b).float() for b in _arguments(self.name, args, kwargs).values()]
            return original(*args, **kwargs)

        return recorded

    def table(self) -> dict[str, torch.Tensor]:
        boxes = torch.unique(torch.cat([torch.zeros(0, 4), *self.boxes]), dim=0)
        if len(boxes) > PAIRS_MAX:
            raise ValueError(f"{len(boxes)} boxes, more than {PAIRS_MAX}, to record all pairs of")
        for others in _boxes_in(self.inputs):  # other right solutions may ask about these as well
            more = torch.unique(torch.cat([boxes, others]), dim=0)
            boxes = more if len(more) <= PAIRS_MAX else boxes
        return {"boxes": boxes, "iou": self.original(boxes, boxes)}


class Rows:
    """Records keys and values of any other function's calls."""

    def __init__(self, name: str, inputs: dict):
        self.name, self.inputs = name, inputs
        self.keys: list[torch.Tensor] = []
        self.values: list[Any] = []

    @property
    def worth_keeping(self) -> bool:
        return bool(self.keys)

    def around(self, original: Callable) -> Callable:
        self.original = original

        def recorded(*args, **kwargs):
            arguments = _arguments(self.name, args, kwargs)
            value = original(*args, **kwargs)
            self.keys.append(_keys(self.name, arguments))
            _, by_row = SIGNATURES[self.name]
            self.values += list(value) if by_row else [value]
            return value

        return recorded

    def table(self) -> dict[str, Any]:
        self._add_what_others_ask()
        keys = torch.cat(self.keys)
        if len(keys) > ROWS_MAX:
            raise ValueError(f"{len(keys)} rows of {self.name}, more than {ROWS_MAX}, to record")
        # Sorted, so that the order tells nothing about which row belongs where.
        index = [i for _, i in sorted({tuple(k.tolist()): i for i, k in enumerate(keys)}.items())]
        values = [self.values[i] for i in index]
        if values and all(isinstance(v, torch.Tensor) and v.shape == values[0].shape
                          for v in values):
            values = torch.stack(values)
        return {"keys": keys[index].float(), "values": values}

    def _add_what_others_ask(self) -> None:
        """Rows that other right solutions ask for: all anchors, where ours asks for a few."""
        if self.name == "utils.encode_boxes":
            anchors = torch.unique(torch.cat(list(_boxes_in(self.inputs))), dim=0)
            boxes = torch.unique(torch.cat([k[:, :4] for k in self.keys]).float(), dim=0)
            # Those who encode for all anchors encode the zeros of unmatched ones as well.
            boxes = torch.cat([torch.zeros(1, 4), boxes])
            self._add(anchors, anchors)  # for unmatched ones, since this has a logarithm
            if len(boxes) * len(anchors) <= ROWS_MAX:
                self._add(boxes.repeat_interleave(len(anchors), 0), anchors.repeat(len(boxes), 1))
        if self.name == "utils.decode_boxes":
            for offsets, anchors in _predictions_in(self.inputs):
                self._add(offsets.float(), anchors.float())

    def _add(self, *rows: torch.Tensor) -> None:
        self.keys.append(torch.cat([_rows(r) for r in rows], dim=1))
        self.values += list(self.original(*rows))
