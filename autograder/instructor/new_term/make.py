"""Begin a term, and make it: run the steps that have not been done, and write `term.md`."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from ...engine.files import write_whole
from ...engine.pages.rendering import markdown
from ...engine.references import TIERS
from ..storing import TRIED
from ..storing import hidden_seed as warned_of
from .facts import ACCURACIES, facts, room
from .kit_copy import copy_kit, digest_of
from .steps import STEPS
from .term import FAILED, PASSED, RELEASE, SKIPPED, UPLOAD, Failed, Settings, Skip, Step, Term

TEMPLATES = markdown(Path(__file__).parent)


def begin(checkout: Path, out: Path, hidden_seed: int | None, **settings: Any) -> Term:
    """A term, new or as an earlier call left it; the kit is copied as it is now. Without a hidden
    seed it has that of the earlier call, unless that is a short one, or a fresh one."""
    out.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = {}
    if (out / "state.json").exists():
        state = json.loads((out / "state.json").read_text(encoding="utf-8"))
    if hidden_seed is None:
        kept = state.get("settings", {}).get("hidden_seed")
        hidden_seed = kept if kept is not None and kept >= TRIED else None
    state = {"former": state.get("former") or facts(checkout), "steps": state.get("steps", {})}
    chosen = Settings(hidden_seed=warned_of(hidden_seed), **settings)
    term = Term(checkout, out.absolute(), chosen, state)
    copy_kit(term)
    term.save()
    return term


def make(term: Term, steps: tuple[Step, ...] = STEPS) -> bool:
    """Run what has not been done, write the page, and say whether the term is safe to release."""
    done: dict[str, dict[str, Any]] = term.state["steps"]
    for number, step in enumerate(steps, 1):
        head = f"[{number}/{len(steps)}] {step.name}"
        digest = digest_of(term, step)
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
    write_whole(page, term_page(term, steps))
    print(f"{verdict(term, steps)}\nSee {page}")
    return all(done.get(step.name, {}).get("status") in (PASSED, SKIPPED) for step in steps)


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
    """The page, in Markdown: what changed, what room each target has, and the verdict."""
    old, new = term.state["former"], facts(term.kit)
    sets = {"former public": old["thresholds"].get("public", {}),
            **{tier: new["thresholds"].get(tier, {}) for tier in TIERS}}
    return TEMPLATES.get_template("term.md").render(
        old=old, new=new, hidden_seed=term.settings.hidden_seed, verdict=verdict(term, steps),
        steps=steps, done=term.state["steps"], accuracies=ACCURACIES, sets=sets, room=room,
        failed=any(row["status"] == FAILED for row in term.state["steps"].values()),
        duration=lambda seconds: timedelta(seconds=round(seconds)), upload=UPLOAD, release=RELEASE)
