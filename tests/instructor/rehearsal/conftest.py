"""Made-up uploads: archives of two shell scripts, and submissions of one file."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder.instructor.rehearsal import rehearse as rehearsal

TEST = ('{"name": "IoU", "number": "1.3.1", "score": 3, "max_score": 4, "status": "failed", '
        '"output": "no", "visibility": "visible"}')
GOOD = f'{{"score": 3, "execution_time": 0.1, "tests": [{TEST}]}}'


def _why_not() -> str | None:
    """Why this machine cannot rehearse, if so."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs Linux and root"
    if any(Path(sys.prefix).is_relative_to(folder) for folder in ("/tmp", "/var/tmp")):
        return "the packages lie in a folder that is empty on the platform"
    code = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"],
                          capture_output=True).returncode
    return "may not make namespaces here" if code else None


WHY_NOT = _why_not()
platform = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture
def archive(tmp_path):
    """`archive(run, setup)`: an archive whose scripts are these lines of bash."""
    def build(run: str, setup: str = "true") -> Path:
        path = tmp_path / "autograder.zip"
        with zipfile.ZipFile(path, "w") as content:
            for name, text in (("setup.sh", setup), ("run_autograder", run)):
                entry = zipfile.ZipInfo(name)
                entry.external_attr = 0o100755 << 16
                content.writestr(entry, f"#!/usr/bin/env bash\n{text}\n")
        return path

    return build


@pytest.fixture
def student(tmp_path) -> Path:
    """A submission with code and results."""
    folder = tmp_path / "student"
    (folder / "problem1" / "results").mkdir(parents=True)
    (folder / "problem1" / "utils.py").write_text("answer = 42\n")
    (folder / "problem1" / "results" / "best_model.pth").write_bytes(b"weights")
    return folder


@pytest.fixture
def rehearse(archive, student, tmp_path):
    """`rehearse(run, setup, **options)`: the report of a made-up archive."""
    def run(lines: str, setup: str = "true", **options) -> rehearsal.Report:
        return rehearsal.rehearse(archive(lines, setup), student, folder=tmp_path / "kept",
                                  **options)

    return run
