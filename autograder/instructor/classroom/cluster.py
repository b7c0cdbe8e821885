"""Grade on the machines of a Dask cluster: one task per submission.

A submission is sent as a zip file, and its grade comes back. If a worker is lost, the scheduler
gives its submissions to another one. A worker process keeps its pool warm and grades one submission
at a time.
"""

import atexit
import sys
import tempfile
import threading
import warnings
from importlib.util import find_spec
from pathlib import Path

from ...engine.archive import pack_folder, unpack
from ...engine.submission import Submission
from ...engine.text import line
from .grader import Graded, Grader, NotGraded, Setup

AHEAD = 2  # submissions under way for each worker thread
WIDTH = 32  # submissions under way at least; with weights they take half a GB of the scheduler
CONNECTING = 10  # seconds
PACKAGE = "autograder"

_lock = threading.Lock()
_graders: dict[Setup, Grader] = {}


class Cluster:
    """The workers behind a scheduler. Use as a context manager.

    Args:
        scheduler: its address, for example `tcp://10.0.0.1:8786`.
        version: of the checks and references here, which workers must have as well.
    """

    def __init__(self, scheduler: str, setup: Setup, version: dict[str, str]):
        try:
            from distributed import Client
            from distributed.comm import get_address_host_port
        except ImportError:
            raise ValueError("--dask needs Dask: pip install -r requirements-dev.txt") from None
        try:
            get_address_host_port(scheduler)  # a client would try a malformed address for long
            self.client = Client(scheduler, timeout=CONNECTING, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"there is no Dask scheduler at {scheduler}: {line(error)}") from None
        # A worker that cannot import the kit would die, and its submissions would wait for ever.
        kits = [self.client.run_on_scheduler(find_spec, PACKAGE),
                *self.client.run(find_spec, PACKAGE).values()]
        if None in kits:
            self.client.close()
            raise ValueError(f"the scheduler at {scheduler} or a worker does not find the kit: "
                            "start them in the checkout, with PYTHONPATH=$PWD")
        self.setup = setup
        self.version = version
        threads = sum(self.client.nthreads().values())
        if not threads:
            print(f"No worker has joined {scheduler} yet: waiting for the first", file=sys.stderr)
        self.width = max(WIDTH, AHEAD * threads)  # a batch system starts workers when it can

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.client.close()

    def grade(self, submission: Submission, label: str) -> Graded:
        """Grade on some worker.

        Raises:
            NotGraded: the workers that had it were lost, again and again, or the grader broke.
            ValueError: the worker has other checks or references, or cannot grade.
        """
        from distributed import KilledWorker

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large tasks; scattered data is not restored
            future = self.client.submit(remote, pack_folder(submission.root), submission.notes,
                                        self.setup, label, pure=False)
        try:
            graded = future.result()
        except KilledWorker:
            raise NotGraded("the workers that graded it were lost, one after the other") from None
        if graded.entry.version != self.version:
            raise ValueError("a worker has other checks or references than this machine: "
                            "give all the same checkout")
        return graded


def remote(packed: bytes, notes: tuple[str, ...], setup: Setup, label: str) -> Graded:
    """On a worker: grade a submission that was packed as a zip file, with notes of taking it in."""
    with _lock, tempfile.TemporaryDirectory(prefix="submission-") as folder:
        if setup not in _graders:
            _close()
            _graders[setup] = Grader(setup)
            atexit.register(_close)
        archive = Path(folder) / "submission.zip"
        archive.write_bytes(packed)
        root = unpack(archive, Path(folder) / "submission")
        return _graders[setup].grade(Submission(root, notes), label)


def _close() -> None:
    for setup in list(_graders):
        _graders.pop(setup).close()
