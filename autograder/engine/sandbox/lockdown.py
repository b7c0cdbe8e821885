"""What a worker child gives up before it meets student code (Linux).

A layer is used where the machine allows it: `enter` returns for each layer None if it is active, or
the reason why it is missing. The layers overlap on purpose; none is trusted alone.

Sources: landlock(7) and linux/landlock.h up to ABI 7, seccomp(2), prctl(2), setrlimit(2),
mount_namespaces(7).
"""

import ctypes
import errno
import os
import resource
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ..submission import remove
from .layers import LAYERS

MAX_FILE = 256 * 2**20  # bytes of one file, and of /dev/shm
MAX_PROCESSES = 128  # and threads, of one check
MAX_DESCRIPTORS = 512  # of one process
# Folders that any uid may write to.
OPEN_TO_ALL = ("/dev/shm", "/dev/mqueue", "/tmp", "/var/tmp", "/run/lock", "/var/crash")

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
AF_UNIX = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def become_subreaper() -> None:
    """In the server: orphans of a check become its children, so that it can end them."""
    _checked(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def own_user_namespace() -> None:
    """In the server, as an ordinary user: enter a user namespace in which `hide` may mount.

    Checks give that power up again (`_powerless`).

    Raises:
        OSError: the machine does not allow it; nothing has changed then.
    """
    uid, gid = os.geteuid(), os.getegid()

    def become() -> None:
        _checked(_libc.unshare(CLONE_NEWUSER))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")

    pid = os.fork()  # try it first: some machines allow only a part, which cannot be undone
    if pid == 0:
        status = 1
        try:
            become()
            hide([], [])
            _own_shared_memory()
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(pid, 0)[1]:
        raise PermissionError(errno.EPERM, "an ordinary user may not mount anything here")
    become()


def hide(secret: Iterable[Path], needed: Iterable[Path]) -> None:
    """In the server, if it may mount: enter a mount namespace in which secret folders are empty.

    Args:
        secret: the folders.
        needed: folders that checks import from. One inside a home that is closed to other users is
            mounted again at the same place, so that a check with another uid can reach it.

    Raises:
        OSError: the machine does not allow it; nothing has changed then.
    """
    _checked(_libc.unshare(CLONE_NEWNS))
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    needed = sorted({path.resolve() for path in needed})
    for closed in sorted(filter(None, {_closed_ancestor(path) for path in needed})):
        inside = [path for path in needed if path.is_relative_to(closed)]
        handles = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in inside]
        _mount("tmpfs", str(closed), "tmpfs", 0, b"mode=0755,size=1m")
        for path, handle in zip(inside, handles):
            path.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{handle}", str(path), None, MS_BIND | MS_REC)
            os.close(handle)
    for folder in secret:
        if folder.is_dir():
            _mount("tmpfs", str(folder), "tmpfs", 0, b"mode=0755,size=4k")


def _closed_ancestor(path: Path) -> Path | None:
    """The topmost folder on the way to `path` that others may not enter."""
    for folder in [*reversed(path.parents), path]:
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _mount(source: str, target: str, kind: str | None, flags: int, data: bytes = b"") -> None:
    _checked(_libc.mount(source.encode(), target.encode(), kind and kind.encode(),
                         ctypes.c_ulong(flags), data or None))


def processes_of(uid: int) -> int:
    """Threads of all processes that a uid runs now; zombies run nothing and do not count."""
    try:
        os.getpriority(os.PRIO_USER, uid)  # fails if there are none, much faster than /proc
    except ProcessLookupError:
        return 0
    def threads(process: str) -> int:
        with open(f"{process}/stat", "rb") as stream:
            state = stream.read().rpartition(b") ")[2][:1]
        return 0 if state in b"ZX" else len(os.listdir(f"{process}/task"))

    return _sum_of(uid, threads)


def memory_of(uid: int) -> int:
    """Bytes of memory that the processes of a uid use, without pages of files."""
    def pages(process: str) -> int:
        with open(f"{process}/statm", "rb") as stream:
            _, resident, shared, *_ = map(int, stream.read().split())
        return resident - shared

    return _sum_of(uid, pages) * os.sysconf("SC_PAGE_SIZE")


