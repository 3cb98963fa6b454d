"""Shared engine: one server for all pytest-xdist processes of a test session.

The first process that needs the server starts it, and stops it when no other process uses it any more.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path


@contextmanager
def shared(name: str, folder: Path, start: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The URI of the server ``name``, which ``start()`` starts. ``folder`` is the session's own folder, the
    same for all its processes."""
    address = folder / f"{name}.uri"
    with (folder / f"{name}.lock").open("a") as gate, (folder / f"{name}.users").open("a") as users:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if address.exists():
            fcntl.flock(users, fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)
            yield address.read_text()
            return
        with start() as uri:
            address.write_text(uri)
            fcntl.flock(gate, fcntl.LOCK_UN)
            yield uri
            fcntl.flock(gate, fcntl.LOCK_EX)
            address.unlink()
            fcntl.flock(gate, fcntl.LOCK_UN)
            fcntl.flock(users, fcntl.LOCK_EX)  # waits until every other process is done with it
