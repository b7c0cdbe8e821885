"""Access to the modules of one submission, inside the worker."""

import importlib
from pathlib import Path
from typing import Any


class Missing(Exception):
    """A file, class or function that the question needs is not in the submission."""


class Unusable(Exception):
    """A deliverable is there but cannot be used; the message is a sentence for the student."""


class Student:
    """Gives probes access to the submission: `student("utils.compute_iou")`.

    Modules are imported the way students write them: flat, with the problem's folder first on the
    path. The submission's root comes second, for those who write `from problem1.utils import ...`.

    Args:
        folder: private copy of `problem1/` or `problem2/`, the working directory of the check.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stage = "import"  # or "run": what the student's code was doing when it failed

    def __call__(self, path: str) -> Any:
        """Import `module.attribute` of the submission.

        Raises:
            Missing: the module's file or the attribute does not exist.
        """
        module_name, *attributes = path.split(".")
        if not (self.folder / f"{module_name}.py").is_file():
            raise Missing(f"{self.folder.name}/{module_name}.py is missing")
        self.stage = "import"
        found = importlib.import_module(module_name)
        for attribute in attributes:
            if not hasattr(found, attribute):
                raise Missing(f"{self.folder.name}/{module_name}.py has no {attribute}")
            found = getattr(found, attribute)
        self.stage = "run"
        return found
