"""`python -m autograder new-term`: all that follows from a new seed, in one command.

    OUT/kit/                             a copy of the kit, in which the steps run
    OUT/state.json                       what has been done; a later call goes on from there
    OUT/autograder.zip, homework1.zip    for Gradescope, for students
    OUT/term.md                          what changed, and whether it is safe to release

The checkout itself changes at the very end, if every step has passed (`adopt`).
"""

import fnmatch
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..engine.references import TIERS
from .new_term_page import (
    ACCURACIES,
    FAILED,
    PASSED,
    RELEASE,
    ROOM,
    SKIPPED,
    TERM,
    UPLOAD,
    facts,
    report,
    room,
    size_of,
    verdict,
)
from .rehearsal.rehearse import CannotRehearse, rehearse

IGNORED = {".git", ".venv", "build", "__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis"}
REFERENCES = "autograder/assignment/references/*"
RESULTS = "solution/*/results/*"


class Failed(Exception):
    """A step did not pass; the message is one line."""


class Skip(Exception):
    """A step cannot or shall not run here; the message says why."""


@dataclass(frozen=True)
class Settings:
    """What a term is made of.

    Args:
        seed, profile: of the data and of the public references.
        hidden_seed: of the hidden references.
        keep_weights: judge with the reference networks of the former term.
        leaderboard: show accuracies on images that no check uses.
    """

    seed: int
    hidden_seed: int
    profile: str = "standard"
    keep_weights: bool = False
    leaderboard: bool = False


@dataclass
class Term:
    """A term in the making.

    Args:
        checkout: the instructor's kit, which is read.
        out: folder of the term.
        proof: "full", "sample" or "none".
        state: `former` (facts), `steps` (name -> digest, status, outcome, seconds).
    """

    checkout: Path
    out: Path
    settings: Settings
    proof: str = "full"
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def kit(self) -> Path:
        return self.out / "kit"

    def python(self, *arguments: str) -> None:
        """Run Python in the copied kit, its output on this terminal.

        Raises:
            Failed: it did not end with 0.
        """
        code = subprocess.run([sys.executable, *arguments], cwd=self.kit).returncode
        if code:
            raise Failed(f"python {' '.join(arguments)} ended with {code}")

    def save(self) -> None:
        """Keep the state, whole at every moment."""
        path = self.out / "state.json"
        partial = path.with_name("state.json.partial")
        partial.write_text(json.dumps({"settings": asdict(self.settings), **self.state}, indent=1))
        os.replace(partial, path)


# --- steps -----------------------------------------------------------------------------------


def _data(term: Term) -> str:
    term.python("-m", "datasets", "generate", "--force")
    manifest = json.loads((term.kit / "datasets" / "manifest.json").read_text(encoding="utf-8"))
    return f"{manifest['profile']}, seed {manifest['seed']}; the audit found nothing"


def _train(problem: int) -> Callable[[Term], str]:
    def run(term: Term) -> str:
        if term.settings.keep_weights:
            return "kept"
        term.python(f"solution/problem{problem}/train.py")
        return "trained"

    return run


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
    possible = sum(test["max_score"] for test in result["tests"])
    if result["score"] != possible:
        raise Failed(f"the solution reaches {result['score']:g} of {possible:g} points")
    return f"{result['score']:g} of {possible:g} points on public and hidden inputs"


def _prove(term: Term) -> str:
    if term.proof == "none":
        raise Skip("--proof none")
    folder = term.out / "proof"
    term.python("-m", "autograder", "prove", "--out", str(folder),
                *(["--sample"] if term.proof == "sample" else []))
    return f"{'a sample of the' if term.proof == 'sample' else 'all'} known mistakes, see {folder}"


