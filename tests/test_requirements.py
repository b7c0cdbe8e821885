"""The locks: every package that pyproject.toml asks for, with one version and its hashes."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.grading import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TORCH = [text for text in PROJECT["dependencies"] if text.startswith("torch==")]
LOCKS = {"requirements.txt": PROJECT["dependencies"],
         "requirements-dev.txt": [*PROJECT["dependencies"],
                                  *sum(PROJECT["optional-dependencies"].values(), [])]}


def lines(name: str) -> list[str]:
    """What a file of requirements asks for, without comments, a requirement a line."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", "")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def distribution(requirement: str) -> str:
    """The name of a requirement's package, as indexes normalize it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement).group()).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_holds_what_the_project_asks_for(name):
    locked = lines(name)
    assert all(re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}$", line) for line in locked)
    asked = {distribution(requirement) for requirement in LOCKS[name]} - {"torch", PROJECT["name"]}
    assert asked <= {distribution(line) for line in locked}


def test_torch_has_one_version_and_a_line_of_its_own():
    assert lines("requirements-torch.txt") == TORCH
    assert not any(distribution(line) == "torch" for name in LOCKS for line in lines(name))


def test_what_grading_needs_has_the_same_version_everywhere():
    assert set(lines("requirements.txt")) <= set(lines("requirements-dev.txt"))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
@pytest.mark.parametrize(("value", "keeps"), [("1", True), ("yes", True), ("True", True),
                                              ("0", False), ("maybe", False), ("", False)])
def test_a_switch_of_make_is_set_by_1_or_yes(value, keeps):
    done = subprocess.run(["make", "-n", "new-term", "SEED=1", f"KEEP_WEIGHTS={value}"], cwd=ROOT,
                          text=True, capture_output=True, check=True)
    assert ("--keep-weights" in done.stdout) == keeps


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
def test_an_environment_of_another_python_is_told(tmp_path):
    for name in ("Makefile", "venv.mk", "requirements.txt", "requirements-torch.txt"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / ".venv/bin/python"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\n[ $1 = -V ] && echo Python 3.9.1\n")
    old.chmod(0o755)
    made = subprocess.run(["make", "grade"], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode and made.stderr.startswith(
        "error: this needs Python 3.10 to 3.14, and .venv/bin/python is Python 3.9.1: run `make ")
    (tmp_path / ".venv/grade.done").touch()
    old.unlink()  # as where the system's Python was upgraded
    old.symlink_to("nowhere")
    assert "Setting up .venv" in subprocess.run(
        ["make", "-n", "grade"], cwd=tmp_path, capture_output=True, text=True).stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
@pytest.mark.parametrize("folder", [".", "autograder/instructor/packaging/student"])
def test_a_setting_that_there_is_not(folder):
    """make itself takes all, and would grade everything for task=1.3."""
    def run(*settings):
        return subprocess.run(["make", "-n", "-f", f"{folder}/Makefile", "grade", *settings],
                              cwd=ROOT, capture_output=True, text=True)

    assert "--only 1.3 1.4" in run("TASK=1.3 1.4", "PYTHON=python3.12", "HTML=a b=c").stdout
    said = "of `touch a` and $(touch b), \"it's $5\""
    assert f"{said} does not exist" in subprocess.run(
        ["make", "-f", f"{folder}/Makefile", "grade", "TASK=1.3", f"SUBMISSION={said}",
         f"RUN={sys.executable}", "VENV=build/none", "-o", "build/none/grade.done"],
        cwd=ROOT, capture_output=True, text=True).stderr
    assert not any((ROOT / name).exists() for name in "ab")
    for setting in ("task=1.3", "TASKS=1.3"):
        made = run(setting)
        assert made.returncode and f"no setting {setting.partition('=')[0]}:" in made.stderr
