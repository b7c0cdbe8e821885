"""One question, answered in a process of its own: import the student's code, call it, reply.

The process is thrown away afterwards, so nothing a check does (globals, random state, patched
libraries, threads, files in the working directory) can reach the next one.
"""

import builtins
import contextlib
import importlib
import inspect
import linecache
import os
import random
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import matplotlib
import numpy as np
import torch
from matplotlib.backends import backend_registry

from ... import KIT
from . import eager, recording, whereabouts, wire
from .interpreter import imported, streams
from .probes import probes_of
from .student import Absentees, AbsentModule, Missing, Student, Unusable

# Errors whose message is a sentence of the kit -> what the stage says then.
OURS = {Missing: "missing", Unusable: "unusable"}


def serve(stream_in: BinaryIO, stream_out: BinaryIO, shared: bool = False) -> None:
    """Read one job frame, answer it, write one reply frame. A process that is `shared` by several
    jobs (where fork is missing) forgets the modules of the previous one.

    A job has `assignment` (its package), `folder` (the private copy of the problem's folder),
    `graded` (modules in it that are files of a task), `probe`, `inputs`, `seed`, `threads` and
    `earlier` (see `recording.prepare`), and where a second probe looks at an answer, the probe that
    was `asked`, and the `answer` as the bytes of its frame. The reply is
    `{"value": ...}` or `{"error": {...}}`. Beside the value is `earlier` where functions of earlier
    tasks are recorded, and `called` where they are answered from a record.
    """
    job = wire.read_frame(stream_in, _tensor)
    stream_out.write(_answer(job, shared))
    stream_out.flush()


def _answer(job: dict[str, Any], shared: bool) -> bytes:
    folder = Path(job["folder"])
    # Imported before the student's folder is on the path.
    probes, functions = probes_of(job["assignment"]), recording.recorded_by(job["assignment"])
    if shared:
        make_room()
    _settle(folder, job, shared)
    if not shared:
        whereabouts.keep(folder.parent)
    student = Student(folder, job["graded"])
    try:
        records, called = recording.prepare(student, job["earlier"], job["inputs"], functions)
        if "answer" in job:  # nothing of it was looked into yet
            frame = job["answer"].numpy().tobytes()
            job["inputs"].update(probe=job["asked"], answer=wire.unpack(frame, _tensor)["value"])
        value = probes[job["probe"]](student, **job["inputs"])
        if records:
            tables = {record.name: record.table() for record in records if record.worth_keeping}
            return wire.pack({"value": value, "earlier": tables}, _array)
        more = {"called": sorted(called)} if job["earlier"] else {}
        return wire.pack({"value": value, **more}, _array)
    except wire.WireError as error:
        told = Unusable(f"What your code returned cannot be compared: it is {error}")
        return wire.pack({"error": _describe(told, student)})
    except BaseException as error:  # sys.exit() and Ctrl-C from student code are answers as well
        return wire.pack({"error": _describe(error, student)})


def _settle(folder: Path, job: dict[str, Any], shared: bool) -> None:
    """Make the process a fresh place for this submission."""
    os.chdir(folder)
    os.environ.update(HOME=str(folder.parent), TMPDIR=str(folder.parent))
    tempfile.tempdir = str(folder.parent)  # an import before the fork may have set it
    if shared:
        _forget(folder.parent.parent, folder.name)
        importlib.invalidate_caches()
        if "matplotlib.pyplot" in sys.modules:  # what draws next must not draw on these figures
            sys.modules["matplotlib.pyplot"].close("all")
    sys.path[:0] = [str(folder), str(folder.parent)]
    SET_THREADS(job["threads"])
    # torch.manual_seed also sets up the generators of other devices: 3 ms in a fresh process.
    (torch.manual_seed if shared else torch.default_generator.manual_seed)(job["seed"])
    np.random.seed(job["seed"])
    random.seed(job["seed"])


def make_room() -> None:
    """Forget the kit's other packages (`datasets`): a submission may have a module of that name.

    Probes that have imported them keep what they have.
    """
    own = {path.parent.name for path in KIT.glob("*/__init__.py")} - {__name__.split(".")[0]}
    for name in [name for name in sys.modules if name.split(".")[0] in own]:
        del sys.modules[name]


def _forget(root: Path, package: str) -> None:
    """Drop the modules and path entries of earlier jobs, which lie somewhere under `root`, and the
    problem's folder as a package."""
    sys.modules.pop(package, None)
    inside = str(root) + os.sep
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(inside)]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Absentees)]
    for name, module in list(sys.modules.items()):
        if isinstance(module, AbsentModule) or str(
                getattr(module, "__file__", None) or "").startswith(inside):
            del sys.modules[name]


