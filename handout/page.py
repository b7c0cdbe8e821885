"""The handout as one HTML page that needs nothing else: no network, no other file, no script.

`text/*.md` go through Jinja, which puts in what `facts.py` and `figures.py` provide, then through
Markdown. Formulas between dollars become MathML.
"""

import html
import re
from collections.abc import Iterable
from pathlib import Path

import jinja2
import latex2mathml.converter
from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from autograder.assignment import ASSIGNMENT
from autograder.engine.pages.rendering import environment

from . import drawing, facts, figures
from .figures.detection import seen_pixels

HERE = Path(__file__).parent
TEXTS = tuple(sorted((HERE / "text").glob("*.md")))
TITLE = "Multi-scale detection and heatmap regression"
HEADING = re.compile(r'<h([23]) id="([^"]+)">(.*?)</h\1>', re.S)


def build() -> str:
    """The whole page."""
    return render(TITLE, TEXTS, facts=facts, figure=figure, seen_pixels=seen_pixels)


def render(title: str, texts: Iterable[Path], **context) -> str:
    """A page of Markdown texts; `context` fills the places that they leave open."""
    body = "\n".join(to_html(_filled_in(path, context)) for path in texts)
    return environment(HERE).get_template("page.html").render(
        title=title, contents=_contents(body), body=body)


def _filled_in(path: Path, context: dict) -> str:
    """A text with its open places filled in, as Markdown."""
    return jinja2.Template(path.read_text(encoding="utf-8"), trim_blocks=True,
                           undefined=jinja2.StrictUndefined).render(context)


def figure(name: str, caption: str) -> str:
    """A figure of `figures.FIGURES` with its caption, as HTML."""
    return figure_of(name, *drawing.encoded(figures.FIGURES[name]), caption)


def figure_of(name: str, source: str, text: str, caption: str) -> str:
    """A picture (data URI, alternative text) with its caption and a name to link to, as HTML."""
    return (f'<figure id="figure-{name}"><div class="wide"><img src="{source}" '
            f'alt="{html.escape(text)}"></div>'
            f"<figcaption>{_parser().renderInline(caption)}</figcaption></figure>")


def to_html(markdown: str) -> str:
    """Markdown as HTML: headings can be linked to, formulas are MathML, wide tables scroll."""
    text = _parser().render(markdown)
    text = text.replace("<table>", '<div class="wide"><table>')
    text = text.replace("</table>", "</table></div>")
    known = ASSIGNMENT.rules
    return re.sub(r"<code>(P[12]\.[\w.\-]+)</code>",
                  lambda m: f'<a class="rule" href="#{m[1]}">{m[1]}</a>' if m[1] in known else m[0],
                  text)


def _parser() -> MarkdownIt:
    return (MarkdownIt("commonmark", {"html": True}).enable("table")
            .use(anchors_plugin, min_level=2, max_level=3, slug_func=_slug)
            .use(dollarmath_plugin, renderer=_formula, allow_space=False, double_inline=True))


def _slug(title: str) -> str:
    """`task-1.3` for the heading of a task, the words of any other."""
    task = re.match(r"Task (\d\.\d+)", title)
    return f"task-{task[1]}" if task else re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _formula(latex: str, options: dict) -> str:
    return latex2mathml.converter.convert(
        latex, display="block" if options["display_mode"] else "inline")


def _contents(body: str) -> list[dict[str, str]]:
    """Level, id and text of every heading."""
    return [{"level": level, "id": identifier, "text": re.sub(r"<[^>]+>|\s*\([\d.]+ points?\)", "",
                                                              text)}
            for level, identifier, text in HEADING.findall(body)]
