"""Command line: `python -m handout build`, `report`, `notebooks`, `times` and `curves`.

Exit codes: 0 done, 1 a check found a difference, 2 a mistake in the call, with one line on stderr.
"""

import argparse
import functools
import importlib
import json
import sys
from pathlib import Path

from autograder.engine.command import add_command

from . import problems

BUILD = problems.KIT / "build" / "handout"
REPORT = problems.KIT / "handout" / "report"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m handout", description="Build the handout.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = functools.partial(add_command, commands)
    for name, folder, says in (
            ("build", BUILD, "write one HTML page, and a PDF where Chromium is"),
            ("report", REPORT, "write the report of the study, as HTML and PDF too")):
        add = command(name, _page, says)
        add("--out", type=Path, default=folder, metavar="DIR",
            help=f"folder of the page (default: {folder.relative_to(problems.KIT)})")
        add("--screenshots", action="store_true",
            help="and pictures of it, 390 and 1200 pixels wide, in screenshots/ beside it")
    command("notebooks", _notebooks, "build problem1.ipynb and problem2.ipynb")(
        "--check", action="store_true",
        help="write nothing; exit 1 if they are not what their sources build")
    command("times", _measure, "measure the times that the handout gives (minutes)")
    command("curves", _measure, "train what the handout's curves show (minutes)")

    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _page(options: argparse.Namespace) -> int:
    from . import chromium

    name, module = {"build": ("handout", ".page"), "report": ("report", ".study.report")}[
        options.command]
    text = importlib.import_module(module, __package__).build()
    options.out.mkdir(parents=True, exist_ok=True)
    html, pdf = options.out / f"{name}.html", options.out / f"{name}.pdf"
    html.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {html} ({html.stat().st_size / 1e6:.1f} MB)")
    if chromium.find() is None:
        print(f"no PDF: {chromium.MISSING}")
        return 0
    chromium.print_pdf(html, pdf)
    print(f"wrote {pdf} ({pdf.stat().st_size / 1e6:.1f} MB)")
    if options.screenshots:
        print(f"wrote {chromium.screenshots(html, options.out / 'screenshots')} screenshots")
    return 0


def _notebooks(options: argparse.Namespace) -> int:
    from . import ipynb

    stale = ipynb.write(options.check)
    for path in stale:
        print(f"{path} is not what its source builds: run `make notebooks`" if options.check
              else f"wrote {path}")
    return int(options.check and bool(stale))


def _measure(options: argparse.Namespace) -> int:
    """What a module measures goes into the file that it reads."""
    module = importlib.import_module(f".{options.command}", __package__)
    text = json.dumps(module.measure(), indent=module.INDENT) + "\n"
    module.FILE.write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
