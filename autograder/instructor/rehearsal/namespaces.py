"""A stand-in for Gradescope's container: the first process of its own Linux namespaces.

    unshare --mount --pid ... python -m autograder.instructor.rehearsal.namespaces plan.json

What runs inside sees another file system: an overlay over this machine, or over a Debian tree, in
which the checkout is hidden and `/autograder` is what the platform makes of it. What it writes goes
into layers that are thrown away, and all its processes end when this one ends. `rehearse.py` writes
the plan and reads `report.json`, which lies beside the plan afterwards.

Source: docker's documentation on default capabilities and on the size of /dev/shm.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from tqdm import tqdm

METADATA = Path(__file__).with_name("metadata.json")  # as the platform writes it
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
         "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
SHARED_MEMORY = "64m"  # docker's default
CAPABILITIES = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
                "net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GRACE = 1.0  # seconds in which processes may end after the one that was started
OPEN_FOLDERS = ("tmp", "var/tmp")


@dataclass(frozen=True)
class Plan:
    """What to run, and what it finds there. Paths are absolute.

    Args:
        archive, submission: what is uploaded.
        functional: leave the submission's `results/` out.
        timeout: seconds after which the platform ends the run.
        setup_environment: environment variables that only `setup.sh` gets.
        tree: the file system to start from: `/`, or a Debian tree.
        image: folder that keeps what `setup.sh` has made; None to throw it away.
        hidden: folders of the tree that are empty inside.
        visible: files and folders of this machine, as (path here, path inside, "ro" or "rw").
        disk: folder for what is written to /tmp and /var/tmp.
        groups: folders of the control groups that limit the run.
    """

    archive: str
    submission: str
    functional: bool
    timeout: float
    setup_environment: dict[str, str]
    tree: str = "/"
    image: str | None = None
    hidden: tuple[str, ...] = ()
    visible: tuple[tuple[str, str, str], ...] = ()
    disk: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What happened while the autograder ran.

    Args:
        seconds, cpu_seconds, peak_pss: of `run_autograder` and all that it started; MB.
        setup_seconds: of `setup.sh`, 0 where its image was kept from an earlier rehearsal.
        struck: whether the platform's timeout ended it.
        outlived: names of the processes that ran on after it.
        files: what it left behind beside the results.
    """

    seconds: float
    cpu_seconds: float
    peak_pss: float
    setup_seconds: float
    struck: bool
    outlived: list[str]
    files: list[str]


class CannotContinue(Exception):
    """The rehearsal cannot go on; the message is one line."""


def main(plan_file: str) -> int:
    """Build the image, run the autograder, write the report."""
    plan = Plan(**json.loads(Path(plan_file).read_text(encoding="utf-8")))
    report = Path(plan_file).with_name("report.json")
    try:
        content = asdict(build_and_run(plan, Path(plan_file).parent))
    except CannotContinue as error:
        content = {"error": str(error)}
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip()
        content = {"error": f"{' '.join(map(str, error.cmd))} failed: {said}"}
    report.write_text(json.dumps(content), encoding="utf-8")
    return 0


