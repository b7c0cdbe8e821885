"""Forbidden libraries, and attacks that take the setup down."""

from ..submissions import HIDDEN_FILES, OUTSIDE, SPY, Attack

ATTACKS = [
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
there = os.path.exists(RESULTS)
for folder in (Path.cwd(), Path.cwd().parent, Path.cwd().parent.parent, SECRETS,
               os.path.dirname(RESULTS), HOME):
    shutil.rmtree(folder, ignore_errors=True)
if there and not os.path.exists(RESULTS):
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
for pid in OUTSIDERS:
    if attempt(os.kill, pid, 0) or attempt(os.killpg, pid, 0):
        escaped(f"may signal {pid}")
    handle = libc.syscall(434, pid, 0)  # pidfd_open
    if handle >= 0 and libc.syscall(424, handle, 0, None, 0) == 0:  # pidfd_send_signal
        escaped(f"may signal {pid} by a descriptor")
""", stopped_by=("own uid", "Landlock 6")),
    Attack("limits the grader", 19, "Lowers the grader's limits instead of signalling it.", SPY, """
import resource
for pid in OUTSIDERS:
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
