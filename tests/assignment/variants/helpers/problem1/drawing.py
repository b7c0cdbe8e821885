from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def draw_counts(counts, names, maps, path):
    figure = Figure(figsize=(6, 3))
    axes = figure.add_subplot()
    for m in range(len(counts)):
        axes.bar(x=[c + 0.25 * m for c in range(len(names))], height=counts[m], width=0.25, label=maps[m])
    axes.set_xticks(ticks=range(len(names)), labels=names)
    axes.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(fname=path)


def draw_boxes(image, solid, dashed, path):
    figure = Figure(figsize=(5, 5))
    axes = figure.add_subplot()
    axes.imshow(X=image.permute(dims=(1, 2, 0)).numpy())
    for style, items in (("-", solid), ("--", dashed)):
        for (x1, y1, x2, y2), text in items:
            axes.add_patch(p=Rectangle(xy=(x1, y1), width=x2 - x1, height=y2 - y1, fill=False, linestyle=style))
            axes.text(x=x1, y=y1, s=text)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(fname=path)
