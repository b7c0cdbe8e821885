"""`report.md`: what it claims, and which of its numbers are true.

It is hostile text: it is read line by line in linear time, and no more of it than `MAX_READ` bytes.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datasets.constants import CLASSES, MAP_SIZES

from ..engine.check import MAX_READ
from ..engine.compare import Wrong

NAME = "report.md"
NEAR = 0.01  # how far a true number may be from what is measured
FAR = 0.1  # from here on it is far from it
LONGEST = 80  # characters of a cell that are looked at
LONGEST_ANSWER = 10_000  # characters
EMPHASIS = re.compile(r"</?[a-z]{1,8}>")  # in the form of HTML
SHOWN = 24  # characters of it in a message
THRESHOLDS = (0.02, 0.05, 0.10, 0.15, 0.20)  # of PCK
ON_MAP = tuple(zip(CLASSES, MAP_SIZES))  # each class, and the map made for its sizes

AP_ROWS = tuple(f"AP {name}" for name in CLASSES)
MAP_ROWS = tuple(f"{name}s by map {side}" for name, side in ON_MAP)
COVERAGE_ROWS = tuple(f"coverage {name} {side}" for name, side in ON_MAP)
ERROR_ROWS = ("heatmap mean error argmax", "heatmap mean error subpixel")  # in image pixels
CASE_ROWS = ("only heatmap right", "only regression right", "both wrong")  # in keypoints
DETECTOR = ("mAP@0.5", "AP@[.5:.95]", *AP_ROWS, *MAP_ROWS, *COVERAGE_ROWS)
KEYPOINTS = (*(f"{network} PCK@{threshold:.2f}" for network in ("heatmap", "regression")
               for threshold in THRESHOLDS), *ERROR_ROWS, *CASE_ROWS)


@dataclass(frozen=True)
class Stated:
    """A value that a row of a table gives, with the line of the report; None where the text is no
    number."""

    line: int
    text: str
    value: float | None


def plain(name: str) -> str:
    """The name of a row without what is free: capitals, spaces, emphasis."""
    return "".join(c for c in EMPHASIS.sub("", name[:LONGEST].lower())
                   if c.isalnum() or c in "@.:[]")


def number(text: str) -> float | None:
    """`0.95`, `0,95`, `95 %` or `**1.2 px**` as a number; None if it is none."""
    text = EMPHASIS.sub("", "".join(text.lower().split())).strip("*_`").replace(",", ".")
    bare = text.removesuffix("%").removesuffix("px")
    if set(bare) - set("+-.0123456789"):
        return None
    try:
        return float(bare) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None


def claims(content: bytes | None) -> dict[str, list[Stated]]:
    """The claims of a report, None where there is none: row -> its values, in the order of the
    file.

    Raises:
        Wrong: it cannot be read.
    """
    if content is None:
        raise Wrong(f"{NAME} is missing: it lies beside problem1/ and problem2/, and the starter "
                    "holds it with the tables to fill in.")
    if len(content) > MAX_READ:
        raise Wrong(f"{NAME} is larger than {MAX_READ // 2**20} MiB: pictures lie beside it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Wrong(f"{NAME}, line {line}: this is no text in UTF-8. Save the file as UTF-8.") \
            from None
    names = {plain(row): row for row in (*DETECTOR, *KEYPOINTS)}
    found: dict[str, list[Stated]] = {}
    for line, row in enumerate(_lines(text), 1):
        name, bar, rest = row.strip().lstrip("> ").removeprefix("|").partition("|")
        if bar and (known := names.get(plain(name))) is not None:
            value = rest.partition("|")[0].strip()[:LONGEST]
            found.setdefault(known, []).append(Stated(line, value, number(value)))
    return found


def _lines(text: str) -> list[str]:
    """The lines of a text, whichever system's editor ended them."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def answers(content: bytes | None) -> dict[str, str]:
    """What stands under the headings `Q1`, `Q2`, ... of a report, each until the next heading,
    without quoted lines: the questions are quoted."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in _lines((content or b"")[:MAX_READ].decode("utf-8", "replace")):
        title = line.lstrip("#").strip()[:LONGEST].upper()
        if line.startswith("#") and line.lstrip("#")[:1] == " ":
            is_question = title[:1] == "Q" and title[1:].isascii() and title[1:].isdigit()
            current = found.setdefault(title, []) if is_question else []
        elif not line.startswith(">"):
            current.append(line.rstrip())
    return {name: "\n".join(lines).strip()[:LONGEST_ANSWER] for name, lines in found.items()}


def unfilled(handed: Mapping[str, bytes]) -> list[str]:
    """What has no value and no answer in a report, in a line."""
    content = handed.get(NAME)
    try:
        found = claims(content) if content is not None else None
    except Wrong as wrong:
        return [str(wrong)]
    if found is None:
        return []
    rows = [row for row in (*DETECTOR, *KEYPOINTS)
            if not any(claim.text for claim in found.get(row, []))]
    questions = [name for name, text in answers(content).items() if not text]
    said = [f"{len(rows)} of {len(DETECTOR) + len(KEYPOINTS)} rows have no value "
            "(`python report.py` fills them in)"] * bool(rows) + [
        f"{', '.join(questions)} {'have' if len(questions) > 1 else 'has'} no answer"] * bool(
            questions)
    return [f"{NAME}: {' and '.join(said)}"] if said else []


def true_rows(found: Mapping[str, list[Stated]], rows: Sequence[str],
              measured: Sequence[Mapping[str, float]], keypoints: int = 0) -> dict[str, str]:
    """Row -> what is wrong with it, in a sentence; "" where it is true.

    Args:
        measured: row -> value, by each of the ways to measure, the grader's last; of cases, as a
            share; nan where it cannot be measured.
        keypoints: how many there are.
    """
    said = {}
    for row in rows:
        given = [claim for claim in found.get(row, []) if claim.text]
        values = {claim.value for claim in given}
        if not given:
            said[row] = f"{row} has no value."
        elif None in values:
            odd = next(claim for claim in given if claim.value is None)
            said[row] = f"Line {odd.line}, {row}: {odd.text[:SHOWN]!r} is no number."
        elif len(values) > 1:
            other = next(claim for claim in given if claim.value != given[0].value)
            said[row] = (f"Lines {given[0].line} and {other.line} contradict each other: {row} is "
                         f"{given[0].text[:SHOWN]} and {other.text[:SHOWN]}.")
        else:
            total = keypoints if row in CASE_ROWS else 0
            said[row] = _compared(row, rows, given[0], measured, total)
    return said


def _is_near(value: float, measured: Sequence[Mapping[str, float]], row: str, total: int) -> bool:
    """Whether a value is that of a row: of cases, their number, a whole one, or their share of the
    `total`. What can be guessed is far from the grader's value nowhere: a decoding that finds
    nothing makes zeros true."""
    return any(abs(each - way[row]) <= NEAR + 1e-9 and (
        row in ERROR_ROWS or not _can_be_guessed(each) or abs(each - measured[-1][row]) <= FAR)
        for way in measured
        for each in ([value, value / total] if total and value % 1 == 0 else [value]))


def _can_be_guessed(value: float) -> bool:
    """Whether it is so near to 0 or 1 that it can be written down without measuring."""
    return min(abs(value), abs(value - 1)) <= NEAR


def _compared(row: str, rows: Sequence[str], claim: Stated, measured: Sequence[Mapping[str, float]],
              total: int) -> str:
    value = claim.value or 0.0
    if math.isnan(measured[0][row]):
        return f"{row} cannot be measured."
    if _is_near(value, measured, row, total):
        return ""
    # Whoever is told the value could copy it; with the side, it has to be measured again.
    share = value / total if total and value > 1 else value
    off = measured[0][row] - share
    says = (f"Line {claim.line}, {row}: {claim.text[:SHOWN]} is claimed, and "
            f"{'much ' * (abs(off) > FAR)}{'more' if off > 0 else 'less'} is measured")
    if value > 1 and not total and _is_near(value / 100, measured, row, total):
        return f"{says}. Write percentages with their sign: {value:g} %."
    if row in ERROR_ROWS and _is_near(2 * value, measured, row, total):
        return f"{says}. An image has twice as many pixels along a side as its heatmaps."
    others = [other for other in rows if other != row and (other in CASE_ROWS) == bool(total)
              and (other in ERROR_ROWS) == (row in ERROR_ROWS)
              and _is_near(value, measured, other, total)]
    return f"{says}; it would be right for {others[0]}." if len(others) == 1 else f"{says}."


def earned(said: Mapping[str, str], measured: Mapping[str, float]) -> tuple[float, str]:
    """The part of the points that rows earn, and what is to be said of it. What is near 0 or 1 can
    be written down without measuring: it earns its part as far as the other rows are true."""
    guessed = [row for row in said if _can_be_guessed(measured[row])]
    telling = [not said[row] for row in said
               if row not in guessed and not math.isnan(measured[row])]
    share = sum(telling) / len(telling) if telling else 1.0
    easy = sum(not said[row] for row in guessed)
    return (sum(telling) + share * easy) / len(said), (
        " Values near 0 or 1 are easily guessed: such a row earns of its part the share of the "
        "other rows that are true." if easy and share < 1 else "")


def told(said: Mapping[str, str]) -> str:
    """What is wrong with the rows of a table, in a text."""
    groups: dict[str, list[str]] = {" has no value.": [], " cannot be measured.": []}
    lines = []
    for row, sentence in said.items():
        group = next((group for end, group in groups.items() if sentence == row + end), None)
        if group is not None:
            group.append(row)
        elif sentence:
            lines.append(sentence)
    missing, unmeasured = groups.values()
    if len(missing) == len(said):
        return (f"{NAME} has no value for any of the rows {', '.join(said)}: `python report.py` "
                "fills them in.")
    if missing:
        lines.append(f"No value stands for {', '.join(missing)}.")
    if unmeasured:
        lines.append(f"Not measured: {', '.join(unmeasured)}.")
    true = sum(not sentence for sentence in said.values())
    return f"{true} of {len(said)} rows of {NAME} are true. {' '.join(lines)}"


def about_ablation(content: bytes | None) -> list[str]:
    """What cannot be in `results/ablation.json` (None where it is missing), in sentences: means
    that are none, copied values."""
    try:
        rows = json.loads(content or b"[]")
        tables = [{threshold: [float(pck), *map(float, row["pck_per_seed"][threshold])]
                   for threshold, pck in row["pck"].items()} for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return ["results/ablation.json is no list of rows with pck and pck_per_seed"]
    said: list[str] = []
    known: dict[tuple[float, ...], int] = {}
    for index, table in enumerate(tables):
        for threshold, (mean, *seeds) in table.items():
            if seeds and not abs(mean - sum(seeds) / len(seeds)) < 1e-3:
                said.append(f"results/ablation.json, row {index}: pck at {threshold[:SHOWN]} is "
                            "not the mean of pck_per_seed")
                break
        # Where all or no keypoints are found, two trainings may well have the same numbers.
        between = tuple(value for values in table.values() for value in values if 0 < value < 1)
        if len(between) > 2 and (first := known.setdefault(between, index)) != index:
            said.append(f"results/ablation.json: rows {first} and {index} hold the same numbers")
    return said[:3]
