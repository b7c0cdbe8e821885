"""The steps of a term, in their order. Each does one thing in the copied kit."""

import json
import shutil
from collections.abc import Callable
from typing import Any

from ...engine.references import TIERS
from ..proof.spread import Spread
from ..rehearsal.rehearse import CannotRehearse, rehearse
from .facts import ACCURACIES, ROOM, facts, room, size_of
from .kit_copy import REPORT
from .term import RELEASE, UPLOAD, Failed, Skip, Step, Term


def _data(term: Term) -> str:
    term.python("-m", "datasets", "generate", "--force")
    manifest = json.loads((term.kit / "datasets" / "manifest.json").read_text(encoding="utf-8"))
    return f"{manifest['profile']}, seed {manifest['seed']}"


def _train(problem: int) -> Callable[[Term], str]:
    def run(term: Term) -> str:
        if term.settings.keep_weights:
            return "kept"
        term.python(f"solution/problem{problem}/train.py")
        return "trained"

    return run


def _report(term: Term) -> str:
    shutil.copy(term.checkout / REPORT, term.kit / REPORT)
    term.python("starter/report.py", "--overwrite", HOMEWORK="solution")
    return "numbers of the reference, measured by its own functions"


def _starter(term: Term) -> str:
    term.python("-m", "autograder", "starter", "--check")
    return "is what the solution generates"


def _references(term: Term) -> str:
    seeds = {"public": term.settings.seed, "hidden": term.settings.hidden_seed}
    for tier in TIERS:
        term.python("-m", "autograder", "references", "--tier", tier, "--seed", str(seeds[tier]),
                    "--profile", term.settings.profile, "--all")
    return f"public for seed {seeds['public']}, hidden for seed {seeds['hidden']}"


def _margins(term: Term) -> str:
    tight = [f"{ACCURACIES[number]}, {tier}: {name} by {left:.2f} only"
             for tier, thresholds in facts(term.kit)["thresholds"].items()
             for number, row in thresholds.items()
             for name, left in room(row).items() if left < ROOM[name]]
    if tight:
        raise Failed(f"{'; '.join(tight)}. Take another seed, or another share in points.toml")
    return "targets leave room above the floors and below the reference"


def _grade(term: Term) -> str:
    path = term.out / "solution.json"
    term.python("-m", "autograder", "grade", "solution", "--tier", "all", "--json", str(path))
    result = json.loads(path.read_text(encoding="utf-8"))
    numbers = lost(result["tests"])
    if numbers:
        raise Failed(f"the solution loses points in check {', '.join(numbers)}")
    return f"{result['score']:g} points on public and hidden inputs"


def lost(tests: list[dict[str, Any]]) -> list[str]:
    """Numbers of the rows of a results.json that lose points; of extra ones, those that failed."""
    return [test["number"] for test in tests
            if test["status"] != "passed" or test["score"] < test["max_score"]]


def _prove(term: Term) -> str:
    if term.settings.proof == "none":
        raise Skip("--proof none")
    folder = term.out / "proof"
    term.python("-m", "autograder", "prove", "--out", str(folder),
                *(["--sample"] if term.settings.proof == "sample" else []))
    tried = "a sample of the" if term.settings.proof == "sample" else "all"
    found = Spread(**json.loads((folder / "spread.json").read_text(encoding="utf-8")))
    return f"{tried} known mistakes, see {folder}; {'; '.join(found.summary())}"


def _package(term: Term) -> str:
    path = term.out / UPLOAD
    term.python("-m", "autograder", "package", "--out", str(path),
                "--hidden-seed", str(term.settings.hidden_seed),
                "--torch-index", term.settings.torch_index,
                *(["--leaderboard"] if term.settings.leaderboard else []))
    return size_of(path)


def _release(term: Term) -> str:
    path = term.out / RELEASE
    term.python("-m", "autograder", "release", "--out", str(path))
    return f"{size_of(path)}; no line of the solution in it"


def _rehearse(term: Term) -> str:
    try:
        report = rehearse(term.out / UPLOAD, term.kit / "solution", folder=term.out / "rehearsal")
    except CannotRehearse as error:
        raise Skip(str(error)) from None
    numbers = lost((report.results or {}).get("tests", []))
    if report.problems or report.score is None or numbers:
        raise Failed("; ".join(report.problems)
                     or f"the solution loses points in check {', '.join(numbers)}")
    return (f"{report.score:g} points in {report.seconds:.0f} s, "
            f"{report.cpu_seconds:.0f} CPU seconds, {report.peak_pss:.0f} MB; {report.limits}")


UPLOADED = ("hidden_seed", "leaderboard", "torch_index")
STEPS = (
    Step("data", "draw and audit the images", _data, ("datasets/*",)),
    Step("detector", "train the detector (minutes)", _train(1),
         ("datasets/*", "solution/problem1/*.py"), ("keep_weights",)),
    Step("keypoints", "train the keypoint networks (minutes)", _train(2),
         ("datasets/*", "solution/problem2/*.py"), ("keep_weights",)),
    Step("report", "fill in the reference's report", _report,
         ("datasets/*", "solution/*.py", "solution/*.pth", "starter/report.*"),
         ("keep_weights",)),
    Step("starter", "compare starter and solution", _starter),
    Step("references", "run solution and known mistakes on public inputs, solution on hidden ones "
         "(many minutes)",
         _references, settings=("hidden_seed",)),
    Step("margins", "look at floors and targets", _margins, settings=("hidden_seed",)),
    Step("grade", "grade the solution", _grade, settings=("hidden_seed",)),
    Step("proof", "prove the grader (hours unless it is a sample)", _prove, settings=("proof",)),
    Step("package", f"build {UPLOAD}", _package, settings=UPLOADED),
    Step("release", f"build {RELEASE}", _release),
    Step("rehearsal", "rehearse Gradescope with the solution", _rehearse, settings=UPLOADED),
)
