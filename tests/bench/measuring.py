"""What all benchmarks measure: seconds, CPU seconds and memory of trees of processes."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil

from autograder import KIT

PYTHON = sys.executable


def run(*arguments: str, environment: dict | None = None,
        memory: bool = False) -> tuple[float, float, float]:
    """Run a command; seconds on the clock, CPU seconds and peak PSS in MB of its process tree.

    Args:
        memory: look at it ten times a second, which takes a tenth of a core; without, PSS is 0.
    """
    before, begin = os.times(), time.perf_counter()
    process = subprocess.Popen(arguments, cwd=KIT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env={**os.environ, **(environment or {})})
    with peak_of(process.pid) if memory else contextlib.nullcontext([0.0]) as peak:
        _, errors = process.communicate()
    wall, after = time.perf_counter() - begin, os.times()
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{errors.decode(errors='replace')[-2000:]}")
    cpu = (after.children_user - before.children_user
           + after.children_system - before.children_system)
    return wall, cpu, peak[0]


@contextlib.contextmanager
def peak_of(pid: int) -> Iterator[list[float]]:
    """Watch a tree of processes; the list holds its peak PSS in MB."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], tree_pss(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def tree_pss(pid: int) -> float:
    """Proportional set size of a process and all its descendants, in MB (Linux; 0 elsewhere)."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                total += process.memory_full_info().pss
            except (psutil.Error, AttributeError):
                pass
    except psutil.Error:
        pass
    return total / 1e6


def tree_cpu(root: psutil.Process) -> float:
    """CPU seconds of a tree of processes, of those that have ended as well.

    The server lies below the process that made its namespaces.
    """
    return sum(sum(process.cpu_times()[:4])
               for process in (root, *root.children(recursive=True)))
