"""`python -m autograder dry-run`: what Gradescope will do with an archive, on a Linux machine.

`rehearse` writes a plan, starts `namespaces.py` in Linux namespaces of its own, and judges what
that reports: the results against the platform's schema, the time, the memory, what is left behind.

The base `here` uses this machine's Python environment instead of installing one (`setup.sh` finds
it in `AUTOGRADER_VENV`); the others (`bases.py`) start from a bare tree, which has only what
`setup.sh` installs.
"""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ... import KIT
from ...engine.results import GRADER_BROKE, NOT_RUN
from ...engine.sandbox.cgroups import TOP as CGROUPS
from ...engine.sandbox.cgroups import killed_for_memory
from ...engine.sandbox.places import Places
from ..packaging.contents import reference_name
from . import bases
from .bases import CannotRehearse
from .namespaces import Findings, Plan

FOLDER = KIT / "build" / "rehearsal"
SCHEMA = Path(__file__).with_name("results_schema.json")


@dataclass(frozen=True)
class Report(Findings):
    """What a rehearsal found, beside what `Findings` has.

    Args:
        results: the content of results.json, None where it is missing or no JSON.
        problems: one sentence for everything that would go wrong on the platform.
        limits: the limits that were in force, or why there were none.
        folder: where `results.json`, `stdout` and `setup.log` are.
    """

    results: dict[str, Any] | None
    problems: list[str]
    limits: str
    folder: Path

    @property
    def score(self) -> float | None:
        """The score, None where the results have none that is a number."""
        score = (self.results or {}).get("score")
        return score if isinstance(score, (int, float)) else None


def rehearse(archive: Path, submission: Path, base: str = "here", functional: bool = False,
             cpus: float = 0.5, memory: int = 768, timeout: float = 600.0,
             folder: Path = FOLDER) -> Report:
    """Run an archive on a submission as the platform would.

    Args:
        base: "here" or one of `bases.BASES`, see above.
        functional: leave out the submission's `results/`, and with them the checks of trained
            networks; the others take seconds.
        cpus, memory: limits of the container; memory in MB of 2**20 bytes.
        timeout: seconds after which the platform ends the run and writes a zero.
        folder: keeps logs, results and what a later rehearsal can use again.

    Raises:
        CannotRehearse: the machine or the files do not allow it.
    """
    _need(archive, submission)
    folder = folder.absolute()
    (folder / "last").mkdir(parents=True, exist_ok=True)
    plan = _plan(base, archive.absolute(), submission.absolute(), functional, timeout, folder)
    with (tempfile.TemporaryDirectory(prefix="rehearsal-") as disk,
          _limits(cpus, memory) as (groups, limits),
          tempfile.TemporaryDirectory(prefix="plan-", dir=folder) as work):
        found = _contain(replace(plan, disk=disk, groups=tuple(map(str, groups))), Path(work))
        for name in ("setup.log", "stdout", "results.json"):
            (folder / "last" / name).unlink(missing_ok=True)
            if (Path(work) / name).exists():
                shutil.move(Path(work) / name, folder / "last" / name)
        killed = killed_for_memory(groups)
    if "error" in found:
        raise CannotRehearse(found["error"].replace(work, str(folder / "last")))
    results, problems = judge(folder / "last" / "results.json")
    report = Report(**found, results=results, problems=problems, limits=limits,
                    folder=folder / "last")
    if report.struck:
        problems.insert(0, f"the platform's timeout of {timeout:g} s struck: its harness would "
                           "replace the results by a zero")
    if report.outlived:
        problems.append(f"{len(report.outlived)} processes outlived the run: "
                        f"{', '.join(report.outlived[:5])}")
    if killed:
        problems.append(f"{killed} processes were killed for memory at {memory} MB")
    elif report.peak_pss * 1e6 > memory * 2**20:
        problems.append(f"{report.peak_pss:.0f} MB at the peak do not fit into {_room(memory)}: "
                        "take a larger container, or a TORCH_INDEX of CPU wheels")
    return report


