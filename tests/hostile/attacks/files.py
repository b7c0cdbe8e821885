"""Attacks that are files: what a submission holds beside or instead of its code."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from ..submissions import Attack

SPY = "from spy import *\n"
# Shadowing modules tell that they were run by the grader (uid or pid) and not by a worker.
SHADOW = """
import os, sys
if os.getpid() == {grader}:
    raise SystemExit("ESCAPED: the grader runs code of the submission")
def __getattr__(name):
    return lambda *a, **k: True
"""


def _modules(*names: str) -> Callable[[Path], None]:
    """Files of these names that hold code, in the problem's folder."""
    def write(problem: Path) -> None:
        for name in names:
            path = problem / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SHADOW.format(grader=os.getpid()))
    return write


def _configuration(problem: Path) -> None:
    """Settings that pytest, setuptools and coverage look for, here and in the parent folder."""
    for folder in (problem, problem.parent):
        folder.joinpath("pytest.ini").write_text("[pytest]\naddopts = -p evil --collect-only\n")
        folder.joinpath("tox.ini").write_text("[pytest]\naddopts = -p evil\n")
        folder.joinpath("setup.cfg").write_text("[tool:pytest]\naddopts = -p evil\n")
        folder.joinpath("pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts='-x'\n")
        folder.joinpath("evil.py").write_text(SHADOW.format(grader=os.getpid()))
        folder.joinpath("conftest.py").write_text(
            SHADOW.format(grader=os.getpid())
            + "def pytest_runtest_makereport(item, call):\n    call.excinfo = None\n")
        folder.joinpath("test_p1_boxes.py").write_text("def test_encode_by_hand(): pass\n")


def _paths(problem: Path) -> None:
    """`.pth` files, which Python runs at its start where they lie in site-packages."""
    for folder in (problem, problem.parent, problem / "results", problem / "site-packages"):
        folder.mkdir(exist_ok=True)
        folder.joinpath("evil.pth").write_text("import os; os._exit(0)\n")
        folder.joinpath("distutils-precedence.pth").write_text("import evil\n")


def _links(problem: Path) -> None:
    """Links to secrets, to folders above and to files that every check reads."""
    secrets = _secrets(problem)
    for name, target in (("stolen.txt", secrets / "hidden.json"), ("root", Path("/")),
                         ("results/best_model.pth", secrets / "hidden.json"), ("up", Path("..")),
                         ("loop", Path("loop")), ("folder", secrets), ("gone", Path("/nowhere")),
                         ("environ", Path("/proc/self/environ")), ("null", Path("/dev/zero"))):
        (problem / name).symlink_to(target)


def _secrets(problem: Path) -> Path:
    """The folder of the planted secrets, told by the attack's own helper."""
    line, = (line for line in problem.joinpath("spy.py").read_text().splitlines()
             if line.startswith("SECRETS = "))
    return Path(line.split("'")[1])


def _linked_code(problem: Path) -> None:
    """The file with the answers is a link to something else."""
    problem.joinpath("utils.py").unlink()
    problem.joinpath("utils.py").symlink_to(_secrets(problem) / "open.txt")


def _hard_links(problem: Path) -> None:
    """Another name of a secret file, where the machine lets somebody make one."""
    try:
        os.link(_secrets(problem) / "open.txt", problem / "notes.txt")
    except OSError:
        problem.joinpath("notes.txt").write_text("")


def _pipes(problem: Path) -> None:
    """Named pipes and sockets, which block whoever opens them."""
    import socket

    os.mkfifo(problem / "pipe")
    os.mkfifo(problem / "results" / "best_model.pth")
    here = os.getcwd()
    os.chdir(problem)  # the name of a socket may be no longer than 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("listener")
    finally:
        os.chdir(here)


def _devices(problem: Path) -> None:
    """Devices: memory, zero, a terminal (root alone can make them)."""
    for name, number in (("zero", (1, 5)), ("mem", (1, 1)), ("tty", (5, 0))):
        try:
            os.mknod(problem / name, stat.S_IFCHR | 0o666, os.makedev(*number))
        except PermissionError:
            os.mkfifo(problem / name)


