from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def canvas(width, height):
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure=figure)
    return figure, figure.add_subplot()


def store(figure, path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(fname=path, dpi=80)
