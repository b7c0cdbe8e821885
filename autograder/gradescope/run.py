"""Grade what was uploaded: `python -m autograder.gradescope.run`, called by `run_autograder`.

Students read results.json. What is printed here reaches instructors alone.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from .. import THE_ASSIGNMENT
from ..engine import pytest_plugin, results
from ..engine.archive import NoSubmission
from ..engine.assignment import load
from ..engine.files import write_whole
from ..engine.grade import Options, grade
from ..engine.messages import NOT_WRITTEN
from ..engine.points import task_of
from ..engine.references import TIERS
from ..engine.sandbox.layers import describe
from ..engine.sandbox.pool import Workers
from ..engine.submission import take_in
from ..engine.terminal import summary
from ..engine.text import show_anyway
from . import leaderboard

GRADING = 5 / 6  # share of the platform's timeout after which checks that have not run are given up
LEADERBOARD = 11 / 12  # the same for the leaderboard, which comes last


def main(arguments: list[str] | None = None) -> int:
    """Grade one submission; exit code 0, or 1 where a check could not be judged."""
    parser = argparse.ArgumentParser(prog="python -m autograder.gradescope.run")
    parser.add_argument("--root", type=Path, default=Path("/autograder"),
                        help="folder with submission/, results/ and submission_metadata.json")
    parser.add_argument("--timeout", type=float, default=600, help="the platform's, in seconds")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as on Ctrl-C
    begin = time.monotonic()
    path = options.root / "results" / "results.json"
    total = unjudged("", "").possible
    manual = sum(load(THE_ASSIGNMENT).points.manual.values())
    for line in about(options.root / "submission_metadata.json", total, manual):
        print(line)
    source = options.root / "submission"
    try:
        if not source.is_dir():
            raise FileNotFoundError(f"the platform put nothing at {source}")
        complete = judge(source, path, options.timeout * GRADING)
        if (load(THE_ASSIGNMENT).references / f"{leaderboard.NAME}.json").is_file():
            seconds = begin + options.timeout * LEADERBOARD - time.monotonic()
            amend(path, leaderboard=rank(source, seconds))
    except NoSubmission as nothing:
        results.write(nothing_found(nothing), path)
        print(f"nothing to grade: {nothing}")
        return 0
    except KeyboardInterrupt:
        print("the grader was told to end")
        return 128 + signal.SIGTERM
    except Exception:  # what is in results.json by now says that the grader broke
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0 if complete else 1


def judge(source: Path, path: Path, budget: float) -> bool:
    """Grade into results.json at `path`, print the summary, and say whether every check was judged.

    The grade ends here: it holds every answer, and the leaderboard needs the memory.
    """
    outcome = grade(load(THE_ASSIGNMENT), source, Options(
        tiers=TIERS, slots=cpus(), budget=budget, json=path, require_isolation=True,
        before=before(path.parent.parent / "submission_metadata.json")), run=pytest_plugin.run)
    explain(outcome, path)
    print(summary(outcome))
    print("\nWhat stood between the student's code and this container:")
    print("\n".join(describe(outcome.layers)))
    return outcome.complete


def explain(outcome: results.Grade, path: Path) -> None:
    """Add to results.json what students read about hidden inputs when the instructor wants it."""
    if not any(row.why for row in outcome.rows):
        return
    from ..engine.pages.explained import rows  # brings matplotlib, which takes memory

    content = json.loads(path.read_text(encoding="utf-8"))
    added = rows(outcome)
    if added:  # as long as a row is not shown, the platform shows no total
        amend(path, tests=content["tests"] + added, output="\n".join(filter(None, [
            f"Total {results.total(outcome.rows)}", content["output"]])))


def before(metadata: Path) -> results.Before:
    """What the platform says of earlier submissions, as far as that can be read."""
    scores: dict[str, float] = {}
    failed: Counter[str] = Counter()
    try:
        previous = json.loads(metadata.read_text(encoding="utf-8"))["previous_submissions"]
        for submission in previous:
            scores = {}
            with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError):
                tests = [test for test in submission["results"]["tests"]
                         if test.get("extra_data", {}).get("verdict") not in results.UNKNOWN
                         and not test.get("extra_data", {}).get("explains")]
                failed.update({task_of(test["number"]) for test in tests
                               if test.get("status") == "failed"
                               and not test.get("output", "").startswith(NOT_WRITTEN)})
                scores = {test["number"]: float(test["score"]) for test in tests}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return results.Before(scores, failed)


def unjudged(verdict: str, message: str) -> results.Grade:
    """A grade in which every check has the same reason for having no points."""
    assignment = load(THE_ASSIGNMENT)
    outcome = results.Grade(assignment, [results.Row(check) for check in assignment.checks])
    for row in outcome.rows:
        row.record("public", verdict, 0.0, message)
    return outcome


def broke() -> results.Grade:
    """What `run_autograder` puts down first: nothing was graded, and it is nobody's fault."""
    return unjudged(results.GRADER_BROKE, "The grader itself broke before this check.")


