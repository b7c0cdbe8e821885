"""Read a submission's sources: compile them, and warn about imports that cannot work.

No code of them is run. They are compiled once here, so that no check has to do it again. Parser and
compiler run in a process of their own with limits, because a source can crash them (a long
`x.a.a.a...` ends Python 3.10 with a segmentation fault), or make them write gigabytes (every
`finally` inside another one doubles the code).
"""

import ast
import contextlib
import json
import py_compile
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

MAX_BYTES = 500_000  # of one file; what a person writes is smaller
MAX_NOTES = 20
MAX_IMPORTS = 1000  # of one file
SECONDS, SECONDS_EACH = 20, 5  # for all files together, and for one of them
MOST_LOST = 5  # files that may end the process; each time another one goes on after it
MAX_NAMED = 5
MEMORY, COMPILED = 2**28, 2**21  # bytes: of the process, and of one compiled file
MAX_COMPILED = 10 * COMPILED  # of all of them: every check works on a copy
# Where code has one of these names, it may have more names than one can see.
OPEN = {"*", "__getattr__", "globals", "locals", "vars", "exec", "setattr"}
UNREADABLE = SyntaxError, ValueError, RecursionError, MemoryError, py_compile.PyCompileError
# Python must not compare time stamps: a check works on a copy, which has another one.
UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH


def read(root: Path, libraries: Collection[str], modules: Collection[str] = ()
         ) -> tuple[list[str], dict[str, list[str]], dict[str, dict[str, int]], dict[str, str]]:
    """Compile the sources of the submission at `root`, each beside itself in `__pycache__`.

    Args:
        libraries: what may be imported beside the standard library, and beside `modules`, the
            student's own, there or not.

    Returns:
        one sentence for every forbidden module in a file, with its line (modules that stand
        anywhere in the submission are the student's own), and for every name that is imported from
        a file of the student's own that does not have it; file -> the student's own files that
        it imports; file -> the lines at which its functions begin, see `_lines`; and file -> why
        it does not compile and is passed over, in a sentence.
    """
    names = [*_files(root)]
    looked: list[dict[str, Any] | None] = []  # at the first of these; None where that was in vain
    until = time.monotonic() + SECONDS
    while len(looked) < len(names) and looked.count(None) < MOST_LOST and time.monotonic() < until:
        command = [sys.executable, "-I", "-S", "-B", __file__, str(root), str(len(looked)),
                   *sorted({*libraries, *modules})]
        try:
            said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  timeout=until - time.monotonic()).stdout
        except subprocess.TimeoutExpired as late:
            said = late.stdout or b""
        looked += map(json.loads, said.split(b"\n")[:-1])
        if len(looked) < len(names):
            looked.append(None)  # this one has ended it
    found, asked, imports, lines, lost = [], [], {}, {}, names[len(looked):]
    bound: dict[str, list[str]] = {}
    broken: dict[str, str] = {}
    for name, one in zip(names, looked):
        if one is None or not one["whole"]:
            lost.append(name)
        if one is not None:
            found += [(name, line, module) for module, line in one["found"].items()]
            asked += [(name, *each) for each in one["asked"]]
            imports[name], lines[name] = one["imports"], one["lines"]
            bound[name] = one["bound"]
            if one["broken"]:
                broken[name] = _printable(one["broken"])
    notes = _first([f"{file}, line {line}: imports {module}, which is no file of yours (there is "
                    f"no {module}.py beside it) and not installed where your grade is made"
                    for file, line, module in sorted(found)],
                   "imports that are not allowed")
    if found:
        notes.append(f"allowed are {', '.join(sorted(libraries, key=str.lower))}, the standard "
                     "library and your own files")
    notes += _first([f"{file}, line {line}: imports {name}, which {own} does not have"
                     for file, line, name, own in sorted(asked)
                     if not OPEN.union([name]) & {*bound.get(own, "*")}],
                    "imports of names that are not there")
    if lost:
        notes.append(f"the imports of {', '.join(sorted(lost)[:MAX_NAMED])}"
                     f"{' ...' * (len(lost) > MAX_NAMED)} could not be looked at")
    return [*map(_printable, notes)], imports, lines, broken


def _first(notes: list[str], what: str) -> list[str]:
    """The first ones of these notes on imports, and how many more there are."""
    return notes[:MAX_NOTES] + [f"and {len(notes) - MAX_NOTES} more {what}"] * (
        len(notes) > MAX_NOTES)


def _printable(note: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in note)


def _files(root: Path) -> dict[str, Path]:
    """The sources of a submission by their names in it."""
    return {path.relative_to(root).as_posix(): path
            for path in sorted(root.rglob("*.py")) if path.is_file()}


