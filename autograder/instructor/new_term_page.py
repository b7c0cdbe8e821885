"""The page of a new term: what changed, what room each target has, and the verdict."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import KIT
from ..assignment import ASSIGNMENT
from ..engine.diagnosis import FILE as BANK
from ..engine.references import TIERS, load_tree

if TYPE_CHECKING:
    from .new_term import Step, Term

PASSED, SKIPPED, FAILED = "passed", "skipped", "FAILED"
UPLOAD, RELEASE = "autograder.zip", "homework1.zip"
TERM = "datasets/term.py"
# Below the first, half points hang on hundredths; below the second, on luck in training.
ROOM = {"target above floor": 0.03, "reference above target": 0.05}
ACCURACIES = {"1.14.1": "detector, mAP@0.5", "2.11.1": "HeatmapNet, PCK@.05",
              "2.11.2": "RegressionNet, PCK@.20"}


def room(thresholds: dict[str, float]) -> dict[str, float]:
    """How far the target of a network lies above its floor and below the reference."""
    return {"target above floor": round(thresholds["target"] - thresholds["floor"], 2),
            "reference above target": round(thresholds["reference"] - thresholds["target"], 4)}


def facts(kit: Path) -> dict[str, Any]:
    """What a page says about a term: seeds, accuracies, thresholds, digests."""
    constants: dict[str, Any] = {}
    exec((kit / TERM).read_text(encoding="utf-8"), constants)
    found: dict[str, Any] = {"seed": constants["SEED"], "profile": constants["PROFILE"],
                             "thresholds": {}, "digests": {}, "accuracies": {}}
    references = kit / ASSIGNMENT.references.relative_to(KIT)
    for name in (*TIERS, BANK):
        files = [references / f"{name}.json", references / f"{name}.npz"]
        if all(path.exists() for path in files):
            found["digests"][f"{name}.npz"] = _sha(*files)
            if name in TIERS:
                _, entries = load_tree(name, references)
                found["thresholds"][name] = {n: entries[n]["expected"] for n in ACCURACIES}
    for path in sorted(kit.glob("solution/*/results/*.pth")):
        found["digests"][path.name] = _sha(path)
    metrics = [kit / "solution" / f"problem{n}" / "results" / "metrics.json" for n in (1, 2)]
    if all(path.exists() for path in metrics):
        one, two = (json.loads(path.read_text(encoding="utf-8")) for path in metrics)
        found["accuracies"] = {"1.14.1": one["map"], "2.11.1": two["heatmap"]["pck"]["0.05"],
                               "2.11.2": two["regression"]["pck"]["0.20"]}
    return found


def _sha(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def size_of(path: Path) -> str:
    """Size and digest of an archive."""
    return f"{path.stat().st_size / 1e6:.1f} MB, sha256 {_sha(path)}"


def verdict(term: "Term", steps: "tuple[Step, ...]") -> str:
    """One sentence: whether it is safe to release."""
    done = term.state["steps"]
    for step in steps:
        if done.get(step.name, {}).get("status") == FAILED:
            return f"NOT SAFE to release: {step.name} failed: {done[step.name]['outcome']}"
    missing = [f"{step.name} ({done[step.name]['outcome']})" for step in steps
               if done.get(step.name, {}).get("status") == SKIPPED]
    if missing:
        return f"Every step that ran has passed, but without {', '.join(missing)}."
    return "Safe to release: every step has passed."


def report(term: "Term", steps: "tuple[Step, ...]") -> str:
    """The page, in Markdown."""
    old, new = term.state["former"], facts(term.kit)
    lines = [f"# Term of seed {new['seed']}, profile {new['profile']}", "",
             f"**{verdict(term, steps)}**", "", "## Steps", "",
             "| step | what | outcome | time |", "|---|---|---|---|"]
    for step in steps:
        row = term.state["steps"].get(step.name)
        lines.append(f"| {step.name} | {step.says} | " + (
            f"{row['status']}: {row['outcome']} | {timedelta(seconds=round(row['seconds']))} |"
            if row else "not run | |"))
    lines += ["", "## What changed", "", "| | former term | this term |", "|---|---|---|",
              f"| seed | {old['seed']} | {new['seed']} |",
              f"| profile | {old['profile']} | {new['profile']} |",
              f"| hidden seed | | {term.settings.hidden_seed} (keep it to yourself) |"]
    for number, title in ACCURACIES.items():
        lines.append(f"| {title}, validation images | {_number(old['accuracies'].get(number))} | "
                     f"{_number(new['accuracies'].get(number))} |")
    for name in sorted({*old["digests"], *new["digests"]}):
        before, now = old["digests"].get(name, ""), new["digests"].get(name, "")
        lines.append(f"| {name} | {before} | {'the same' if now == before else now} |")
    lines += ["", "## Floors and targets", "",
              "No points at the floor and below, full points from the target. The reference was "
              "measured on the images made for grading.", "",
              "| network | inputs | floor | target | reference | target above floor | reference "
              "above target |", "|---|---|---|---|---|---|---|"]
    sets = [("former public", old["thresholds"].get("public")),
            *((tier, new["thresholds"].get(tier)) for tier in TIERS)]
    for number, title in ACCURACIES.items():
        for name, thresholds in sets:
            if thresholds:
                row = thresholds[number]
                left = " | ".join(f"{value:.2f}" for value in room(row).values())
                lines.append(f"| {title} | {name} | {row['floor']:.2f} | {row['target']:.2f} | "
                             f"{row['reference']:.4f} | {left} |")
    lines += ["", "## Next", "",
              f"1. `{UPLOAD}` beside this page goes to Gradescope (Configure Autograder).",
              f"2. `{RELEASE}` goes to students, or its content into the public repository.",
              "3. In the checkout `git diff --stat` shows what was taken over; commit it.",
              "4. `make handout` builds the handout with these floors and targets.", ""]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
