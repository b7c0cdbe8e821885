"""Pages from templates: nothing that a submission says can become markup.

Every value is escaped when it enters a template, and its control characters are replaced. A name
that a template uses and nobody has set is an error.
"""

import re
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from ..text import printable

TEMPLATES = Path(__file__).with_name("templates")


def environment(*folders: Path) -> jinja2.Environment:
    """Templates of these folders, and those that all pages share; each is compiled once."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]), autoescape=True, auto_reload=False,
        undefined=jinja2.StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True)
    made.filters["code"] = with_code
    return made


def markdown(folder: Path) -> jinja2.Environment:
    """Templates of a folder for files in Markdown, which instructors alone read."""
    return jinja2.Environment(loader=jinja2.FileSystemLoader(folder), trim_blocks=True,
                              undefined=jinja2.StrictUndefined, keep_trailing_newline=True)


def _shown(value: object) -> object:
    """What stands in the page for a value; markup is what a template has made already."""
    if isinstance(value, (Markup, jinja2.Undefined)):
        return value
    return printable(str(value))


def with_code(line: str) -> Markup:
    """A line with what stands between backticks as code."""
    escaped = str(escape(printable(line)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))
