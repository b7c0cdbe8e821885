"""The figures of the class page."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from ...assignment.tasks import TASKS
from ...engine.pages.canvas import EXPECTED, FAINT, GOT, GREY, INK, Figure, Key
from .statistics import Claim, ItemAnalysis, PointsTable, TaskLoss, students

BINS = 20
SHORT = 22  # characters of a task's title beside its bar


def scores(made: PointsTable) -> Figure:
    """How many students reached how many points: in all, as adjusted, and in each problem's checks.
    """
    figure = Figure("Students by points; the line is the median.")
    _histogram(figure, "All", [entry.score for entry in made.entries], "points",
               max(entry.possible for entry in made.entries))
    for problem in ("1", "2"):
        own = [i for i, number in enumerate(made.numbers) if number.startswith(f"{problem}.")]
        if 0 < len(own) < len(made.numbers):
            _histogram(figure, f"Problem {problem}", np.nansum(made.earned[:, own], axis=1),
                       "points", float(made.points[own].sum()))
    return figure


def resources(quantities: Mapping[str, Sequence[float]]) -> Figure:
    """A histogram of each quantity; names are like `wall time in s`."""
    figure = Figure("Students by what grading them took; the line is the median.")
    for name, values in quantities.items():
        _histogram(figure, name, values)
    return figure


def _histogram(figure: Figure, title: str, values: Sequence[float], unit: str = "",
               top: float = 0.0) -> None:
    low, median, high = np.percentile(values, (0, 50, 100))
    top = max(top, high) or 1.0
    told = f"{title}: {low:g} to {high:g}, median {median:g}, mean {np.mean(values):.4g}"
    with figure.panel(told, height=2.2) as axes:
        axes.hist(values, BINS, range=(0, top), color=EXPECTED, edgecolor="white", linewidth=0.6)
        axes.axvline(median, color=GOT, lw=1.6)
        axes.set(title=title, xlabel=unit, xlim=(0, top))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.tick_params(labelsize=8, colors=GREY, labelcolor=INK, length=2)


def lost(tasks: Mapping[str, TaskLoss]) -> Figure:
    """Mean points lost per task, one panel for each problem."""
    figure = Figure(
        "Mean points that a student loses in a task, in front of what the task is worth.",
        (Key("lost", GOT, "filled"), Key("worth", FAINT, "filled")))
    widest = max((task.worth for task in tasks.values()), default=1.0) or 1.0
    for problem in ("1", "2"):
        own = [task for task in tasks if task[0] == problem]
        if not own:
            continue
        worst = max(own, key=lambda task: tasks[task].mean)
        told = (f"Points lost in problem {problem}: most in task {worst}, "
                f"{tasks[worst].mean:.2f} of {tasks[worst].worth:g}")
        with figure.panel(told, width=4.2, height=0.55 + 0.27 * len(own)) as axes:
            names = [f"{task} {textwrap.shorten(TASKS[task].title, SHORT, placeholder='…')}"
                     for task in own]
            values = [tasks[task].mean for task in own]
            worth = axes.barh(names, [tasks[task].worth for task in own], 0.62, color=FAINT)
            axes.barh(names, values, 0.62, color=GOT)
            axes.bar_label(worth, [f" {value:.1f}" for value in values], fontsize=8, color=INK)
            axes.set(ylim=(len(own) - 0.5, -0.5), xlim=(0, 1.12 * widest),
                     title=f"Problem {problem}")
            axes.tick_params(labelsize=8, colors=GREY, labelcolor=INK, length=0)
            axes.spines["left"].set_visible(False)
    return figure


def discrimination(items: Sequence[ItemAnalysis], marked: Mapping[str, str]) -> Figure:
    """Difficulty against discrimination; `marked` checks are named."""
    figure = Figure(
        "Every check. The easy ones are on the right. High up are those that students pass who do "
        "well in all others, and that weaker students fail; below zero it is the other way round.",
        (Key("check", EXPECTED, "filled"), Key("looks broken", GOT, "filled")))
    for problem in ("1", "2"):
        own = [(item, item.item_rest) for item in items
               if item.number[0] == problem and item.item_rest is not None]
        if not own:
            continue
        told = f"Difficulty and discrimination of {len(own)} checks of problem {problem}"
        with figure.panel(told, width=4.2, height=3.4) as axes:
            axes.axhline(0, color=GREY, lw=0.8)
            for item, rest in own:
                bad = item.number in marked
                axes.plot(100 * item.share, rest, "o", ms=6 if bad else 4.5,
                          color=GOT if bad else EXPECTED, alpha=1 if bad else 0.6, mew=0)
                if bad:
                    axes.annotate(item.number, (100 * item.share, rest), (4, 4),
                                  textcoords="offset points", fontsize=8, color=GOT, weight="bold")
            hardest = 10 * (min(10 * item.share for item, _ in own) // 1)
            rests = [0.0, *(rest for _, rest in own)]
            axes.set(xlim=(hardest - 2, 102), ylim=(min(rests) - 0.1, max(rests) + 0.1),
                     title=f"Problem {problem}", xlabel="points earned, % of the check's",
                     ylabel="item-rest correlation")
            axes.tick_params(labelsize=8, colors=GREY, labelcolor=INK, length=2)
    return figure


def accuracies(claims: Mapping[str, Sequence[Claim]], apart: float) -> Figure:
    """Claimed against measured accuracy, a panel for each check."""
    figure = Figure(
        f"What a submission reports of itself against what its weights reach on the grading "
        f"images; within the band both agree to {apart:g}.",
        (Key("claim", EXPECTED, "filled"), Key(f"apart by more than {apart:g}", GOT, "filled")))
    for number, own in claims.items():
        measured = np.array([claim.measured for claim in own])
        claimed = np.array([claim.claimed for claim in own])
        far = np.abs(claimed - measured) > apart
        who = students(len({claim.entry.student for claim in own}))
        told = (f"{own[0].name} of check {number}: {len(own)} claims, {int(far.sum())} of them "
                f"apart from what was measured")
        with figure.panel(told, height=3.0) as axes:
            line = np.array([0, 1])
            axes.fill_between(line, line - apart, line + apart, color=FAINT, alpha=0.6, lw=0)
            for these, colour in ((~far, EXPECTED), (far, GOT)):
                axes.plot(measured[these], claimed[these], "o", ms=4.5, color=colour, alpha=0.6,
                          mew=0)
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal",
                     title=f"{number} {own[0].name}, {who}",
                     xlabel="measured", ylabel="claimed")
            axes.tick_params(labelsize=8, colors=GREY, labelcolor=INK, length=2)
    return figure
