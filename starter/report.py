"""Given: fills the tables of `report.md` with what your networks reach, and makes a page of it.

    python report.py                measures what has no value yet, with your own functions
    python report.py --overwrite    measures everything

After a new training, measure everything. Each part is written down when it is measured. Your
weights are read from `results/` of the two problems, the validation images from the folder
`datasets/` beside this one. Where something is missing or fails, its rows stay as they are.
The work is in the folder of this file, or in that of the environment variable `HOMEWORK`.
"""

import argparse
import functools
import html
import importlib
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import torch
    from torch.utils.data import DataLoader
    from tqdm import tqdm
except ImportError as error:
    sys.exit(f"{error.name} is not installed for {sys.executable}: start this file with the Python "
             "of .venv, which `make grade` makes")

HERE = Path(os.environ.get("HOMEWORK", Path(__file__).parent)).resolve()
REPORT = HERE / "report.md"
CLASSES = ("circle", "square", "triangle")
SIDES = (56, 28, 14)  # of the map that was made for each class
IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # of AP@[.5:.95]
THRESHOLDS = (0.02, 0.05, 0.10, 0.15, 0.20)  # of PCK
CASES = {"only heatmap right": "only_heatmap", "only regression right": "only_regression",
         "both wrong": "both_wrong"}
NUMBER = r"[*_`]*[-+]?(\d+[.,]?\d*|[.,]\d+) *(%|px)?[*_`]*"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
STYLE = """body{font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em}
td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left;overflow-wrap:anywhere}
table{border-collapse:collapse}
img{max-width:100%}pre{overflow-x:auto}
blockquote{margin:0;padding-left:1em;border-left:3px solid #bbb;color:#555}"""


