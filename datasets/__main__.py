"""Command line: `python -m datasets generate` and `python -m datasets audit`.

Exit codes: 0 done, 2 bad arguments, a refusal or an unreadable or unwritable folder (with one
line on stderr), 130 or 143 when interrupted.
"""

import argparse
import signal
import sys
from pathlib import Path
from typing import NoReturn

from datasets import audit, store, term
from datasets.recipe import PALETTES, PROFILES, Recipe

PACKAGE_FOLDER = Path(__file__).resolve().parent


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> None:
    """Run one command; raises SystemExit with the exit code unless it succeeds."""
    parser = Parser(prog="python -m datasets", description="Draw or check the two datasets.")
    commands = parser.add_subparsers(dest="command", required=True)

    generate = commands.add_parser("generate", help="draw both datasets")
    generate.add_argument("--profile", choices=PROFILES, default=term.PROFILE,
                          help="how scenes are drawn (default: %(default)s)")
    generate.add_argument("--seed", type=int, default=term.SEED, metavar="N",
                          help="of all images (default: %(default)s)")
    for split, count in (("train", 1000), ("val", 200)):
        generate.add_argument(f"--{split}", type=int, default=count, metavar="N",
                              help="images per dataset (default: %(default)s)")
    generate.add_argument("--palette", choices=PALETTES, default="class",
                          help="a colour for each class (default), or random ones")
    generate.add_argument("--out", type=Path, default=PACKAGE_FOLDER, metavar="DIR",
                          help="where they go (default: datasets/)")
    generate.add_argument("--force", action="store_true", help="replace another dataset")
    generate.set_defaults(run=_generate)

    check = commands.add_parser("audit", help="check a dataset and say what it holds")
    check.add_argument("folder", type=Path, nargs="?", default=PACKAGE_FOLDER, metavar="DIR",
                       help="of the dataset (default: datasets/)")
    check.set_defaults(run=_audit)

    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"cannot write {error.filename or 'the dataset'}: {error.strerror}")
    except KeyboardInterrupt:
        parser.exit(130, "interrupted\n")


def _generate(options: argparse.Namespace) -> None:
    recipe = Recipe(options.profile, options.seed, options.train, options.val, options.palette)
    if store.generate(recipe, options.out, options.force) is None:
        print(f"{options.out} holds this dataset already, nothing to do")
        return
    # No more: what the audit counts of them is what tasks and questions of the homework ask for.
    print(f"{2 * (options.train + options.val)} images written to {options.out}; detection.png and "
          "keypoints.png there show some of them")


def _audit(options: argparse.Namespace) -> None:
    report = audit.audit(store.read_annotations(options.folder))
    print(audit.as_text(report))
    print(f"all images and annotations are as {options.folder / store.MANIFEST} says")
    store.write_json(options.folder / "audit.json", report)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a kill cleans up
    main()
