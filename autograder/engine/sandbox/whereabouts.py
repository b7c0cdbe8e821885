"""Where code is when its time is up: compiled code lets no handler of Python say it.

Python's own C code writes it into a file of the check instead. Student code may write there as
well, so what is read is a hint for whom to blame, and never worth a point.
"""

import faulthandler
import os
import re
import signal
from pathlib import Path
from typing import Any

NAME = ".time-is-up"
MOST = 2**14  # bytes that are read: a hundred frames take less
BELOW = '; what a file does when it is imported belongs below `if __name__ == "__main__":`'
FRAME = re.compile(r'^  File "(.+)", line (\d{1,6}) in (.+)$', re.M)


def keep(folder: Path) -> None:
    """Have SIGXCPU write the frames into a file of this folder, before its handler is called."""
    file = open(folder / NAME, "w")  # noqa: SIM115 - as long as the process
    faulthandler.register(signal.SIGXCPU, file, all_threads=False, chain=True)


def read(folder: Path) -> dict[str, Any] | None:
    """What the file says, in the form of `child._describe`; None where it names no file of the
    submission, which lies in the same folder."""
    try:
        with open(folder / NAME, errors="replace", opener=lambda path, _: os.open(
                path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
            text = file.read(MOST)
    except OSError:
        return None
    _, _, first = text.partition("(most recent call first):\n")
    first, _, _ = first.partition("(most recent call first):\n")  # it is told every second
    frames = [(Path(name).relative_to(folder).as_posix(), int(line), function[:500])
              for name, line, function in FRAME.findall(first)
              if Path(name).is_relative_to(folder)]
    importing = [frame for frame in frames if frame[2] == "<module>"]
    for name, line, function in importing[:1] or frames[:1]:
        return {"stage": "import" if importing else "run", "type": "TimeUp",
                "message": BELOW * bool(importing), "file": name, "line": line, "code": None,
                "caller": None, "function": function}
    return None
