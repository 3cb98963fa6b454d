"""Parent death: makes a process end when its parent process ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Make the kernel kill this process as soon as the process ``parent`` ends.

    Each process forked from this process is killed in the same way when this process ends. Linux only:
    elsewhere the process must check ``is_orphan``. The parent must have started this process from its main
    thread.
    """
    if not sys.platform.startswith("linux"):
        return
    # Load it before any fork: a forked child must not import.
    libc = ctypes.CDLL(None)

    def follow(parent: int) -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if is_orphan(parent):  # the parent ended before the line above
            os._exit(1)

    follow(parent)
    own_pid = [os.getpid()]

    def in_child() -> None:
        follow(own_pid[0])
        own_pid[0] = os.getpid()

    os.register_at_fork(after_in_child=in_child)


def is_orphan(parent: int) -> bool:
    return os.getppid() != parent
