"""`make run` command: starts the web server and the worker, and ends both together."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from migrations_app.demo.processes import LOOPBACK, free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


@pytest.fixture
def running(tmp_path):
    """The process, its address and its log file, after web server and worker have started."""
    address = f"{LOOPBACK}:{free_port()}"
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    # `-o` keeps the installed packages, even if they are old: these tests run in the same environment.
    command = ["make", "-o", ".venv/.requirements-installed", "run", f"BIND={address}", "ENV_FILE=/dev/null"]
    command.append(f"BIN={Path(sys.executable).parent}")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment, "VECTORFERRY_DATA_DIR": str(tmp_path / "data"), "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(tmp_path / "log", address)
        yield process, address, tmp_path / "log"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(log: Path, address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (is_healthy(address) and "Worker started" in log.read_text()):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:  # also a timeout: a busy machine starts slowly
        return False


def test_one_ctrl_c_ends_web_and_worker_within_ten_seconds(running):
    process, address, log = running
    family = psutil.Process(process.pid).children(recursive=True)
    assert any("gunicorn" in " ".join(child.cmdline()) for child in family)
    assert any("worker" in " ".join(child.cmdline()) for child in family)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=10)
    _, alive = psutil.wait_procs(family, timeout=1)
    assert alive == [], log.read_text()
    assert not is_healthy(address)
    assert "Traceback" not in log.read_text()


def test_when_one_half_ends_the_other_does_too(running):
    process, _, log = running
    (web, *_) = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "gunicorn" in " ".join(child.cmdline())
    ]
    web.terminate()
    process.wait(timeout=10)
    assert "Shutting down" in log.read_text()
