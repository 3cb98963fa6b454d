"""Cancel: stops a statement while the server still works on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from migrations_app.engine.errors import SourceError
from migrations_app.engine.sources.postgresql.connect.driver_messages import VENDOR_ERRORS
from migrations_app.engine.stop_token import StopToken

_CHECK_SECONDS = 0.5


@contextmanager
def stoppable(cancel: Callable[[], None], stop: StopToken) -> Iterator[None]:
    """Call ``cancel`` from another thread if a stop is requested inside the block, and raise its reason."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_CHECK_SECONDS):
            if stop.is_stopped:
                with suppress(*VENDOR_ERRORS):
                    cancel()
                return

    watcher = threading.Thread(target=watch, name="postgres-stop", daemon=True)
    watcher.start()
    try:
        yield
    except (*VENDOR_ERRORS, SourceError):
        stop.check()
        raise
    finally:
        ended.set()
        watcher.join()
