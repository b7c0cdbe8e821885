"""The page: a table of tasks, then for each what failed, why, the rule, and a figure.

The page is a tree of elements until it is written, so that nothing a submission says can become
markup.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree import ElementTree

from ..files import write_whole
from ..messages import PASSED as PLAINLY_PASSED
from ..messages import printable
from ..results import GRADER_BROKE, MAX_OUTPUT, NOT_RUN, Grade, Row
from ..terminal import short, together, total, worth
from .canvas import Figure
from .figures import figure_of

STYLE = Path(__file__).with_name("style.css")
Element = ElementTree.Element


def write(grade: Grade, name: str, path: Path,
          progress: Callable[[list[Row]], Iterable[Row]] = iter) -> None:
    """Write the page.

    Args:
        name: of the submission.
        progress: wraps the rows whose figures are drawn, for example in a progress bar.

    Raises:
        OSError: it cannot be written.
    """
    figures = {row.check.number: figure_of(row.outcome, grade.assignment)
               for row in progress(grade.rows)}
    write_whole(path, page(grade, name, figures))


def page(grade: Grade, name: str, figures: dict[str, Figure | None]) -> str:
    """The page as HTML; `figures` by check number."""
    sections = {task: section for task, rows in grade.tasks().items()
                if (section := _section(task, rows, figures)) is not None}
    score = f"{short(grade.score)} / {short(grade.possible)}"
    return document(
        f"{score} points, {name}",
        tag("a", "To the list of tasks", {"class": "skip", "href": "#tasks"}),
        tag("header", tag("p", f"Grade of {name}"), tag("h1", score, tag("span", " points")),
            _how(grade)),
        tag("main", *_notes(grade), _table(grade, sections), *sections.values()))


def document(title: str, *body: Element, style: str = "") -> str:
    """A whole page in the style of all pages; `style` are further rules for this one."""
    head = tag("head", tag("meta", charset="utf-8"),
               tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
               tag("title", title), tag("style", STYLE.read_text(encoding="utf-8") + style))
    html = tag("html", head, tag("body", *body), lang="en")
    return f"<!doctype html>\n{ElementTree.tostring(html, encoding='unicode', method='html')}\n"


def tag(name: str, /, *content: "str | Element | dict[str, str]", **attributes: str) -> Element:
    """An element with texts and elements in it; dicts are further attributes."""
    element = Element(name, attributes)
    for part in content:
        if isinstance(part, dict):
            element.attrib.update(part)
        elif isinstance(part, Element):
            element.append(part)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + printable(part)
        else:
            element.text = (element.text or "") + printable(part)
    return element


def _how(grade: Grade) -> Element:
    """What the numbers rest on."""
    tiers = {tier for row in grade.rows for tier in row.tiers}
    inputs = "public and hidden inputs" if len(tiers) > 1 else "public inputs"
    made = grade.made
    data = f", {made['profile']} data of seed {made['seed']}" if {"profile", "seed"} <= set(
        made) else ""
    return tag("p", f"On {inputs}{data}, in {grade.seconds:.0f} s.")


def _notes(grade: Grade) -> list[Element]:
    lines = list(grade.notes)
    if grade.grader_broke:
        lines.append("The grader itself broke on some checks. This is not the submission's fault.")
    items = [tag("li", line[:MAX_OUTPUT]) for line in lines]
    return [tag("ul", *items, {"class": "notes"})] if items else []


def _table(grade: Grade, sections: dict[str, Element]) -> Element:
    """Points per task, with links to what there is to say."""
    table = tag("table", tag("caption", "Points per task"), tag("thead", tag(
        "tr", *(tag("th", text, scope="col") for text in ("Task", "", "Points")))), id="tasks")
    tasks = grade.tasks()
    for problem in dict.fromkeys(task.partition(".")[0] for task in tasks):
        of_problem = {task: rows for task, rows in tasks.items()
                      if task.partition(".")[0] == problem}
        lines = [_line(tag("b", f"Problem {problem}"), *total(
            [row for rows in of_problem.values() for row in rows]))]
        for task, rows in of_problem.items():
            name = f"{task} {rows[0].check.task.title}"
            lines.append(_line(tag("a", name, href=f"#task-{task}") if task in sections else name,
                               *total(rows)))
        table.append(tag("tbody", *lines))
    return table


def _line(name: "str | Element", got: float, possible: float) -> Element:
    share = min(100.0, 100 * got / possible) if possible else 100.0  # extra points come on top
    bar = tag("span", tag("span", style=f"width: {share:.1f}%"),
              {"class": "bar" if got >= possible else "bar lost", "aria-hidden": "true"})
    return tag("tr", tag("th", name, scope="row"), tag("td", bar),
               tag("td", f"{short(got)} / {short(possible)}"))


def _section(task: str, rows: list[Row], figures: dict[str, Figure | None]) -> Element | None:
    """What there is to say about a task, or None."""
    title, file = rows[0].check.task.title, rows[0].check.task.file
    articles = [_failure(group, figures) for group in together(rows)]
    failed = {row.check.number for group in together(rows) for row in group}
    told: dict[str, list[Row]] = {}
    for row in rows:
        if row.check.number not in failed:
            if figures.get(row.check.number) is not None:
                articles.append(_article([row], _paragraphs(row), figures[row.check.number]))
            elif row.message != PLAINLY_PASSED:
                told.setdefault(row.message, []).append(row)
    articles += [_article(group, _paragraphs(group[0]), None) for group in told.values()]
    if not articles:
        return None
    return tag("section", tag("h2", f"{task} {title} ", tag("span", worth(rows))),
               tag("p", tag("code", file), " ", tag("a", "all tasks", href="#tasks"),
                   {"class": "file"}),
               *articles, id=f"task-{task}")


def _failure(group: list[Row], figures: dict[str, Figure | None]) -> Element:
    """A check that lost points, or several for one and the same reason."""
    first, *more = group
    if more:
        checks = tag("ul", *(tag("li", *with_code(f"{row.check.number} {row.check.sentence} "),
                                 tag("b", row.check.rule)) for row in group), {"class": "rule"})
        reason = tag("p", *with_code(first.message.splitlines()[0][:MAX_OUTPUT]))
        return _article(group, [reason, checks], None)
    return _article(group, _paragraphs(first), figures.get(first.check.number))


def _article(group: list[Row], content: list[Element], figure: Figure | None) -> Element:
    broke = any(row.verdict in (GRADER_BROKE, NOT_RUN) for row in group)
    state = "passed" if not together(group) else "broke" if broke else "failed"
    numbers = ", ".join(row.check.number for row in group)
    title = f"{numbers} {group[0].check.sentence} " if len(group) == 1 else f"{numbers} "
    heading = tag("h3", *with_code(title), tag("span", worth(group)))
    article = tag("article", heading, *content,
                  {"class": state, "id": f"check-{group[0].check.number}"})
    if figure is not None:
        article.append(drawn(figure))
    return article


def _paragraphs(row: Row) -> list[Element]:
    """The message, its call and its rule set apart."""
    paragraphs = []
    for line in row.message[:MAX_OUTPUT].splitlines():
        if line.startswith("Asked: "):
            paragraphs.append(tag("p", "Asked ", tag("code", line.removeprefix("Asked: "))))
        elif line.startswith(f"Rule {row.check.rule}: "):
            name, text = line.split(": ", 1)
            paragraphs.append(tag("p", tag("b", name), " ", *with_code(text), {"class": "rule"}))
        else:
            paragraphs.append(tag("p", *with_code(line)))
    return paragraphs


def with_code(line: str) -> list["str | Element"]:
    """A line with what stands between backticks as code."""
    return [tag("code", part) if i % 2 else part
            for i, part in enumerate(re.split(r"`([^`]+)`", line))]


def drawn(figure: Figure) -> Element:
    """Panels side by side where there is room, key, and caption."""
    key = tag("ul", *(tag("li", tag("i", {"class": entry.style}, style=f"color: {entry.colour}"),
                          entry.text) for entry in figure.key), {"class": "key"})
    panels = tag("div", *(tag("img", src=panel.source, alt=panel.alt) for panel in figure.panels),
                 {"class": "panels"})
    return tag("figure", panels, *([key] if figure.key else []),
               tag("figcaption", figure.caption))