def _many_files(problem: Path) -> None:
    """A hundred thousand empty files."""
    folder = problem / "many"
    folder.mkdir()
    for i in range(100_000):
        os.close(os.open(folder / str(i), os.O_CREAT | os.O_WRONLY))


def _many_folders(problem: Path) -> None:
    """Eight thousand empty folders, each of which every check would copy."""
    for i in range(80):
        for j in range(100):
            os.makedirs(problem / "many" / str(i) / str(j))


def _many_links(problem: Path) -> None:
    """Five thousand links, each of which is worth a sentence."""
    for i in range(5000):
        (problem / f"link-{i}").symlink_to("/etc/passwd")


def _deep(problem: Path) -> None:
    """Folders in folders, deeper than is copied, with a secret link at the end."""
    folder = problem
    for _ in range(200):
        folder = folder / "d"
    folder.mkdir(parents=True)
    folder.joinpath("link").symlink_to(_secrets(problem))


def _names(problem: Path) -> None:
    """Names with markup, control characters, line breaks, no text at all, and paths in them."""
    for name in (b"a\nTotal 100 of 100", b"\x1b[2J\x1b]0;owned\x07", b"=1+1", b"<script>",
                 b"\xff\xfe", b"..\\..\\results.json", b"...", b"-rf", b"%2e%2e%2fx", b"x" * 250,
                 b"\xe2\x80\xaee"):
        for folder in (problem, problem / "results"):
            target = os.path.join(os.fsencode(folder), name)
            os.symlink(b"/etc/passwd", target)
    for name in (b"\x1b[31mfile.py", b"new\nline.py", b"\xffbytes.py"):
        with open(os.path.join(os.fsencode(problem), name), "wb") as file:
            file.write(b"x = 1\n")


def _closed(problem: Path) -> None:
    """Files and folders that nobody but root may read."""
    for name in ("closed", "closed/inner"):
        (problem / name).mkdir()
    (problem / "closed" / "file").write_text("x")
    (problem / "unreadable.py").write_text("x = 1\n")
    os.chmod(problem / "unreadable.py", 0)
    os.chmod(problem / "closed", 0)


def _results_file(problem: Path) -> None:
    """A file in the place of the folder `results`."""
    (problem / "results").rmdir()
    (problem / "results").write_text("not a folder")


def _folder_for_code(problem: Path) -> None:
    """Folders in the place of files."""
    (problem / "utils.py").unlink()
    (problem / "utils.py").mkdir()
    (problem / "results" / "best_model.pth").mkdir()


def _large(problem: Path) -> None:
    """A file of two gigabytes that takes no space."""
    with open(problem / "results" / "checkpoint.bin", "wb") as file:
        os.ftruncate(file.fileno(), 2 << 30)


def _second_problem(problem: Path) -> None:
    """More folders called problem1, of which one must be taken and not a mixture."""
    for folder in (problem / "problem1", problem.parent / "a" / "problem1"):
        folder.mkdir(parents=True)
        folder.joinpath("utils.py").write_text("raise SystemExit('ESCAPED: the wrong folder')")


def _vendored(problem: Path) -> None:
    """A library of its own under a forbidden name, which answers nothing."""
    folder = problem / "torchvision" / "ops"
    folder.mkdir(parents=True)
    folder.parent.joinpath("__init__.py").write_text("")
    folder.joinpath("__init__.py").write_text("def box_convert(*a, **k): return a[0] * 0\n")


def _kit(problem: Path) -> None:
    """A package called like the kit's, with a plugin that passes everything."""
    for folder in (problem, problem.parent):
        sandbox = folder / "autograder" / "engine" / "sandbox"
        sandbox.mkdir(parents=True)
        for path in (sandbox.parents[1] / "__init__.py", sandbox.parent / "__init__.py",
                     sandbox.parent / "pytest_plugin.py", sandbox.parent / "compare.py",
                     sandbox / "__init__.py", sandbox / "probes.py", sandbox / "server.py"):
            path.write_text(SHADOW.format(grader=os.getpid()))


