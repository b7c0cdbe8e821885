"""What a kit says about its term: seeds, accuracies, floors and targets, digests of its files."""

import hashlib
from pathlib import Path
from typing import Any

from ... import KIT
from ...assignment import ASSIGNMENT
from ...engine.diagnosis import FILE as BANK
from ...engine.references import TIERS, derived, load_stored

TERM = "datasets/term.py"
# With less than the first, hundredths decide about points; with less than the second, luck in
# training does.
ROOM = {"target above floor": 0.03, "reference above target": 0.05}
MEASURED = {check.number: check for check in ASSIGNMENT.every_check if check.accuracy}
ACCURACIES = {number: check.measured.title for number, check in MEASURED.items() if check.measured}


def room(thresholds: dict[str, float]) -> dict[str, float]:
    """How far the target of a network lies above its floor and below the reference."""
    return {"target above floor": round(thresholds["target"] - thresholds["floor"], 2),
            "reference above target": round(thresholds["reference"] - thresholds["target"], 4)}


def facts(kit: Path) -> dict[str, Any]:
    """Seed, profile, thresholds by tier and check, digests by file."""
    constants: dict[str, Any] = {}
    exec((kit / TERM).read_text(encoding="utf-8"), constants)
    found: dict[str, Any] = {"seed": constants["SEED"], "profile": constants["PROFILE"],
                             "thresholds": {}, "digests": {}}
    references = kit / ASSIGNMENT.references.relative_to(KIT)
    for name in (*TIERS, BANK):
        files = [references / f"{name}.json", references / f"{name}.npz"]
        if all(path.exists() for path in files):
            found["digests"][f"{name}.npz"] = _sha(*files)
            if name in TIERS:
                stored = load_stored(name, references).by_number
                found["thresholds"][name] = {
                    number: derived(MEASURED[number], stored[number].question,
                                    stored[number].expected)
                    for number in ACCURACIES if number in stored}
    for path in sorted(kit.glob("solution/*/results/*.pth")):
        found["digests"][path.name] = _sha(path)
    return found


def _sha(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def size_of(path: Path) -> str:
    """Size and digest of an archive."""
    return f"{path.stat().st_size / 1e6:.1f} MB, sha256 {_sha(path)}"
