"""The system calls that a check may make (seccomp).

Whatever is not named here the kernel does not do: it says that it has no such call, and libraries
then fall back to an older one.

Sources: seccomp(2); the list is that of Docker's default profile for containers, in which honest
code runs every day, without what a check has no business with (see `ALLOWED`).
"""

import contextlib
import ctypes
import errno
import tempfile

from .libc import checked, libc

AF_UNIX = 1
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
FOREIGN = 0x7E028000  # flags of clone(2) that make namespaces, or a child of one's parent

# Left out of Docker's list: calls of 32-bit machines; looks into other processes (ptrace,
# process_vm_*, kcmp); what outlives a check or is counted for nobody (System V's and POSIX's queues
# and memory, memfd_*); asynchronous input and output beside the limits (io_*); watching files of
# others (inotify_*, fanotify_*, cachestat, name_to_handle_at); what slows others down (sync,
# sched_set*, ioprio_set); and what no library needs (adjtimex, modify_ldt, personality, seccomp).
ALLOWED = """
    accept accept4 access alarm arch_prctl bind brk capget capset chdir chmod chown clock_getres
    clock_gettime clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3
    epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve
    execveat exit exit_group faccessat faccessat2 fallocate fchdir fchmod fchmodat
    fchmodat2 fchown fchownat fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr
    fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat
    get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid
    getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid
    getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
    getxattrat ioprio_get kill landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lchown lgetxattr link linkat listen listxattr listxattrat llistxattr
    lremovexattr lseek lsetxattr lstat madvise map_shadow_stack membarrier mincore mkdir mkdirat
    mknod mknodat mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock munlockall munmap
    nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2
    pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 pselect6 pwrite64
    pwritev pwritev2 read readlink readlinkat readv recvfrom recvmmsg recvmsg
    remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall
    riscv_flush_icache riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
    rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_yield select sendfile sendmmsg sendmsg sendto
    set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer
    setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid
    setxattr setxattrat shutdown sigaltstack signalfd signalfd4 splice stat statfs statx symlink
    symlinkat sync_file_range sysinfo tee tgkill time timer_create timer_delete timer_getoverrun
    timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate
    umask uname unlink unlinkat uretprobe utime utimensat utimes vfork vmsplice wait4 waitid write
    writev
"""

# Calls that do nothing and report success, since honest code makes them: a check stays on the
# processors of its slot.
PRETENDED = ("sched_setaffinity",)

# Commands of fcntl(2): copies, flags and locks of descriptors, sizes of pipes. With others a check
# would make others wait to open a file (leases), see what they do in folders, signal processes.
FCNTL = (*range(8), 36, 37, 38, 1030, 1031, 1032)
TERMINALS, FICLONE = 0x5400, 0x40049409  # of ioctl(2): the first of 256; what pathlib copies by

# Landlock lets the owner of a file change its mode and attributes, and a check without a uid of its
# own runs as the owner of a person's files. shutil.copy and others make calls that change modes.
MODES = ("chmod", "fchmod", "fchmodat", "fchmodat2")
ATTRIBUTES = ("setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr",
              "fremovexattr", "removexattrat", "chown", "fchown", "lchown", "fchownat")


def compiled(as_person: bool) -> bytes:
    """In the server: the filter, compiled once since that takes some milliseconds.

    Raises:
        ImportError: libseccomp is missing.
        OSError, RuntimeError, ValueError: it does not know this machine.
    """
    import pyseccomp
    from pyseccomp import ALLOW, EQ, ERRNO, MASKED_EQ, Arg

    rules = pyseccomp.SyscallFilter(ERRNO(errno.ENOSYS))
    actions = {**dict.fromkeys(ALLOWED.split(), ALLOW), **dict.fromkeys(PRETENDED, ERRNO(0))}
    if as_person:
        actions |= {**dict.fromkeys(ATTRIBUTES, ERRNO(errno.EPERM)),
                    **dict.fromkeys(MODES, ERRNO(0))}
    for name, action in actions.items():
        # This library or this architecture may not know it.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            rules.add_rule(action, name)
    for name in ("socket", "socketpair"):  # AF_UNIX alone: DataLoader workers pass descriptors
        rules.add_rule(ALLOW, name, Arg(0, EQ, AF_UNIX))
    for command in FCNTL:
        rules.add_rule(ALLOW, "fcntl", Arg(1, EQ, command))
    rules.add_rule(ALLOW, "ioctl", Arg(1, MASKED_EQ, 0xFFFFFF00, TERMINALS))
    rules.add_rule(ALLOW, "ioctl", Arg(1, EQ, FICLONE))
    # Only its own limits (process 0): by lowering those of the grader a check could end it.
    rules.add_rule(ALLOW, "prlimit64", Arg(0, EQ, 0))
    # A new user namespace would bring back all capabilities. A filter cannot read the flags of
    # clone3, which lie in memory. Without clone3 libc calls clone, whose first argument has them
    # (the second on s390).
    rules.add_rule(ALLOW, "clone", Arg(0, MASKED_EQ, FOREIGN, 0))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def take_on(program: bytes) -> None:
    """In a check: let it make no other calls from now on."""
    filters = _Program(len(program) // 8, program)  # 8 bytes an instruction
    checked(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filters), 0, 0))
