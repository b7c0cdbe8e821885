"""What runs elsewhere, workflows on GitHub and a container: it parses, and what it calls exists."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from autograder.instructor.packaging import release
from tests.grading import ROOT

WORKFLOWS = {"tests": ROOT / ".github/workflows/tests.yml",
             "classroom": release.STUDENT / "classroom.yml"}
MAKEFILES = {"tests": ROOT / "Makefile", "classroom": release.STUDENT / "Makefile"}


def steps(name: str) -> list[dict]:
    """All steps of a workflow. (YAML takes `on` for true.)"""
    workflow = yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))
    assert {"name", True, "permissions", "jobs"} <= set(workflow)
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def targets(makefile: Path) -> set[str]:
    return set(re.findall(r"^([a-z.-]+):.*##", makefile.read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_command_exists(name):
    for step in steps(name):
        command = step.get("run", "true")
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/b@v1"))
        assert subprocess.run(["bash", "-n", "-c", command]).returncode == 0
        for file in re.findall(r"-r (\S+)", command):
            assert (ROOT / file).is_file()
        for target in re.findall(r"[a-z-]+", command.partition("make ")[2]):
            assert target in targets(MAKEFILES[name])
        if module := re.match(r"python -m (autograder \w+|pytest)", command):
            help_of = [sys.executable, "-m", *module[1].split(), "--help"]
            shown = subprocess.run(help_of, cwd=ROOT, capture_output=True, text=True).stdout
            assert all(option in shown for option in re.findall(r" (--[a-z]+)", command)
                       if option not in ("--dist", "--no-loadscope-reorder")), command


def test_they_follow_the_schema_of_github():
    found = subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema",
                            "vendor.github-workflows", *map(str, WORKFLOWS.values())],
                           capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_the_container_sets_up_what_make_does():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"].removeprefix("make ") in targets(MAKEFILES["classroom"])
