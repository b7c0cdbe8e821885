"""`python -m autograder`: grade, references, starter, doctor.

Errors of use are one line on stderr and exit 2.
"""

import argparse
import functools
import json
import sys
from pathlib import Path

from tqdm import tqdm

from . import starter as starter_files
from .compare import Wrong
from .references import TIERS, BadReferences
from .submission import NoSubmission
from .workers import WorkersBroke

KIT = Path(__file__).resolve().parents[1]
OK, USAGE, BROKE = 0, 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 bad use, 3 the grader itself broke."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (NoSubmission, BadReferences, starter_files.BadMarkers, Wrong, OSError,
            ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except WorkersBroke as error:
        print(f"error: the grader broke: {error}", file=sys.stderr)
        return BROKE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
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
    grade.add_argument("--jobs", type=_positive, help="checks side by side (default: the cores)")
    grade.add_argument("--threads", type=_positive, default=1, help="torch threads per check")
    grade.add_argument("--budget", type=_positive, default=900, metavar="SECONDS",
                       help="give up remaining checks after this long (default 900)")
    grade.add_argument("--workers", choices=("fork", "spawn"),
                       help="how worker processes start (default: fork on Linux)")
    grade.add_argument("--require-isolation", action="store_true",
                       help="refuse to run without the layers that hold hostile code")
    grade.set_defaults(run=_grade)

    references = commands.add_parser(
        "references", help="run the solution and store questions and answers")
    references.add_argument("--tier", choices=(*TIERS, "all"), default="public")
    references.add_argument("--seed", type=int, default=None,
                            help="default: 641 for public; a fresh one for hidden, printed")
    references.add_argument("--profile", choices=("standard", "classic"), default="standard")
    references.add_argument("--solution", type=Path, default=KIT / "solution")
    references.set_defaults(run=_references)

    starter = commands.add_parser("starter", help="generate starter/ from solution/")
    starter.add_argument("--check", action="store_true",
                         help="write nothing; exit 1 if starter/ has drifted")
    starter.set_defaults(run=_starter)

    doctor = commands.add_parser("doctor", help="say how student code is locked down here")
    doctor.add_argument("--workers", choices=("fork", "spawn"))
    doctor.set_defaults(run=_doctor)
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
    if options.json is not None and not options.json.absolute().parent.is_dir():
        raise ValueError(f"the folder of {options.json} does not exist")
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
    if outcome.grader_broke:
        print("error: the grader itself broke on some checks, see above", file=sys.stderr)
        return BROKE
    return OK


def _references(options: argparse.Namespace) -> int:
    import secrets

    from .references import build, save

    if options.seed is not None and options.seed < 0:
        raise ValueError(f"--seed must not be negative, got {options.seed}")
    tiers = TIERS if options.tier == "all" else (options.tier,)
    for tier in tiers:
        seed = options.seed
        if seed is None:
            seed = 641 if tier == "public" else secrets.randbelow(2**31)
        bar = functools.partial(tqdm, desc=f"{tier} references", unit="check")
        made = build(options.solution, tier, seed, {"profile": options.profile}, bar)
        paths = save(made)
        size = sum(path.stat().st_size for path in paths)
        print(f"{tier} references for seed {seed}: {len(made.by_number)} checks, "
              f"{size / 1e6:.1f} MB in {paths[0].parent}")
        accuracy = {number: r.expected for number, r in made.by_number.items()
                    if r.question.truth is not None}
        print(json.dumps(accuracy))
    return OK


def _starter(options: argparse.Namespace) -> int:
    solution, starter = KIT / "solution", KIT / "starter"
    if options.check:
        messages = starter_files.differences(solution, starter)
        for message in messages:
            print(message)
        print("starter/ has drifted: run `python -m autograder starter`" if messages
              else "starter/ is what solution/ generates")
        return 1 if messages else OK
    names = starter_files.write(solution, starter)
    print(f"wrote {len(names)} files to {starter}")
    return OK


def _doctor(options: argparse.Namespace) -> int:
    import tempfile

    from .submission import Submission
    from .worker.layers import LAYERS, REQUIRED
    from .workers import DEFAULT_KIND, Workers

    with tempfile.TemporaryDirectory() as folder, Workers(
            Submission(Path(folder), ()), kind=options.workers or DEFAULT_KIND) as workers:
        layers = workers.layers()
    print("What stands between student code and this machine:")
    for name, stops in LAYERS.items():
        reason = layers[name]
        needed = " (required by --require-isolation)" if name in REQUIRED else ""
        print(f"  {'active ' if reason is None else 'MISSING'}  {name:<18} stops: {stops}{needed}")
        if reason is not None:
            print(f"           {'':<18} missing because: {reason}")
    return OK


if __name__ == "__main__":
    sys.exit(main())
