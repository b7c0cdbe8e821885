"""Attacks that are code: what a submission does while it is imported or called."""

from .submissions import Attack

SPY = "from spy import *\n"
HIDDEN_FILES = ("mount namespace", "Landlock")
OUTSIDE = ("own uid", "Landlock")

ATTACKS = [
    # --- 1: results.json -----------------------------------------------------------------------
    Attack(
        "writes results.json", 1, "Writes a full score where the grader writes its results.",
        SPY + """
for path in [RESULTS, "/autograder/results/results.json", "results.json", "../results.json",
             "../../results.json", "results/results.json"]:
    if attempt(Path(path).write_text, '{"score": 100, "tests": []}') and path == RESULTS:
        escaped("wrote the results")
""", stopped_by=OUTSIDE),
    Attack(
        "changes the mode of results.json", 1, "Makes the results unwritable for the grader.",
        SPY + """
for path in (RESULTS, os.path.dirname(RESULTS)):
    before = os.stat(path).st_mode
    attempt(os.chmod, path, 0o400)
    if os.stat(path).st_mode != before:
        escaped("changed the mode of " + path)
""", stopped_by=("own uid", "seccomp")),
    Attack(
        "links results.json", 1, "Replaces the results by a link to a file of its own.",
        SPY + """
Path("mine.json").write_text('{"score": 100, "tests": []}')
mine = os.path.abspath("mine.json")
for path in (RESULTS, RESULTS + ".partial"):
    done = [attempt(os.unlink, path), attempt(os.symlink, mine, path), attempt(os.link, mine, path),
            attempt(os.rename, mine, path)]
    if any(done):
        escaped("replaced " + path)
""", stopped_by=OUTSIDE),
    Attack(
        "writes results through the grader", 1, "Looks for descriptors of the grader's files.",
        SPY + """
for pid in (GRADER, os.getppid(), BYSTANDER):
    for number in range(3, 40):
        if attempt(lambda: open(f"/proc/{pid}/fd/{number}", "wb").close()):
            escaped(f"opened descriptor {number} of {pid}")
""", stopped_by=OUTSIDE),
    # --- 2: what runs on afterwards ------------------------------------------------------------
    Attack(
        "atexit", 2, "Registers a handler that forges a reply and writes a file at the exit.",
        SPY + """
import atexit
def late():
    send(forged())
    for folder in ("/tmp", "/dev/shm", KIT, HOME):
        attempt(Path(folder, MARK + "-atexit").write_text, "late")
atexit.register(late)
""", honest=True, unchanged=True),
    Attack(
        "thread", 2, "Leaves a thread behind that writes on.",
        SPY + """
def late():
    while True:
        time.sleep(0.01)
        attempt(Path("/tmp", MARK + "-thread").write_text, "late")
threading.Thread(target=late).start()
threading.Thread(target=late, daemon=True).start()
""", honest=True, unchanged=True),
    Attack(
        "double fork", 2, "Leaves the process group and writes wherever it can later on.",
        SPY + """
def late():
    while True:
        for folder in ("/tmp", "/dev/shm", "/var/tmp", KIT, HOME, os.path.dirname(RESULTS)):
            attempt(Path(folder, MARK + "-daemon").write_text, "late")
        time.sleep(0.01)
detach(late)
""", honest=True, unchanged=True),
    Attack(
        "double fork and exec", 2, "Leaves another program behind, in a session of its own.",
        SPY + """
detach(lambda: os.execv(sys.executable, [
    sys.executable, "-c", "import time; time.sleep(3600)", MARK + "-sleeper"]))
time.sleep(0.05)
""", honest=True, unchanged=True),
    Attack(
        "tree of sessions", 2, "Leaves five processes behind, each a session of its own.",
        SPY + """
def grow(depth):
    os.setsid()
    if depth and os.fork() == 0:
        grow(depth - 1)
    time.sleep(3600)
if os.fork() == 0:
    grow(5)
time.sleep(0.1)
""", honest=True, unchanged=True),
    Attack(
        "runs away by forking", 2, "Forks and exits without end, so that no process lives long.",
        SPY + """
if os.fork() == 0:
    os.setsid()
    end = time.time() + 60
    while time.time() < end:
        if os.fork():
            os._exit(0)
    os._exit(0)
time.sleep(0.05)
""", honest=True, unchanged=True),
    Attack(
        "nohup", 2, "Starts programs in the background through a shell.",
        SPY + """
subprocess.Popen(f"(nohup setsid sleep 3600 {MARK}; nohup sleep 3600 {MARK}) & disown", shell=True,
                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
subprocess.Popen(["sh", "-c", f"trap '' TERM HUP INT; : {MARK}; while :; do sleep 1; done"],
                 start_new_session=True)
""", honest=True, unchanged=True),
    Attack(
        "late second reply", 2, "A process that outlives the answer writes another reply after it.",
        SPY + """
def late():
    for _ in range(200):
        time.sleep(0.002)
        send(forged())
detach(late)
""", honest=True),
    # --- 3: ends of the process ----------------------------------------------------------------
    Attack("exits at once on import", 3, "Ends the process before anything is asked.",
           "import os\nos._exit(0)"),
    Attack("exits in the call", 3, "Ends the process instead of answering.",
           "import os", "os._exit(0)"),
    Attack("sys.exit", 3, "Raises SystemExit with a success.", "import sys", "sys.exit(0)"),
    Attack("SystemExit on import", 3, "Raises SystemExit while imported.", "raise SystemExit"),
    Attack("KeyboardInterrupt", 3, "Pretends that a person has pressed Ctrl-C.",
           "", "raise KeyboardInterrupt"),
    Attack("GeneratorExit", 3, "Raises an exception that few handlers catch.",
           "class Gone(BaseException): pass", "raise Gone('gone')"),
    Attack("kills itself", 3, "Sends itself SIGKILL.",
           "import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"),
    Attack("kills its process group", 3, "Sends its whole process group SIGTERM and SIGINT.",
           "import os, signal",
           "os.killpg(0, signal.SIGINT)\nos.killpg(0, signal.SIGTERM)"),
    Attack("segfault", 3, "Crashes in compiled code.",
           "import ctypes", "ctypes.string_at(0)"),
    Attack("abort", 3, "Ends by SIGABRT.", "import os", "os.abort()"),
    Attack("stops itself", 3, "Stops itself and waits for nobody.",
           "import os, signal", "os.kill(os.getpid(), signal.SIGSTOP)", slow=True),
    Attack("exception that cannot be printed", 3, "Its text is a trap that ends the process.", """
import os
class Trap(Exception):
    def __str__(self):
        os._exit(0)
    __repr__ = __str__
""", "raise Trap"),
    Attack("exception that raises", 3, "Its text raises again, its type has no name.", """
class Meta(type):
    __name__ = property(lambda cls: [object()])
class Trap(Exception, metaclass=Meta):
    def __str__(self):
        raise self
""", "raise Trap"),
    Attack("endless chain of causes", 3, "An exception with a very long chain.", "", """
def deeper(n):
    try:
        return deeper(n + 1)
    except RecursionError as error:
        raise ValueError(n) from error
deeper(0)
"""),
    Attack("runs out of stack in C", 3, "Overflows the stack of the process.",
           "import sys\nsys.setrecursionlimit(10**9)", """
class A:
    def __getattr__(self, name):
        return getattr(self, name)
A().x
"""),
    Attack("closes everything", 3, "Closes all descriptors, the way to the grader among them.",
           "import os", "os.closerange(0, 4096)", honest=True),
    # --- 4: skipping ---------------------------------------------------------------------------
    Attack("pytest.skip", 4, "Skips the check.", "import pytest", "pytest.skip('not today')"),
    Attack("pytest.skip on import", 4, "Skips the whole module.",
           "import pytest\npytest.skip('not today', allow_module_level=True)"),
    Attack("SkipTest", 4, "Raises unittest's way to skip.",
           "import unittest", "raise unittest.SkipTest('not today')"),
    Attack("xfail", 4, "Says that the failure is expected.",
           "import pytest", "pytest.xfail('known')"),
    Attack("pytest.exit", 4, "Ends pytest as a success.", "import pytest",
           "pytest.exit('done', returncode=0)"),
    Attack("names of the kit", 4, "Raises exceptions that are called like those of the kit.", """
class NotImplementedError(Exception): pass
class Unusable(Exception): pass
class Passed(Exception): pass
""", "raise Unusable('Passed.')"),
    # --- 5: monkeypatches ----------------------------------------------------------------------
    Attack("patches comparisons", 5, "Makes everything close and equal to everything.", """
import numpy, torch
for name in ("allclose", "isclose", "equal", "array_equal"):
    for library in (torch, numpy):
        if hasattr(library, name):
            setattr(library, name, lambda *a, **k: True)
numpy.testing.assert_allclose = lambda *a, **k: None
numpy.abs = numpy.absolute = lambda x: x * 0
torch.testing.assert_close = lambda *a, **k: None
torch.Tensor.__eq__ = torch.Tensor.__ge__ = torch.Tensor.__le__ = lambda a, b: torch.ones(1) > 0
torch.Tensor.allclose = lambda *a, **k: True
"""),
    Attack("patches torch.load", 5, "Replaces what reads weights and what makes tensors.", """
import torch
torch.load = lambda *a, **k: {}
torch.from_numpy = torch.tensor = torch.zeros
"""),
    Attack("patches builtins", 5, "Makes every assertion and every comparison true.", """
import builtins, math
builtins.all = builtins.any = builtins.isinstance = lambda *a: True
builtins.abs = builtins.round = lambda *a: 0
math.isfinite = lambda x: True
""", honest=True),
    Attack("patches the wire", 5, "Replaces the functions that pack the reply.", SPY + """
import sys
for name, module in list(sys.modules.items()):
    if name.startswith("autograder"):
        for attribute in ("pack", "flatten", "read_frame", "close", "equal", "credit"):
            if hasattr(module, attribute):
                setattr(module, attribute, lambda *a, **k: forged())
"""),
    Attack("patches the compare module", 5, "Makes the comparison say yes.", SPY + """
try:
    import autograder.compare as compare, autograder.results as results
except BaseException:
    pass
else:
    compare.close = compare.equal = compare.array = lambda *a, **k: None
    results.Row.record = lambda *a: None
"""),
    Attack("patches the worker", 5, "Replaces the probes and the loop that answers.", SPY + """
from autograder.worker import child, probes
for name in probes.PROBES:
    probes.PROBES[name] = lambda *a, **k: True
child._answer = lambda *a: forged()
child._describe = lambda *a: {"verdict": "passed", "score": 100}
"""),
    # --- 6: odd return values ------------------------------------------------------------------
    Attack("lying __eq__", 6, "An object that equals everything.", """
class Liar:
    def __eq__(self, other): return True
    __le__ = __ge__ = __lt__ = __gt__ = __ne__ = __eq__
    def __bool__(self): return True
    def __array__(self, *a, **k): raise SystemExit
    shape = (2, 4); dtype = "float32"
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    __hash__ = object.__hash__
""", "return Liar()"),
    Attack("array subclass", 6, "A numpy array that lies about itself.", """
import numpy
class Liar(numpy.ndarray):
    shape = property(lambda self: (2, 4))
    def __eq__(self, other): return True
    def __array_ufunc__(self, *a, **k): return True
    def __array_finalize__(self, other): pass
    def tobytes(self, *a): return bytes(32)
    nbytes = 0
""", "return numpy.zeros(3).view(Liar)"),
    Attack("tensor subclass", 6, "A tensor whose every operation is another one.", """
import torch
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
""", "return torch.zeros(2, 4).as_subclass(Liar)"),
    Attack("float and list subclasses", 6, "Plain types that lie in their methods.", """
class Number(float):
    def __float__(self): return float("nan")
    def __eq__(self, other): return True
class Endless(list):
    def __iter__(self):
        return iter([[Number(0)] * 4] * 2)
    def __len__(self): return 2
class Text(str):
    def __getitem__(self, key): return "x" * 10**6
""", "return Endless([Number(1), Text('a')])"),
    Attack("tensor with hooks", 6, "A tensor that needs gradients and runs code.", "import os", """
answer = torch.zeros(2, 4, requires_grad=True)
answer.register_hook(lambda gradient: os._exit(0))
answer.detach = answer.cpu = answer.numpy = lambda *a: os._exit(0)
return answer * 1
"""),
    Attack("generator", 6, "A generator instead of a tensor.", "", "return (x for x in args)"),
    Attack("endless iterator", 6, "A list that never ends.", """
class Endless(list):
    def __iter__(self):
        while True:
            yield 0
""", "return Endless([1])", slow=True),
    Attack("huge tensor", 6, "A tensor beyond the size of a reply.",
           "", "return torch.zeros(400, 2**20, dtype=torch.uint8)", once=True),
    Attack("large tensor", 6, "A tensor of 100 MiB, within the size of a reply.",
           "", "return torch.zeros(100, 2**20, dtype=torch.uint8)", once=True),
    Attack("huge text", 6, "A text of many megabytes, and a list of them.",
           "", "return ['x' * 10**7] * 50", once=True),
    Attack("many numbers", 6, "More list entries than a reply may hold.",
           "", "return [1 / 3] * 500_000", once=True),
    Attack("deeply nested", 6, "Lists in lists in lists.", "", """
value = []
for _ in range(100_000):
    value = [value]
return value
""", once=True),
    Attack("contains itself", 6, "A list that holds itself, and a dict too.", "", """
value = []
value.append({"value": value})
return value
"""),
    Attack("nan", 6, "Not a number, which no comparison finds different.",
           "", "return args[0] * float('nan')"),
    Attack("infinity", 6, "Infinities of both signs.",
           "", "return torch.full_like(args[0], float('inf')) * torch.tensor([1, -1, 1, -1])"),
    Attack("complex numbers", 6, "A dtype that the reply does not know.",
           "", "return args[0].to(torch.complex64)"),
    Attack("objects in an array", 6, "A numpy array of objects, and one of text.",
           "import numpy", "return [numpy.array([object()]), numpy.array(['a'])]"),
    Attack("sparse, quantised and meta tensors", 6, "Tensors without plain memory.", "", """
return [torch.zeros(2, 4).to_sparse(), torch.empty(2, 4, device="meta"),
        torch.quantize_per_tensor(torch.zeros(2, 4), 1.0, 0, torch.qint8),
        torch.zeros(2, 4).to(torch.bfloat16), torch.nested.nested_tensor([torch.zeros(2)])]
"""),
    Attack("meta tensor", 6, "A tensor that has a shape and no values.",
           "", "return torch.empty(2, 4, device='meta')"),
    Attack("whole numbers beyond all bounds", 6, "Integers of hundreds and thousands of digits.",
           "import sys\nsys.set_int_max_str_digits(0)", "return [[10**400, -10**4000, 0, 0]] * 2"),
    Attack("shape without size", 6, "Empty tensors with enormous shapes.",
           "", "return torch.zeros(0, 2**40)"),
    Attack("one value for all", 6, "A single number that broadcasts to every shape.",
           "", "return torch.zeros(1, 1)"),
    Attack("functions and modules", 6, "Things that have no place in an answer.",
           "import os", "return {'f': attack, 'm': os, 't': torch.Tensor, 3j: b'b', None: {1}}"),
    Attack("deleter", 6, "An answer that ends the process when it is freed.", """
import os
class Bomb:
    def __del__(self): os._exit(0)
""", "return [Bomb(), Bomb()]"),
    # --- 7: looking around in memory -----------------------------------------------------------
    Attack("frames", 7, "Walks the frames of its callers and takes what looks like an answer.",
           SPY, """
frame = sys._getframe()
while frame is not None:
    for name, value in list(frame.f_locals.items()) + list(frame.f_globals.items()):
        if name in ("expected", "reference", "references", "truth"):
            escaped("found " + name)
        tell(repr(value)[:10**6])
    frame = frame.f_back
"""),
    Attack("garbage collector", 7, "Searches every object of the process.", SPY, """
import gc
for value in gc.get_objects():
    if type(value) in (dict, list, tuple):
        for item in (value.values() if type(value) is dict else value):
            if type(item) in (str, bytes):
                tell(item)
    if type(value).__name__ in ("Reference", "References"):
        escaped("found the references")
""", once=True),
    Attack("own memory", 7, "Searches the whole memory that the process has inherited.", SPY, """
try:
    memory = open("/proc/self/mem", "rb")
except OSError:
    return None
for line in read("/proc/self/maps").decode().splitlines():
    span, mode, *_ = line.split()
    first, last = (int(x, 16) for x in span.split("-"))
    if "rw" in mode and ("heap" in line or line.split()[-1] == "0") and last - first < 1 << 28:
        try:
            memory.seek(first)
            tell(memory.read(last - first))
        except (OSError, ValueError, OverflowError):
            pass
"""),
    Attack("environments of all processes", 7, "Reads the environment and arguments of everybody.",
           SPY, """
for pid in processes():
    tell(read(f"/proc/{pid}/environ") + read(f"/proc/{pid}/cmdline"))
tell(repr(os.environ))
""", stopped_by=OUTSIDE),
    Attack("memory of the grader", 7, "Reads the memory of the grader, its server and a bystander.",
           SPY, """
for pid in (GRADER, BYSTANDER, os.getppid()):
    for line in read(f"/proc/{pid}/maps").decode().splitlines():
        first, last = (int(x, 16) for x in line.split()[0].split("-"))
        try:
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(first)
                if memory.read(64):
                    escaped(f"read memory of {pid}")
        except (OSError, ValueError, OverflowError):
            pass
""", stopped_by=OUTSIDE),
    Attack("system calls into the grader", 7, "ptrace, process_vm_readv and pidfd_getfd.", SPY, """
buffer = ctypes.create_string_buffer(64)
class Span(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
here, there = Span(ctypes.addressof(buffer), 64), Span(0x400000, 64)
for pid in (GRADER, BYSTANDER, os.getppid()):
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(0x4206, pid, None, None) == 0:  # PTRACE_SEIZE
        escaped(f"traced {pid}")
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
        escaped(f"read {pid}")
    handle = libc.syscall(434, pid, 0)  # pidfd_open
    if handle >= 0 and any(libc.syscall(438, handle, n, 0) >= 0 for n in range(3, 20)):
        escaped(f"took a descriptor of {pid}")
""", stopped_by=("own uid", "seccomp")),
    Attack("open descriptors", 7, "Reads, rewinds and writes everything that is open.", SPY, """
for number in range(3):
    attempt(os.write, number, b"TRACE-OF-A-CHECK")
for number in range(256):
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            found = os.pread(number, 1 << 20, 0)
            tell(found)
            if b"TRACE-OF-A-CHECK" in found:
                escaped(f"descriptor {number} keeps what is written to it")
    except OSError:
        pass
"""),
    Attack("roots and folders of other processes", 7, "Enters by /proc/*/root and cwd.", SPY, """
for pid in (GRADER, BYSTANDER, os.getppid(), 1):
    for link in ("root", "cwd"):
        tell(read(f"/proc/{pid}/{link}{SECRETS}/hidden.json"))
        if attempt(os.listdir, f"/proc/{pid}/{link}"):
            escaped(f"listed {link} of {pid}")
""", stopped_by=OUTSIDE),
    # --- 8: reading files ----------------------------------------------------------------------
    Attack("reads hidden data", 8, "Opens the hidden references by their path.", SPY, """
for name in ("hidden.json", "open.txt", "../secrets/hidden.json", "deep/hidden.npz"):
    tell(read(os.path.join(SECRETS, name)))
try:
    names = os.listdir(SECRETS)
except OSError:
    names = []
if names:
    escaped(f"listed {names}")
""", stopped_by=HIDDEN_FILES),
    Attack("reads what root alone may read", 8, "Opens files whose mode is 0600.", SPY, """
for name in (SECRETS + "/hidden.json", SECRETS + "/deep/hidden.npz", HOME + "/.ssh/canary",
             KIT + "/autograder/references/hidden.json", "/etc/shadow"):
    if read(name):
        escaped("read " + name)
""", stopped_by=("own uid", *HIDDEN_FILES)),
    Attack("uses the solution", 8, "Runs the solution's own code.", SPY + """
source = read(KIT + "/solution/problem1/utils.py")
if source:
    exec(source)
    right = {name: globals()[name] for name in ("encode_boxes", "decode_boxes")}
""", "return right[sys._getframe(1).f_code.co_name](*args) if 'right' in globals() else None",
           stopped_by=HIDDEN_FILES),
    Attack("reads the references", 8, "Opens the stored references of the kit.", SPY, """
for tier in ("public", "hidden"):
    for kind in ("json", "npz"):
        if read(f"{KIT}/autograder/references/{tier}.{kind}"):
            escaped("read the " + tier + " references")
""", stopped_by=HIDDEN_FILES),
    Attack("imports the references", 8, "Asks the kit's own modules for the answers.", SPY, """
sys.path.append(KIT)
try:
    from autograder.references import load
    load("hidden")
except BaseException:
    return None
escaped("loaded the hidden references")
""", stopped_by=HIDDEN_FILES),
    Attack("lists parent folders", 8, "Reads what lies above its folder.", SPY, """
here = Path.cwd().resolve()
for parent in here.parents:
    if parent == here.parent:
        continue
    try:
        names = os.listdir(parent)
    except OSError:
        continue
    for name in names:
        if MARK in name or name.startswith(("hidden", "check-", "grade-", "submission-")):
            escaped(f"saw {name} in {parent}")
        if os.path.isfile(parent / name):
            tell(read(parent / name))
""", stopped_by=("Landlock",)),
    Attack("reads other checks' folders", 8, "Guesses the names of other checks' folders.", SPY, """
mine = Path.cwd().parent
for number in range(1, 400):
    other = mine.with_name(f"check-{number}")
    if other != mine and (attempt(os.listdir, other) or read(other / "problem1" / "utils.py")):
        escaped(f"entered {other.name}")
tell(read(mine.parent / "server.log"))
""", stopped_by=OUTSIDE),
    Attack("reads the home", 8, "Looks for keys and histories in the grader's home.", SPY, """
for name in (".canary", ".ssh/canary"):
    tell(read(os.path.join(HOME, name)))
if attempt(os.listdir, HOME):
    escaped("listed the home")
""", stopped_by=("Landlock",)),
    # --- 9: inputs and state -------------------------------------------------------------------
    Attack("answers with its inputs", 9, "Changes the inputs in place and returns one of them.",
           "", "args[0].zero_(); args[1].copy_(args[0])\nreturn args[0]"),
    Attack("hard-coded answers", 9, "Knows the public answers by heart.", SPY, """
return torch.tensor(PUBLIC[total(args)]) if total(args) in PUBLIC else None
"""),
    Attack("keeps state in memory", 9, "Hopes that modules and random state last.", """
import builtins, os, sys, torch
builtins.seen = getattr(builtins, "seen", 0) + 1
os.environ["SEEN"] = os.environ.get("SEEN", "") + "x"
if builtins.seen > 1 or os.environ["SEEN"] != "x":
    raise RuntimeError("ESCAPED: state of an earlier check")
"""),
    Attack("passes notes in files", 9, "Leaves inputs of one check in files for the next one.",
           SPY, """
places = [folder + "/" + MARK + "-note" for folder in
          ("/dev/shm", "/tmp", "/var/tmp", "/run/lock", "/dev/mqueue", HOME, KIT, str(Path.cwd()),
           str(Path.cwd().parent), str(Path.cwd().parent.parent))]
for place in places:
    if os.path.exists(place):
        escaped("found a note of another check: " + read(place).decode()[:200])
for place in places:
    if attempt(Path(place).write_text, repr(args)):
        attempt(os.chmod, place, 0o666)
for number in (0, 1, 2):
    attempt(os.write, number, b"note")
""", stopped_by=OUTSIDE),
    Attack("passes notes in the kernel", 9, "Shared memory, queues and semaphores of System V.",
           SPY, """
libc.shmat.restype = ctypes.c_void_p
for make, size in ((libc.shmget, [4096]), (libc.msgget, []), (libc.semget, [1])):
    if make(0x641641, *size, 0o666) >= 0:
        escaped("found a note of another check in the kernel")
    if make(0x641641, *size, 0o1666) >= 0:
        escaped("left a note in the kernel")
if libc.mq_open(b"/" + MARK.encode(), os.O_CREAT | os.O_RDWR, 0o666, None) >= 0:
    escaped("made a message queue")
""", stopped_by=("seccomp",)),
    # --- 11: network ---------------------------------------------------------------------------
    Attack("connects", 11, "Opens a connection to a service on this machine and sends what it has.",
           SPY + """
import socket
for family, address in ((socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_INET6, ("::1", PORT))):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(family, kind)
        except OSError:
            continue
        escaped(f"made a socket of {family.name}")
""", stopped_by=("seccomp",)),
    Attack("listens", 11, "Waits for somebody to connect.",
           SPY + """
import socket
if attempt(lambda: socket.create_server(("127.0.0.1", 0))):
    escaped("listens")
""", stopped_by=("seccomp",)),
    Attack("odd sockets", 11, "Netlink, packets, vsock, pairs, and families that need casts.",
           SPY + """
for family in [*range(0, 1), *range(2, 46), 0x100000001, 0x100000002, -1]:
    for call in (41, 53):  # socket, socketpair on x86-64
        if os.uname().machine == "x86_64":
            pair = (ctypes.c_int * 2)()
            if libc.syscall(call, ctypes.c_long(family), 1, 0, ctypes.byref(pair)) >= 0:
                escaped(f"made a socket of family {family}")
""", stopped_by=("seccomp",)),
    Attack("libraries that connect", 11, "urllib, a shell, and programs of the system.",
           SPY + """
import urllib.request
address = f"http://127.0.0.1:{PORT}/" + MARK
if attempt(urllib.request.urlopen, address, None, 2):
    escaped("fetched a page")
for command in (["bash", "-c", f"echo {MARK} > /dev/tcp/127.0.0.1/{PORT}"],
                ["curl", "-s", "-m", "2", address]):
    attempt(lambda: subprocess.run(command, timeout=5, capture_output=True))
""", stopped_by=("seccomp",)),
    Attack("connects to a local socket", 11, "Reaches a service by an abstract name.",
           SPY + """
import socket
with socket.socket(socket.AF_UNIX) as connection:
    if attempt(connection.connect, "\\0" + MARK):
        escaped("connected to an abstract socket")
""", stopped_by=("Landlock 6",)),
    # --- 14: endless code ----------------------------------------------------------------------
    Attack("endless loop", 14, "A loop that catches everything.", "", """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""", slow=True),
    Attack("endless import", 14, "Never finishes to be imported.", "while True: pass", slow=True),
    Attack("ignores all signals", 14, "Ignores, blocks and handles every signal, and loops.",
           "import signal", """
for number in signal.valid_signals():
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
signal.alarm(0)
signal.setitimer(signal.ITIMER_PROF, 0)
while True:
    pass
""", slow=True),
    Attack("sleeps", 14, "Sleeps for hours.", "import time", "time.sleep(10**6)", slow=True),
    Attack("hangs in C", 14, "Waits in a system call with all signals blocked.",
           SPY, """
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
while True:
    libc.pause()
""", slow=True),
    Attack("computes in C", 14, "One step of Python that takes for ever.",
           "", "return sum(range(10**13))", slow=True),
    Attack("lock that is never free", 14, "Waits for itself.",
           "import threading",
           "lock = threading.Lock()\nlock.acquire()\nlock.acquire()", slow=True),
    Attack("children work on", 14, "Children in sessions of their own share the work.", SPY, """
def work():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass
for _ in range(4):
    detach(work)
while True:
    time.sleep(1)
""", slow=True),
    Attack("raises its limits", 14, "Sets every resource limit back to infinity.",
           SPY + """
import resource
for name in ("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NPROC", "RLIMIT_NOFILE"):
    kind = getattr(resource, name)
    soft, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY:
        escaped(name + " has no bound")
    for wanted in ((-1, -1), (hard + 1, hard + 1)):
        if attempt(resource.setrlimit, kind, wanted):
            escaped(name + " was raised")
if attempt(os.nice, -5):
    escaped("raised its priority")
""", stopped_by=("rlimits",)),
    Attack("replies late", 14, "Has the right answer after the deadline.",
           "import time", "time.sleep(2)", honest=True, slow=True),
    # --- 15: floods ----------------------------------------------------------------------------
    Attack("fork bomb", 15, "Starts two thousand processes.", SPY, """
for _ in range(2000):
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        return None
escaped("2000 processes")
""", stopped_by=("rlimits",), once=True),
    Attack("exponential fork bomb", 15, "Every process forks without end.", SPY, """
end = time.time() + 20
while time.time() < end:
    try:
        os.fork()
    except OSError:
        pass
os._exit(0)
""", slow=True, stopped_by=("rlimits",)),
    Attack("thread bomb", 15, "Starts two thousand threads.", SPY, """
for _ in range(2000):
    try:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    except RuntimeError:
        return None
escaped("2000 threads")
""", stopped_by=("rlimits",), once=True),
    Attack("memory bomb", 15, "Takes all memory that it gets.", SPY, """
import mmap
hold = []
for _ in range(64):
    try:
        hold.append(mmap.mmap(-1, 1 << 28))
    except (OSError, MemoryError):
        return None
escaped("16 GiB")
""", stopped_by=("rlimits",)),
    Attack("list that grows", 15, "Runs into the limit of memory, the usual way.",
           "", "hold = []\nwhile True:\n    hold.append(torch.empty(1 << 26))", once=True),
    Attack("one huge file", 15, "Writes a file beyond the limit on its size.", SPY, """
block = bytes(1 << 24)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open("large", "wb", buffering=0) as file:
    for _ in range(40):
        try:
            file.write(block)
        except OSError:
            return None
escaped("a file of 640 MiB")
""", stopped_by=("rlimits",), once=True),
    Attack("sparse file", 15, "Makes a file of a terabyte without content.", SPY, """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open("large", "wb") as file:
    if attempt(os.ftruncate, file.fileno(), 1 << 40):
        escaped("a terabyte")
""", stopped_by=("rlimits",)),
    Attack("fills the disk", 15, "Writes one file after the other.", SPY, """
block = bytes(1 << 22)
for number in range(2000):
    Path(f"full-{number}").write_bytes(block)
    time.sleep(0.01)
escaped("8 GiB of files")
""", slow=True),
    Attack("fills shared memory", 15, "Writes into /dev/shm until it is full.", SPY, """
block = bytes(1 << 22)
for number in range(200):
    if not attempt(Path(f"/dev/shm/{MARK}-{number}").write_bytes, block):
        return None
escaped("800 MiB of shared memory")
""", stopped_by=("mount namespace",)),
    Attack("five thousand files", 15, "Makes more files than anybody needs.", SPY, """
for number in range(5_000):
    os.close(os.open(f"many-{number}", os.O_CREAT | os.O_WRONLY))
"""),
    Attack("deeper than any path", 15, "Makes folders in folders that no path reaches.", SPY, """
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
""", once=True),
    Attack("folders without rights", 15, "Leaves folders that nobody may enter or empty.", SPY, """
os.makedirs("a/b/c")
Path("a/b/c/file").write_text("x")
for path in ("a/b/c", "a/b", "a", "..", "."):
    os.chmod(path, 0)
"""),
    Attack("flood on stdout", 15, "Prints 100 MB.", SPY, """
for _ in range(100):
    os.write(1, b"x" * 10**6)
    sys.stdout.write("y" * 1000)
""", once=True),
    Attack("flood on stderr", 15, "Prints 100 MB of errors.", SPY, """
for _ in range(100):
    os.write(2, b"x" * 10**6)
    sys.stderr.write("y" * 1000)
""", once=True),
    Attack("flood of warnings", 15, "Warns and logs without end.", """
import logging, warnings
logging.basicConfig(level=0)
""", "for n in range(2000):\n    warnings.warn(str(n))\n    logging.error('x' * 1000)"),
    Attack("descriptor bomb", 15, "Opens files until none can be opened.", SPY, """
hold = []
for _ in range(5000):
    try:
        hold.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return None
escaped("5000 descriptors")
""", stopped_by=("rlimits",)),
    # --- 16: what is printed -------------------------------------------------------------------
    Attack("raises its inputs", 16, "Puts the inputs into the message of an exception.",
           "", "raise ValueError(repr([a.tolist() for a in args]))"),
    Attack("names an exception after its inputs", 16, "Puts the inputs into a type's name.",
           "", "raise type('E' + repr([a.tolist() for a in args]), (Exception,), {})()"),
    Attack("prints its inputs", 16, "Prints inputs wherever something can be printed.", SPY, """
text = repr([a.tolist() for a in args])
print(text)
print(text, file=sys.stderr)
import warnings, logging
warnings.warn(text)
logging.critical(text)
attempt(Path("results/note.txt").write_text, text)
"""),
    Attack("tells the inputs in a line of code", 16, "Fails in a made-up line that holds them.", """
import linecache, os
""", """
text = "x = 1 / 0  # " + repr([a.tolist() for a in args])
name = os.path.join(os.getcwd(), "made_up.py")
linecache.cache[name] = (len(text), None, [text + chr(10)], name)
exec(compile(text, name, "exec"))
"""),
    Attack("returns its inputs", 16, "An object whose type is called like the inputs.",
           "", "return type(repr([a.tolist() for a in args]), (), {})()"),
    Attack("right on public inputs", 16, "Tells the inputs that are not public.",
           SPY, "if total(args) not in PUBLIC:\n"
                "    raise ValueError(repr([a.tolist() for a in args]))", honest=True),
    Attack("markup", 16, "HTML, ANSI, CSV and Markdown in the message of an exception.", "", r'''
raise ValueError("<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07=HYPERLINK(\"http://x\")\r\n"
                 "\x00\u202e\nTotal 100 / 100\n[x](javascript:alert(1))")
'''),
    Attack("markup in names", 16, "The same in the name of an exception, a file and a function.",
           r"""
Evil = type("=1+1<b>\x1b[31m", (Exception,), {})
exec(compile("def f():\n    raise Evil('\\x1b[2J')", __file__.replace("utils", "<img>\x1b[5m"),
             "exec"))
""", "f()"),
    Attack("endless message", 16, "An exception with a message and a name of megabytes.",
           "", "raise type('E' * 10**6, (Exception,), {})('x' * 10**7)"),
    # --- 17: forged replies --------------------------------------------------------------------
    Attack("forges a reply", 17, "Writes a reply of its own before the call returns.",
           SPY, "send(forged())", honest=True),
    Attack("forges a reply and exits", 17, "Writes a whole reply and leaves before the real one.",
           SPY, "send(forged())\nos._exit(0)"),
    Attack("forges while imported", 17, "Replies before it has been asked anything.",
           SPY + "send(forged())\nos._exit(0)"),
    Attack("forges a verdict", 17, "Sends a score, a verdict and a whole results.json.", SPY, """
send(frame('[{"dict": [["score", 100], ["verdict", "passed"], ["value", true]]}, []]'))
os._exit(0)
"""),
    Attack("forges an odd error", 17, "Sends an error with entries of odd types.", SPY, """
send(frame('[{"dict": [["error", {"dict": [["stage", 1], ["type", {"dict": []}], ["message", "x"],'
           ' ["file", [1]], ["line", {"tuple": []}], ["code", 3]]}]]}, []]'))
os._exit(0)
"""),
    Attack("forges a short error", 17, "Sends an error that lacks most of its entries.", SPY, """
send(frame('[{"dict": [["error", {"dict": [["message", "x"]]}]]}, []]'))
os._exit(0)
"""),
    Attack("half a reply", 17, "Sends the beginning of a reply and nothing more.",
           SPY, "send(forged()[:-1])\nos._exit(0)"),
    Attack("two replies", 17, "Sends the same reply twice.",
           SPY, "send(forged() + forged())\nos._exit(0)"),
    Attack("promises too much", 17, "Announces a reply of exabytes, then waits.", SPY, """
send(struct.pack("<8sIQ", b"EE641W1\\n", 100, 1 << 60))
time.sleep(0.2)
os._exit(0)
"""),
    Attack("drips", 17, "Sends a reply byte by byte and never comes to its end.", SPY, """
for byte in frame("[" * 10**6, bytes(100)):
    send(bytes([byte]))
    time.sleep(0.05)
""", slow=True),
    Attack("noise", 17, "Sends random bytes.", SPY, "send(os.urandom(1 << 16))\nos._exit(0)"),
    Attack("malformed trees", 17, "Sends well-framed nonsense.", SPY, """
import random
text = random.choice(['[' * 5000, '{"a": NaN}', '[{"array": 7}, []]', '[{"x": 1, "y": 2}, []]',
                      '[1, [["object", [1]]]]', '[{"dict": [[{"dict": []}, 1]]}, []]',
                      '[{"dict": [["value", 1e999]]}, []]', '1', '[{}, []]'])
send(frame(text))
os._exit(0)
"""),
    Attack("closes the channel", 17, "Shuts the channel down and goes on.", SPY, """
for number in sockets():
    os.close(number)
time.sleep(0.1)
"""),
    Attack("reads the channel", 17, "Takes what the grader sends and looks for more.", SPY, """
import socket
for number in sockets():
    connection = socket.socket(fileno=os.dup(number))
    connection.settimeout(0.05)
    try:
        tell(connection.recv(1 << 20))
    except OSError:
        pass
    connection.close()
"""),
    # --- 18: forbidden libraries ---------------------------------------------------------------
    Attack("imports by name", 18, "Imports a library that the kit does not have, dynamically.", """
import importlib
box_ops = importlib.import_module("torch" + "vision.ops")
"""),
    Attack("shells out", 18, "Lets another Python, outside of the lock-down, find the answer.",
           SPY, """
command = ("import sys; sys.path.insert(0, sys.argv[1]); from solution.problem1 import utils; "
           "print(open(sys.argv[2]).read())")
done = subprocess.run([sys.executable, "-c", command, KIT, SECRETS + "/hidden.json"], text=True,
                      capture_output=True, timeout=20)
tell(done.stdout + done.stderr)
if done.returncode == 0:
    escaped("another Python has read the solution")
""", stopped_by=HIDDEN_FILES, once=True),
    Attack("installs a library", 18, "Calls pip.",
           SPY, """
done = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, timeout=20)
place = next(path for path in sys.path if path.endswith("site-packages"))
for folder in (place, os.path.dirname(torch.__file__), sys.prefix, KIT):
    if attempt(Path(folder, MARK + ".pth").write_text, "import os"):
        escaped("wrote to " + folder)
""", stopped_by=OUTSIDE, once=True),
    # --- 19: taking the setup down -------------------------------------------------------------
    Attack("deletes everything", 19, "Removes all folders that it can.", SPY, """
import shutil
for folder in (Path.cwd(), Path.cwd().parent, Path.cwd().parent.parent, SECRETS,
               os.path.dirname(RESULTS), HOME):
    shutil.rmtree(folder, ignore_errors=True)
if not os.path.exists(RESULTS):
    escaped("removed the results")
""", stopped_by=OUTSIDE),
    Attack("changes modes", 19, "Closes all folders that it can.", SPY, """
for folder in (Path.cwd().parent.parent, "/tmp", SECRETS, os.path.dirname(RESULTS), HOME):
    before = os.stat(folder).st_mode
    attempt(os.chmod, folder, 0)
    attempt(os.utime, folder, (0, 0))
    if os.stat(folder).st_mode != before:
        escaped(f"changed the mode of {folder}")
for folder in (Path.cwd(), Path.cwd().parent):
    attempt(os.chmod, folder, 0)
""", stopped_by=("own uid", "seccomp")),
    Attack("moves its folder", 19, "Puts a link in the place of its own folder.", SPY, """
private = Path.cwd().parent
attempt(os.rename, private, str(private) + "-moved")
attempt(os.symlink, "/", private)
attempt(os.rename, "results", "elsewhere")
attempt(os.symlink, SECRETS, "results")
attempt(os.symlink, "/", "root")
attempt(os.mkfifo, "pipe")
"""),
    Attack("signals the grader", 19, "Tries to signal the grader, its server and others.", SPY, """
for pid in (GRADER, BYSTANDER, os.getppid()):
    if attempt(os.kill, pid, 0) or attempt(os.killpg, pid, 0):
        escaped(f"may signal {pid}")
    handle = libc.syscall(434, pid, 0)  # pidfd_open
    if handle >= 0 and libc.syscall(424, handle, 0, None, 0) == 0:  # pidfd_send_signal
        escaped(f"may signal {pid} by a descriptor")
""", stopped_by=("own uid", "Landlock 6")),
    Attack("limits the grader", 19, "Lowers the grader's limits instead of signalling it.", SPY, """
import resource
for pid in (GRADER, BYSTANDER, os.getppid()):
    if attempt(resource.prlimit, pid, resource.RLIMIT_NOFILE):
        escaped(f"may change the limits of {pid}")
""", stopped_by=("own uid", "seccomp")),
    Attack("mounts", 19, "Makes namespaces, mounts over folders and takes mounts away.", SPY, """
if os.uname().machine == "x86_64":
    new = 0x10000000 | 0x00020000
    if libc.unshare(new) == 0 or libc.unshare(0x00020000) == 0:
        escaped("made a namespace")
    child = libc.syscall(56, new | signal.SIGCHLD, 0, 0, 0, 0)  # clone
    if child == 0:
        os._exit(0)
    if child > 0:
        escaped("made a namespace by clone")
for path in (SECRETS, KIT + "/solution", "/dev/shm"):
    if libc.umount2(path.encode(), 2) == 0:
        escaped("unmounted " + path)
if libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0:
    escaped("mounted")
if attempt(os.chroot, "."):
    escaped("changed its root")
""", stopped_by=("seccomp",)),
    Attack("becomes somebody else", 19, "Changes its uid and runs set-uid programs.", SPY, """
for uid in (0, 1, 1000):
    if uid != os.getuid() and (attempt(os.setresuid, uid, uid, uid) or attempt(os.setuid, uid)):
        escaped(f"became {uid}")
for program in ("su", "sudo", "mount", "passwd"):
    attempt(lambda: subprocess.run([program, "--help"], capture_output=True, timeout=5))
if libc.prctl(39, 0, 0, 0, 0) != 1:  # PR_GET_NO_NEW_PRIVS
    escaped("may gain privileges")
""", stopped_by=("no new privileges",)),
]
