"""What the figures of the handout and of the study's report share: colours, style, functions.

A figure is a function that returns a matplotlib figure; its docstring is the text that stands in
for it where it cannot be seen. `encoded` makes one ready to be put into a page.
"""

import base64
import io
from collections.abc import Callable

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

POSITIVE, IGNORED, NEGATIVE, MINED = "#1a7f37", "#bf8700", "#c9ccd1", "#cf222e"
BLUE, GREY, INK = "#0969da", "#8b949e", "#1f2328"
STYLE = {
    "svg.hashsalt": "handout",  # so that the same figure has the same bytes
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 100,
}


def encoded(draw: Callable[..., Figure | None], *data) -> tuple[str, str] | None:
    """`(data URI, alternative text)` of the figure that a function draws of some data.

    None where it draws nothing, for lack of data.
    """
    with matplotlib.rc_context(STYLE):
        figure, buffer = draw(*data), io.BytesIO()
        if figure is None:
            return None
        figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight",
                       pad_inches=0.05)
    uri = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/svg+xml;base64,{uri}", " ".join((draw.__doc__ or "").split())


def subplots(count: int, width: float, height: float, **options):
    """A figure of `width` x `height` inches and its `count` panels, side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, count, **options)


def draw_box(axes, box, colour, style="-", width=1.5, **options) -> None:
    """Outline a box (xyxy)."""
    x1, y1, x2, y2 = (float(v) for v in box)
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color=colour, ls=style,
                             lw=width, **options))


def show_image(axes, image: np.ndarray) -> None:
    """Show an image so that the point (x, y) of an annotation lies in the middle of pixel x, y."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
