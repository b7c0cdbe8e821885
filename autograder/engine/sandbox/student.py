"""Access to the modules of one submission, inside the worker."""

import ast
import builtins
import contextlib
import difflib
import importlib
import importlib.abc
import importlib.machinery
import os
import re
import sys
import traceback
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..files import usual

MOST_ABSENT = 20  # names that a submission may import in vain
NEAR = 0.75  # from this likeness on (see difflib), one file is probably meant by another
STATEMENT = re.compile(r"^(?=[^\s)\]}])", re.M)  # where one begins, at the margin
OF_TORCH = re.compile(r"torch\.\w+(\(\))?")  # a decorator such as `@torch.no_grad()`
LEFT = ".left"  # ends the name of a file that is left out


class Missing(Exception):
    """A file, class or function that the question needs is not in the submission."""


class Unusable(Exception):
    """A deliverable is there but cannot be used; the message is a sentence for the student."""


class Student:
    """Gives probes access to the submission: `student("utils.compute_iou")`.

    Modules are imported the way students write them: flat, with the problem's folder first on the
    path. The submission's root comes second, for those who write `from problem1.utils import ...`.
    What they import in vain, from a file of theirs that raises as well, is missed only where it is
    used: see `Absent`.

    Args:
        folder: private copy of `problem1/` or `problem2/`, the working directory of the check.
    """

    def __init__(self, folder: Path, graded: Sequence[str] = ()) -> None:
        self.folder, self.graded = folder, graded
        # What was done when it failed: "read" before any code of the student, "import" or "run".
        self.stage = "read"
        self.in_vain: list[Exception] = []  # raised by files that others have done without
        self._path, self._sought = [*sys.path], set[str]()

    def __call__(self, path: str) -> Any:
        """Import `module.attribute` of the submission.

        Raises:
            Missing: the module's file or the attribute does not exist.
        """
        module_name, *attributes = path.split(".")
        self._look_for(module_name)
        self.stage = "import"
        found = self._import(module_name)
        for attribute in attributes:
            if not hasattr(found, attribute):
                raise Missing(self._none_of(module_name, attribute, found))
            owner, found = found, getattr(found, attribute)
            if isinstance(owner, AbsentModule) and owner.kept.get(attribute) is found:
                found = owner.absent
            if isinstance(found, Absent):  # imported in vain, or made by what was
                found._miss()
        self.stage = "run"
        return found

    def _look_for(self, module_name: str) -> None:
        if not (self.folder / f"{module_name}.py").is_file():
            raise Missing(f"{self.folder.name}/{module_name}.py is missing"
                          + self._near(module_name))

    def _near(self, module_name: str) -> str:
        """What is there in the place of a file that is missing."""
        names = sorted(path.name for path in self.folder.iterdir() if path.is_file())
        near = [name for name in names if usual(Path(name).stem) == module_name]
        near += difflib.get_close_matches(f"{module_name}.py", names, 1, NEAR)
        books = [name for name in names if name.endswith(".ipynb")]
        if near and near[0] not in books:
            return f", but {near[0]} is there: name it {module_name}.py"
        books = [*near, *books]
        return (f"; {books[0]} is there, but notebooks are not graded: the code belongs into files "
                "of Python" if books else "")

    def module(self, name: str) -> Any:
        """A module of the submission, whether it can be imported or not.

        Raises:
            Missing: the module's file does not exist, and is that of no task.
        """
        try:
            self._look_for(name)
        except Missing as error:
            if name not in self.graded:
                raise
            there = sys.modules.get(name)
            return there if isinstance(there, AbsentModule) else self._leave_out(name, error)
        self.stage = "import"
        try:
            return self._import(name)
        except Exception as error:
            return self._leave_out(name, error)

    def _import(self, name: str) -> Any:
        for _ in range(MOST_ABSENT):
            try:
                return self._load(name)
            except Exception as error:
                if isinstance(error, ImportError) and self._do_without(error):
                    continue
                raised_in = self._importing(error)
                if raised_in in ("", name):
                    raise
                self._leave_out(raised_in, error)
        return self._load(name)

    def _load(self, name: str) -> types.ModuleType:
        try:
            return importlib.import_module(name)
        except Exception as error:
            if "null bytes" in str(error):  # of which Python names no file
                broken = (path for path in self.folder.glob("*.py") if b"\0" in path.read_bytes())
                raise SyntaxError(str(error), (str(min(broken, default="")), None, None, None)) \
                    from None
            raise
        except BaseException as error:  # SystemExit: who catches Exception means this as well
            plain = type(type(error).__name__, (Exception,), {})
            raise plain(*error.args).with_traceback(error.__traceback__) from None
        finally:  # a file may have written a path of its author's machine in the place of this one
            sys.path += [entry for entry in self._path if entry not in sys.path]

    def _importing(self, error: Exception) -> str:
        """The module of the submission that was being imported when this was raised, or ""."""
        files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)
                 if frame.name == "<module>"]
        if isinstance(error, SyntaxError) and error.filename:
            files.append(Path(error.filename))
        return next((file.stem for file in reversed(files) if file.parent == self.folder), "")

    def _leave_out(self, name: str, error: Exception) -> types.ModuleType:
        """Put a module of which every name is absent in the place of one that raises."""
        self.in_vain.append(error)
        module = AbsentModule(name, Absent(error, self))
        sys.modules[name] = sys.modules[f"{self.folder.name}.{name}"] = module
        path = self.folder / f"{name}.py"
        module.__file__ = str(path)
        if name in self.graded and path.is_file():  # for what it raises, its own tasks lose points
            left = path.with_suffix(LEFT)
            module.keep((left if left.is_file() else path).read_text("utf-8", "replace"),
                        ends=not left.is_file())
        return module

    def _do_without(self, error: ImportError) -> bool:
        """Put something in the place of what could not be imported, if one can do without it."""
        own = [path.stem for path in self.folder.glob("*.py")]
        wanted = re.match(r"cannot import name '(\w+)' from '(\w+)'", str(error))
        if wanted and wanted[2] in own and wanted[2] in sys.modules:
            module = sys.modules[wanted[2]]
            says = self._none_of(wanted[2], wanted[1], module)
            setattr(module, wanted[1], Absent(Missing(says), self))
            return True
        if "attempted relative import" in str(error):
            lines = "\n".join(f.line or "" for f in traceback.extract_tb(error.__traceback__))
            named = re.findall(r"^\s*from \.+(\w+)", lines, re.M)
            error.msg += (f": write `from {named[-1]} import ...`, without the dot" if named
                          else ": leave the dot out")
        package = str(error.name).partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and package in {*self.graded} - self._sought:
            self._sought.add(package)  # once: it may be there, and not be found all the same
            self.module(package)
            return True
        if not isinstance(error, ModuleNotFoundError) or not error.name or (
                difflib.get_close_matches(package, own)):
            return False
        sys.meta_path.append(Absentees(package, self))
        return True

    def _none_of(self, module_name: str, attribute: str, module: Any) -> str:
        file = f"{self.folder.name}/{module_name}.py"
        near = difflib.get_close_matches(attribute, [
            name for name, value in vars(module).items() if callable(value)
            and getattr(value, "__module__", None) == module.__name__])
        # `encode_box` and not `decode_boxes` for `encode_boxes`
        near.sort(key=lambda name: -len(os.path.commonprefix([name, attribute])))
        there = [path.name for path in sorted(self.folder.glob("*.py")) if re.search(
            rf"^(class|def) {attribute}\b", path.read_text("utf-8", "replace"), re.M)]
        return f"{file} has no {attribute}" + (
            f", but {there[0]} has it: move it, or import it in {module_name}.py" if there else
            f", but it has {near[0]}" if near else "")


