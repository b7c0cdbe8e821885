"""The layers of the lock-down, and what each of them stops."""

LAYERS = {
    "own uid": "files of root and of other slots, foreign processes, their memory",
    "mount namespace": "all files but the system's and the check's own, sockets that are files",
    "PID namespace": "foreign processes, what a check leaves running, networks, System V's memory",
    "control groups": "memory, processes and processor time beyond the share of one check",
    "no new privileges": "set-uid programs",
    "Landlock": "files outside of the interpreter and the check's own folder, foreign signals",
    "seccomp": "network sockets, ptrace, foreign memory, mounts, kernel keys",
    "rlimits": "memory bombs, fork bombs, huge files, endless loops",
    "own session": "terminals and process groups of the grader",
    "descriptors": "files and sockets that the server holds open",
}
REQUIRED = ("own uid", "no new privileges", "rlimits")  # of `--require-isolation`


def describe(layers: dict[str, str | None]) -> list[str]:
    """Lines that say which layers are active and why others are not."""
    lines = []
    for name, stops in LAYERS.items():
        reason = layers[name]
        needed = " (required by --require-isolation)" if name in REQUIRED else ""
        lines.append(f"  {'active ' if reason is None else 'MISSING'}  {name:<18} "
                     f"stops: {stops}{needed}")
        if reason is not None:
            lines.append(f"           {'':<18} missing because: {reason}")
    return lines