def activity_of(uid: int) -> tuple[int, bool]:
    """CPU time of all threads of a uid, in clock ticks, and whether one is about to use more."""
    wants_more = False

    def ticks(process: str) -> int:
        nonlocal wants_more
        total = 0
        for thread in os.listdir(f"{process}/task"):
            with open(f"{process}/task/{thread}/stat", "rb") as stream:
                fields = stream.read().rpartition(b") ")[2].split()
            wants_more |= fields[0] in b"RD"  # running or ready, or waiting for a disk
            total += int(fields[11]) + int(fields[12])
        return total

    return _sum_of(uid, ticks), wants_more


def _sum_of(uid: int, number: Callable[[str], int]) -> int:
    """The sum of a number over the folders in /proc of a uid's processes."""
    total = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == uid:
                    total += number(entry.path)
            except (OSError, ValueError):
                pass  # it has ended meanwhile
    return total


def sweep_uid(uid: int) -> None:
    """As root: remove what a slot's uid has left in folders that are open to all."""
    for folder in OPEN_TO_ALL:
        try:
            left = [entry.path for entry in os.scandir(folder)
                    if entry.stat(follow_symlinks=False).st_uid == uid]
        except OSError:
            continue
        for path in left:
            remove(Path(path))


def kill_uid(uid: int) -> None:
    """As root: end every process of a slot's uid, even if it keeps forking."""
    while processes_of(uid):
        pid = os.fork()
        if pid == 0:
            try:
                os.setresuid(uid, uid, uid)
                os.kill(-1, signal.SIGKILL)  # all processes of this uid at once
            finally:
                os._exit(0)
        os.waitpid(pid, 0)


def enter(folder: Path, uid: int | None, keep: int, cpu_seconds: int, memory: int,
          processes: int, program: bytes | None, layers: dict[str, str | None],
          ) -> dict[str, str | None]:
    """In the child: take on every layer that this machine has.

    Args:
        folder: the check's own folder, the only place it may write to.
        uid: slot uid to become, or None to stay who we are.
        keep: the one descriptor beyond 0, 1, 2 that stays open.
        cpu_seconds, memory: limits; `memory` is address space beyond what is mapped already.
        processes: how many processes and threads the uid may have.
        program: of `seccomp_program`, if there is one.
        layers: what the server has settled already (own uid, mount namespace, seccomp).

    Returns:
        layer -> None, or why it is missing.
    """
    missing = dict(layers)

    def layer(name: str, action: Callable[[], object]) -> None:
        try:
            action()
            missing[name] = None
        except (OSError, ImportError, ValueError, RuntimeError) as error:
            missing[name] = str(error)

    layer("own session", os.setsid)
    layer("descriptors", lambda: _close_all_but(keep))
    layer("rlimits", lambda: _limit(cpu_seconds, memory, processes))
    if missing.get("mount namespace", "") is None:
        layer("mount namespace", _own_shared_memory)
        if uid is None:
            _powerless()
    if uid is not None:
        layer("own uid", lambda: _become(uid))
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # die with the server
    layer("no new privileges", lambda: _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
    layer("Landlock", lambda: _landlock(folder))
    if program is not None:
        layer("seccomp", lambda: _filter_calls(program))
    return {name: missing.get(name) for name in LAYERS}


def _close_all_but(keep: int) -> None:
    os.closerange(3, keep)
    os.closerange(keep + 1, 65536)  # beyond what the server ever has open
    os.dup2(1, 2)  # 2 was the server's log, in which checks could leave words for each other


def _own_shared_memory() -> None:
    """A /dev/shm of this check alone, bounded, and gone with its last process."""
    _checked(_libc.unshare(CLONE_NEWNS))
    _mount("tmpfs", "/dev/shm", "tmpfs", 0, b"mode=1777,size=%d" % MAX_FILE)


def _powerless() -> None:
    """Give up the capabilities that `own_user_namespace` has brought."""
    for capability in range(64):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(header, none))


