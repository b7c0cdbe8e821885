"""Do the trainings of the reference study that are missing."""

import argparse
import sys

from . import runs

parser = argparse.ArgumentParser(prog="python -m handout.study", description=__doc__)
parser.add_argument("--threads", type=int, help="of each training (default: torch's choice)")
parser.add_argument("--list", action="store_true", help="say what is missing, and train nothing")
options = parser.parse_args()
try:
    if options.list:
        print("\n".join(run.name for run in runs.missing()) or "nothing is missing")
        sys.exit(0)
    sys.exit(runs.work_off(options.threads))
except FileNotFoundError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
except KeyboardInterrupt:
    print("interrupted; the same command goes on", file=sys.stderr)
    sys.exit(130)
