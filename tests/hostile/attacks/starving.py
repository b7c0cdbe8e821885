"""Attacks on what others need: processors, memory, the services of a person, the kernel."""

from ..submissions import SPY, Attack

# Whose numbers of system calls are used below.
X86 = 'if os.uname().machine != "x86_64":\n    return None\n'

ATTACKS = [
    # --- 20: ways out through this machine ------------------------------------------------------
    Attack("connects to a socket that is a file", 20, "Reaches a service of the person who grades.",
           SPY + """
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    with socket.socket(socket.AF_UNIX, kind) as connection:
        if attempt(connection.connect, SERVICE):
            escaped("connected to " + SERVICE)
""", stopped_by=("mount namespace",)),
    Attack("looks for sockets that are files", 20, "Tries all that lie where services put them.",
           SPY + """
import socket
def below(folder, depth):
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and depth:
            yield from below(entry.path, depth - 1)
        elif stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
            yield entry.path
for folder in ("/tmp", "/var/tmp", "/run", "/var/run", "/mnt", HOME, os.path.expanduser("~")):
    for path in below(folder, 3):
        with socket.socket(socket.AF_UNIX) as connection:
            if attempt(connection.connect, path):
                escaped("connected to " + path)
""", stopped_by=("mount namespace",)),
    Attack("signals all that it may", 20, "Signals every process at once, and whole groups.",
           SPY, """
for pid in (-1, *(-pid for pid in OUTSIDERS)):
    if attempt(os.kill, pid, signal.SIGCONT):
        escaped(f"may signal {pid}")
""", stopped_by=("own uid", "PID namespace", "Landlock 6")),
    Attack("slows others down", 20, "Gives every process of its user the lowest priority.", SPY, """
before = [attempt(os.getpriority, os.PRIO_PROCESS, pid)
          and os.getpriority(os.PRIO_PROCESS, pid) for pid in OUTSIDERS]
attempt(os.setpriority, os.PRIO_USER, os.getuid(), 1)
for pid in OUTSIDERS:
    if attempt(os.setpriority, os.PRIO_PROCESS, pid, 1):
        escaped(f"may slow {pid} down")
if OUTSIDERS and before != [attempt(os.getpriority, os.PRIO_PROCESS, pid)
                            and os.getpriority(os.PRIO_PROCESS, pid) for pid in OUTSIDERS]:
    escaped("slowed others down")
""", stopped_by=("own uid", "PID namespace")),
    Attack("leaves a sister", 20, "Starts a process whose parent is the server.",
           SPY, X86 + """
pid = libc.syscall(56, 0x8000 | signal.SIGCHLD, 0, 0, 0, 0)  # clone, CLONE_PARENT
if pid == 0:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    os.setsid()
    time.sleep(3600)
    os._exit(0)
if pid > 0:
    escaped("made a child of the server")
""", stopped_by=("seccomp",)),
    Attack("leaves its control group", 20, "Moves itself out of what bounds it.", SPY, """
for folder, _, names in os.walk("/sys/fs/cgroup"):
    for name in {"cgroup.procs", "tasks"} & set(names):
        if attempt(Path(folder, name).write_text, "0"):
            escaped("moved to " + folder)
""", stopped_by=("own uid", "mount namespace", "Landlock")),
    Attack("is the last to be killed", 20, "Wants the kernel to end others for lack of memory.",
           SPY, """
attempt(Path("/proc/self/oom_score_adj").write_text, "-1000")
attempt(Path("/proc/self/oom_score_adj").write_text, "0")
if int(read("/proc/self/oom_score_adj")) < 1000:
    escaped("others are killed first")
""", stopped_by=("own uid", "Landlock")),
    # --- 21: notes that last ---------------------------------------------------------------------
    Attack("passes notes in keys", 21, "Leaves a key of the kernel for the next check.", SPY,
           X86 + """
for ring in range(-6, 0):  # of the thread, process, session, user, session of the user, group
    if libc.syscall(249, b"user", MARK.encode(), None, ctypes.c_int(ring)) >= 0:
        escaped("found a key")
    place = ctypes.c_int(ring)
    if libc.syscall(248, b"user", MARK.encode(), b"note", ctypes.c_size_t(4), place) >= 0:
        escaped("left a key")
""", stopped_by=("seccomp",)),
    Attack("passes notes in locks", 21, "Holds locks on files that every check can read.", SPY, """
import fcntl
held = []
for path in (sys.executable, os.__file__, torch.__file__, "/etc/passwd", "/usr"):
    held.append(os.open(path, os.O_RDONLY))
    if not attempt(fcntl.flock, held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB):
        escaped("found a lock on " + path)
detach(lambda: time.sleep(3600))
"""),
    Attack("passes notes in numbers of processes", 21, "Counts what other checks have started.",
           SPY, """
if os.getpid() > 100:
    escaped(f"is process {os.getpid()}")
for _ in range(40):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
""", stopped_by=("PID namespace",)),
    Attack("watches others' files", 21, "Is told when another check opens a file.", SPY, """
watcher = libc.inotify_init1(0)
for folder in ("/tmp", KIT, os.path.dirname(torch.__file__), "/usr/lib", "/etc"):
    if watcher >= 0 and libc.inotify_add_watch(watcher, folder.encode(), 0xfff) >= 0:
        escaped("watches " + folder)
""", stopped_by=("seccomp",)),
    # --- 22: what is not counted -----------------------------------------------------------------
    Attack("files in memory", 22, "Takes 4 GiB in files that have no name.", SPY, """
hold = [os.memfd_create(str(n)) for n in range(16)]
for handle in hold:
    os.posix_fallocate(handle, 0, 1 << 28)
escaped("4 GiB")
""", stopped_by=("seccomp",)),
    Attack("files without a name", 22, "Takes 2 GB of disk in files that are deleted already.",
           SPY, """
hold = []
for number in range(10):
    hold.append(os.open("large", os.O_CREAT | os.O_RDWR))
    os.unlink("large")
    os.posix_fallocate(hold[-1], 0, 200_000_000)
time.sleep(5)
escaped("2 GB of files")
""", once=True, stopped_by=("own uid", "PID namespace")),
    Attack("fills its temporary folders", 22, "Writes into /tmp and /var/tmp until they are full.",
           SPY, """
block = bytes(1 << 22)
for folder in ("/tmp", "/var/tmp"):
    for number in range(200):
        if not attempt(Path(folder, f"{MARK}-{number}").write_bytes, block):
            break
    else:
        escaped("800 MiB of " + folder)
for folder in ("/tmp", "/var/tmp"):
    for number in range(100_000):
        if not attempt(Path(folder, f"{MARK}-{number}").touch):
            break
    else:
        escaped("100,000 files in " + folder)
""", once=True, stopped_by=("mount namespace", "Landlock")),
    Attack("timer bomb", 22, "Starts timers until there are no more.", SPY, """
timer, hold = ctypes.c_void_p(), 0
while libc.timer_create(1, None, ctypes.byref(timer)) == 0:
    hold += 1
    if hold > 10_000:
        escaped("10,000 timers")
""", stopped_by=("rlimits",)),
    Attack("queue of signals", 22, "Sends itself signals that it never takes.", SPY, X86 + """
number = signal.SIGRTMIN + 3
signal.pthread_sigmask(signal.SIG_BLOCK, [number])
data = (ctypes.c_int * 32)(number, 0, -1)  # SI_QUEUE
for sent in range(10_001):
    if libc.syscall(129, os.getpid(), number, data) != 0:  # rt_sigqueueinfo
        return None
escaped("10,000 signals in a queue")
""", stopped_by=("rlimits",)),
    Attack("raises its priority", 22, "Asks for real time, for disks and processors.", SPY, """
if attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)):
    escaped("runs in real time")
if os.uname().machine == "x86_64" and libc.syscall(251, 1, 0, 1 << 13) == 0:  # ioprio_set
    escaped("has the disks first")
""", stopped_by=("seccomp",)),
    Attack("stops itself", 22, "Stops, and lets the grader wait.", SPY,
           "os.kill(os.getpid(), signal.SIGSTOP)", slow=True),
    Attack("buffers of the kernel", 22, "Fills all the pipes and sockets that it may open.",
           SPY, """
import socket
hold = []
try:
    while True:
        ends = socket.socketpair()
        ends[0].setblocking(False)
        hold.append(ends)
        ends[0].send(bytes(1 << 22))
except OSError:
    pass
""", honest=True, unchanged=True),
]
