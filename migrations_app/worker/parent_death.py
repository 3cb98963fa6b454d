"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process as soon as process ``parent`` ends, however it ends.

    And likewise each process forked from it, with this one. Linux only: elsewhere ``is_orphan`` has to be
    asked. The parent must have started this process from its main thread.
    """
    if not sys.platform.startswith("linux"):
        return
    # Loaded before any fork: the child of a fork must not import.
    libc = ctypes.CDLL(None)

    def follow(parent: int) -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if is_orphan(parent):  # it died before it was asked for
            os._exit(1)

    follow(parent)
    here = [os.getpid()]

    def in_child() -> None:
        follow(here[0])
        here[0] = os.getpid()

    os.register_at_fork(after_in_child=in_child)


def is_orphan(parent: int) -> bool:
    return os.getppid() != parent
