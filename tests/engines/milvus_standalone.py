"""Milvus 2.3.5: a complete server from the `milvus` wheel.

The etcd inside it always listens on port 2380, so only one can run on a machine at a time. All processes of a
test session share it; a second session waits for the first. VECTORFERRY_TEST_MILVUS_URI names a server
that already runs; then none is started.
"""

import fcntl
import os
import socket
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError

import psutil
import pytest

from migrations_app.demo.processes import LOOPBACK, free_port
from tests.engines.shared import shared

ETCD_PORT = 2380
# Milvus checks its own work about every second, and a test that flushes and loads a small collection mostly
# waits for that. These settings, which Milvus takes from the environment, shorten the intervals. They are in
# milliseconds; the defaults are 2000, 1000, 1000, 500.
SHORT_INTERVALS = {
    "DATACOORD_SEGMENT_ASSIGNMENTEXPIRATION": "200",
    "QUERYCOORD_CHECKCHANNELINTERVAL": "50",
    "QUERYCOORD_CHECKSEGMENTINTERVAL": "50",
    "QUERYCOORD_DISTPULLINTERVAL": "50",
}
WAIT_SECONDS = 900
START_SECONDS = 120


@pytest.fixture(scope="session")
def milvus_235_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if running := os.environ.get("VECTORFERRY_TEST_MILVUS_URI"):
        yield running
        return
    if find_spec("milvus") is None:
        pytest.skip("Milvus 2.3.5 is missing: install milvus==2.3.5 (`make setup`)")

    @contextmanager
    def start() -> Iterator[str]:
        with _exclusive_port(), _server(tmp_path_factory.mktemp("milvus-235")) as uri:
            yield uri

    folder = tmp_path_factory.getbasetemp()
    with shared("milvus-235", folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder, start) as uri:
        yield uri


@contextmanager
def _exclusive_port() -> Iterator[None]:
    """Wait until no other test session runs a Milvus and etcd's port is free."""
    deadline = time.monotonic() + WAIT_SECONDS
    with (Path(tempfile.gettempdir()) / "vectorferry-milvus-2380.lock").open("a") as lock:
        while not (is_ours := _is_locked(lock)) or not _is_free(ETCD_PORT):
            if is_ours:
                _kill_orphan()
            if time.monotonic() > deadline:
                pytest.fail(f"Port {ETCD_PORT} was taken for {WAIT_SECONDS} s: another Milvus runs here")
            time.sleep(0.5)
        yield


def _kill_orphan() -> None:
    """Kill the Milvus of a test session that was killed. The lock is ours, so no session uses it."""
    folder = f"{tempfile.gettempdir()}/pytest-of-"
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if process.info["name"] == "milvus" and process.cwd().startswith(folder):
                process.kill()
                process.wait(10)


def _is_locked(lock: Any) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    from milvus import MilvusServer

    server = MilvusServer(wait_for_started=False, proxy_port=free_port())
    server.set_base_dir(str(folder))
    with warnings.catch_warnings():
        # If a port is taken, it tries the next one and leaves the socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.MonkeyPatch.context() as environment:
            for name, value in SHORT_INTERVALS.items():
                environment.setenv(name, value)
            server.start()
    try:
        _wait_until_healthy(server, folder / "logs")
        yield f"http://{LOOPBACK}:{server.listen_port}"
    finally:
        server.stop()


def _wait_until_healthy(server: Any, logs: Path) -> None:
    """Wait for the server, and fail with its logs if it died (the wait of the wheel does not notice that)."""
    deadline = time.monotonic() + START_SECONDS
    while not _is_healthy(server.webservice_port):
        if server.server_proc.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(file.read_text(errors="replace")[-1500:] for file in sorted(logs.glob("*.log")))
            pytest.fail(f"Milvus 2.3.5 did not start; its logs end with:\n{tail}")
        time.sleep(0.2)
    # It answers "OK" a moment before its proxy is ready.
    time.sleep(1)


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/healthz", timeout=5) as answer:
            return b"OK" in answer.read()
    except (URLError, ConnectionError, TimeoutError):
        return False
