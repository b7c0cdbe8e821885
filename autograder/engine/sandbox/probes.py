"""The probes that every assignment has: call a function of the submission.

A probe is `probe(student, **inputs) -> value`. It sets the scene, calls the student's code and
returns plain values; it judges nothing. References are built by the same probes, asked of the
solution. An assignment adds its own in its package `probes`.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from .student import Student, Unusable


def probes_of(package: str) -> dict[str, Callable[..., Any]]:
    """All probes by name: those of this module, and those of an assignment's package."""
    own: dict[str, Callable[..., Any]] = {"call": call, "calls": calls}
    if importlib.util.find_spec(f"{package}.probes") is None:
        return own
    return {**own, **importlib.import_module(f"{package}.probes").PROBES}


def call(student: Student, function: str, args: list[Any], kwargs: dict[str, Any] | None = None,
         arrays_too: bool = False, pure: bool = False) -> Any:
    """`function(*args, **kwargs)`.

    Args:
        arrays_too: if tensors make it raise, call it once more with numpy arrays (for functions
            whose interface names no type). If these do so as well, the error is that of tensors,
            unless it says of itself that it is about them.
        pure: it must leave `args` as they were.
    """
    target = student(function)
    with unchanged(function, args * pure):
        return _called(target, args, kwargs or {}, arrays_too)


def _called(target: Callable[..., Any], args: list[Any], kwargs: dict[str, Any],
            arrays_too: bool) -> Any:
    try:
        return target(*args, **kwargs)
    except NotImplementedError:
        raise
    except Exception as first:
        if not arrays_too:
            raise
        try:
            return target(*(_to_numpy(argument) for argument in args), **kwargs)
        except Exception as second:
            wants_arrays = "ensor" in str(first) and "ndarray" not in str(second)
            raise (second if wants_arrays else first) from None


@contextmanager
def unchanged(function: str, args: Sequence[Any]) -> Iterator[None]:
    """Raise `Unusable` if the tensors and numbers in `args`, also in lists and dicts, are others
    afterwards, or if gradients are switched off."""
    before, grad = [_copied(value) for value in args], torch.is_grad_enabled()
    yield
    if torch.is_grad_enabled() != grad:
        raise Unusable(f"{function.split('.')[-1]} switches gradients {'off' if grad else 'on'} "
                       "and leaves them so for all that comes after it. `with torch.no_grad():` "
                       "switches them off in a block alone")
    for number, (old, new) in enumerate(zip(before, args), 1):
        if not _same(old, new):
            raise Unusable(f"{function.split('.')[-1]} changed its argument {number}. Functions "
                           "leave their arguments as they were: what calls them goes on with "
                           "these. Assign to a copy (.clone()), and mind += and methods that end "
                           "in _")


_clone = torch.Tensor.clone  # which student code may have replaced when it is needed


def _copied(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return _clone(value.detach()) if isinstance(value, torch.Tensor) else value


def _same(old: Any, new: Any) -> bool:
    """Whether a value is as its copy was; nan may stay nan."""
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_same, old, new))
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, torch.Tensor):
        return old.shape == new.shape and old.dtype == new.dtype and bool(
            ((old == new) | (old != old) & (new != new)).all())
    return bool(old == new or old != old and new != new)


def calls(student: Student, function: str, argument_lists: list[list[Any]],
          catch: bool = False, arrays_too: bool = False, pure: bool = False) -> list[Any]:
    """`function(*args)` for several argument lists, as a list.

    Args:
        catch: put the name of an exception's type in the place of the value.
        arrays_too, pure: as for `call`.
    """
    target = student(function)
    values = []
    for args in argument_lists:
        try:
            with unchanged(function, args * pure):
                values.append(_called(target, args, {}, arrays_too))
        except NotImplementedError:
            raise
        except Exception as error:
            if not catch:
                raise
            values.append(kind(error))
    return values


def kind(error: BaseException) -> str:
    """The name of an exception's type; "ValueError" for its subclasses as well."""
    return "ValueError" if isinstance(error, ValueError) else type(error).__name__


def _to_numpy(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.numpy()  # the same memory, in which `unchanged` sees what is written
    if isinstance(value, list):
        return [_to_numpy(item) for item in value]
    if isinstance(value, dict):
        return {key: _to_numpy(item) for key, item in value.items()}
    return value
