"""A term in the making: what it is made of, what has been done, and what a step is.

    OUT/kit/                             a copy of the kit, in which the steps run
    OUT/state.json                       what has been done; a later call goes on from there
    OUT/autograder.zip, homework1.zip    for Gradescope, for students
    OUT/term.md                          what changed, and whether it is safe to release
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...engine.files import write_whole

PASSED, SKIPPED, FAILED = "passed", "skipped", "FAILED"
UPLOAD, RELEASE = "autograder.zip", "homework1.zip"


class Failed(Exception):
    """A step did not pass; the message is one line."""


class Skip(Exception):
    """A step is left out; the message says why."""


@dataclass(frozen=True)
class Settings:
    """What a term is made of.

    Args:
        seed, profile: of the data and of the public references.
        hidden_seed: of the hidden references.
        keep_weights: judge with the reference networks of the former term.
        leaderboard: show accuracies on images that no check uses.
        torch_index: package index from which the image installs torch; "" for its own.
        proof: "full", "sample" or "none".
    """

    seed: int
    hidden_seed: int
    profile: str = "standard"
    keep_weights: bool = False
    leaderboard: bool = False
    torch_index: str = ""
    proof: str = "full"


@dataclass
class Term:
    """A term in the making in the folder `out`, of an instructor's checkout, which is read; `state`
    has `former` (facts) and `steps` (name -> digest, status, outcome, seconds)."""

    checkout: Path
    out: Path
    settings: Settings
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def kit(self) -> Path:
        return self.out / "kit"

    def python(self, *arguments: str, **environment: str) -> None:
        """Run Python in the copied kit, its output on this terminal, with these variables as well.

        Raises:
            Failed: it did not end with 0.
        """
        code = subprocess.run([sys.executable, *arguments], cwd=self.kit,
                              env={**os.environ, **environment}).returncode
        if code:
            raise Failed(f"python {' '.join(arguments)} ended with {code}")

    def save(self) -> None:
        """Keep the state, whole at every moment."""
        write_whole(self.out / "state.json",
                    json.dumps({"settings": asdict(self.settings), **self.state}, indent=1))


@dataclass(frozen=True)
class Step:
    """One step of a term.

    Args:
        says: what it does.
        inputs: patterns of files of the kit; a step that has passed is run again only if one of
            them has changed, or one of its settings.
        settings: names of those that it depends on beside seed and profile, which are a file.
    """

    name: str
    says: str
    run: Callable[[Term], str]
    inputs: tuple[str, ...] = ("*",)
    settings: tuple[str, ...] = ()
