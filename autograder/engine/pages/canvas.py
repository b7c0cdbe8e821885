"""What all figures share: small panels drawn by matplotlib, colours, boxes, images, matrices.

A figure is several panels of one size that stand side by side on a wide window and below each other
on a telephone, so that their lettering can be read on both. The key is part of the page.
"""

import base64
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib
import numpy as np
from matplotlib import figure as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ..compare import array
from ..sandbox.wire import Array

# Okabe and Ito's colours, which colour-blind readers can tell apart.
EXPECTED, GOT = "#0072b2", "#d55e00"
GREEN, YELLOW, PURPLE = "#009e73", "#e69f00", "#cc79a7"
INK, GREY, FAINT = "#24292f", "#8b949e", "#d0d7de"
STYLE = {
    "svg.hashsalt": "report",  # the same figure has the same bytes
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}
FAR = 1e6  # coordinates beyond it are drawn there
MOST = 4096  # values of a matrix; a larger one is not drawn


@dataclass(frozen=True)
class Key:
    """An entry of the key; `style` is solid, dashed, dotted, filled, ring or cross."""

    text: str
    colour: str
    style: str = "solid"


@dataclass(frozen=True)
class Panel:
    """A picture as a data URI, and the words that stand in for it."""

    source: str
    alt: str


@dataclass
class Figure:
    """Panels under one caption, which says what to see."""

    caption: str
    key: tuple[Key, ...] = ()
    panels: list[Panel] = field(default_factory=list)

    @contextmanager
    def panel(self, alt: str, width: float = 3.2, height: float = 2.9) -> Iterator[Axes]:
        """Add a panel (its size in inches, at 96 pixels each) drawn within the `with` block; `alt`
        says what is to be seen."""
        with matplotlib.rc_context(STYLE):
            drawing = mpl.Figure(figsize=(width, height), layout="constrained", facecolor="none")
            yield drawing.subplots(subplot_kw={"facecolor": "none"})
            buffer = io.BytesIO()
            # Figure.savefig would lay the panel out and draw it twice.
            FigureCanvasSVG(drawing).print_svg(  # type: ignore[no-untyped-call]
                buffer, metadata={"Date": None})
        encoded = base64.b64encode(buffer.getvalue()).decode()
        self.panels.append(Panel(f"data:image/svg+xml;base64,{encoded}", alt))


def compared(*more: Key) -> tuple[Key, ...]:
    """The key of lines drawn as expected and as they came back."""
    return Key("expected", EXPECTED), Key("yours", GOT, "dashed"), *more


def boxes_of(value: Any) -> Array:
    """An answer as float64 boxes `[n, 4]` that can be drawn.

    Raises:
        Wrong: it is something else.
    """
    value = array(value, "boxes")
    value = array(value, "boxes", (len(value) if value.ndim else 0, 4))
    clipped: Array = np.clip(value.astype(np.float64), -FAR, FAR)
    return clipped


def differing(got: Array, want: Array, atol: float = 1e-3) -> Array:
    """Which rows of two arrays `[N, ...]` of one shape differ by more than `atol`."""
    close = np.isclose(got.astype(np.float64), want.astype(np.float64), 1e-4, atol, equal_nan=True)
    same = np.asarray(close).reshape(len(want), -1)
    return ~np.asarray(same.all(axis=1))


def box(axes: Axes, corners: Iterable[float], colour: str, style: str = "-", width: float = 1.6,
        **options: Any) -> None:
    """The outline of a box (x1, y1, x2, y2); colour, style and width as matplotlib names them."""
    x1, y1, x2, y2 = (float(value) for value in corners)
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color=colour, ls=style,
                             lw=width, **options))


def named(axes: Axes, corners: Iterable[float], i: int, text: str, colour: str) -> None:
    """Write at a corner of box `i` (x1, y1, x2, y2): at another one for each of four boxes in a
    row."""
    x1, y1, x2, y2 = (float(value) for value in corners)
    x, y, across, down = ((x1, y1, "left", "top"), (x2, y2, "right", "bottom"),
                          (x1, y2, "left", "bottom"), (x2, y1, "right", "top"))[i % 4]
    axes.text(x, y, f" {text} ", ha=across, va=down, fontsize=8, color=colour, weight="bold",
              clip_on=True, path_effects=[withStroke(linewidth=2.5, foreground="white")])


def both(axes: Axes, expected: Array, got: Array) -> None:
    """Boxes `[N, 4]` as expected and as they came back, in the styles of `compared`."""
    for corners in expected:
        box(axes, corners, EXPECTED, width=2.4)
    for corners in got:
        box(axes, corners, GOT, "--")