def nothing_found(why: NoSubmission) -> results.Grade:
    """The grade of an upload in which there is nothing to grade."""
    folders = " and ".join(f"{name}/" for name in load(THE_ASSIGNMENT).problems)
    outcome = unjudged(results.SUBMISSION_BROKE, "Nothing to grade: see the top of the page.")
    outcome.notes.append(f"Nothing to grade in your upload: {why}. Upload {folders} with your "
                         "files in them, for example as one zip file.")
    return outcome


def about(path: Path, total: float, manual: float = 0.0) -> list[str]:
    """What the platform says about the submission, for the instructor's log. Its assignment should
    have the total of the checks, or that and what a person gives on top (`manual`)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        said, when = content["assignment"]["total_points"], content["created_at"]
        lines = [f"submission {content['id']} of {when}, "
                 f"{len(content['previous_submissions'])} before it"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{path.name} cannot be read ({type(error).__name__}); grading needs nothing in it"]
    try:
        agree = float(said) in (total, round(total + manual, 6))
    except (TypeError, ValueError):
        agree = False
    if not agree:
        lines.append(f"WARNING: the assignment has {said} points on Gradescope, and the checks "
                     f"give {total:g}{f', a person {manual:g} more' if manual else ''}")
    return lines


def rank(source: Path, seconds: float) -> list[dict[str, Any]]:
    """The entries of the leaderboard."""
    assignment = load(THE_ASSIGNMENT)
    with tempfile.TemporaryDirectory(prefix="submission-") as folder, Workers(
            assignment, slots=1) as workers:
        submission = take_in(source, Path(folder), assignment.problems)
        return leaderboard.entries(submission, workers, seconds, assignment.references)


def amend(path: Path, **more: Any) -> None:
    """Add entries to results.json, whole at every moment."""
    content = {**json.loads(path.read_text(encoding="utf-8")), **more}
    write_whole(path, results.as_json(content))


def cpus(group: Path = Path("/proc/self/cgroup"), top: Path = Path("/sys/fs/cgroup")) -> int:
    """How many checks may run side by side: the CPUs that the container may use, from 1 to 4.

    The machine may have many more than its cgroup grants. Where nothing says what that is (cgroups
    of version 1), it is one: slow, but never out of memory.
    """
    granted = []
    try:
        here, = (line[3:] for line in group.read_text().splitlines() if line.startswith("0::"))
        group = top / here.lstrip("/")
        for folder in (group, *group.parents):
            if (folder / "cpu.max").is_file():
                quota, period = (folder / "cpu.max").read_text().split()
                count = os.cpu_count() or 1
                granted.append(count if quota == "max" else int(quota) / int(period))
            if folder == top:
                break
    except (OSError, ValueError):
        pass
    return max(1, int(min([4, *granted]))) if granted else 1


if __name__ == "__main__":
    show_anyway()
    sys.exit(main())