def build_and_run(plan: Plan, folder: Path) -> Findings:
    """Build the image, where none is kept, and run the autograder in it; logs and results go to
    `folder`."""
    layers = folder / "layers"
    layers.mkdir()
    _mount("tmpfs", layers, "-t", "tmpfs")
    image, seconds = Path(plan.image or layers / "image"), 0.0
    if not image.exists():
        partial = image.with_name(image.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        with _root(plan, plan.tree, partial, layers) as root:
            _unpack(plan, root)
            seconds = _set_up(plan, root, folder)
        shutil.rmtree(partial.with_name(partial.name + ".work"), ignore_errors=True)
        partial.rename(image)
    with _root(plan, f"{image}:{plan.tree}", layers / "upper", layers) as root:
        return _run(plan, root, layers / "upper", folder, seconds)


@contextmanager
def _root(plan: Plan, lower: str, upper: Path, layers: Path) -> Iterator[Path]:
    """The file system to run in: the `lower` folders, the topmost first, with `upper` on top, where
    all lands that is written (/tmp and /var/tmp apart)."""
    root, work = layers / "root", upper.with_name(upper.name + ".work")
    for directory in (root, upper, work):
        directory.mkdir(exist_ok=True)
    _mount("overlay", root, "-t", "overlay", "-o",
           f"lowerdir={lower},upperdir={upper},workdir={work}")
    for name in plan.hidden:
        _mount("tmpfs", _inside(root, name), "-t", "tmpfs")
    for source, name, access in plan.visible:
        target = _inside(root, name)
        if Path(source).is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        _mount(source, target, "--bind", "-o", access)
        for above in target.parents:  # a home may be closed to the users that checks run as
            if above.is_relative_to(root):
                above.chmod(above.stat().st_mode | 0o111)
    for name in OPEN_FOLDERS:
        disk = Path(plan.disk) / name
        disk.mkdir(parents=True, exist_ok=True)
        disk.chmod(0o1777)
        _mount(disk, root / name, "--bind")
    for name in ("proc", "dev", "sys"):
        (root / name).mkdir(exist_ok=True)
    _mount("proc", root / "proc", "-t", "proc")
    for name in ("/sys", "/sys/fs/cgroup"):
        _mount(name, _inside(root, name), "--bind", "-o", "ro")
    devices = root / "dev"
    _mount("tmpfs", devices, "-t", "tmpfs", "-o", "mode=755")
    for name in DEVICES:
        (devices / name).touch()
        _mount(f"/dev/{name}", devices / name, "--bind")
    (devices / "shm").mkdir()
    _mount("tmpfs", devices / "shm", "-t", "tmpfs", "-o", f"mode=1777,size={SHARED_MEMORY}")
    (devices / "pts").mkdir()
    _mount("devpts", devices / "pts", "-t", "devpts", "-o", "newinstance,ptmxmode=0666")
    for name, to in LINKS.items():
        (devices / name).symlink_to(to)
    try:
        yield root
    finally:
        # What does not let go here ends with the namespace.
        subprocess.run(["umount", "--recursive", "--lazy", root], capture_output=True)


def _inside(root: Path, name: str | Path) -> Path:
    return root / str(name).lstrip("/")


def _mount(source: str | Path, target: Path, *options: str) -> None:
    subprocess.run(["mount", *options, str(source), str(target)], check=True, capture_output=True)


def _unpack(plan: Plan, root: Path) -> None:
    """Do what the platform does before `setup.sh`: unpack the archive, copy `run_autograder`."""
    source = root / "autograder" / "source"
    source.mkdir(parents=True)
    with zipfile.ZipFile(plan.archive) as archive:
        archive.extractall(source)
        for entry in archive.infolist():
            if not entry.is_dir():
                (source / entry.filename).chmod((entry.external_attr >> 16) & 0o777 or 0o644)
    for name in ("setup.sh", "run_autograder"):
        if not (source / name).is_file():
            raise CannotContinue(f"{plan.archive} has no {name} at its root")
    started = shutil.copy(source / "run_autograder", root / "autograder" / "run_autograder")
    Path(started).chmod(0o755)
    if plan.tree != "/":
        resolver = root / "etc" / "resolv.conf"
        resolver.unlink(missing_ok=True)
        shutil.copyfile("/etc/resolv.conf", resolver)


def _command(root: Path, *arguments: str) -> list[str]:
    """The command line that runs something inside, with the capabilities that docker leaves."""
    kept = ",".join(["-all", *(f"+{name}" for name in CAPABILITIES)])
    return ["setpriv", f"--bounding-set={kept}", "unshare", f"--root={root}", "--wd=/autograder",
            *arguments]


def _set_up(plan: Plan, root: Path, folder: Path) -> float:
    """Run `setup.sh`, whose output goes to `setup.log`. Returns the seconds that it took."""
    begin, log = time.monotonic(), folder / "setup.log"
    code = logged(_command(root, "bash", "/autograder/source/setup.sh"), log, env={
        "PATH": PATH, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive",
        **plan.setup_environment})
    _end_all()
    if code:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise CannotContinue(f"setup.sh ended with {code}: {' '.join(last)} ({log})")
    return time.monotonic() - begin


def _run(plan: Plan, root: Path, upper: Path, folder: Path, setup_seconds: float) -> Findings:
    """Run `run_autograder` on the submission, within the limits, and see what it leaves."""
    home = root / "autograder"
    shutil.copytree(plan.submission, home / "submission", symlinks=True,
                    ignore=lambda path, names: names if (
                        plan.functional and Path(path).name == "results") else [])
    (home / "results").mkdir(exist_ok=True)
    shutil.copyfile(METADATA, home / "submission_metadata.json")
    places = {"": upper, **{name: Path(plan.disk) / name for name in OPEN_FOLDERS}}
    before = {name: _files(place) for name, place in places.items()}

    def limit() -> None:
        for group in plan.groups:
            Path(group, "cgroup.procs").write_text("0")

    begin, cpu = time.monotonic(), _cpu_seconds()
    with (folder / "stdout").open("wb") as output:
        process = subprocess.Popen(
            _command(root, "/autograder/run_autograder"), preexec_fn=limit,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env={"PATH": PATH, "HOME": "/root"})
        peak, struck = 0.0, False
        for seconds in ticks(process, "run_autograder"):
            peak = max(peak, _pss())
            if seconds > plan.timeout:
                process.kill()  # as the harness does: this process, and nothing that it started
                struck = True
                break
        process.wait()
    wall = time.monotonic() - begin
    outlived = _outlived()
    _end_all()
    after = {name: _files(place) for name, place in places.items()}
    left = sorted(f"/{name}/{path}".replace("//", "/") for name in places
                  for path, state in after[name].items() if before[name].get(path) != state)
    results = home / "results" / "results.json"
    if struck:
        results.write_text(json.dumps({"score": 0, "output": "The autograder timed out."}))
    (folder / "results.json").unlink(missing_ok=True)
    if results.is_file():
        shutil.copyfile(results, folder / "results.json")
    return Findings(wall, _cpu_seconds() - cpu, peak, setup_seconds, struck, outlived,
                    [path for path in left if not path.startswith("/autograder/results/")])


def logged(command: list[str], log: Path, env: dict[str, str] | None = None) -> int:
    """Run a command, whose output goes to a file, beside a clock; its exit code."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, env=env)
        for _ in ticks(process, Path(log).stem):
            pass
    return process.returncode


def ticks(process: subprocess.Popen, title: str) -> Iterator[float]:
    """Yield the seconds since now, about five times a second, until the process ends."""
    begin = time.monotonic()
    if not sys.stderr.isatty():
        print(f"{title} ...", file=sys.stderr, flush=True)
    with tqdm(bar_format="{desc}: {elapsed}", desc=title, leave=False, disable=None) as bar:
        while process.poll() is None:
            yield time.monotonic() - begin
            bar.refresh()
            time.sleep(0.2)


def _others() -> list[psutil.Process]:
    """All other processes of this namespace, without zombies."""
    return [process for process in psutil.process_iter(["name", "status"])
            if process.pid != os.getpid() and process.info["status"] not in (
                psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)]


def _pss() -> float:
    """Proportional set size of all other processes of this namespace, in MB."""
    total = 0
    for process in _others():
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6


def _outlived() -> list[str]:
    """Names of the processes that run on after the one that was started."""
    end = time.monotonic() + GRACE
    while (names := sorted(each.info["name"] for each in _others())) and time.monotonic() < end:
        time.sleep(0.05)
    return names


def _end_all() -> None:
    """End and collect whatever still runs; orphans have become children of this process."""
    while True:
        for process in _others():
            with suppress(psutil.Error):
                process.kill()
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _cpu_seconds() -> float:
    """CPU time of all processes that have ended and been collected, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Path -> size and time of change of every file below a folder."""
    status = {path: path.lstat() for path in folder.rglob("*") if not path.is_dir()}
    return {path.relative_to(folder).as_posix(): (of.st_size, of.st_mtime_ns)
            for path, of in status.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
