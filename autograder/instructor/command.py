"""The instructors' commands of `python -m autograder`; students' downloads have none of them."""

import argparse
import contextlib
import functools
import importlib
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from datasets import term

from .. import KIT
from ..assignment import ASSIGNMENT
from ..engine.command import OK, Bar, add_command, whole, writable
from ..engine.references import TIERS
from . import starter as starter_files
from .rehearsal.bases import BASES

ARCHIVE = "the zip file (default: %(default)s)"
LEADERBOARD = "show mAP and PCK on images that no check uses"
TORCH_INDEX = "index from which the image installs torch (default: its own)"


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands to argparse, see `engine.command.add_command`."""
    command = functools.partial(add_command, commands)
    profiles = ("standard", "classic")
    add = command("references", _later(".storing"),
                  "ask the solution and the known mistakes, and store their answers")
    add("--tier", choices=(*TIERS, "all"), default="public",
        help="inputs: public (default), hidden or both")
    add("--seed", type=_seed, metavar="N", help="of the inputs (default: that of the term; for "
                                                "hidden ones a fresh one, printed)")
    add("--profile", choices=profiles, default=term.PROFILE,
        help="of the grading images (default: %(default)s)")
    add("--solution", type=Path, default=KIT / "solution", metavar="DIR",
        help="the folder that is asked (default: solution/)")
    add("--yes", action="store_true",
        help="the answers to new checks, which are printed, are right")
    add("--all", action="store_true", help="ask everything again, as after a change of the "
        "solution (default: only what is not stored yet or has changed)")

    add = command("starter", _starter, "generate starter/ from solution/")
    add("--check", action="store_true",
        help="write nothing; exit 1 if starter/ is not what solution/ generates")

    command("points", _points, "check points.toml and print what it says")

    add = command("prove", _later(".proof.command"),
                  "show that the checks are right: all four parts, or those that are named")
    add("--mistakes", nargs="?", const="", metavar="NAME",
        help="each known mistake (or those that are named: A,B) is caught, named, and costs its "
             "own task only")
    add("--mutants", action="store_true", help="each small change of the solution's code is caught")
    add("--repeats", action="store_true", help="50 grades of the solution are all the same")
    add("--spread", action="store_true", help="scores hardly depend on which hidden inputs are "
                                              "drawn: 20 draws, 36 submissions")
    add("--sample", type=whole, nargs="?", const=10, default=1, metavar="N",
        help="try only every N-th (without a number: every tenth)")
    add("--out", type=Path, default=KIT / "build" / "proof", metavar="DIR",
        help="folder of what was found (default: build/proof)")

    add = command("audit", _later(".proof.command", "audit"),
                  "look for what no check asks, by random inputs")
    add("--functions", metavar="NAME,...",
        help="which ones (default: all that have one right answer)")
    add("--tries", type=whole, default=10_000, metavar="N",
        help="inputs of a function (default: %(default)s)")
    add("--seed", type=_seed, default=0, metavar="N", help="of the inputs (default: %(default)s)")
    add("--case", action="store_true", help="write a check of each input that shows a difference")

    add = command("package", _package, "build autograder.zip, the upload to Gradescope")
    add("--out", type=Path, default=Path("autograder.zip"), metavar="FILE", help=ARCHIVE)
    add("--hidden-seed", type=_seed, metavar="N",
        help="of the hidden inputs (default: a fresh one, printed)")
    add("--leaderboard", action="store_true", help=LEADERBOARD)
    add("--torch-index", type=_url, default="", metavar="URL", help=TORCH_INDEX)

    add = command("release", _release, "build what students download")
    add("--out", type=Path, default=Path("homework1.zip"), metavar="FILE", help=ARCHIVE)

    add = command("dry-run", _rehearse,
                  "rehearse Gradescope with an archive and a submission (Linux, root)")
    add("submission", type=Path, help="folder of what a student hands in")
    add("--zip", type=_path, metavar="FILE",
        help="the archive (default: the newest one, of a term or of `package`)")
    add("--base", choices=("here", *BASES), default="here",
        help="this machine's Python, or a bare system where setup.sh installs "
             "(default: %(default)s)")
    add("--functional", action="store_true",
        help="leave results/ out: takes seconds, grades no trained network")
    for limit, unit, default in (("cpus", "N", 0.5), ("memory", "MB", 768),
                                 ("timeout", "SECONDS", 600)):
        add(f"--{limit}", type=_above_zero, default=default, metavar=unit,
            help="limit of the container (default: %(default)s)")

    add = command("new-term", _new_term, "make a term: data, networks, references, proof, archives")
    add("--seed", type=_seed, required=True, metavar="N", help="of data and public references")
    add("--profile", choices=profiles, default=term.PROFILE,
        help="of the data (default: %(default)s)")
    add("--hidden-seed", type=_seed, metavar="N",
        help="of the hidden inputs (default: a fresh one, kept for a later call)")
    add("--keep-weights", action="store_true",
        help="keep the networks of the former term, and train nothing")
    add("--leaderboard", action="store_true", help=LEADERBOARD)
    add("--torch-index", type=_url, default="", metavar="URL", help=TORCH_INDEX)
    add("--proof", choices=("full", "sample", "none"), default="full",
        help="how much of the proof to run (default: %(default)s)")
    add("--no-adopt", dest="adopt", action="store_false",
        help="do not copy the results into the checkout at the end")
    add("--out", type=Path, metavar="DIR", help="folder of the term (default: build/term-SEED)")

    add = command("correction", _correct,
                  "mend a term: archives with a new version, and whose score changes")
    add("submissions", type=_path, metavar="SUBMISSIONS",
        help="what has been handed in, as `classroom` takes it")
    add("--seed", type=_seed, required=True, metavar="N", help="of the term")
    add("--grades", type=_path, required=True, metavar="OLD", help="folder of the earlier grades")
    add("--note", required=True, metavar="TEXT", help="what students read, in a sentence")
    add("--lower", action="store_true", help="scores may become lower")

    add = command("classroom", _later(".classroom.command"),
                  "grade a class: an export of Gradescope or Canvas, repositories or zip files")
    add("submissions", type=_path, metavar="SUBMISSIONS",
        help="an export of Gradescope or Canvas (zip or folder), or a folder with a folder or a "
             "zip file per student")
    add("--out", type=Path, required=True, metavar="GRADES",
        help="folder of the grades; what is in it already is not graded again")
    add("--jobs", type=whole, default=os.cpu_count() or 1, metavar="N",
        help="submissions side by side (default: the cores)")
    add("--tier", choices=("public", "all"),
        help="inputs: only the public ones, or the hidden ones too (default: those too, where "
             "their references are in the checkout)")
    add("--only", metavar="TASK", nargs="+",
        help="only a problem (1), task (1.3) or check (1.3.2), or several; such grades need a "
             "folder of their own")
    add("--functional", action="store_true",
        help="leave out checks that read results/: training logs and weights")
    add("--time-limit", type=whole, default=900, metavar="SECONDS",
        help="for one submission; its remaining checks are left out then (default: %(default)s)")
    add("--compare", type=Path, metavar="OLD",
        help="folder of earlier grades: say whose score changes, and why")
    add("--earlier", type=Path, metavar="DIR",
        help="work of former years, a folder each, to look for similar code in")
    add("--roster", type=_path, metavar="FILE",
        help="who is in the class (CSV): a column number or email; a gradebook of Canvas")
    add("--title", default="Homework 1",
        help="the name of the assignment on Canvas and Gradescope (default: %(default)s)")
    add("--overrides", type=_path, metavar="FILE",
        help="what you decide by hand (CSV): student,what,value,reason; what is a check, "
             "'late days' or 'total'")
    add("--anonymous", action="store_true",
        help="class.html without names, ids and links to students")
    add("--dask", metavar="SCHEDULER",
        help="grade on a Dask cluster, for example tcp://10.0.0.1:8786")
    add("--require-isolation", default=True, action=argparse.BooleanOptionalAction,
        help="refuse to run without the layers that Gradescope has")

    add = command("quiz", _quiz, "make a sheet for every student, with questions on their own code")
    add("submissions", type=_path, metavar="CLASS",
        help="what has been handed in, as `classroom` takes it")
    add("--items", type=whole, default=5, metavar="N",
        help="questions on a sheet (default: %(default)s)")
    add("--seed", type=_seed, metavar="N", help="the same one gives the same sheets "
                                                "(default: a fresh one, printed)")
    add("--roster", type=_path, metavar="FILE", help="with whose names the sheets are written")
    add("--out", type=Path, default=KIT / "build" / "quiz", metavar="DIR",
        help="folder of the sheets (default: build/quiz)")


def _later(module: str, name: str = "run") -> Callable[[argparse.Namespace], int]:
    """A function of a module, which is imported when it is called."""
    return lambda options: getattr(importlib.import_module(module, __package__), name)(options)


def _path(text: str) -> Path:
    if not text:  # of an empty shell variable; it would mean the current folder
        raise argparse.ArgumentTypeError("no file or folder is named")
    return Path(text)


def _above_zero(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")


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


def _points(options: argparse.Namespace) -> int:
    from .classroom.manual import questions

    checks = ASSIGNMENT.checks
    questions()
    for task in ASSIGNMENT.tasks.values():
        own = [check for check in checks if check.task is task]
        if not own:  # switched off
            continue
        print(f"{task.number:<5}{task.title:<34}{sum(check.points for check in own):>5g} in "
              f"{len(own)} check{'s' * (len(own) != 1)}")
        for check in own:
            extra = " extra" * check.extra
            print(f"     {check.number:<8}{check.points:>4g}{extra}  {check.sentence}")
    print(f"{'':<39}{ASSIGNMENT.points.total:>5g} in {len(checks)} checks")
    if manual := {name: most for name, most in ASSIGNMENT.points.manual.items() if most}:
        print(f"{'':<39}{sum(manual.values()):>5g} more from a person, for {', '.join(manual)}")
    if late := ASSIGNMENT.points.late:
        print(f"late work: due {late.due}, {late.per_day:.0%} of all points a day after "
              f"{late.free_days:g} free ones"
              + (f", nothing after {late.last_day:g}" if late.last_day is not None else ""))
    for number, rule in ASSIGNMENT.points.accuracy.items():
        if number not in ASSIGNMENT.by_number:  # switched off
            continue
        floor = (f"{rule.floor:.0%}" if rule.floor is not None else
                 f"the mean pose + {rule.standard_errors:g} standard errors")
        print(f"{number}: nothing at {floor}, all from {rule.target:.0%} of the reference's "
              f"accuracy, in steps of {rule.step:g}")
    return OK


def _rehearse(options: argparse.Namespace) -> int:
    from .rehearsal.rehearse import about, newest, rehearse, summary

    archive = options.zip or newest(KIT)
    print(about(archive), flush=True)
    report = rehearse(archive, options.submission, options.base, options.functional,
                      options.cpus, int(options.memory), options.timeout)
    print(summary(report, options.timeout, int(options.memory)))
    return 1 if report.problems else OK


def _new_term(options: argparse.Namespace) -> int:
    from .held import held
    from .new_term.kit_copy import adopt
    from .new_term.make import begin, make

    out = options.out or KIT / "build" / f"term-{options.seed}"
    with held(out):
        made = begin(KIT, out, options.hidden_seed, seed=options.seed, profile=options.profile,
                     keep_weights=options.keep_weights, leaderboard=options.leaderboard,
                     torch_index=options.torch_index, proof=options.proof)
        if not make(made):
            return 1
        if options.adopt:
            changed = adopt(made)
            print(f"The checkout has taken over {len(changed)} files" + "".join(
                f"\n  {name}" for name in changed))
    return OK


def _correct(options: argparse.Namespace) -> int:
    from .correction import NotCorrected, correct

    try:
        print(correct(options.seed, options.note, options.submissions, options.grades,
                      options.lower))
    except NotCorrected as reason:
        print(f"NOT CORRECTED: {reason}")
        return 1
    return OK


def _quiz(options: argparse.Namespace) -> int:
    from ..engine.sandbox.pool import Workers
    from .classroom.intake import find
    from .classroom.roster import expected_of, matched, read_roster
    from .held import made as make_folder
    from .quiz import sheets

    make_folder(options.out)
    handed = find(options.submissions)
    people = read_roster(options.roster) if options.roster else []
    names = {student: who.name for student, who in matched(people, expected_of(handed)).items()}
    seed = secrets.randbits(32) if options.seed is None else options.seed
    with Workers(ASSIGNMENT) as workers:
        drawn = sheets.drawn(seed, term.PROFILE, KIT / "solution", workers)
        made = [sheets.sheet(replace(student, name=names.get(student.id) or student.name), each,
                             drawn, options.items, seed, workers)
                for each in Bar(handed, desc="sheets", unit="submission")
                for student in each.students]
    for sheet in made:
        if sheet.problem:
            print(f"{sheet.student}: {sheet.problem}")
    made = [sheet for sheet in made if sheet.asked]
    print(f"{len(made)} sheets of seed {seed}; wrote "
          f"{', '.join(map(str, sheets.write(made, options.out, seed)))}")
    return OK


def _package(options: argparse.Namespace) -> int:
    from .packaging import upload
    from .storing import hidden_seed

    writable(options.out)
    seed = hidden_seed(options.hidden_seed)
    print("running the solution on hidden inputs (minutes)", file=sys.stderr)
    size = upload.build(options.out, seed, options.leaderboard, options.torch_index)
    print(f"wrote {options.out} ({size / 1e6:.1f} MB)")
    print(upload.image(options.torch_index))
    print(f"hidden seed: {seed} (keep it: with it the same archive can be built again, and whoever "
          "has it can draw the hidden inputs)")
    return OK


def _release(options: argparse.Namespace) -> int:
    from .packaging import release

    writable(options.out)
    size = release.build(options.out)
    print(f"wrote {options.out} ({size / 1e6:.1f} MB)")
    return OK


def _url(text: str) -> str:
    if text and "://" not in text:  # the image would fail on it, days later
        raise argparse.ArgumentTypeError(f"must be the URL of a package index, got {text}")
    return text


def _seed(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0, got {text}")
    return int(text)
