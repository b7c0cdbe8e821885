"""Attacks on the results and on how a check ends: what runs on afterwards, exits, skips."""

from ..submissions import OUTSIDE, SPY, Attack

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
for pid in OUTSIDERS:
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
]
