"""The upload on a stand-in for the platform."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from autograder.instructor.rehearsal.rehearse import SCHEMA
from tests.archives import unpack


@dataclass
class Platform:
    """A stand-in for /autograder, in which `run_autograder` finds its image already built."""

    root: Path

    @property
    def source(self) -> Path:
        return self.root / "source"

    def submit(self, files: dict[str, str | bytes]) -> None:
        """Put files into submission/."""
        (self.root / "submission").mkdir(exist_ok=True)
        for name, content in files.items():
            path = self.root / "submission" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def run(self, meanwhile: Callable[[int], None] = lambda pid: None,
            **environment: str) -> tuple[dict[str, Any], str]:
        """Run the script; results.json, held against the schema, and what was printed.

        Args:
            meanwhile: called with the script's process id while it runs.
        """
        with subprocess.Popen([str(self.source / "run_autograder")], cwd=self.root, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
                                  **os.environ, "AUTOGRADER_ROOT": str(self.root),
                                  **environment}) as script:
            meanwhile(script.pid)
            log, _ = script.communicate(timeout=280)
        assert script.returncode == 0, log
        content = json.loads((self.root / "results/results.json").read_text(encoding="utf-8"))
        jsonschema.validate(content, json.loads(SCHEMA.read_text(encoding="utf-8")))
        return content, log


@pytest.fixture
def platform(upload, tmp_path) -> Platform:
    """A fresh image, with this environment instead of one that setup.sh would install."""
    unpack(upload, tmp_path / "source")
    (tmp_path / "source/venv").symlink_to(sys.prefix)
    return Platform(tmp_path)
