"""One upload for all tests, built by the command, and unpacked as the platform does."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from autograder.__main__ import main

KIT = Path(__file__).resolve().parents[2]
SEED = 987654321


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack as `unzip` does, with modes."""
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            path = Path(content.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    return folder


@pytest.fixture(scope="session")
def upload(tmp_path_factory) -> Path:
    """autograder.zip with a leaderboard; the solution runs for it once."""
    path = tmp_path_factory.mktemp("upload") / "autograder.zip"
    assert main(["package", "--out", str(path), "--hidden-seed", str(SEED), "--leaderboard",
                 "--torch-index", "https://example.org/it's here"]) == 0
    return path


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

    def run(self) -> tuple[dict[str, Any], str]:
        """Run the script; results.json, held against the schema, and what was printed."""
        script = subprocess.run([str(self.source / "run_autograder")], cwd=self.root, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=280,
                                env={**os.environ, "AUTOGRADER_ROOT": str(self.root)})
        assert script.returncode == 0, script.stdout
        return read_results(self.root), script.stdout


def read_results(root: Path) -> dict[str, Any]:
    """results.json, which must follow the schema."""
    schema = json.loads((KIT / "autograder/results_schema.json").read_text(encoding="utf-8"))
    content = json.loads((root / "results/results.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema)
    return content


@pytest.fixture
def platform(upload, tmp_path) -> Platform:
    """A fresh image, with this environment instead of one that setup.sh would install."""
    unpack(upload, tmp_path / "source")
    (tmp_path / "source/venv").symlink_to(sys.prefix)
    return Platform(tmp_path)
