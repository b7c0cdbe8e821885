"""Attacks that use things up, or print what is read as something else."""

from ..submissions import SPY, Attack

ATTACKS = [
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
    Attack("two thousand files", 15, "Makes more files than anybody needs.", SPY, """
for number in range(2_000):
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
]
