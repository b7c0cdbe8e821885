"""Command line: `python -m handout build`, `report`, `notebooks`, `times` and `curves`.

Exit codes: 0 done, 1 a check found a difference, 2 a mistake in the call, with one line on stderr.
"""

import argparse
import json
import sys
from pathlib import Path

from . import problems

BUILD = problems.KIT / "build" / "handout"
REPORT = problems.KIT / "handout" / "report"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m handout", description="Build the handout.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for name, run, folder, says in (
            ("build", _build, BUILD, "write one HTML page, and a PDF where Chromium is"),
            ("report", _report, REPORT, "write the report of the study in the same way")):
        page = commands.add_parser(name, help=says)
        page.add_argument("--out", type=Path, default=folder, metavar="FOLDER")
        page.set_defaults(run=run)

    notebooks = commands.add_parser("notebooks", help="build problem1.ipynb and problem2.ipynb")
    notebooks.add_argument("--check", action="store_true",
                           help="write nothing; exit 1 if they are not what their sources build")
    notebooks.set_defaults(run=_notebooks)

    times = commands.add_parser("times", help="measure the times that the handout gives (minutes)")
    times.set_defaults(run=_times)
    curves = commands.add_parser("curves", help="train what the handout's curves show (minutes)")
    curves.set_defaults(run=_curves)

    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _build(options: argparse.Namespace) -> int:
    from . import page

    return _write(options.out, "handout", page.build())


def _report(options: argparse.Namespace) -> int:
    from .study import report

    return _write(options.out, "report", report.build())


def _write(folder: Path, name: str, text: str) -> int:
    from . import chromium

    folder.mkdir(parents=True, exist_ok=True)
    html, pdf = folder / f"{name}.html", folder / f"{name}.pdf"
    html.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {html} ({html.stat().st_size / 1e6:.1f} MB)")
    if chromium.find() is None:
        print(f"no PDF: {chromium.MISSING}")
        return 0
    chromium.print_pdf(html, pdf)
    print(f"wrote {pdf} ({pdf.stat().st_size / 1e6:.1f} MB)")
    return 0


def _notebooks(options: argparse.Namespace) -> int:
    from . import ipynb

    if options.check:
        stale = ipynb.stale()
        for path in stale:
            print(f"{path} is not what its source builds: run `make notebooks`")
        return 1 if stale else 0
    for path in ipynb.write():
        print(f"wrote {path}")
    return 0


def _times(options: argparse.Namespace) -> int:
    from . import times

    return _keep(times.FILE, times.measure(), indent=2)


def _curves(options: argparse.Namespace) -> int:
    from . import curves

    return _keep(curves.FILE, curves.train())


def _keep(file: Path, found: dict, **form: int) -> int:
    file.write_text(json.dumps(found, **form) + "\n", encoding="utf-8")  # type: ignore[arg-type]
    print(file.read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
