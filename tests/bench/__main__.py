"""`make bench`: speed and memory, each figure beside its alternative in the same run.

    python -m tests.bench [data] [training] [grading] [tuning] [gradescope] [watch] [bank]
    python -m tests.bench classroom [--whole]
    python -m tests.bench hanging [--case solution] [--case nms] ...
"""

import argparse

from tests.bench import classes, grading, students

BENCHES = {name: getattr(module, f"bench_{name}") for module, names in (
    (students, "data training watch"), (grading, "grading tuning gradescope hanging"),
    (classes, "classroom bank quiz")) for name in names.split()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], metavar="NAME",
                        help=f"of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--whole", action="store_true",
                        help=f"classroom: grade {classes.CLASS} submissions and estimate nothing")
    parser.add_argument("--case", action="append", choices=grading.HANGING,
                        help="hanging: one of the submissions; all by default")
    options = parser.parse_args()
    more = {"classroom": [options.whole], "hanging": [options.case or list(grading.HANGING)]}
    for name in options.names or BENCHES:
        BENCHES[name](*more.get(name, []))


if __name__ == "__main__":
    main()
