"""However a run ends, its results are true, and nothing else of it is left."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autograder.engine.results import GRADER_BROKE, NOT_RUN, UNJUDGED
from tests.grading import SOLUTION, STARTER, copy_solution, sampled

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0,
                                reason="the platform grades as root, on Linux")
GRADER = ["-m", "autograder.gradescope.run"]
BROKE = "The grader itself broke before this check."


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files, in which nothing may be left; its path is short."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    left = os.listdir(folder)
    shutil.rmtree(folder)
    assert not left


def ended(number: int, moment: float):
    """Send the grader a signal so many seconds after it has started."""
    def meanwhile(pid: int) -> None:
        script = psutil.Process(pid)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and script.is_running():
            with contextlib.suppress(psutil.Error):
                for process in script.children(recursive=True):
                    if process.cmdline()[1:3] == GRADER:
                        time.sleep(moment)
                        process.send_signal(number)
                        return
            time.sleep(0.02)

    return meanwhile


def assert_true(results: dict, whole: dict) -> int:
    """Every row is as in the whole run, or says that it was not run; how many say so."""
    unknown = 0
    for test, known in zip(results["tests"], whole["tests"], strict=True):
        if test["extra_data"]["verdict"] in (NOT_RUN, GRADER_BROKE):
            assert (test["score"], test["status"]) == (0, "failed")
            assert test["output"] in (UNJUDGED, BROKE)
            unknown += 1
        else:
            assert test == known
    assert results["score"] == sum(test["score"] for test in results["tests"])
    assert not unknown or "your instructor can see it" in results["output"]
    return unknown


def nobody_runs() -> bool:
    """Whether all processes of the run have ended."""
    return not [process for process in psutil.process_iter(["cmdline"])
                if process.info["cmdline"] and process.info["cmdline"][1:3] == GRADER]


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_grader_that_is_ended_at_any_moment(platform, temporary):
    """Some rows fail and some pass."""
    shutil.copytree(STARTER, platform.root / "submission")
    shutil.copy(SOLUTION / "problem1/utils.py", platform.root / "submission/problem1/utils.py")
    begin = time.monotonic()
    whole, _ = platform.run(TMPDIR=str(temporary))
    seconds = time.monotonic() - begin
    assert whole["extra_data"]["not_run"] == 0 < whole["score"]
    seen = set()
    for number, code, share in [(signal.SIGTERM, 143, 0.35), (signal.SIGKILL, 137, 0.6)]:
        moment = share * seconds
        results, log = platform.run(ended(number, moment), TMPDIR=str(temporary))
        unknown = assert_true(results, whole)
        seen.add(unknown)
        print(f"signal {number} after {moment:.2f} of {seconds:.2f} s: {unknown} rows not judged")
        if "exit code" in results["output"]:
            assert results["extra_data"]["exit_code"] == code
            assert results["extra_data"]["grader_broke"] is True
            assert f"THE GRADER BROKE (exit code {code})" in log
        else:
            assert unknown == 0
        assert os.listdir(temporary) == [] and nobody_runs()
    assert max(seen) > 0


@contextlib.contextmanager
def small_disk(path: Path, size: int) -> Iterator[None]:
    """A disk of so many bytes at a folder."""
    path.mkdir(exist_ok=True)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=755,size={size}", "tmpfs",
                            str(path)], capture_output=True)
    if mount.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.parametrize("copies", sampled([0, 1.5], 2))
@pytest.mark.proof
def test_a_disk_without_room_for_results(platform, temporary, copies):
    """There is room for so many copies of what is put down first; the next one does not fit."""
    platform.submit({"problem1/utils.py": ""})
    first = (platform.source / "autograder/gradescope/broke.json").stat().st_size
    with small_disk(platform.root / "results", int((copies or 1) * first) + 4096):
        if not copies:
            with contextlib.suppress(OSError), open(
                    platform.root / "results/other", "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        results, log = platform.run(TMPDIR=str(temporary))
    assert {test["extra_data"]["verdict"] for test in results["tests"]} == {GRADER_BROKE}
    assert results["score"] == 0 and "No space left on device" in log
    assert "THE GRADER BROKE (exit code 1)" in log


def test_a_disk_without_room_for_the_submission(platform, temporary):
    platform.submit({"problem1/utils.py": "", "problem1/results/all.bin": bytes(2**22)})
    with small_disk(temporary, 2**20):
        results, log = platform.run(TMPDIR=str(temporary))
    assert {test["extra_data"]["verdict"] for test in results["tests"]} == {GRADER_BROKE}
    assert "No space left on device" in log


def test_a_run_with_little_time_tells_nothing_about_inputs_that_were_never_tried(platform):
    copy_solution(platform.root / "submission")
    script = platform.source / "run_autograder"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace('--timeout "$TIMEOUT"', "--timeout 6"), encoding="utf-8")
    results, log = platform.run()
    outputs = [test["output"] for test in results["tests"]]
    assert results["extra_data"]["not_run"] > 0 and "THE GRADER BROKE (exit code 1)" in log
    assert not any("not on other inputs" in output for output in outputs)
    for test in results["tests"]:  # without results/, some checks have nothing to look at
        assert test["score"] == test["max_score"] or test["extra_data"]["verdict"] == NOT_RUN or (
            "is missing" in test["output"])
