"""Build the zip file that is handed in, and say what of it is missing, too large or misnamed."""

import difflib
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from . import sources
from .archive import pack_folder
from .assignment import Assignment
from .files import is_results, write_whole
from .references import Reference, load
from .results import some
from .sandbox.folders import meant
from .submission import take_in
from .text import printable

MOST = 100_000_000  # bytes of an upload that Gradescope takes
LARGEST = 3  # folders and files that are named where the upload is larger
NEAR = 0.7  # from this likeness on (see difflib), one name of a file is probably meant by another


def build(assignment: Assignment, handed: Sequence[Path], path: Path) -> list[str]:
    """Write the zip file, of the files that a grader would read.

    Args:
        handed: what is handed in, as for `submission.take_in`.

    Returns:
        one line for everything that is worth a look; the last one names file and size.

    Raises:
        NoSubmission: there is nothing to hand in.
        BadReferences: the public references, which say what is read of `results/`, cannot be used.
        OSError: the file cannot be written.
    """
    first, *more = handed
    references = load(assignment, "public").by_number
    claimed = {name for check in assignment.checks
               for name in references[check.number].question.handed}
    with tempfile.TemporaryDirectory(prefix="submission-") as folder:
        root = Path(folder)
        submission = take_in(first, root, assignment.problems, *more)
        packed = pack_folder(root)
        files = {file.relative_to(root).as_posix(): file.stat().st_size
                 for file in root.rglob("*") if file.is_file()}
        lines = [*submission.notes, *_missing(assignment, references, root, files),
                 *assignment.unfilled(submission.handed([*files.keys() & claimed])),
                 *sources.read(root, assignment.libraries, assignment.modules)[0]]
    read = {f"{each.question.problem}/results/{name}" for each in references.values()
            for name in each.question.results}
    rest = [name for name in sorted(files) if not name.endswith(".py") and "/" in name
            and not is_results(name.split("/")[1])]
    if read <= files.keys():  # else one of them may be taken for what is missing
        rest += [name for name in sorted(files.keys() - read) if name.endswith((".pth", ".pt"))]
    if rest:
        lines.append(f"{printable(some(rest))}: packed, though no task asks for it: delete what "
                     "your code does not read")
    write_whole(path, packed)
    if len(packed) > MOST:
        sizes: Counter[str] = Counter()
        for name, size in files.items():
            sizes["/".join(name.split("/")[:2])] += size
        told = ", ".join(f"{printable(name)} ({_size(size)})"
                         for name, size in sizes.most_common(LARGEST))
        lines.append(f"Gradescope takes {_size(MOST)} at most, and the file is larger: {told}")
    return [*lines, f"wrote {path}: {len(files)} files, {_size(len(packed))}"]


def _size(count: int) -> str:
    return f"{count / 1e6:.3g} MB"


def _missing(assignment: Assignment, references: Mapping[str, Reference], root: Path,
             files: dict[str, int]) -> list[str]:
    """One line for each file that checks read and that is not there under its name."""
    wanted: dict[str, dict[str, None]] = {}  # file -> tasks that need it
    for check in assignment.checks:
        question = references[check.number].question
        # A trained network is measured without what was claimed of it.
        results = question.results if check.measured is None else ()
        for file in [*(file for file in check.task.files if not file.endswith("/")),
                     *(f"{question.problem}/results/{name}" for name in results)]:
            wanted.setdefault(file, {})[check.task_number] = None
    lines = []
    for file, tasks in wanted.items():
        problem, name = file.partition("/")[0], PurePosixPath(file).name
        if file in files or file != problem and not (root / problem).is_dir():  # told already
            continue
        other = meant(root / problem, name) if "/results/" in file else None
        if other is not None:
            lines.append(f"{printable(other.relative_to(root).as_posix())} is taken for {file}")
            continue
        names = {PurePosixPath(own).name: own for own in files
                 if own.startswith(f"{problem}/") and own not in wanted}
        near = difflib.get_close_matches(name, names, 1, NEAR)
        near = near or [name for name in names if name.endswith(".ipynb")][:file.endswith(".py")]
        lines.append(f"{file} is missing (task{'s' * (len(tasks) > 1)} {', '.join(tasks)})"
                     + (f": is {printable(names[near[0]])} meant?" if near else ""))
    return lines