def _scan(root: Path, first: int, libraries: Sequence[str]) -> Iterator[dict[str, Any]]:
    """For one file after another: `found`, the modules that are neither allowed nor its own, with
    the line of their first import; `imports`, the submission's own files that it imports; `asked`,
    the line, the name and the own file of what it imports from one; `bound`, the names that it has
    itself; `lines` of its functions; `broken`, why it does not compile, if so; `whole`, whether all
    of it was looked at."""
    files = _files(root)
    own = {path.stem for path in files.values()}
    own |= {path.name for path in root.rglob("*") if path.is_dir()}
    fine = {*libraries, *own, *sys.stdlib_module_names}
    room = MAX_COMPILED
    for name, path in [*files.items()][first:]:
        found: dict[str, int] = {}
        imports: set[str] = set()
        asked: list[tuple[int, str, str]] = []
        one: dict[str, Any] = {"found": found, "imports": [], "asked": asked, "bound": ["*"],
                               "lines": {}, "broken": "", "whole": True}
        if path.stat().st_size > MAX_BYTES:
            yield {**one, "whole": False}
            continue
        if hasattr(signal, "alarm"):
            signal.alarm(SECONDS_EACH)  # which ends this process
        try:
            tree = ast.parse(path.read_bytes())
            nodes = list(ast.walk(tree))
            with contextlib.suppress(OSError):  # too large, or `__pycache__` is a file
                compiled = room > 0 and py_compile.compile(
                    str(path), doraise=True, invalidation_mode=UNCHECKED)
                room -= Path(compiled).stat().st_size if compiled else 0
        except UNREADABLE as error:
            yield {**one, "broken": _described(name, getattr(error, "exc_value", error))}
            continue
        # who catches the error can do without
        tried = {id(node) for attempt in nodes if isinstance(attempt, ast.Try) and attempt.handlers
                 for statement in attempt.body for node in ast.walk(statement)}
        count = 0
        for node in nodes:
            if isinstance(node, ast.Import):
                modules = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules = {node.module or ""}
            else:
                continue
            count += len(modules)
            if count > MAX_IMPORTS:
                break
            # Beside the file, or, with the name of the problem's folder in front, below the root.
            beside = name.rpartition("/")[0] + "/"
            here = files.keys() & {f"{folder}{module.replace('.', '/')}.py"
                                   for module in modules for folder in (beside, "")}
            imports |= here
            if id(node) in tried:
                continue
            # Of two files, or one with a name of the standard library, others say which it is; and
            # what lies deeper finds what is beside it by a dot alone.
            if (isinstance(node, ast.ImportFrom) and len(here) == 1
                    and (node.level == 1 or not node.level and name.count("/") == 1)
                    and not modules & sys.stdlib_module_names):
                asked += [(alias.lineno, alias.name[:80], own) for own in here
                          for alias in node.names
                          if not alias.name.startswith(("*", "__"))]
            if isinstance(node, ast.ImportFrom) and node.level:
                continue
            for module in {module.split(".")[0][:80] for module in modules} - fine:
                found[module] = min(found.get(module, node.lineno), node.lineno)
        yield {**one, "imports": sorted(imports), "bound": _bound(nodes), "lines": _lines(tree),
               "whole": count <= MAX_IMPORTS}


def _bound(nodes: Sequence[ast.AST]) -> list[str]:
    """The names that code binds, in functions or out of them, and those of `OPEN` that it uses."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name):
            found |= {node.id} if isinstance(node.ctx, ast.Store) else {node.id} & OPEN
        else:
            found.add(getattr(node, "name", None) or "")
    return sorted(name[:80] for name in found)


def _lines(tree: ast.Module) -> dict[str, int]:
    """The lines at which functions, classes and their methods begin: `"Class.method"` -> line."""
    parts = [("", tree.body), *((f"{node.name}.", node.body) for node in tree.body
                                if isinstance(node, ast.ClassDef))]
    found = {f"{before}{node.name}": node.lineno for before, body in parts for node in body
             if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return dict([*found.items()][:MAX_IMPORTS])


def _described(name: str, error: BaseException) -> str:
    """`problem1/utils.py, line 2: `x = (1` (SyntaxError: '(' was never closed)`."""
    where, what = name, str(error)
    if isinstance(error, SyntaxError):
        where, what = name, str(error.msg)
        where += f", line {error.lineno}" if error.lineno else ""
        where += f": `{error.text.strip()[:80]}`" if error.text else ""
    return f"{where} ({type(error).__name__}: {what[:200]})"


def _limit() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Linux has it all
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (COMPILED, COMPILED))


if __name__ == "__main__":
    _limit()
    for each in _scan(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]):
        print(json.dumps(each), flush=True)
