"""Mistakes in the numbers of report.md: tasks 1.18 and 2.13.

What trained weights reach is never stored, so that these mistakes are caught and not named: the
check itself says what a wrong number is.
"""

import re
from collections.abc import Callable
from pathlib import Path

from ..report import AP_ROWS, CASE_ROWS, DETECTOR, ERROR_ROWS, KEYPOINTS, NAME
from . import mistake


def text(alter: Callable[[str], str | bytes | None]) -> Callable[[Path], None]:
    """Replace the report by what `alter` makes of its text; None removes the file."""
    def change(folder: Path) -> None:
        path = folder / NAME
        content = alter(path.read_text(encoding="utf-8"))
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return change


def values(rows: tuple[str, ...], alter: Callable[[dict[str, str], str], str]
           ) -> Callable[[Path], None]:
    """Replace the values of some rows; `alter(row -> value, row)` gives the new one."""
    def altered(content: str) -> str:
        found = dict(re.findall(r"^\| ([^|\n]+) \| ([\d.]+) \|", content, re.M))
        for row in rows:
            content = content.replace(f"| {row} | {found[row]} |",
                                      f"| {row} | {alter(found, row)} |")
        return content
    return text(altered)


def next_of(rows: tuple[str, ...]) -> Callable[[dict[str, str], str], str]:
    """The value of the row that follows, after the last one that of the first."""
    return lambda found, row: found[rows[(rows.index(row) + 1) % len(rows)]]


def other_network(found: dict[str, str], row: str) -> str:
    """PCK of the other network."""
    return found[row.replace("heatmap", "?").replace("regression", "heatmap").replace(
        "?", "regression")]


MISTAKES = [
    mistake(
        "report-missing", "hands in no report.md",
        "There is nothing to measure again. Fill in the report of the starter, and hand it in "
        "beside the two problems.",
        "P1.report.numbers/1", change=text(lambda content: None)),
    mistake(
        "report-in-utf-16", "saves report.md in UTF-16",
        "It cannot be read as text. Save it in UTF-8.",
        "P1.report.numbers/1", change=text(lambda content: content.encode("utf-16"))),
    mistake(
        "report-rows-renamed", "gives the rows of report.md names of its own",
        "The numbers are looked up by the names of the rows. Keep those of the starter.",
        "P1.report.numbers/1",
        change=text(lambda content: content.replace("| AP ", "| average precision, "))),
    mistake(
        "report-percent-without-sign", "writes percentages without their sign",
        "A 95 without a sign is no share of 1. Write 95 % or .95.",
        "P1.report.numbers/3",
        change=values(DETECTOR, lambda found, row: f"{100 * float(found[row]):.2f}")),
    mistake(
        "report-classes-in-another-order", "reports the classes in another order",
        "Each class has the number of another one. The order of the labels is circle, square, "
        "triangle.",
        "P1.report.numbers/4", change=values(DETECTOR[5:8], next_of(DETECTOR[5:8]))),
    mistake(
        "report-of-another-training", "reports the numbers of another training",
        "They are not those of the weights that are handed in. Measure once more after the last "
        "training.",
        "P1.report.numbers/4", change=values(
            (*DETECTOR[:2], *AP_ROWS), lambda found, row: f"{float(found[row]) - 0.03:.4f}")),
    mistake(
        "report-contradicts-itself", "reports two values of one number",
        "Nobody can know which of them holds. Leave one.",
        "P1.report.numbers/5", change=text(lambda content: f"{content}\n| mAP@0.5 | 0.5 |\n")),
    mistake(
        "report-networks-swapped", "reports the PCK of each keypoint network as that of the other",
        "The conclusion turns around. Look at which network made which predictions.",
        "P2.report.numbers/1", change=values(KEYPOINTS[:10], other_network)),
    mistake(
        "report-error-for-pck", "reports mean squared errors in the place of PCK",
        "They say nothing about the share of keypoints that are found. Report what compute_pck "
        "returns.",
        "P2.report.numbers/2", change=values(KEYPOINTS[:5], lambda found, row: "0.0002")),
    mistake(
        "report-error-in-heatmap-pixels", "reports the error in pixels of the heatmap",
        "An image has twice as many pixels along a side as its heatmaps. Multiply by the image's "
        "size and divide by the map's.",
        "P2.report.numbers/3",
        change=values(ERROR_ROWS, lambda found, row: f"{float(found[row]) / 2:.4f}")),
    mistake(
        "report-cases-swapped", "reports each case of failures as another one",
        "The network that is right looks like the one that is wrong. Take each count from the "
        "entry of its name.",
        "P2.report.numbers/4", change=values(CASE_ROWS, next_of(CASE_ROWS))),
]