def _package(term: Term) -> str:
    path = term.out / UPLOAD
    term.python("-m", "autograder", "package", "--out", str(path),
                "--hidden-seed", str(term.settings.hidden_seed),
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
    possible = sum(test["max_score"] for test in (report.results or {}).get("tests", []))
    if report.problems or report.score != possible:
        raise Failed("; ".join(report.problems) or f"{report.score} of {possible:g} points")
    return (f"{report.score:g} of {possible:g} points in {report.seconds:.0f} s, "
            f"{report.cpu_seconds:.0f} CPU seconds, {report.peak_pss:.0f} MB; {report.limits}")


@dataclass(frozen=True)
class Step:
    """One step of a term.

    Args:
        inputs: patterns of files of the kit; while they are as they were, what is done is done.
    """

    name: str
    says: str
    run: Callable[[Term], str]
    inputs: tuple[str, ...] = ("*",)


STEPS = (
    Step("data", "draw and audit the images", _data, ("datasets/*",)),
    Step("detector", "train the detector (minutes)", _train(1),
         ("datasets/*", "solution/problem1/*.py")),
    Step("keypoints", "train the keypoint networks (minutes)", _train(2),
         ("datasets/*", "solution/problem2/*.py")),
    Step("starter", "compare starter and solution", _starter),
    Step("references", "run solution and known mistakes on public inputs, solution on hidden ones",
         _references),
    Step("margins", "look at floors and targets", _margins),
    Step("grade", "grade the solution", _grade),
    Step("proof", "prove the grader", _prove),
    Step("package", f"build {UPLOAD}", _package),
    Step("release", f"build {RELEASE}", _release),
    Step("rehearsal", "rehearse Gradescope with the solution", _rehearse),
)


# --- the whole -------------------------------------------------------------------------------


def begin(checkout: Path, out: Path, proof: str, hidden_seed: int | None, **settings: Any) -> Term:
    """A term, new or as an earlier call left it; the kit is copied as it is now.

    Args:
        hidden_seed: None for that of the earlier call, or for a fresh one.
        settings: the others of `Settings`.
    """
    out.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = {}
    if (out / "state.json").exists():
        state = json.loads((out / "state.json").read_text(encoding="utf-8"))
    if hidden_seed is None:
        hidden_seed = state.get("settings", {}).get("hidden_seed", secrets.randbits(64))
    state = {"former": state.get("former") or facts(checkout), "steps": state.get("steps", {})}
    term = Term(checkout, out.absolute(), Settings(hidden_seed=hidden_seed, **settings), proof,
                state)
    _copy_kit(term)
    term.save()
    return term


def make(term: Term, steps: tuple[Step, ...] = STEPS) -> bool:
    """Run what has not been done, write the page, and say whether the term is safe to release."""
    done: dict[str, dict[str, Any]] = term.state["steps"]
    for name in [name for name in done if name not in [step.name for step in steps]]:
        del done[name]
    for number, step in enumerate(steps, 1):
        head = f"[{number}/{len(steps)}] {step.name}"
        digest = _digest(term, step)
        before = done.get(step.name, {})
        if before.get("digest") == digest and before["status"] == PASSED:
            print(f"{head}: done before", flush=True)
            continue
        print(f"{head}: {step.says}", flush=True)
        begin_time = time.monotonic()
        try:
            status, outcome = PASSED, step.run(term)
        except Skip as reason:
            status, outcome = SKIPPED, str(reason)
        except Failed as reason:
            status, outcome = FAILED, str(reason)
        done[step.name] = {"digest": digest, "status": status, "outcome": outcome,
                           "seconds": round(time.monotonic() - begin_time, 1)}
        term.save()
        print(f"    {status}: {outcome}", flush=True)
        if status == FAILED:
            for later in steps[number:]:
                done.pop(later.name, None)
            break
    page = term.out / "term.md"
    page.write_text(report(term, steps), encoding="utf-8")
    print(f"{verdict(term, steps)}\nSee {page}")
    return all(done.get(step.name, {}).get("status") in (PASSED, SKIPPED) for step in steps)


def adopt(term: Term) -> list[str]:
    """Let the checkout take over seed, references and weights; names of the files that changed."""
    changed = []
    for path in _files(term.kit):
        source, target = term.kit / path, term.checkout / path
        if _is_made(path, term.settings) and not (
                target.exists() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(target.name + ".partial")
            shutil.copy(source, partial)  # with its mode: hidden references are closed to others
            os.replace(partial, target)
            changed.append(path)
    return changed


# --- the copied kit --------------------------------------------------------------------------


def _files(kit: Path) -> Iterator[str]:
    """Names of all files of a kit but its environment, caches, archives and drawn images."""
    for directory, folders, names in os.walk(kit):
        here = Path(directory).relative_to(kit)
        drawn = here == Path("datasets")  # all in it that is no code
        folders[:] = [] if drawn else sorted(set(folders) - IGNORED)
        for name in sorted(names):
            if not name.endswith((".zip", ".partial")) and (name.endswith(".py") or not drawn):
                yield (here / name).as_posix()


def _is_made(path: str, settings: Settings) -> bool:
    """Whether a step makes this file."""
    patterns = [TERM, REFERENCES, *([] if settings.keep_weights else [RESULTS])]
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def _copy_kit(term: Term) -> None:
    """Bring the copy up to date with the checkout, but for what steps make."""
    wanted = [path for path in _files(term.checkout) if not _is_made(path, term.settings)]
    for path in wanted:
        source, target = term.checkout / path, term.kit / path
        if not (target.exists() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for path in set(_files(term.kit)) - set(wanted):
        if not _is_made(path, term.settings):
            (term.kit / path).unlink()
    (term.kit / TERM).write_text(
        (term.checkout / TERM).read_text(encoding="utf-8").split("\n\n")[0]
        + f'\n\nSEED = {term.settings.seed}\nPROFILE = "{term.settings.profile}"\n',
        encoding="utf-8")


def _digest(term: Term, step: Step) -> str:
    """Of all that a step depends on. References depend on the rest and need not be looked at."""
    digest = hashlib.sha256(json.dumps(asdict(term.settings)).encode())
    if step.run is _prove:
        digest.update(term.proof.encode())
    for path in _files(term.kit):
        if any(fnmatch.fnmatch(path, pattern) for pattern in step.inputs) and not fnmatch.fnmatch(
                path, REFERENCES):
            digest.update(path.encode() + hashlib.sha256((term.kit / path).read_bytes()).digest())
    return digest.hexdigest()