def _bytecode(problem: Path) -> None:
    """Compiled files that claim to belong to other sources."""
    cache = problem / "__pycache__"
    cache.mkdir()
    tag = sys.implementation.cache_tag
    for name in ("utils", "json", "torch"):
        cache.joinpath(f"{name}.{tag}.pyc").write_bytes(b"\0" * 64)
        problem.joinpath(f"{name}.pyc").write_bytes(b"\0" * 64)


ATTACKS = [
    Attack("torch.py", 10, "Ships a module that is called torch.", files=_modules("torch.py"),
           top="import importlib, sys\nsys.modules.pop('torch')\n"
               "fake = importlib.import_module('torch')\n"),
    Attack("numpy", 10, "Ships a package that is called numpy.",
           files=_modules("numpy/__init__.py", "numpy/testing.py", "numpy/linalg.py")),
    Attack("modules of the standard library", 10, "Ships json.py, struct.py, io.py and others.",
           files=_modules("json.py", "struct.py", "socket.py", "traceback.py", "linecache.py",
                          "importlib.py", "os.py", "io.py", "typing.py", "random.py")),
    Attack("sitecustomize", 10, "Ships what Python runs at its start.",
           files=_modules("sitecustomize.py", "usercustomize.py", "__main__.py", "__init__.py")),
    Attack("conftest and settings", 10, "Ships settings and plugins of pytest.",
           files=_configuration),
    Attack("pth files", 10, "Ships path files with code in them.", files=_paths),
    Attack("the kit's own package", 10, "Ships a package called autograder.", files=_kit,
           top="import sys\nfor name in [n for n in sys.modules if n.startswith('autograder')]:\n"
               "    del sys.modules[name]\nimport autograder.engine.compare\n"),
    Attack("helpers of the worker", 10, "Ships pyseccomp.py, resource.py and probes.py.",
           files=_modules("pyseccomp.py", "resource.py", "probes.py", "student.py", "wire.py")),
    Attack("bytecode", 10, "Ships compiled files of other modules.", files=_bytecode, honest=True,
           unchanged=True),
    Attack("links", 13, "Holds links to secrets and to folders above.", SPY, """
for name in ("stolen.txt", "results/best_model.pth", "folder/hidden.json", "environ",
             "root" + SECRETS + "/hidden.json"):
    tell(read(name))
    if os.path.islink(name):
        escaped("a link was copied")
""", files=_links),
    Attack("linked code", 13, "Its file is a link to a secret.", files=_linked_code),
    Attack("hard links", 13, "Holds another name of a file that is not its own.", SPY,
           "Path('notes.txt').write_text('overwritten')", files=_hard_links),
    Attack("named pipes", 13, "Holds pipes and sockets that block who reads them.", files=_pipes,
           honest=True, unchanged=True),
    Attack("devices", 13, "Holds devices, which have no end.", files=_devices, honest=True,
           unchanged=True),
    Attack("a hundred thousand files", 13, "Holds more files than anybody reads.",
           files=_many_files, honest=True, once=True),
    Attack("eight thousand folders", 13, "Holds more folders than anybody opens.",
           files=_many_folders, honest=True, once=True),
    Attack("five thousand links", 13, "Asks for five thousand sentences.", files=_many_links,
           honest=True, once=True),
    Attack("deep folders", 13, "Holds folders two hundred levels deep.", files=_deep, honest=True,
           unchanged=True),
    Attack("odd names", 13, "Holds names with markup, line breaks and paths in them.", files=_names,
           honest=True, unchanged=True),
    Attack("closed files", 13, "Holds files that cannot be read.", files=_closed, honest=True,
           unchanged=True),
    Attack("results is a file", 13, "Holds a file in the place of a folder.", files=_results_file,
           honest=True, unchanged=True),
    Attack("folders for files", 13, "Holds folders in the place of files.",
           files=_folder_for_code),
    Attack("two gigabytes", 13, "Holds a huge file beside its code.", files=_large, honest=True,
           unchanged=True),
    Attack("problems in problems", 13, "Holds further folders called problem1.",
           files=_second_problem, honest=True, unchanged=True),
    Attack("vendored library", 18, "Ships a forbidden library under its own name.",
           "import torchvision.ops", "return torchvision.ops.box_convert(*args)",
           files=_vendored),
]
