"""Text of others, fit to be printed."""

import io
import re
import sys


def printable(text: str) -> str:
    """Text without control characters: what student code raises or returns may hold any."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def line(error: BaseException) -> str:
    """An error as one line that can be printed."""
    text = re.sub(r"^\[Errno \d+\] ", "", " ".join(str(error)[:1000].split()))
    text = text or type(error).__name__
    return printable(text)[:200]


def show_anyway() -> None:
    """Print "?" for characters that the terminal or pipe cannot take, instead of ending there."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
