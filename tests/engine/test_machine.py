"""`python -m autograder doctor`: whether this machine is fit, in a line for each thing it needs."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from autograder.__main__ import main
from autograder.engine import machine


def found(tmp_path) -> dict[str, machine.Finding]:
    return {finding.name: finding for finding in machine.examine(tmp_path)}


def test_what_is_there(tmp_path):
    there = found(tmp_path)
    assert list(there) == ["Python", "torch", "make", "disk", "Chromium"]
    assert there["Python"].there and there["torch"].there
    assert str(there["Python"]).startswith("  ok       Python             3.")
    assert there["torch"].text[0].isdigit()


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 15, 0), (4, 0, 0)])
def test_a_python_that_is_not_supported(tmp_path, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    python = found(tmp_path)["Python"]
    assert python.required and not python.there
    assert python.text == f"{'.'.join(map(str, version))} (needed: 3.10 to 3.14)"


def test_what_is_missing_and_what_to_do_without_it(tmp_path, monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(machine, "APPLICATIONS", ())
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=3e8))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(
        returncode=1, stderr="Traceback\nModuleNotFoundError: No module named 'torch'\n"))
    lacks = found(tmp_path)
    assert not any(lacks[name].there for name in ("torch", "make", "disk", "Chromium"))
    assert [name for name in lacks if lacks[name].required] == ["Python", "torch"]
    assert lacks["torch"].text == ("ModuleNotFoundError: No module named 'torch': "
                                   f"{sys.executable} -m pip install -r requirements-torch.txt")
    assert lacks["make"].text.startswith(f"use `{sys.executable} -m autograder grade starter`")
    assert lacks["disk"].text == f"0.3 GB free in {tmp_path} (needed: 2 GB)"


def test_a_browser_that_is_named(tmp_path, monkeypatch):
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(browser))
    assert machine.browser() == str(browser)
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "none"))
    assert machine.browser() is None


def test_a_machine_that_cannot_grade_starts_nothing(capsys, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    assert main(["doctor"]) == 3
    printed = capsys.readouterr()
    assert "  MISSING  Python             3.9.18 (needed: 3.10 to 3.14)" in printed.out.splitlines()
    assert printed.err == "error: this machine cannot grade, see above\n"
    assert "Landlock" not in printed.out
