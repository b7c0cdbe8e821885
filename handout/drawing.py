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
from matplotlib.ticker import MaxNLocator

from autograder.engine.pages import canvas

POSITIVE, IGNORED, NEGATIVE, MINED = "#1a7f37", "#bf8700", "#c9ccd1", "#cf222e"
BLUE, GREY, INK = "#0969da", "#8b949e", "#1f2328"
STYLE = {**canvas.STYLE, "svg.hashsalt": "handout", "figure.dpi": 100}
BARE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # no line runs through a text on it

Draw = Callable[..., Figure]


def named(*draws: Draw) -> dict[str, Draw]:
    """The functions by their names, with hyphens."""
    return {draw.__name__.replace("_", "-"): draw for draw in draws}


def encoded(draw: Draw, *data) -> tuple[str, str]:
    """`(data URI, alternative text)` of the figure that a function draws of some data."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        draw(*data).savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight",
                            pad_inches=0.05)
    uri = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/svg+xml;base64,{uri}", " ".join((draw.__doc__ or "").split())


def subplots(count: int, width: float, height: float, **options):
    """A figure of `width` x `height` inches and its `count` panels, side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, count, **options)


def show_image(axes, image: np.ndarray, shown: float = 1.0) -> None:
    """Show an image so that the point (x, y) of an annotation lies in the middle of pixel x, y;
    below 1, `shown` fades it to white."""
    image = (image * shown + 255 * (1 - shown)).astype(np.uint8)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=GREY, linewidth=0.8)  # white images show no edge


def losses(axes, log: dict[str, list[float]]) -> None:
    """Training and validation loss over the epochs, on a logarithmic axis."""
    for key, colour in (("train_loss", GREY), ("val_loss", BLUE)):
        axes.semilogy(range(1, len(log[key]) + 1), log[key], color=colour, label=key.split("_")[0])
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def explain(axes, marks: dict[str, dict]) -> None:
    """Add entries to the legend of what is drawn in several ways: text -> options of a line."""
    for text, options in marks.items():
        axes.plot([], [], label=text, **options)
