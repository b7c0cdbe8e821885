"""What `python -m autograder classroom` does: grade, write the folder of grades, sum it up."""

import argparse
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ... import KIT
from ...assignment import ASSIGNMENT
from ...engine.archive import NoSubmission, opened
from ...engine.command import BROKE, OK, USAGE, Bar, chosen
from ...engine.files import write_whole
from ...engine.references import TIERS, load
from ...engine.text import line
from ..held import held
from . import changes, hand_back, manual, similarity, unnamed, weights
from .adjust import adjusted, read_overrides
from .book import KEPT, Book, write_grades
from .class_page import page
from .cluster import Cluster
from .entry import GRADED, GRADER_BROKE, NO_SUBMISSION, Entry
from .grade_class import Local, grade_class
from .grader import Setup
from .intake import Handed, find
from .roster import doubled, doubtful, expected_of, matched, missing, named, read_roster
from .statistics import students
from .teaching import GUIDE, kept, write_guide

FUNCTIONAL = "functional"


def run(options: argparse.Namespace) -> int:
    """Grade, write the folder of grades, and print a summary; the exit code."""
    setup = _setup(options)
    old, late = _old(options), ASSIGNMENT.points.late
    people = read_roster(options.roster) if options.roster else []
    overrides = read_overrides(options.overrides) if options.overrides else []
    similarity.library()  # if it is missing, say so before hours of grading
    if people and {*hand_back.IDENTITY[:2]} <= people[0].row.keys() and not hand_back.column(
            options.title, people[0].row):
        print(f"The gradebook {options.roster} has no column {options.title!r}: Canvas would make "
              "a new assignment. --title names another one", file=sys.stderr)
    handed = find(options.submissions)
    former = find(options.earlier) if options.earlier is not None else []
    if options.submissions.is_dir() and options.out.resolve().is_relative_to(
            options.submissions.resolve()):
        raise ValueError("--out lies in the folder of submissions, and would be taken for one of "
                         "them: name another folder")
    print("On public and hidden inputs, as on Gradescope" if setup.tiers == TIERS else
          "On public inputs alone, of which students have the answers: see the manual on --tier",
          file=sys.stderr)
    expected = expected_of(handed, setup.numbers or [check.number for check in ASSIGNMENT.checks])
    absent = missing(people, matched(people, expected))
    found = matched(people, [*expected, *absent])
    with held(options.out):
        # Tables that do not fit are told before hours of grading.
        given = manual.read(options.out / manual.TABLE, [*expected, *absent])
        adjusted(manual.merged([*expected, *absent], given), late, overrides, found)
        version = setup.version()
        book = Book(options.out, version)
        backend: Local | Cluster = (Cluster(options.dask, setup, version) if options.dask
                                    else Local(setup, min(options.jobs, len(handed))))
        with backend:
            entries, works, networks = _grade(handed, book, setup, backend)
        graded = sorted(entries, key=lambda entry: entry.student)
        full = max((entry.possible for entry in graded), default=0.0)
        entries = [*graded, *(replace(entry, possible=full) for entry in absent)]
        remarks = {student.id: [each.remark] * bool(each.remark)
                   for each in handed for student in each.students}
        for student, says in [*doubled(found).items(), *doubtful(expected, found).items()]:
            remarks.setdefault(student, []).append(says)
        entries = [replace(entry, notes=[*entry.notes, *remarks.get(entry.student, ())])
                   for entry in entries]
        entries = named(adjusted(manual.merged(entries, given), late, overrides, found), found)
        manual.write_empty(entries, options.out / manual.TABLE)
        manual.write_feedback(entries, given, options.out)
        manual.write_page(entries, options.out / manual.ANSWERS, options.anonymous)
        hand_back.write(entries, found, late, options.out, options.title)
        write_grades(entries, options.out / "grades.csv")
        pairs = _similar(works, former)
        alike = weights.alike(networks, weights.read(KIT / "solution"))
        similarity.save(pairs, options.out, alike)
        write_whole(options.out / "class.html", page(
            entries, pairs, options.anonymous,
            unnamed.find(entries, kept()[0].by_number), alike))
        write_guide(entries, options.out / GUIDE)
        print(_summary(entries, remarks))
        if unread := manual.unread(entries, given):
            some = [f"{student} {', '.join(names)}" for student, names in unread.items()][:5]
            print(f"answers of {students(len(unread))} have no points yet and count 0: "
                  f"{'; '.join(some)}{' ...' * (len(unread) > len(some))}")
        if old is not None:
            differ = changes.between(old, graded)
            changes.write(differ, options.out / changes.FILE)
            print(f"\nAgainst {options.compare}: "
                  + "\n".join(changes.summary(differ, old, graded)))
        files = ("grades.csv", "class.html", GUIDE, manual.ANSWERS, manual.TABLE, hand_back.CANVAS,
                 hand_back.GRADESCOPE, hand_back.PAGES)
        print(f"wrote {', '.join(files)} and {len(graded)} folders in {options.out}/students")
        unknown = [entry.student for entry in graded if people and entry.student not in found]
        if unknown:
            print(f"{len(unknown)} not on the roster: {', '.join(unknown)}")
        others = book.others(graded)
        if others:
            print(f"{len(others)} folders there belong to nobody in {options.submissions}, and "
                  f"stand in neither file: {', '.join(others[:5])}{' ...' * (len(others) > 5)}")
        if all(entry.status == NO_SUBMISSION for entry in graded):
            print(f"error: nothing in {options.submissions} could be graded: is it a class?",
                  file=sys.stderr)
            return USAGE
        return BROKE if any(entry.status == GRADER_BROKE or entry.error.startswith(KEPT)
                            for entry in graded) else OK