class Absent:
    """In the place of what could not be imported: it raises where it is used.

    So one import in vain costs what needs it, and not all of its file.

    Args:
        error: what it raises where it is called, or looked into, by code that is not being
            imported.
    """

    def __init__(self, error: Exception, student: Student) -> None:
        self._error, self._from, self._student = error, error.__traceback__, student

    def _miss(self) -> NoReturn:
        raise self._error.with_traceback(self._from)

    def __getattr__(self, name: str) -> "Absent":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __mro_entries__(self, bases: Sequence[object]) -> tuple[type, ...]:
        return ()

    def __call__(self, *_: object, **__: object) -> "Absent":
        if self._student.stage == "import":
            return self
        self._miss()

    def __iter__(self) -> Iterator["Absent"]:
        self()
        return iter(())

    def __exit__(self, *_: object) -> None:
        pass

    def __int__(self) -> int:
        self()
        return 0

    def __float__(self) -> float:
        return float(int(self))

    __index__ = __len__ = __int__
    __getitem__ = __setitem__ = __enter__ = __call__
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __call__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __call__
    __rtruediv__ = __floordiv__ = __mod__ = __pow__ = __or__ = __ror__ = __and__ = __call__


class AbsentModule(types.ModuleType):
    """A module of which every name is absent, but for what other files can use all the same.

    Args:
        absent: in the place of all other names.

    Attributes:
        kept: what was kept of its file, by name. Who asks for it finds it absent.
    """

    __path__: list[str] = []
    __version__ = "999"  # as new as whoever imports it wants

    def __init__(self, name: str, absent: "Absent") -> None:
        super().__init__(name)
        self.absent = absent
        self.kept: dict[str, object] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.absent, name)

    def keep(self, text: str, ends: bool) -> None:
        """Keep what the file imports, defines and sets to plain values, as far as each such
        statement can be run by itself: the handout gives some of it, and other files need it.

        Args:
            ends: it ends, so that what it calls may be called again: bodies of classes,
                decorators, default values.
        """
        names, own, source, line = set(), vars(self), "", 0
        before = set(own)
        for part in STATEMENT.split(text):
            source += part
            if part.startswith("@"):  # a decorator belongs to what follows
                continue
            with contextlib.suppress(Exception, SystemExit, KeyboardInterrupt):
                tree = ast.increment_lineno(ast.parse(source), line)
                statement, = tree.body
                if _by_itself(statement, ends):
                    exec(compile(tree, own["__file__"], "exec"), own)
                    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            line, source = line + source.count("\n"), ""
        self.kept = {name: own[name] for name in set(own) - before}
        for name in names - set(own) - set(dir(builtins)):
            own[name] = self.absent


def _by_itself(statement: ast.stmt, ends: bool) -> bool:
    """Whether a statement is to be kept, see `AbsentModule.keep`."""
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        ast.literal_eval(statement.value)  # type: ignore[arg-type]
        return True
    if ends or not isinstance(statement, ast.FunctionDef):
        kept = (ast.Import, ast.ImportFrom, *(ast.FunctionDef, ast.ClassDef) * ends)
        return isinstance(statement, kept)
    return all(map(OF_TORCH.fullmatch, map(ast.unparse, statement.decorator_list))) and not any(
        isinstance(node, ast.Call) for node in ast.walk(statement.args))


class Absentees(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a package that is not installed, and makes `AbsentModule` of it and its modules."""

    def __init__(self, name: str, student: Student) -> None:
        self.name, self.student = name, student

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] != self.name:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return AbsentModule(spec.name, Absent(Missing(
            f"{self.name} is used, which is no file of yours and not installed where your grade is "
            "made"), self.student))

    def exec_module(self, module: types.ModuleType) -> None:
        pass
