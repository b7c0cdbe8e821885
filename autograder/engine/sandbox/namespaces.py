"""Namespaces of Linux: a check sees a machine on which nothing is but what it needs.

The server goes into namespaces of its own (`enter`), and, once it has imported all it needs, into a
file system of its own (`show_only`). Each check is then forked into processes of its own (`fork`),
and takes folders of its own (`own_folders`). An ordinary user does all that in a user namespace.

Sources: user_namespaces(7), pid_namespaces(7), mount_namespaces(7), pivot_root(2).
"""

import ctypes
import errno
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from .libc import checked, libc

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET = 0x00020000, 0x08000000, 0x40000000
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE = 442, -100, 0x8000  # a call's number on all architectures
MOUNT_ATTR_RDONLY = 1
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, CAPABILITY_VERSION_3 = 1, 24, 0x20080522
LONGEST = str(2**31 - 1)  # seconds

# What a check may read beside the interpreter. Where one of them is missing, nothing happens.
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/nix/store", "/gnu/store",
          "/sys/devices/system", "/sys/fs/cgroup")  # the last two tell torch of the processor
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
LINKS = {"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0",
         "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2"}
OWN = ("/dev/shm", "/tmp", "/var/tmp")  # in which a check may write beside its own folder
MAX_OWN, MAX_OWN_FILES = 2**28, 10_000  # bytes and files in each of these


def enter(paths: Iterable[Path], secret: Iterable[Path], folder: Path) -> None:
    """In the server, while it has one thread: go on in new namespaces.

    The process itself stays outside, and ends when its child ends, which goes on. With the child
    end all processes that it has forked.

    Args:
        paths, secret, folder: of `show_only`, to try whether it will work.

    Raises:
        OSError: the machine does not allow it; nothing has changed then.
    """
    pid = os.fork()  # try it first: some machines allow only a part, which cannot be undone
    if pid == 0:
        status = 1
        try:
            _begin()
            show_only(paths, secret, folder)
            check, first = fork()
            if check == 0:
                own_folders(folder, ())
                if os.geteuid() != 0:
                    own_users()
                    powerless()
                os._exit(0)
            status = os.waitpid(check, 0)[1]
            os.kill(first, signal.SIGKILL)
        finally:
            os._exit(status and 1)
    if os.waitpid(pid, 0)[1]:
        raise PermissionError(errno.EPERM, "this machine does not let this user make namespaces")
    _begin()


def _begin() -> None:
    if os.geteuid() != 0:
        own_users()
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET))
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    pid = os.fork()
    if pid:
        os._exit(os.waitpid(pid, 0)[1] and 1)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def own_users() -> None:
    """Go into a user namespace in which nobody else is."""
    uid, gid = os.geteuid(), os.getegid()
    checked(libc.unshare(CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def powerless() -> None:
    """Give up the capabilities that a user namespace brings."""
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    checked(libc.capset(header, none))


def show_only(paths: Iterable[Path], secret: Iterable[Path], folder: Path) -> None:
    """In the server, after `enter`: a file system of the system's folders and some others alone.

    Args:
        paths: the others, read-only like the system's.
        secret: folders that are empty even if they lie inside one of these.
        folder: the only one that can be written to.
    """
    root = "/tmp"  # where the new one is put together, before it becomes `/`
    wanted = [path for path in (*map(Path, SYSTEM + DEVICES), *paths) if path.exists()]
    handles = {path: os.open(path, os.O_PATH)
               for path in sorted({path.resolve() for path in wanted})}
    own = os.open(folder, os.O_PATH)
    links = {str(link): os.readlink(link) for path in wanted for link in _links(path)}
    _mount("tmpfs", root, "tmpfs", 0, b"mode=0755,size=1m")
    for path, handle in handles.items():
        if not os.path.lexists(f"{root}{path}"):  # else it lies inside one that is there already
            _bind(handle, f"{root}{path}", directory=path.is_dir())
        os.close(handle)
    for link, target in {**links, **LINKS}.items():
        if not os.path.lexists(root + link):
            os.makedirs(os.path.dirname(root + link), exist_ok=True)
            os.symlink(target, root + link)
    for hidden in secret:
        if os.path.isdir(f"{root}{hidden}"):
            _mount("tmpfs", f"{root}{hidden}", "tmpfs", 0, b"mode=0755,size=4k")
    for place in ("/proc", *OWN, str(folder)):
        os.makedirs(root + place, exist_ok=True)
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY)
    libc.syscall(MOUNT_SETATTR, AT_FDCWD, root.encode(), AT_RECURSIVE, attributes,
                 ctypes.sizeof(attributes))  # since Linux 5.12
    _mount("proc", f"{root}/proc", "proc", 0)
    _bind(own, f"{root}{folder}")
    os.close(own)
    os.chdir(root)
    checked(libc.pivot_root(b".", b"."))
    checked(libc.umount2(b".", MNT_DETACH))
    os.chdir(folder)


def _links(path: Path) -> Iterator[Path]:
    """The symbolic links on the way to a path."""
    for place in [*reversed(path.parents), path]:
        if place.is_symlink():
            yield place
            target = os.path.normpath(place.parent / os.readlink(place))
            yield from _links(Path(target) / path.relative_to(place))
            return


def fork() -> tuple[int, int]:
    """In the server, after `enter`: fork into a PID namespace of its own.

    Returns:
        the pid of the child, which is 0 in the child, and that of the namespace's first process:
        when it ends, the kernel ends all others.
    """
    with open("/proc/self/ns/pid") as own:
        checked(libc.unshare(CLONE_NEWPID))
        # A first process ignores signals. A check is the second one, to end as any process does.
        first = os.posix_spawnp("sleep", ["sleep", LONGEST], {})
        pid = os.fork()
        if pid:
            checked(libc.setns(own.fileno(), CLONE_NEWPID))
    return pid, first


def own_folders(folder: Path, needed: Iterable[Path]) -> None:
    """In a check: folders of its own in the place of those that all may write to.

    They are gone with its last process, like what it has in System V's queues and memory.

    Args:
        folder: the check's folder, the only one beside it that it sees.
        needed: folders that stay where they are.
    """
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWIPC))
    handles = {path: os.open(path, os.O_PATH) for path in (*needed, folder)}
    for place in (*OWN, str(folder.parent)):
        os.makedirs(place, exist_ok=True)
        _mount("tmpfs", place, "tmpfs", 0,
               b"mode=1777,size=%d,nr_inodes=%d" % (MAX_OWN, MAX_OWN_FILES))
    for path, handle in handles.items():
        if not path.exists():
            _bind(handle, str(path))
        os.close(handle)
    _mount("proc", "/proc", "proc", 0)
    _mount("tmpfs", "/proc/1", "tmpfs", 0, b"size=4k")  # its `root` is that of the server


def _bind(handle: int, target: str, directory: bool = True) -> None:
    if directory:
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT, 0o644))
    _mount(f"/proc/self/fd/{handle}", target, None, MS_BIND | MS_REC)


def _mount(source: str, target: str, kind: str | None, flags: int, data: bytes = b"") -> None:
    checked(libc.mount(source.encode(), target.encode(), kind and kind.encode(),
                          ctypes.c_ulong(flags), data or None))