def _describe(error: BaseException, student: Student) -> dict[str, Any]:
    """What went wrong, and where in the student's own files."""
    if any(error is other for other in student.in_vain):
        student.stage = "import"
    inside = str(student.folder.parent) + os.sep
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)
              if frame.f_code.co_filename.startswith(inside)]
    own: list[tuple[str, int | None, str | None]] = [
        (code.co_filename, line, code.co_name) for code, line in frames]
    try:
        message = str(error)
    except Exception:  # of the student's own class
        message = ""
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(inside):
        own.append((str(error.filename), error.lineno, None))
        message = str(error.msg)  # without the place, which is told beside it
    description: dict[str, Any] = {
        "stage": next((stage for kind, stage in OURS.items() if isinstance(error, kind)),
                      student.stage),
        "type": " ".join(type(error).__name__.split()),
        "message": message.replace(inside, "")[:500],  # import errors name the file's path
        "file": None,
        "line": None,
        "code": None,
        "caller": None,  # in another file
        "function": None,
    }
    place = own[-1] if own else None
    # What a file does by itself, also in the body of a class.
    doing = [frame for frame, (code, _) in zip(own, frames)
             if not code.co_flags & inspect.CO_OPTIMIZED]
    if place and student.stage == "import" and doing and place[2]:
        below = place != doing[-1]
        if below or isinstance(error, OSError):
            where = f", raised in {_relative(place[0], student)}, line {place[1]}" if below else ""
            description["message"] += f"{where}{whereabouts.BELOW}"
        place = doing[-1]  # what the file does by itself, not what it calls for that
    if place:
        file, line, description["function"] = place
        description["file"] = _relative(file, student)
        description["line"] = line
        description["code"] = _code(file, line)
        caller = next((frame for frame in reversed(own) if frame[0] != file), None)
        if caller and student.stage == "run":
            description["caller"] = (f"{_relative(caller[0], student)}, line {caller[1]}: "
                                     f"`{_code(*caller[:2])}`")
    return description


def _code(file: str, line: int | None) -> str:
    with contextlib.suppress(LookupError, ValueError):  # its encoding is none of texts
        return linecache.getline(file, line or 0).strip()[:200]
    return ""


def _relative(file: str, student: Student) -> str:
    return Path(file).relative_to(student.folder.parent).as_posix()


def _tensor(array: wire.Array) -> torch.Tensor:
    return torch.from_numpy(array.copy())


def _array(value: Any) -> wire.Array | None:
    if not isinstance(value, torch.Tensor):
        return None
    value = value.detach().cpu()
    if value.layout != torch.strided:  # sparse: the same values
        value = value.to_dense()
    array: wire.Array = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return array


SET_THREADS = torch.set_num_threads


def preload(assignment: str) -> None:
    """Import the probes of an assignment (its package), and keep torch's compiler out."""
    probes_of(assignment)
    recording.recorded_by(assignment)
    # How many threads there are is the grader's to say: more than a process may have end it.
    torch.set_num_threads = torch.set_num_interop_threads = (  # type: ignore[assignment]
        lambda nthreads: None)
    # There is no screen: which backend is asked for, in whatever way, means nothing.
    backend_registry.load_backend_module = (  # type: ignore[method-assign]
        lambda _: importlib.import_module("matplotlib.backends.backend_agg"))
    make_room()
    eager.stand_in()


# Where student code may leave something that other tasks meet.
SPACES = (builtins, random, np, np.random, torch, torch.Tensor, torch.nn, torch.nn.Module,
          torch.nn.functional, torch.optim, matplotlib.rcParams)


def _left() -> tuple[list[dict[str, Any]], list[Any]]:
    """What is in these places, and the switches of the libraries."""
    return [dict(space if isinstance(space, dict) else vars(space)) for space in SPACES], [
        torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_default_device(),
        torch.are_deterministic_algorithms_enabled(), np.geterr(), threading.active_count()]


def _is_as(before: tuple[list[dict[str, Any]], list[Any]]) -> bool:
    """Whether nothing is left behind since then; a module may have loaded more of itself."""
    places, switches = _left()
    return switches == before[1] and all(
        all(now.get(name) is value for name, value in old.items())
        and (isinstance(space, ModuleType) or len(now) == len(old))
        for space, old, now in zip(SPACES, before[0], places))


def main(assignment: str) -> None:
    """Serve jobs from stdin until it closes: the worker where fork is missing or not safe."""
    stream_in, stream_out = streams()
    preload(assignment)
    imported()
    before = _left()
    stream_out.write(wire.pack({"ready": True}))
    stream_out.flush()
    while True:
        try:
            serve(stream_in, stream_out, shared=True)
            # The grader has just drawn this token: student code could not have sent it before.
            word = "pong" if _is_as(before) else "left"
            stream_out.write(wire.pack({word: wire.read_frame(stream_in)["ping"]}))
            stream_out.flush()
        except EOFError:
            return
