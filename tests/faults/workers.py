"""Workers as processes, for tests that kill or stop them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120


@contextmanager
def worker(slots: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """``manage.py worker``; stopped at the end if it still runs."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "VECTORFERRY_WORKERS": str(slots),
        "VECTORFERRY_LEASE_SECONDS": "3",
    }
    started = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "worker"], env=os.environ | environment, cwd=ROOT
    )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(PATIENCE_SECONDS)


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.05)