def _limit(cpu_seconds: int, memory: int, processes: int) -> None:
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    for kind, value in (
        (resource.RLIMIT_AS, mapped + memory),
        (resource.RLIMIT_FSIZE, MAX_FILE),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    # The soft limit sends SIGXCPU, which tells that time was up; a second later comes SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    try:  # if memory runs out, the kernel is to end a check and not the grader
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        pass


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("access", ctypes.c_uint64), ("parent", ctypes.c_int32)]


CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = EXECUTE | READ_FILE | READ_DIR


def _landlock(folder: Path) -> None:
    abi = _libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    everything = (1 << (13 + (abi >= 2) + (abi >= 3))) - 1
    rules = _Ruleset(fs=everything, net=3 if abi >= 4 else 0, scoped=3 if abi >= 6 else 0)
    size = 8 * (1 + (abi >= 4) + (abi >= 6))
    ruleset = _checked(_libc.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0))

    def allow(path: str | Path, access: int) -> None:
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            access &= EXECUTE | WRITE_FILE | READ_FILE | (1 << 14 if abi >= 3 else 0)
        rule = _Beneath(access, handle)
        _checked(_libc.syscall(ADD_RULE, ruleset, 1, ctypes.byref(rule), 0))
        os.close(handle)

    # The interpreter, the system's libraries, and what torch asks about the processor.
    for path in (sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64", "/bin", "/etc", "/proc",
                 "/sys/devices/system", "/sys/fs/cgroup"):
        allow(path, READ & everything)
    for device in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/full"):
        allow(device, WRITE_FILE | READ_FILE)
    for place in (folder, "/dev/shm"):  # /dev/shm: DataLoader workers pass tensors through it
        allow(place, everything & ~EXECUTE)
    _checked(_libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


FORBIDDEN_CALLS = (
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "bpf",
    "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key", "mount",
    "umount2", "pivot_root", "chroot", "unshare", "setns", "init_module", "finit_module",
    "kexec_load", "reboot", "swapon", "open_by_handle_at", "acct", "quotactl", "move_mount",
    "open_tree", "fsopen", "fsmount", "mount_setattr",
    "shmget", "msgget", "semget", "mq_open",  # what they make outlives the check
)


# Landlock lets the owner of a file change its mode and attributes, and a check without a uid of its
# own runs as the owner of a person's files. Calls that change modes do nothing and report success,
# since shutil.copy and others need them.
MODES = ("chmod", "fchmod", "fchmodat", "fchmodat2")
ATTRIBUTES = ("setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr",
              "fremovexattr", "removexattrat", "chown", "fchown", "lchown", "fchownat")


def seccomp_program(as_person: bool) -> bytes:
    """In the server: the filter of system calls, compiled once since that takes a millisecond.

    Raises:
        ImportError: libseccomp is missing.
        OSError, RuntimeError, ValueError: it does not know this machine.
    """
    import pyseccomp

    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    forbidden = dict.fromkeys(FORBIDDEN_CALLS, errno.EPERM)
    if as_person:
        forbidden.update({**dict.fromkeys(ATTRIBUTES, errno.EPERM), **dict.fromkeys(MODES, 0)})
    for name, number in forbidden.items():
        try:
            rules.add_rule(pyseccomp.ERRNO(number), name)
        except (OSError, RuntimeError, ValueError):
            pass  # this architecture has no such call
    for name in ("socket", "socketpair"):  # AF_UNIX alone: DataLoader workers pass descriptors
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), name,
                       pyseccomp.Arg(0, pyseccomp.NE, AF_UNIX))
    # Only its own limits (process 0): by lowering those of the grader a check could end it.
    rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "prlimit64", pyseccomp.Arg(0, pyseccomp.NE, 0))
    # A new user namespace would bring back all capabilities. A filter cannot read the flags of
    # clone3, which lie in memory. Without clone3 libc calls clone, whose first argument has them
    # (the second on s390).
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "clone",
                   pyseccomp.Arg(0, pyseccomp.MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _filter_calls(program: bytes) -> None:
    filters = _Program(len(program) // 8, program)  # 8 bytes an instruction
    _checked(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filters), 0, 0))
