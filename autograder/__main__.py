"""`python -m autograder`: grade, doctor, and the commands of `autograder.instructor`.

Errors of use are one line on stderr and exit 2.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

from tqdm import tqdm

from .compare import Wrong
from .references import TIERS
from .workers import WorkersBroke

KIT = Path(__file__).resolve().parents[1]
OK, USAGE, BROKE = 0, 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 bad use, 3 the grader itself broke."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (Wrong, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except WorkersBroke as error:
        print(f"error: the grader broke: {error}", file=sys.stderr)
        return BROKE
    except KeyboardInterrupt as stop:
        print(f"interrupted{': ' * bool(stop.args)}{stop}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    grade = commands.add_parser("grade", help="grade a submission and say what to mend")
    grade.add_argument("submission", nargs="?", type=Path, default=KIT / "starter",
                       help="folder with problem1/ and problem2/ (default: starter)")
    grade.add_argument("--tier", choices=("public", "all"), default="public",
                       help="inputs: the public ones, or the hidden ones as well")
    grade.add_argument("--only", metavar="TASK", help="a problem (1), task (1.3) or check (1.3.2)")
    grade.add_argument("--json", type=Path, metavar="FILE", help="also write results.json here")
    grade.add_argument("--html", type=Path, metavar="FILE",
                       help="also write a page with pictures of what failed")
    grade.add_argument("--jobs", type=_positive, help="checks side by side (default: the cores)")
    grade.add_argument("--threads", type=_positive, default=1, help="torch threads per check")
    grade.add_argument("--budget", type=_positive, default=900, metavar="SECONDS",
                       help="give up remaining checks after this long (default 900)")
    grade.add_argument("--workers", choices=("fork", "spawn"),
                       help="how worker processes start (default: fork on Linux)")
    grade.add_argument("--require-isolation", action="store_true",
                       help="refuse to run without the layers that hold hostile code")
    grade.set_defaults(run=_grade)

    doctor = commands.add_parser("doctor", help="say how student code is locked down here")
    doctor.add_argument("--workers", choices=("fork", "spawn"))
    doctor.set_defaults(run=_doctor)

    if importlib.util.find_spec(f"{__package__}.instructor"):  # students' copies go without
        from .instructor import add_commands

        add_commands(commands)
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text}")
    return int(text)


def _grade(options: argparse.Namespace) -> int:
    from .catalogue import known_selections
    from .grade import Options, grade
    from .report import summary

    if options.only is not None and options.only not in known_selections():
        raise ValueError(f"there is no task or check {options.only}: "
                         "name a problem (1), a task (1.3) or a check (1.3.2)")
    for file in (options.json, options.html):
        if file is not None and not file.absolute().parent.is_dir():
            raise ValueError(f"the folder of {file} does not exist")
        if file is not None and file.is_dir():
            raise ValueError(f"{file} is a folder, not a file to write")
    chosen = {"jobs": "slots", "workers": "workers"}
    settings = {field: getattr(options, name) for name, field in chosen.items()
                if getattr(options, name) is not None}
    tiers = TIERS if options.tier == "all" else ("public",)
    print(f"grading {options.submission}", file=sys.stderr)
    with tqdm(unit="check", file=sys.stderr, leave=False, desc="starting workers") as bar:
        def progress(row, total) -> None:
            bar.total = total
            bar.set_description(f"check {row.check.number}", refresh=False)
            bar.update()

        outcome = grade(
            options.submission,
            Options(tiers=tiers, only=options.only, threads=options.threads,
                    budget=options.budget, json=options.json,
                    require_isolation=options.require_isolation, **settings),
            progress,
        )
    print(summary(outcome))
    if options.html is not None:
        from .html.page import write  # brings matplotlib, which nothing else here needs

        write(outcome, options.submission.resolve().name, options.html,
              lambda rows: tqdm(rows, "drawing", file=sys.stderr, leave=False, delay=1))
        print(f"The same with pictures: {options.html}")
    if outcome.grader_broke:
        print("error: the grader itself broke on some checks, see above", file=sys.stderr)
        return BROKE
    return OK


def _doctor(options: argparse.Namespace) -> int:
    from .worker.layers import describe
    from .workers import DEFAULT_KIND, Workers

    with Workers(kind=options.workers or DEFAULT_KIND) as workers:
        layers = workers.layers()
    print("What stands between student code and this machine:")
    print("\n".join(describe(layers)))
    return OK


if __name__ == "__main__":
    sys.exit(main())
