"""A student's first day: unpack the release, run what its README says, write the code."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from autograder import KIT
from autograder.engine import archive
from autograder.instructor.packaging import release
from tests.archives import unpack
from tests.grading import worth

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the commands of make")


def commands(heading: str, language: str) -> list[str]:
    """The commands of the first block in that language under a heading of the students' README."""
    text = (release.STUDENT / "README.md").read_text(encoding="utf-8")
    section = text.split(f"# {heading}", 1)[1]
    block = re.search(rf"```{language}\n(.*?)```", section, re.S).group(1)
    return [line.split("#")[0].strip() for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def home():
    """The release, unpacked into an empty folder, with this environment as its .venv.

    Not inside pytest's own folder: it is closed to the users that checks run as, and with it the
    link to the environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="student-"))
    folder.chmod(0o755)
    (folder / "a.zip").write_bytes(archive.pack(
        {f"{release.NAME}/{name}": content for name, content in release.files().items()}))
    home = unpack(folder / "a.zip", folder) / release.NAME
    (home / ".venv").symlink_to(sys.prefix)
    for path in home.glob("requirements*.txt"):
        os.utime(path, (0, 0))  # older than this environment, so that make installs nothing into it
    yield home
    shutil.rmtree(folder)


def run(home: Path, command: str) -> str:
    """What a command prints; it must succeed, and needs nothing of the kit."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=home, shell=True, text=True, timeout=280, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert str(KIT / "autograder") not in done.stdout
    return done.stdout


@pytest.mark.parametrize("task", ["1.2", pytest.param("", marks=pytest.mark.proof)])
def test_from_an_untouched_starter_to_the_full_score(home, task):
    grade, datasets = commands("Homework 1", "bash")
    assert (grade, datasets) == ("make grade", "make datasets")
    shutil.rmtree(home / "starter")
    shutil.copytree(KIT / "starter", home / "starter")
    assert f"Total 0 / {worth('1.2')} " in run(home, f"{grade} TASK=1.2")
    for problem in ("problem1", "problem2"):  # what students write, and what they train
        for path in (KIT / "solution" / problem).glob("*.py"):
            shutil.copyfile(path, home / "starter" / problem / path.name)
        shutil.copytree(KIT / "solution" / problem / "results",
                        home / "starter" / problem / "results", dirs_exist_ok=True)
    shutil.copyfile(KIT / "solution" / "report.md", home / "starter" / "report.md")
    points = worth(task) if task else worth()
    assert f"Total {points} / {points} " in run(home, f"{grade} TASK={task}")
    assert f"starter has 0 of {worth()} points" in (home / "README.md").read_text(encoding="utf-8")


def test_data_are_drawn_where_the_networks_look_for_them(home):
    """The README's command with a few images in the place of many."""
    generate = commands("macOS and Linux without make", "bash")[-1]
    assert generate in run(home, "make datasets -n")
    assert "24 images written to" in run(home, f"{generate} --train 8 --val 4")
    look = "from dataset import *; print(len(KeypointDataset(*split_paths(DEFAULT_DATA, 'val'))))"
    shutil.copyfile(KIT / "solution/problem2/dataset.py", home / "starter/problem2/dataset.py")
    assert run(home / "starter/problem2", f'../../.venv/bin/python -c "{look}"') == "4\n"


def test_every_target_and_command_of_the_readme_exists(home):
    """make knows the targets, every tool the arguments, and scripts are where they should be."""
    text = (release.STUDENT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make (\w+)", text, re.M))
    listed = set(re.findall(r"^  (\w+)  ", run(home, "make"), re.M))
    assert targets == {"grade", "watch", "datasets", "zip"} <= listed
    windows = [line.replace(".venv\\Scripts\\python", ".venv/bin/python").replace("\\", "/")
               for line in commands("Windows (PowerShell)", "powershell")]
    posix = commands("macOS and Linux without make", "bash")
    assert windows[0] == "py -3.11 -m venv .venv" and posix[0] == "python3 -m venv .venv"
    assert set(posix[1:]) <= set(windows)
    for line in windows[2:]:
        script = re.search(r"python (starter/\S+)", line)
        if script:
            assert (home / script.group(1)).is_file()
        else:
            run(home, f"{line} --help")


def test_the_workflow_writes_its_summary(home, tmp_path):
    """Its two steps that grade, for one task in the place of all."""
    text = (home / ".github/workflows/classroom.yml").read_text(encoding="utf-8")
    grade, summary = (step["run"] for step in yaml.safe_load(text)["jobs"]["grade"]["steps"]
                      if "result.txt" in step.get("run", ""))
    grade = grade.replace("python", ".venv/bin/python", 1).replace("starter", "starter --only 1.6")
    run(home, f"{grade} && export GITHUB_STEP_SUMMARY={tmp_path}/summary.md; {summary}")
    shown = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert re.match(r"```\n.*\nTotal \S+ / [\d.]+ .*```\n$", shown, re.DOTALL)
    assert (home / "report.html").is_file()


def test_the_notebook_for_colab_keeps_its_own_torch(home):
    """What is installed there has the pinned versions, and Colab has the rest."""
    text = (home / "handout/homework1.ipynb").read_text(encoding="utf-8")
    line = re.search(r"!python -m pip install -q ([^\"]*)", text).group(1)
    requirements = (home / "requirements.txt").read_text(encoding="utf-8")
    assert [pin.partition("==")[0] for pin in line.split()] == ["pytest", "pyseccomp"]
    assert set(line.split()) <= set(re.findall(r"^\S+==\S+", requirements, re.M))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
@pytest.mark.parametrize(("python", "is_"), [("nothere", "missing"), ("old", "Python 3.9.1")])
def test_another_python_is_told_in_one_line_before_pip_is_asked(home, tmp_path, python, is_):
    for name in ("Makefile", "venv.mk", "requirements.txt", "requirements-torch.txt"):
        shutil.copyfile(home / name, tmp_path / name)
    (tmp_path / "old").write_text('#!/bin/sh\ntest "$1" = -V && echo Python 3.9.1\n')
    (tmp_path / "old").chmod(0o755)
    done = subprocess.run(["make", "grade", f"PYTHON={python}", "UV="], cwd=tmp_path, text=True,
                          capture_output=True, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == (
        f"error: this needs Python 3.10 to 3.14, and {python} is {is_}: name another one with "
        "PYTHON=python3.12, or install uv, which brings one")


def test_students_have_no_command_of_instructors(home):
    shown = run(home, ".venv/bin/python -m autograder --help")
    assert "grade" in shown and "doctor" in shown
    for name in ("references", "package", "release", "points", "dry-run"):
        assert name not in shown
    assert "--tier" not in run(home, ".venv/bin/python -m autograder grade --help")
    code = subprocess.run([sys.executable, "-m", "autograder", "grade", "starter", "--tier", "all"],
                          cwd=home, capture_output=True, text=True)
    assert code.returncode == 2 and "Traceback" not in code.stderr
    assert "there are no hidden references" in code.stderr.splitlines()[-1]
