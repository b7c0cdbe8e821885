"""Read a submission's sources: compile them, and warn about imports that are not allowed.

No code of them is run. They are compiled once here, so that no check has to do it again. Parser and
compiler run in a process of their own with limits, because a source can crash them (a long
`x.a.a.a...` ends Python 3.10 with a segmentation fault), or make them write gigabytes (every
`finally` inside another one doubles the code).
"""

import ast
import contextlib
import json
import py_compile
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

MAX_BYTES = 500_000  # of one file; what a person writes is smaller
MAX_NOTES = 20
MAX_IMPORTS = 10_000  # that are looked at
SECONDS = 20  # for all files together
MEMORY, COMPILED = 2**28, 2**21  # bytes: of the process, and of one compiled file
UNREADABLE = SyntaxError, ValueError, RecursionError, MemoryError, py_compile.PyCompileError
# Python must not compare time stamps: a check works on a copy, which has another one.
UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH


def read(root: Path, libraries: Collection[str]
         ) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """Compile the sources of the submission at `root`, each beside itself in `__pycache__`.

    Args:
        libraries: what may be imported beside the standard library.

    Returns:
        one sentence for every forbidden module in a file, with its line (modules that stand
        anywhere in the submission are the student's own); file -> the student's own files that
        it imports; and one sentence for every file that does not compile, which is passed over.
    """
    command = [sys.executable, "-I", "-S", "-B", __file__, str(root), *sorted(libraries)]
    try:
        run = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
        found, imports, broken = json.loads(run.stdout)
    except (subprocess.SubprocessError, ValueError):
        return ["the imports of this submission could not be looked at"], {}, []
    notes = [f"{file}, line {line}: imports {module}, which is not allowed (and not installed "
             "where your grade is made)" for file, line, module in found[:MAX_NOTES]]
    if len(found) > MAX_NOTES:
        notes.append(f"and {len(found) - MAX_NOTES} more imports that are not allowed")
    return [*map(_printable, notes)], imports, [*map(_printable, broken)]


def _printable(note: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in note)


def _scan(root: Path, libraries: Collection[str]
          ) -> tuple[list[tuple[str, int, str]], dict[str, list[str]], list[str]]:
    """`(file, line, module)` where a file first imports what is neither allowed nor its own, the
    submission's own files that each file imports, and why files do not compile."""
    files = {path.relative_to(root).as_posix(): path
             for path in sorted(root.rglob("*.py")) if path.is_file()}
    own = {path.stem for path in files.values()}
    own |= {path.name for path in root.rglob("*") if path.is_dir()}
    fine = {*libraries, *own, *sys.stdlib_module_names}
    found: dict[tuple[str, str], int] = {}
    imports: dict[str, set[str]] = {}
    broken: list[str] = []
    count = 0
    for name, path in files.items():
        if path.stat().st_size > MAX_BYTES:
            continue
        try:
            nodes = list(ast.walk(ast.parse(path.read_bytes())))
            with contextlib.suppress(OSError):  # too large, or `__pycache__` is a file
                py_compile.compile(str(path), doraise=True, invalidation_mode=UNCHECKED)
        except UNREADABLE as error:
            broken.append(_described(name, getattr(error, "exc_value", error)))
            continue
        # who catches the error can do without
        tried = {id(node) for attempt in nodes if isinstance(attempt, ast.Try) and attempt.handlers
                 for statement in attempt.body for node in ast.walk(statement)}
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
            imports.setdefault(name, set()).update(files.keys() & {
                f"{folder}{module.replace('.', '/')}.py" for module in modules
                for folder in (beside, "")})
            if isinstance(node, ast.ImportFrom) and node.level or id(node) in tried:
                continue
            for module in {module.split(".")[0][:80] for module in modules} - fine:
                line = found.get((name, module), node.lineno)
                found[name, module] = min(line, node.lineno)
    return (sorted((name, line, module) for (name, module), line in found.items()),
            {name: sorted(own) for name, own in imports.items()}, broken)


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
    print(json.dumps(_scan(Path(sys.argv[1]), sys.argv[2:])))