def _setup(options: argparse.Namespace) -> Setup:
    only = chosen(ASSIGNMENT, options.only)
    if options.require_isolation and not options.dask and getattr(os, "geteuid", lambda: 1)():
        raise ValueError("student code gets a user of its own only where the grader runs as root: "
                         "use sudo, or --no-require-isolation for work that you trust")
    hidden = (ASSIGNMENT.references / f"{TIERS[1]}.json").is_file()
    tiers = TIERS if (options.tier or ("all" if hidden else "")) == "all" else TIERS[:1]
    references = [load(ASSIGNMENT, tier) for tier in tiers]  # refuse before anything starts
    numbers = [check.number for check in ASSIGNMENT.selected(only)]
    if options.functional:
        numbers = [number for number in numbers
                   if not references[0].by_number[number].question.results]
    if not numbers:
        raise ValueError(f"all checks of {' '.join(only or ())} read results/, which --functional "
                         "leaves out")
    words = [*[FUNCTIONAL] * options.functional, *(only or ())]
    return Setup(tiers, tuple(numbers) if words else None, " ".join(words),
                 float(options.time_limit), options.require_isolation)


def _old(options: argparse.Namespace) -> dict[str, Entry] | None:
    for path in (options.compare, options.earlier):
        if path is not None and not path.is_dir():
            raise ValueError(f"{path} is not a folder")
    if options.compare is None:
        return None
    if options.compare.resolve() == options.out.resolve():
        raise ValueError("--compare is the folder that --out writes to: "
                         "write the new grades into another one")
    return changes.earlier(options.compare)


def _grade(handed: list[Handed], book: Book, setup: Setup,
           backend: Local | Cluster) -> tuple[list[Entry], dict[str, similarity.Work],
                                              dict[str, dict[str, weights.Weights]]]:
    """Grade all under a progress bar; Ctrl-C leaves what has been graded."""
    entries: list[Entry] = []
    count: Counter[str] = Counter()
    ended = threading.Event()
    with Bar(total=len(handed), desc="grading", unit="submission") as bar:
        def done(own: list[Entry], kept: bool) -> None:
            entries.extend(own)
            count["done"] += 1
            count["kept"] += kept
            count["failures"] += own[0].status != GRADED
            bar.set_postfix_str(f"{count['failures']} not graded", refresh=False)
            bar.update()

        def tick() -> None:  # a submission takes seconds or minutes, and the clock goes on
            while not ended.wait(1 if bar.watched else 60):
                bar.refresh()

        threading.Thread(target=tick, daemon=True).start()
        try:
            works, networks = grade_class(handed, book, setup, backend, done)
        except KeyboardInterrupt:
            bar.close()
            raise KeyboardInterrupt(
                f"{count['done']} of {len(handed)} submissions are in {book.folder}: "
                "the same command goes on from there") from None
        finally:
            ended.set()
    if count["kept"]:
        print(f"{count['kept']} of {len(handed)} submissions have not changed since they were "
              "graded")
    return entries, works, networks


def _similar(works: dict[str, similarity.Work], former: Sequence[Handed]) -> list[similarity.Pair]:
    earlier = {}
    for each in former:
        with tempfile.TemporaryDirectory(prefix="handed-") as folder:
            name = ", ".join(student.id for student in each.students)
            try:
                earlier[name] = similarity.sources(
                    opened(each.path, Path(folder) / "unpacked", prefix=each.prefix))
            except NoSubmission as error:
                print(f"earlier work of {name} is left out: {line(error)}", file=sys.stderr)

    return similarity.similar(
        works, similarity.sources(KIT / "starter"), similarity.sources(KIT / "solution"), earlier)


def _summary(entries: list[Entry], remarks: Mapping[str, list[str]]) -> str:
    lines = [f"{entry.student}: {entry.status}{': ' * bool(entry.error)}{entry.error}"
             for entry in entries if entry.error]
    lines += [f"{entry.student}: {remark}" for entry in entries
              for remark in (*remarks.get(entry.student, ()), *entry.adjusted)]
    graded = [entry for entry in entries if entry.status == GRADED]
    counts = Counter(entry.status for entry in entries)
    mean = sum(entry.score for entry in graded) / max(1, len(graded))
    possible = max((entry.possible for entry in graded), default=0)
    lines.append(f"{len(entries)} students: {len(graded)} graded, "
                 f"{counts[NO_SUBMISSION]} without a submission, "
                 f"{counts[GRADER_BROKE]} on whom the grader broke; "
                 f"mean {mean:.1f} of {possible:g} points")
    return "\n".join(lines)
