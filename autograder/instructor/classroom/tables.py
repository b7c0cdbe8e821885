"""Tables that instructors and platforms keep (CSV), and the times in them."""

import codecs
import csv
import io
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ...engine.files import write_whole
from ...engine.text import line

TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?)? ?"
                  r"([+-]\d\d(?::?\d\d)?|Z|UTC|GMT)?")


def read_table(path: Path, columns: Mapping[str, str] | None = None, needed: int = 1,
               ) -> list[dict[str, str]]:
    """The rows of a CSV file, cells without space around them; rows without any are left out.

    Spreadsheets of some countries put semicolons or tabs between cells, and write the characters
    of Windows.

    Args:
        columns: key of a row -> its column, of whatever case; others are left out. None for all.
        needed: how many of these, from the first, must be there.

    Raises:
        ValueError: it cannot be read, lacks a column that is needed, or a row has more cells than
            there are columns.
    """
    try:
        text = _decoded(path.read_bytes())
        read = csv.DictReader(io.StringIO(text, newline=""),
                              delimiter=max(",;\t", key=text.partition("\n")[0].count))
        header, rows = [name.strip() for name in read.fieldnames or ()], []
        for row in read:
            if any(cell.strip() for cell in row.pop(None, ())):
                raise csv.Error(f"line {read.line_num} has more cells than line 1: put quotes "
                                "around a cell that has a comma")
            rows.append({key.strip(): (cell or "").strip() for key, cell in row.items()})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as a table: {line(error)}") from None
    rows = [row for row in rows if any(row.values())]
    if columns is None:
        return rows
    cased = [{key.casefold(): cell for key, cell in row.items()} for row in rows]
    lacking = [name for name in list(columns.values())[:needed]
               if name.casefold() not in map(str.casefold, header)]
    if lacking:
        raise ValueError(f"{path} has no column {', '.join(lacking)}")
    return [{key: row.get(name.casefold(), "") for key, name in columns.items()} for row in cased]


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def number(text: str) -> float:
    """A number as people type it, with a point or a comma; nan where it is none."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a CSV file for spreadsheets; it begins with the mark by which Excel knows UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([[cell(value) for value in row] for row in rows])
    write_whole(path, text.getvalue().encode("utf-8-sig", "replace"))


def cell(value: Any) -> str:
    """A value that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, (int, float)):
        return f"{round(value, 6):g}"
    start = unicodedata.normalize("NFKC", value.lstrip())[:1]
    dangerous = start in tuple("=+-@") or value[:1] in ("\t", "\r")
    return f"'{value}" if dangerous else value


def when(text: str) -> str:
    """A time in ISO 8601 with its zone, to the second; "" where the text is none.

    `2026-02-03 18:45:06.372155000 Z` and `2026-02-03T10:45:06-08:00` are the same moment. A time
    without a zone is one of this machine; a day without a time is its end.
    """
    found = TIME.fullmatch(text.strip())
    if found is None:
        return ""
    day, clock, zone = found.groups()
    zone = "+00:00" if zone in ("Z", "UTC", "GMT") else (
        f"{zone[:3]}:{zone[3:][-2:] or '00'}" if zone else "")
    try:
        time = datetime.fromisoformat(f"{day}T{clock or '23:59:59'}{zone}")
        return (time if time.tzinfo else time.astimezone()).isoformat()
    except ValueError:
        return ""


def moment(submitted: str) -> datetime:
    """The time that `when` wrote; the earliest one where it is not known."""
    return (datetime.fromisoformat(submitted) if submitted else
            datetime.min.replace(tzinfo=timezone.utc))