def view(axes: Axes, needed: Array, wanted: Array | None = None) -> None:
    """Show boxes with x to the right and y down, at equal scales.

    Args:
        needed: boxes `[n, 4]` that are seen whole.
        wanted: boxes that are shown as well if they are near; the picture says how many are not.
    """
    low, high = needed[:, :2].min(axis=0), needed[:, 2:].max(axis=0)
    side = max(*(high - low), 1e-3)
    wanted = np.zeros((0, 4)) if wanted is None else wanted
    edges = np.stack([np.fmin(wanted[:, :2], wanted[:, 2:]), np.fmax(wanted[:, :2], wanted[:, 2:])])
    near = ((edges[0] > low - side) & (edges[1] < high + side)).all(axis=1)
    if near.any():
        low = np.minimum(low, edges[0][near].min(axis=0))
        high = np.maximum(high, edges[1][near].max(axis=0))
    margin = 0.06 * max(*(high - low), 1e-3)
    axes.set(xlim=(low[0] - margin, high[0] + margin), ylim=(high[1] + margin, low[1] - margin),
             aspect="equal")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    if not near.all():
        axes.text(0.5, -0.02, f"{int((~near).sum())} of yours not in the picture", color=GOT,
                  transform=axes.transAxes, ha="center", va="top", fontsize=8)
        axes.set_xticks([])
        axes.locator_params(axis="y", nbins=5)
    else:
        axes.locator_params(nbins=5)
    axes.tick_params(labelsize=7, colors=GREY, length=2)


def picture(axes: Axes, image: Array) -> None:
    """An image `[3 or 1, H, W]` in 0..1, pixel (x, y) around the point (x, y)."""
    pixels = np.clip(np.nan_to_num(image.astype(np.float64)), 0, 1).transpose(1, 2, 0)
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=FAINT)


def height_for(height: float, width: float) -> float:
    """The height in inches of a panel of the usual width that shows something of these sides."""
    return float(np.clip(2.7 * height / max(width, 1e-6) + 0.5, 1.5, 3.6))


def maps(axes: Axes, values: Array, low: float, high: float, colours: str = "viridis") -> None:
    """A map `[H, W]`, coloured from `low` to `high`; white where it is nan."""
    shown = np.clip(values.astype(np.float64), -FAR, FAR)
    axes.imshow(shown, cmap=colours, vmin=low, vmax=max(high, low + 1e-9), interpolation="nearest")
    axes.locator_params(nbins=7, integer=True)
    axes.tick_params(labelsize=7, colors=GREY, length=2)


def matrix(axes: Axes, values: Array, low: float, high: float, wrong: Array | None = None) -> None:
    """A matrix `[N, M]` in colours from `low` to `high`, with its numbers, if they are few; `wrong`
    entries are framed.

    Raises:
        Wrong: it is none, or too large.
    """
    values = array(values, "the matrix", values.shape[:2] if 0 < values.size <= MOST else (0, 0))
    maps(axes, values, low, high)
    rows, columns = values.shape
    axes.set(xticks=range(columns) if columns < 12 else [], yticks=range(rows) if rows < 12 else [])
    if max(values.shape) > 8:
        return
    for (row, column), value in np.ndenumerate(values.astype(np.float64)):
        dark = not value > (low + high) / 2 and np.isfinite(value)
        axes.text(column, row, f"{value:.2g}" if abs(value) < 100 else f"{value:.0e}",
                  ha="center", va="center", fontsize=7, color="white" if dark else INK)
        if wrong is not None and wrong[row, column]:
            axes.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False,
                                     color=GOT, lw=2))


def side_by_side(figure: Figure, want: Array, got: Array, what: str, **labels: Any) -> None:
    """Two panels: a matrix as expected and as it came back, in one scale of colours; labels as of
    `Axes.set`."""
    low, high = float(np.nanmin(want)), float(np.nanmax(want))
    wrong: Array | None = None
    if got.shape == want.shape:
        wrong = ~np.asarray(np.isclose(got.astype(np.float64), want.astype(np.float64), 1e-4, 1e-5,
                                       equal_nan=True))
    for values, title, framed in ((want, "expected", None), (got, "yours", wrong)):
        shape = " x ".join(map(str, values.shape))
        with figure.panel(f"{title}: {what}, {shape}", height=height_for(*values.shape[:2])
                          if values.ndim > 1 else 2.9) as axes:
            matrix(axes, values, low, high, framed)
            axes.set(title=title, **labels)