def load(network, path):
    """A network with the weights of a file, in evaluation mode."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing: run train.py first")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(f"{path.name} holds more than tensors: save model.state_dict()") from None
    for wrapper in ("model_state_dict", "state_dict", "model"):
        state = state.get(wrapper, state)
    network.load_state_dict({re.sub(r"^(module\.|_orig_mod\.)+", "", name): value
                             for name, value in state.items()})
    return network.eval()


def bar(values, what):
    """A progress bar, where somebody watches."""
    return tqdm(values, desc=what, leave=False, disable=None)


def measure_detector(data):
    """Yield `(rows, function that measures them)`."""
    dataset, evaluate, utils = map(importlib.import_module, ("dataset", "evaluate", "utils"))
    images = dataset.ShapeDetectionDataset(
        data / "detection" / "val", data / "detection" / "val_annotations.json")
    loader = DataLoader(images, 16, collate_fn=dataset.collate_fn)
    anchors = utils.generate_anchors(utils.MAP_SIZES, utils.ANCHOR_SCALES)

    @functools.cache
    def model():
        return load(importlib.import_module("model").MultiScaleDetector(),
                    HERE / "problem1" / "results" / "best_model.pth")

    @functools.cache
    def detected():
        return evaluate.detect(model(), bar(loader, "detector"), anchors)

    def precision():
        aps = torch.tensor([evaluate.ap_per_class(*detected(), 3, iou)
                            for iou in bar(IOUS, "average precision")])
        return [aps[0].nanmean(), aps.nanmean(), *aps[0]]

    def maps():
        counts = evaluate.analyze_scale_performance(model(), bar(loader, "maps"), anchors)
        counts = torch.as_tensor(counts).double()
        return counts.diagonal() / counts.sum(dim=0)

    def coverage():  # needs no weights: it is asked for before there are any
        targets = [target for index in range(len(images)) for target in images[index][1:]]
        found = importlib.import_module("analysis").anchor_coverage(anchors, targets)
        return torch.as_tensor(found).diagonal()

    yield ["mAP@0.5", "AP@[.5:.95]", *(f"AP {name}" for name in CLASSES)], precision
    yield [f"{name}s by map {side}" for name, side in zip(CLASSES, SIDES)], maps
    yield [f"coverage {name} {side}" for name, side in zip(CLASSES, SIDES)], coverage


def measure_keypoints(data):
    """As `measure_detector`."""
    dataset, evaluate, model = map(importlib.import_module, ("dataset", "evaluate", "model"))
    results = HERE / "problem2" / "results"
    images = dataset.KeypointDataset(
        *dataset.split_paths(data / "keypoints", "val"), output_type="regression")

    @functools.cache
    def net(name):
        network = {"heatmap": model.HeatmapNet, "regression": model.RegressionNet}[name]
        return load(network(), results / f"{name}_model.pth")

    @functools.cache
    def predicted(name):
        outputs, truths = [], []
        for batch, targets in bar(DataLoader(images, 16), f"{name} network"):
            outputs.append(net(name)(batch))
            truths.append(targets.unflatten(1, (-1, 2)) * batch.shape[-1])
        return torch.cat(outputs), torch.cat(truths), batch.shape[-1]

    def points(name, decoder="extract_keypoints_from_heatmaps"):
        found, _, side = predicted(name)
        if name == "regression":
            return found.unflatten(1, (-1, 2)) * side
        return getattr(evaluate, decoder)(found) * (side / found.shape[-1])

    def pck(name):
        found = evaluate.compute_pck(points(name), predicted(name)[1], THRESHOLDS)
        return [found[threshold] for threshold in THRESHOLDS]

    def error(*decoder):
        return [(points("heatmap", *decoder) - predicted("heatmap")[1]).norm(dim=2).mean()]

    def cases():
        from baseline import analyze_failure_cases
        found = analyze_failure_cases(net("heatmap"), net("regression"), images,
                                      results / "visualizations", 0.1)
        return [sum(found[case]["keypoints"].values()) for case in CASES.values()]

    for name in ("heatmap", "regression"):
        yield ([f"{name} PCK@{threshold:.2f}" for threshold in THRESHOLDS],
               functools.partial(pck, name))
    yield ["heatmap mean error argmax"], error
    yield ["heatmap mean error subpixel"], lambda: error("decode_subpixel")
    yield list(CASES), cases


def measured(problem, measure, data, wanted):
    """Yield for each part its rows, row -> value as text if one is wanted, and why it failed or "".

    Both problems have modules of the same names, so that one's go before the other's come.
    """
    sys.path.insert(0, str(HERE / problem))
    try:
        for rows, function in measure(data):
            values, failure = {}, ""
            try:
                if wanted & set(rows):
                    print(f"{problem}: measuring {', '.join(rows)}", flush=True)
                    with torch.no_grad():
                        found = [float(value) for value in function()]
                    values = {row: f"{value:.0f}" if row in CASES else f"{value:.4f}"
                              for row, value in zip(rows, found, strict=True) if value == value}
            except Exception as error:  # whatever the student's code raises
                failure = f"{problem}: {', '.join(rows)}: {said(error)}"
            yield rows, values, failure
    except Exception as error:
        yield (), {}, f"{problem}: nothing can be measured: {said(error)}"
    finally:
        sys.path.remove(str(HERE / problem))
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, "__file__", None) or "/").parent == HERE / problem:
                del sys.modules[name]


def said(error):
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def cells(line):
    """The cells of a row of a table; none of any other line."""
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix(
        "|").split("|")] if "|" in line else []


def fill(text, values, overwrite):
    """The report with values in the rows that have none, or in all."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        name, *rest = cells(line) or [""]
        if name in values and rest and (overwrite or not rest[0]):
            lines[index] = " | ".join([f"| {name}", values[name], *rest[1:]]).rstrip() + " |"
    return "\n".join(lines)


def empty_rows(text):
    """Names of the rows that have no value."""
    rows = map(cells, text.split("\n"))
    return [row[0] for row in rows if len(row) > 1 and row[0] and not row[1]]


def missing(text):
    """A sentence for everything that is still to do."""
    if rows := empty_rows(text):
        yield f"no value: {', '.join(rows)}"
    for name, value, *_ in (row for row in map(cells, text.split("\n")) if len(row) > 1):
        if re.search(r"\d", value) and not re.fullmatch(NUMBER, value):
            yield f"{name}: {value!r} is no number"
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        heading, _, answer = part.partition("\n")
        lines = answer.partition("\n## ")[0].split("\n")
        if re.fullmatch(r"Q\d", heading.strip()) and not any(
                line.strip() and not line.startswith(">") for line in lines):
            yield f"{heading.strip()} has no answer"
    for picture in re.findall(r"!\[[^]\n]*\]\(([^)\n]*)\)", text):
        if not (HERE / picture).is_file():
            yield f"the picture {picture} is not there"


