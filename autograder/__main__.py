"""Grade homework: commands for students, and for instructors where their part of the kit is there.

A mistake in the call is told on stderr, with exit code 2.
"""

import argparse
import importlib.util
import os
import signal
import sys

from . import THE_ASSIGNMENT
from .engine import command
from .engine.assignment import load
from .engine.compare import Wrong
from .engine.sandbox.pool import WorkersBroke
from .engine.scratch import scratch
from .engine.text import show_anyway


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 bad use, 3 the grader itself broke."""
    options = _parser().parse_args(arguments)
    try:
        with scratch():
            code = int(options.run(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `| head` has read enough; Python would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {f'{error.filename}: {error.strerror}' if error.filename else error}",
              file=sys.stderr)
        return command.USAGE
    except (Wrong, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return command.USAGE
    except ModuleNotFoundError as error:
        print(f"error: {error}: `make` installs what its commands need, or pip with "
              "-r requirements-dev.txt", file=sys.stderr)
        return command.USAGE
    except WorkersBroke as error:
        print(f"error: the grader broke: {error}", file=sys.stderr)
        return command.BROKE
    except KeyboardInterrupt as stop:
        print(f"interrupted{': ' * bool(stop.args)}{stop}", file=sys.stderr)
        return command.INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    instructor = f"{__package__}.instructor"  # never leaves home, so that nothing imports it
    at_home = importlib.util.find_spec(instructor) is not None
    command.add_commands(commands, load(THE_ASSIGNMENT), at_home)
    if at_home:
        importlib.import_module(f"{instructor}.command").add_commands(commands)
    return parser


def _end_as_on_ctrl_c() -> None:
    """When a batch system says that time is up, or the terminal goes, leave nothing behind."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # not under nohup
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    show_anyway()
    _end_as_on_ctrl_c()
    sys.exit(main())
