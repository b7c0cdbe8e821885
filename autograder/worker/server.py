"""A warm process that forks one child per question (Linux).

Importing torch takes seconds and hundreds of megabytes; a fork of a process that has imported it
takes milliseconds and shares the memory. The server runs no student code and no tensor operation
itself: it imports, forks, and says how each child ended.

Control messages (one JSON object per packet of a SEQPACKET socket):
    to the server:   {"run": job number} with the child's socket attached; {"kill": job number}
    from the server: {"ready": true}; {"ended": job number, "signal": n or null, "cpu": seconds}
"""

import json
import os
import select
import signal
import socket
import sys


def preload() -> None:
    """Import what student code commonly needs, so that every fork has it already."""
    import importlib

    for name in (
        "matplotlib.pyplot", "numpy", "PIL.Image", "PIL.ImageDraw", "PIL.PngImagePlugin", "torch",
        "torch._dynamo", "torch.nn.functional", "torch.optim", "torch.utils.data", "tqdm.auto",
        "argparse", "autograder.worker.child",
    ):  # torch._dynamo: the first optimizer step imports it, at two seconds a child
        importlib.import_module(name)


def main(control_fd: int) -> None:
    """Serve until the grader closes its end of the control socket."""
    control = socket.socket(fileno=control_fd)
    preload()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    control.send(json.dumps({"ready": True}).encode())

    jobs: dict[int, int] = {}  # pid -> job number
    while True:
        readable, _, _ = select.select([control, wake_read], [], [])
        if wake_read in readable:
            os.read(wake_read, 4096)
            _reap(control, jobs)
        if control in readable:
            message, descriptors, _, _ = socket.recv_fds(control, 4096, 1)
            if not message:
                break
            request = json.loads(message)
            if "run" in request:
                pid = os.fork()
                if pid == 0:
                    for descriptor in (control_fd, wake_read, wake_write):
                        os.close(descriptor)
                    _child(descriptors[0])
                os.close(descriptors[0])
                jobs[pid] = request["run"]
            else:
                for pid, job in jobs.items():
                    if job == request["kill"]:
                        _kill(pid)
    for pid in jobs:
        _kill(pid)


def _child(descriptor: int) -> None:
    """In the forked child: answer one question on its socket and vanish."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        from .child import serve

        connection = socket.socket(fileno=descriptor)
        serve(connection.makefile("rb"), connection.makefile("wb"))
    finally:
        os._exit(0)  # no atexit handler, no thread of the student's may run on


def _kill(pid: int) -> None:
    """Kill a child that has not been reaped, and its process group (its pid cannot be reused)."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _reap(control: socket.socket, jobs: dict[int, int]) -> None:
    """Report every child that has ended, and end what it left in its process group."""
    while jobs:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return
        _kill(ended.si_pid)
        _, status, usage = os.wait4(ended.si_pid, 0)
        job = jobs.pop(ended.si_pid, None)
        if job is not None:
            report = {
                "ended": job,
                "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                "cpu": usage.ru_utime + usage.ru_stime,
            }
            control.send(json.dumps(report).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
