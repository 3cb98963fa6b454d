"""Background processes: they outlive the command that starts them, and a later command can find them."""

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
    """Return a free TCP port of the loopback address.

    The preferred port if it is free, else one of the next `tries - 1` ports, else any port.
    """
    for port in (*range(preferred, preferred + tries), 0):
        with socket.socket() as probe:
            # Servers bind in the same way: a connection that just ended (TIME_WAIT) does not block a port.
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
    """One process with its log `<name>.log`, and `<name>.json` with which a later command finds it."""

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
        """The port that was given at the last start; 0 if it never started."""
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
        # The process should outlive this one: Python must not warn that nothing waited for it.
        child.returncode = 0

    def is_alive(self) -> bool:
        return self._process() is not None

    def wait_until_listening(self, timeout_seconds: float) -> None:
        self.wait_until(lambda: is_listening(self.port), timeout_seconds)

    def wait_until(self, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait until `is_ready`. Raises `EngineNotStarted` if the process ends, or after the timeout."""
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if not self.is_alive():
                raise EngineNotStarted(
                    f"The {self.name} process ended: {self.last_log_line()}", f"See {self.log}."
                )
            if time.monotonic() > deadline:
                raise EngineNotStarted(
                    f"The {self.name} process was not ready in {timeout_seconds:.0f} s.",
                    f"See {self.log}.",
                )
            time.sleep(POLL_SECONDS)

    def stop(self, timeout_seconds: float = 12) -> None:
        """End the process and its child processes. Does nothing if it does not run."""
        if process := self._process():
            process.terminate()
            with suppress(psutil.TimeoutExpired):
                process.wait(timeout_seconds)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def last_log_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "its log is empty"

    def _read(self) -> dict[str, float]:
        if not self._record.exists():
            return {}
        read: dict[str, float] = json.loads(self._record.read_text())
        return read

    def _process(self) -> psutil.Process | None:
        """Return the process if it runs, never another process that now has the same id."""
        record = self._read()
        with suppress(psutil.NoSuchProcess, KeyError):
            process = psutil.Process(int(record["pid"]))
            if process.create_time() == record["started"] and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None
