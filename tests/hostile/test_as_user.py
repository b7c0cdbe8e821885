"""The same tests once more, as an ordinary user: no root, no uid of its own for a check.

Only root can become somebody else; whoever else runs the tests is an ordinary user already.
"""

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from autograder import KIT
from autograder.engine.sandbox import namespaces, processes
from autograder.engine.sandbox.folders import remove
from autograder.engine.sandbox.libc import checked, libc

from .conftest import as_root, fork_only

UIDS = range(61100, 61184)  # below those that checks run as, and of no person
PARTS = ("autograder", *(f"datasets/{path.name}" for path in (KIT / "datasets").glob("*.py")),
         "handout/rules.md", "pyproject.toml", "tests/grading.py", "tests/hostile")


@pytest.fixture
def enter():
    """No scene here: the tests that are run below set their own."""


@pytest.fixture
def home():
    """A copy of the kit that belongs to nobody but an unused uid, in a folder open to all."""
    known = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(uid for uid in UIDS if uid not in known and not processes.threads(uid))
    folder = Path(tempfile.mkdtemp(prefix="u-"))
    folder.chmod(0o755)
    leave_out = shutil.ignore_patterns("__pycache__", "hidden.*", "results", ".*")
    for part in (*PARTS, "solution/problem1", "solution/problem2"):
        (folder / "kit" / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copyfile if (KIT / part).is_file() else shutil.copytree
        copy(KIT / part, folder / "kit" / part,
             **({"ignore": leave_out} if copy is shutil.copytree else {}))
    folder.joinpath("t").mkdir()
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, uid, uid)
    yield folder, uid
    processes.kill_uid(uid)
    remove(folder)


@fork_only
@pytest.mark.skipif(not as_root(), reason="this is an ordinary user")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.proof), 12])
@pytest.mark.proof
def test_the_same_as_an_ordinary_user(home, every):
    """Every test takes as long as all others of attacks, so that CI runs every twelfth."""
    folder, uid = home
    report, arguments = folder / "report.txt", [
        sys.executable, "-B", "-m", "pytest", "tests/hostile", "--tb=short", "--color=no", "-rs",
        "-p", "no:cacheprovider"]
    pid = os.fork()
    if pid == 0:
        try:
            output = os.open(report, os.O_CREAT | os.O_WRONLY, 0o644)
            for number in (1, 2):
                os.dup2(output, number)
            # The interpreter may lie under a home that others cannot enter.
            checked(libc.unshare(namespaces.CLONE_NEWNS))
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            namespaces.show_only([Path(sys.prefix), Path(sys.base_prefix)], [], folder)
            os.chdir(folder / "kit")
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.execve(sys.executable, arguments, {
                "PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder / "t"),
                "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "EVERY": str(every)})
        finally:
            os._exit(70)
    _, status = os.waitpid(pid, 0)
    text = report.read_text(errors="replace")
    assert os.waitstatus_to_exitcode(status) == 0, text[-6000:]
    counts = dict(reversed(pair.split()) for pair in re.findall(
        r"\d+ (?:passed|failed|skipped|errors?)", text.splitlines()[-1]))
    assert int(counts["passed"]) > 180 / every, text[-6000:]
    assert int(counts.get("skipped", 0)) <= 12, text[-6000:]
    assert processes.threads(uid) == 0
    assert [path.name for path in (folder / "t").iterdir()] == []