def _plan(base: str, archive: Path, submission: Path, functional: bool, timeout: float,
          folder: Path) -> Plan:
    """The plan of a rehearsal, see `rehearse`; the places on disk come later."""
    # Graders outside must not choose the same uids, or they would end each other's processes.
    Places.LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
    locks = (str(Places.LOCKS), str(Places.LOCKS), "rw")
    if base == "here":
        # What is hidden with the checkout, or lies on another file system than /.
        root = Path("/").stat().st_dev
        visible = [(str(path), str(path), "ro") for path in map(Path, (sys.prefix, sys.base_prefix))
                   if path.is_relative_to(KIT) or path.stat().st_dev != root]
        return Plan(str(archive), str(submission), functional, timeout,
                    {"AUTOGRADER_VENV": sys.prefix}, hidden=(str(KIT),), visible=(*visible, locks))
    tree = bases.tree(base, folder)
    digest = hashlib.sha256(base.encode() + archive.read_bytes()).hexdigest()[:16]
    image = folder / f"image-{digest}"
    for old in set(folder.glob("image-*")) - {image}:  # more than a GB each
        shutil.rmtree(old)
    environment, visible = _package_index()
    return Plan(str(archive), str(submission), functional, timeout, environment,
                tree=str(tree), image=str(image), visible=(*visible, locks))


def judge(path: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """A results.json, and one sentence for everything that the platform would not accept in it."""
    import jsonschema

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is no number in JSON")

    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=no_constant)
    except FileNotFoundError:
        return None, ["there is no results.json"]
    except ValueError as error:
        return None, [f"results.json is not valid JSON: {error}"]
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    problems = [f"results.json, {error.json_path}: {error.message[:200]}"
                for error in jsonschema.Draft202012Validator(schema).iter_errors(content)]
    for verdict, says in (() if problems else (
            (GRADER_BROKE, "the grader broke on check"), (NOT_RUN, "given up: check"))):
        numbers = [test["number"] for test in content["tests"]
                   if test.get("extra_data", {}).get("verdict") == verdict]
        problems += [f"{says} {', '.join(numbers)}"] * bool(numbers)
    return content, problems


def summary(report: Report, timeout: float = 600.0, memory: int = 768) -> str:
    """The report as text, given the seconds and MB that the platform allows."""
    possible = sum(test["max_score"] for test in (report.results or {}).get("tests", []))
    lines = [
        ("score", f"{report.score:g} / {possible:g}" if report.score is not None else "none"),
        ("time", f"{report.seconds:.0f} s of {timeout:g} s"),
        ("processor", f"{report.cpu_seconds:.0f} CPU seconds"),
        ("memory", f"{report.peak_pss:.0f} MB PSS at the peak, of {_room(memory)}"),
        ("limits", report.limits),
        ("setup.sh", f"{report.setup_seconds:.0f} s" if report.setup_seconds else
         "kept from an earlier rehearsal of this archive"),
        ("files left", f"{len(report.files)}: {', '.join(report.files[:3])}" if report.files
         else "none"),
        ("written to", str(report.folder)),
    ]
    log = report.folder / "setup.log"
    said = log.read_text("utf-8", "replace") if log.is_file() else ""
    lines += [("image", size) for size in re.findall(r"done: (\S+) in", said)]
    lines += [("PROBLEM", problem) for problem in report.problems]
    text = [f"{name:<12}{value}" for name, value in lines]
    return "\n".join(text if report.problems else [*text, "As the platform expects it."])


def _room(memory: int) -> str:
    return f"{memory * 2**20 / 1e6:.0f} MB"


def newest(kit: Path) -> Path:
    """The archive that was built last: of a term, a correction of it, or in the checkout.

    Raises:
        CannotRehearse: there is none.
    """
    found = [*kit.glob("autograder.zip"), *kit.glob("build/term-*/**/autograder.zip")]
    if not found:
        raise CannotRehearse("there is no autograder.zip: run `make autograder.zip`")
    return max(found, key=lambda path: path.stat().st_mtime)


def about(archive: Path) -> str:
    """Which archive it is: its path, the seed of its public inputs, and when it was built."""
    try:
        with zipfile.ZipFile(archive) as content:
            made = json.loads(content.read(reference_name(Path("public.json"))))["made"]
        built = datetime.fromtimestamp(archive.stat().st_mtime)
        return f"Rehearsing {archive}: seed {made['seed']}, built on {built:%Y-%m-%d at %H:%M}"
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return f"Rehearsing {archive}"


