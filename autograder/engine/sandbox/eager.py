"""A stand-in for `torch._dynamo`, torch's compiler, for code that compiles nothing.

At their first step, torch's optimizers import the compiler, only to switch it off for themselves.
That takes a second, and 70 MB that every fork has to map. The stand-in knows the calls that switch
it off; any other use of it imports the real compiler. `torch.use_deterministic_algorithms` imports
it as well, to tell it, in every check of a submission that seeds everything on import.
"""

import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

import torch

NAME = "torch._dynamo"


class _Eager(types.ModuleType):
    @staticmethod
    def disable(fn: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Callable[..., Any]:
        return (lambda decorated: decorated) if fn is None else fn

    @staticmethod
    def graph_break(*_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # Python looks these up on any module
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(importlib.import_module(NAME), name)


def stand_in() -> None:
    """Put the stand-in in the compiler's place, unless it is there already."""
    torch.use_deterministic_algorithms = torch._C._set_deterministic_algorithms
    if NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = _Eager(NAME)
