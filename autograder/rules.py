"""The rules of the assignment: `handout/rules.md`, one list entry per rule id."""

import re
from pathlib import Path

RULES = Path(__file__).resolve().parents[1] / "handout" / "rules.md"
ENTRY = re.compile(r"^- \*\*(P[12]\.[a-z0-9.\-]+)\*\* (.+?)(?=^- \*\*|^#|^\s*$|\Z)", re.M | re.S)


def load_rules(path: Path = RULES) -> dict[str, str]:
    """Rule id -> its text on one line, in the order of the file."""
    return {identifier: " ".join(text.split())
            for identifier, text in ENTRY.findall(path.read_text(encoding="utf-8"))}