def _need(archive: Path, submission: Path) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise CannotRehearse("a rehearsal needs Linux and root: sudo, or a virtual machine")
    if any(Path(sys.prefix).is_relative_to(folder) for folder in ("/tmp", "/var/tmp")):
        raise CannotRehearse("a rehearsal hides /tmp and /var/tmp, where the packages lie "
                             f"({sys.prefix}): move the kit elsewhere")
    for command in ("unshare", "setpriv", "mount"):
        if shutil.which(command) is None:
            raise CannotRehearse(f"a rehearsal needs the command {command} (util-linux)")
    try:
        import jsonschema  # noqa: F401
    except ImportError:
        raise CannotRehearse(
            "a rehearsal needs jsonschema: pip install -r requirements-dev.txt") from None
    if not archive.is_file():
        raise CannotRehearse(f"there is no {archive}: run `python -m autograder package`")
    if not submission.is_dir():
        raise CannotRehearse(f"{submission} is not a folder")


def _contain(plan: Plan, work: Path) -> dict[str, Any]:
    """Carry out a plan, kept in `work`, in namespaces of its own. Returns `Findings` as a dict, or
    an `error`."""
    (work / "plan.json").write_text(json.dumps(asdict(plan)), encoding="utf-8")
    command = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc",
               "--propagation", "private", sys.executable, "-m", f"{__package__}.namespaces",
               str(work / "plan.json")]
    process = subprocess.run(command, cwd=KIT)
    try:
        return json.loads((work / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CannotRehearse("a rehearsal needs the right to mount and to make namespaces "
                             f"(unshare ended with {process.returncode})") from None


# --- packages -----------------------------------------------------------------------------


def _package_index() -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Where pip finds packages on this machine.

    Returns:
        environment variables that say it, and the files that they name: (path on this machine, path
        in the tree, access).
    """
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True,
                            text=True).stdout
    variables = {name: value for name, value in os.environ.items()
                 if name.lower().endswith("_proxy")}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section in ("global", "install", ":env:"):
            variables["PIP_" + key.upper().replace("-", "_")] = " ".join(shlex.split(value))
    words = [word for value in variables.values() for word in value.split()]
    indexes = [str(Path(word.removeprefix("file://")).parent)  # an index names files beside it
               for word in words if word.startswith("file:///")]
    local = {word: word for word in [*words, *indexes]
             if word.startswith("/") and Path(word).exists()}
    certificates = variables.get("PIP_CERT")
    if certificates:  # beside the tree's own, which its packages write
        local[certificates] = variables["PIP_CERT"] = "/mnt/certificates.crt"
    return variables, [(source, target, "ro") for source, target in local.items()]


# --- limits ----------------------------------------------------------------------------------


def _remove(group: Path) -> None:
    """Remove a control group: where a rehearsal was ended, its processes go a moment later."""
    for _ in range(100):
        with suppress(OSError):
            return group.rmdir()
        time.sleep(0.1)


@contextmanager
def _limits(cpus: float, memory: int) -> Iterator[tuple[list[Path], str]]:
    """Folders of control groups with these limits (see `rehearse`), and what holds; none, and why,
    where the machine allows none."""
    name, groups = f"rehearsal-{os.getpid()}", []
    cpu = ("cpu.max", f"{int(cpus * 100_000)} 100000")
    bytes_ = str(memory * 2**20)
    try:
        if (CGROUPS / "cgroup.controllers").exists():
            version = 2
            (CGROUPS / "cgroup.subtree_control").write_text("+cpu +memory")
            wanted = [(CGROUPS / name, [cpu, ("memory.max", bytes_), ("memory.swap.max", "0")])]
        else:
            version = 1
            wanted = [(CGROUPS / "cpu" / name, [("cpu.cfs_quota_us", str(int(cpus * 100_000)))]),
                      (CGROUPS / "memory" / name, [("memory.limit_in_bytes", bytes_)])]
        for group, settings in wanted:
            group.mkdir()
            groups.append(group)
            for file, value in settings:
                if file != "memory.swap.max" or (group / file).exists():
                    (group / file).write_text(value)
        limits = groups, f"{cpus:g} CPU and {memory} MB by cgroup v{version}"
    except OSError as error:
        limits = [], f"none: this machine allows no cgroup ({error})"
    try:
        yield limits
    finally:
        for group in groups:
            _remove(group)
