"""A stand-in for `torch._dynamo`, torch's compiler, for code that compiles nothing.

torch's optimizers import the compiler at their first step to say that they are not to be compiled.
That takes a second, and 70 MB of the server which every fork has to map again. The stand-in is
enough to say it to; whoever asks it for more gets the compiler itself.
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
    def disable(fn: Callable | None = None, *_: Any, **__: Any) -> Callable:
        return (lambda decorated: decorated) if fn is None else fn

    @staticmethod
    def graph_break(*_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # asked of every module there is
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(importlib.import_module(NAME), name)


def stand_in() -> None:
    """Put the stand-in in the compiler's place, unless it is there already."""
    if NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = _Eager(NAME)
