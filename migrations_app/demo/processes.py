"""Processes that outlive the command that started them, and how a later command finds them again."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from migrations_app.engine.errors import FerryError

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.2


class EngineNotStarted(FerryError):
    default_code = "engine_not_started"


def free_port(preferred: int = 0, *, tries: int = 1) -> int:
    """A TCP port of the loopback address that nobody listens on.

    The preferred one or, where that is taken, one of the `tries - 1` after it, or any.
    """
    for port in (*range(preferred, preferred + tries), 0):
        with socket.socket() as probe:
            # As servers bind: a connection that just ended (TIME_WAIT) does not keep a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((LOOPBACK, port))
                return int(probe.getsockname()[1])
    raise EngineNotStarted("No TCP port of this machine is free.")


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


@dataclass(frozen=True)
class Background:
    """One process, its log `<name>.log`, and `<name>.json` that tells a later command which one it is."""

    folder: Path
    name: str

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def _record(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def port(self) -> int:
        """The port it was last started with, 0 if never."""
        return int(self._read().get("port", 0))

    def start(self, command: Sequence[str], *, port: int = 0, cwd: Path | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cwd,
                start_new_session=True,
            )
        record = {"pid": child.pid, "started": psutil.Process(child.pid).create_time(), "port": port}
        self._record.write_text(json.dumps(record))
        # It is to outlive us: Python need not warn that nobody waited for it.
        child.returncode = 0

    def is_alive(self) -> bool:
        return self._process() is not None

    def wait_until_listening(self, timeout_seconds: float) -> None:
        self.wait_until(lambda: is_listening(self.port), timeout_seconds)

    def wait_until(self, is_so: Callable[[], bool], timeout_seconds: float) -> None:
        """Raises EngineNotStarted as soon as the process is gone, else after the time."""
        deadline = time.monotonic() + timeout_seconds
        while not is_so():
            if not self.is_alive():
                raise EngineNotStarted(
                    f"The {self.name} process ended: {self.last_words()}", f"See {self.log}."
                )
            if time.monotonic() > deadline:
                raise EngineNotStarted(
                    f"The {self.name} process did nothing for {timeout_seconds:.0f} s.", f"See {self.log}."
                )
            time.sleep(POLL_SECONDS)

    def stop(self, timeout_seconds: float = 12) -> None:
        """Ends it and what it started; does nothing if it does not run."""
        if process := self._process():
            process.terminate()
            with suppress(psutil.TimeoutExpired):
                process.wait(timeout_seconds)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it left no word in its log"

    def _read(self) -> dict[str, float]:
        if not self._record.exists():
            return {}
        read: dict[str, float] = json.loads(self._record.read_text())
        return read

    def _process(self) -> psutil.Process | None:
        """The process itself, never another that was given the same id since."""
        record = self._read()
        with suppress(psutil.NoSuchProcess, KeyError):
            process = psutil.Process(int(record["pid"]))
            if process.create_time() == record["started"] and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None
