"""The page of a term, `term.md`: what changed, what room each target has, and the verdict."""

from datetime import timedelta
from pathlib import Path

import jinja2

from ...engine.references import TIERS
from .facts import ACCURACIES, facts, room
from .term import FAILED, RELEASE, SKIPPED, UPLOAD, Step, Term

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), undefined=jinja2.StrictUndefined,
    trim_blocks=True, keep_trailing_newline=True)


def verdict(term: Term, steps: tuple[Step, ...]) -> str:
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


def term_page(term: Term, steps: tuple[Step, ...]) -> str:
    """The page, in Markdown."""
    old, new = term.state["former"], facts(term.kit)
    sets = {"former public": old["thresholds"].get("public", {}),
            **{tier: new["thresholds"].get(tier, {}) for tier in TIERS}}
    return TEMPLATES.get_template("term.md").render(
        old=old, new=new, hidden_seed=term.settings.hidden_seed, verdict=verdict(term, steps),
        steps=steps, done=term.state["steps"], accuracies=ACCURACIES, sets=sets, room=room,
        failed=any(row["status"] == FAILED for row in term.state["steps"].values()),
        duration=lambda seconds: timedelta(seconds=round(seconds)), upload=UPLOAD, release=RELEASE)