def inline(text):
    """Pictures, links, code and emphasis of a line as HTML."""
    text = html.escape(text)
    for pattern, to in ((r"!\[([^]]*)\]\(([^)]*)\)", r'<img alt="\1" src="\2">'),
                        (r"\[([^]]*)\]\(([^)]*)\)", r'<a href="\2">\1</a>'),
                        (r"`([^`]+)`", r"<code>\1</code>"), (r"\*\*([^*]+)\*\*", r"<b>\1</b>"),
                        (r"\*([^*]+)\*", r"<i>\1</i>")):
        text = re.sub(pattern, to, text)
    return text


def as_page(text):
    """The Markdown of a report as a page: headings, tables, lists, quotes, code and paragraphs."""
    parts = []
    for block in re.split(r"(^```.*?^```\s*$)|\n\s*\n", text, flags=re.M | re.S):
        lines = (block or "").strip("\n").split("\n")
        first = lines[0].lstrip()
        heading = re.match(r"(#{1,6}) ", first)
        if first.startswith("```"):
            parts.append(f"<pre>{html.escape(chr(10).join(lines[1:-1]))}</pre>")
        elif heading:
            level = len(heading[1])
            parts.append(f"<h{level}>{inline(first[level + 1:])}</h{level}>")
            parts.append(as_body(lines[1:]))
        else:
            parts.append(as_body(lines))
    return ('<!doctype html><html lang="en"><meta charset="utf-8"><title>Report</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{STYLE}</style>{chr(10).join(parts)}</html>\n")


def as_body(lines):
    """A block without heading as HTML."""
    first = lines[0].lstrip() if lines else ""
    if first.startswith("|"):
        rows = [cells(line) for line in lines]
        ruled = [not set("".join(row)) - set("-: ") for row in rows]  # below the head
        kinds = ["th" if ruled[1:2] == [True] else "td", *["td"] * len(rows)]
        return "<table>" + "".join(
            "<tr>" + "".join(f"<{kind}>{inline(cell)}</{kind}>" for cell in row) + "</tr>"
            for row, kind, rule in zip(rows, kinds, ruled) if not rule) + "</table>"
    for mark, outer, inner in ((">", "blockquote", ""), ("- ", "ul", "li"), ("* ", "ul", "li")):
        if first.startswith(mark):
            items = (inline(line.strip().removeprefix(mark)) for line in lines)
            return f"<{outer}>" + "\n".join(
                f"<{inner}>{item}</{inner}>" if inner else item for item in items) + f"</{outer}>"
    return f"<p>{inline(chr(10).join(lines))}</p>" if first else ""


def print_pdf(page, pdf):
    """Print the page where there is a browser of Chromium's kind, and say what came of it."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        return "no report.pdf: there is no Chromium here; print report.html from a browser"
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    try:
        subprocess.run([found, "--headless", "--disable-gpu", *root, "--no-pdf-header-footer",
                        f"--print-to-pdf={pdf}", page.as_uri()],
                       check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        return f"no report.pdf: {said(error)}"
    return f"wrote {pdf}"


def main(argv=None):
    """Fill, render, and say what is missing. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Fill in report.md and make a page of it.")
    parser.add_argument("--data", type=Path, default=HERE.parent / "datasets",
                        help="folder with detection/ and keypoints/ (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="measure rows with a value too")
    options = parser.parse_args(argv)
    try:
        text = REPORT.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        print(f"error: {REPORT} cannot be read: {said(error)}", file=sys.stderr)
        return 2
    rows = {row[0] for row in map(cells, text.split("\n")) if len(row) > 1}
    wanted = rows if options.overwrite else set(empty_rows(text))
    new, kept, failed = 0, 0, []
    for problem, measure in (("problem1", measure_detector), ("problem2", measure_keypoints)):
        for part, values, failure in measured(problem, measure, options.data, wanted):
            if values:  # read again: it may have been edited since
                text = fill(REPORT.read_text(encoding="utf-8"), values, options.overwrite)
                REPORT.write_text(text, encoding="utf-8", newline="\n")
            new += len(values.keys() & wanted)
            kept += len(rows & set(part) - wanted)
            failed += [failure] * bool(failure)
    text = REPORT.read_text(encoding="utf-8")
    page = HERE / "report.html"
    page.write_text(as_page(text), encoding="utf-8", newline="\n")
    print(f"wrote {REPORT} and {page}; {new} values are new")
    if kept:
        print(f"{kept} values stood there and were not measured: after a new training, "
              "report.py --overwrite replaces them")
    print(print_pdf(page, HERE / "report.pdf"))
    print("\n".join([*failed, *missing(text)]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: what was measured is in report.md; the same command measures the rest")
