"""Where code is when its time is up: compiled code lets no handler of Python say it.

Python's own C code writes it into a file of the check instead, and the process ends. Student code
may write there as well: what is read is a hint for whom to blame, and never worth a point.
"""

import faulthandler
import os
import re
import signal
from pathlib import Path
from typing import Any, NoReturn

NAME = ".time-is-up"
MOST = 2**14  # bytes that are read: a hundred frames take less
MOST_CODE = 2**20  # bytes of a file that are read for a line of it
BELOW = '; what a file does when it is imported belongs below `if __name__ == "__main__":`'
FRAME = re.compile(r'^  File "(.+)", line (\d{1,6}) in (.+)$', re.M)


def keep(folder: Path) -> None:
    """Have SIGXCPU, which the kernel or the grader sends, faults of compiled code and `os._exit`
    write the frames into a file of this folder before they end the process."""
    file = open(folder / NAME, "w")  # noqa: SIM115 - as long as the process
    faulthandler.register(signal.SIGXCPU, file, all_threads=False, chain=True)
    faulthandler.enable(file, all_threads=False)
    own, leave = os.getpid(), os._exit

    def told(status: int) -> NoReturn:
        if os.getpid() == own:  # and not a fork of it, which ends so
            faulthandler.dump_traceback(file, all_threads=False)
        leave(status)

    os._exit = told


def read(folder: Path, root: Path) -> dict[str, Any] | None:
    """What the file says, in the form of `child._describe`; None where it names no file of the
    submission, which lies in the same folder and, as it was handed in, in `root`."""
    try:
        with open(folder / NAME, errors="replace", opener=lambda path, _: os.open(
                path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
            text = "".join(file.read(MOST).split("(most recent call first):\n")[1:2])
    except OSError:
        return None
    frames = [(Path(name).relative_to(folder).as_posix(), int(line), function[:500])
              for name, line, function in FRAME.findall(text)
              if Path(name).is_relative_to(folder) and ".." not in name]
    if not frames:
        return None
    importing = next((frame for frame in frames if frame[2] == "<module>"), None)
    own, line, function = importing or frames[0]
    # Time is up at any place below the loop without an end.
    message, (other, at, _) = "", frames[0 if importing else -1]
    if (other, at) != (own, line):
        message = (f", {'in' if importing else 'called from'} {f'{other}, ' * (other != own)}line "
                   f"{at}: `{_code(root, other, at)}`")
    message += BELOW * bool(importing)
    return {"stage": "import" if importing else "run", "type": "TimeUp", "message": message,
            "file": own, "line": line, "code": _code(root, own, line), "caller": None,
            "function": function}


def _code(root: Path, file: str, line: int) -> str:
    try:
        with open(root / file, "rb") as content:
            text = content.read(MOST_CODE).decode("utf-8", "replace")
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return ""
    return "".join(text.split("\n")[line - 1:line]).strip()[:200] if line else ""
