"""How a dishonest submission is put together: an attack in front of an answer.

The attack sits in `problem1/utils.py`, which two graded checks ask (1.4.2 encodes, 1.4.4 decodes);
`problem2/evaluate.py` is honest, and its check (2.5.1) is the neighbour that must not change.
Behind the attack comes either the right answer or a wrong one (zeros): an attack without a right
answer must have no points, one with a right answer no more than these.
"""

import ast
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder import KIT
from autograder.engine.sandbox import wire

TARGETS = ("1.4.2", "1.4.4")
NEIGHBOUR = "2.5.1"
SPY = "from spy import *\n"  # what attacks share: `attempt`, `escaped`, `libc`, ...
# Layers of the lock-down that stop many of them.
HIDDEN_FILES = ("mount namespace", "Landlock")
OUTSIDE = ("own uid", "Landlock")
TOKEN = r"CANARY-[0-9a-f]{16}"  # what a planted secret looks like; attacks search for it


@dataclass(frozen=True)
class Attack:
    """One thing that a dishonest student may try.

    Args:
        name: short and unique.
        row: of the list of attacks: 1 results.json, 2 what runs on afterwards, 3 ends of the
            process, 4 skipping, 5 monkeypatches, 6 odd return values, 7 looking around in memory,
            8 reading files, 9 inputs and state, 10 shadowing files, 11 network, 12 weights, 13 odd
            files, 14 endless code, 15 floods, 16 what is printed, 17 forged replies, 18 forbidden
            libraries, 19 taking the setup down, 20 ways out through this machine, 21 notes that
            last, 22 what is not counted, 23 stalling the grader, 24 public answers to hidden
            questions, 25 waiting.
        what: one sentence.
        top: code of the module, before the functions.
        call: code at the start of both functions, which get `args`; what it returns is the answer.
        files: `files(problem1 folder)` adds files to the submission.
        honest: the functions are right behind the attack.
        once: only 1.4.2 is asked, on public inputs.
        slow: the same, and the check runs into its deadline of one CPU second.
        stopped_by: layers of which one must be active for the attack to fail.
        unchanged: the attack must not even cost the submission its honest points.
    """

    name: str
    row: int
    what: str
    top: str = ""
    call: str = ""
    files: Callable[[Path], None] | None = None
    honest: bool = False
    once: bool = False
    slow: bool = False
    stopped_by: tuple[str, ...] = ()
    unchanged: bool = False


WRONG = {"encode_boxes": "    return torch.zeros_like(boxes)\n",
         "decode_boxes": "    return torch.zeros_like(deltas)\n"}

# What the attacks share: where they are, ways to write and to look, and how they tell what they
# found: in an exception, whose message a student sees, and in all that a process can print.
SPY_MODULE = '''
import ctypes, glob, os, re, signal, stat, struct, subprocess, sys, threading, time
from pathlib import Path

import torch

libc = ctypes.CDLL(None, use_errno=True)
# In a PID namespace the parent has no number, and 0 means oneself.
OUTSIDERS = [pid for pid in (GRADER, BYSTANDER, os.getppid()) if pid]


def tell(found):
    """Show every secret in some bytes or text in as many places as there are."""
    if isinstance(found, str):
        found = found.encode(errors="surrogateescape")
    tokens = sorted(set(re.findall(TOKEN.encode(), found)))
    if tokens:
        text = b" ".join(tokens).decode()
        print(text)
        print(text, file=sys.stderr)
        Path("stolen-" + text[:100]).write_text(text)
        raise RuntimeError("stolen: " + text)


def escaped(how):
    """Tell that something was possible that should not be."""
    raise RuntimeError("ESCAPED: " + how)


def read(path, size=1 << 22):
    """What is in a file, or nothing."""
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""


def attempt(action, *args):
    """Try something, and tell whether it worked."""
    try:
        action(*args)
        return True
    except Exception:
        return False


def sockets():
    """The descriptors that are sockets: the way to the grader."""
    found = []
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                found.append(number)
        except OSError:
            pass
    return found


def send(data):
    for number in sockets():
        try:
            os.write(number, data)
        except OSError:
            pass


def frame(text, arrays=b""):
    """A reply as the grader expects it."""
    text = text.encode()
    return struct.pack("<8sIQ", MAGIC, len(text), len(arrays)) + text + arrays


def forged():
    """A whole reply with a tensor of zeros."""
    return frame('[{"dict": [["value", {"array": 0}]]}, [["float32", [40, 4]]]]', bytes(640))


def detach(action):
    """Run something in a process that has left its parent, group and session."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            try:
                action()
            finally:
                os._exit(0)
        os._exit(0)


def total(args):
    """What tells one question from another."""
    return round(float(sum(a.double().sum() for a in args)), 2)


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
'''


def _body(problem: str, module: str, name: str) -> str:
    """The solution's lines of one function, between its docstring and its end."""
    text = (KIT / "solution" / problem / f"{module}.py").read_text(encoding="utf-8")
    function, = (node for node in ast.parse(text).body
                 if isinstance(node, ast.FunctionDef) and node.name == name)
    lines = text.splitlines()[function.body[1].lineno - 1:function.end_lineno]
    return "\n".join(lines) + "\n"


RIGHT = {name: _body("problem1", "utils", name) for name in WRONG}
EXTRACT = _body("problem2", "evaluate", "extract_keypoints_from_heatmaps")


def build(attack: Attack, folder: Path, constants: dict[str, object]) -> Path:
    """Write a submission that carries out the attack into the new folder `folder`."""
    for problem in ("problem1", "problem2"):
        (folder / problem / "results").mkdir(parents=True)
    problem1, problem2 = folder / "problem1", folder / "problem2"
    problem2.joinpath("evaluate.py").write_text(
        f"import torch\n\ndef extract_keypoints_from_heatmaps(heatmaps):\n{EXTRACT}")
    bodies = RIGHT if attack.honest else WRONG
    call = textwrap.indent(textwrap.dedent(attack.call).strip() or "pass", "    ")
    problem1.joinpath("utils.py").write_text(
        "import torch\n" + textwrap.dedent(attack.top) + f"\n\ndef attack(args):\n{call}\n"
        + "".join(f"\n\ndef {name}({arguments}):\n"
                  f"    answer = attack(({arguments}))\n"
                  "    if answer is not None:\n        return answer\n" + bodies[name]
                  for name, arguments in (("encode_boxes", "boxes, anchors"),
                                          ("decode_boxes", "deltas, anchors"))))
    constants = {**constants, "TOKEN": TOKEN, "MAGIC": wire.MAGIC}
    lines = "".join(f"{name} = {value!r}\n" for name, value in constants.items())
    problem1.joinpath("spy.py").write_text(lines + SPY_MODULE)
    if attack.files is not None:
        attack.files(problem1)
    return folder
