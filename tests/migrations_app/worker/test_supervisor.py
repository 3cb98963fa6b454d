"""Worker supervisor: ``manage.py worker`` with real processes that are really killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django_q.models import OrmQ

from migrations_app.models import Job, Worker
from migrations_app.models.status import Status
from migrations_app.worker import supervisor as supervising

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 30


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.1)


def processes() -> dict[int, int]:
    """Return the parent of each process that has not ended, except the ``ps`` that lists them."""
    command = ["ps", "-eo", "pid=,ppid=,stat=,comm="]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = (line.split(maxsplit=3) for line in lines)
    alive = (columns for columns in found if not columns[2].startswith("Z") and columns[3] != "ps")
    return {int(pid): int(parent) for pid, parent, *_ in alive}


def descendants(root: int) -> set[int]:
    """Return all descendants of the process ``root``."""
    parents = processes()
    found, children = set(), {root}
    while children:
        children = {pid for pid, parent in parents.items() if parent in children} - found
        found |= children
    return found


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A running worker with one slot."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "VECTORFERRY_WORKERS": "1",
        "VECTORFERRY_LEASE_SECONDS": "2",
    }
    started = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "worker"], env=os.environ | environment, cwd=ROOT
    )
    try:
        wait_until(lambda: Worker.objects.exists() and len(descendants(started.pid)) == 8)
        yield started
    finally:
        if started.poll() is None:
            started.terminate()
        started.wait(PATIENCE_SECONDS)


def waiting_job(**changes: object) -> Job:
    """A job that a worker can only refuse: the refusal shows that a task ran."""
    plan = {"version": 1, "source": {"kind": "nowhere"}, "target": {"kind": "nowhere"}}
    return Job.objects.create(kind="nowhere", plan=plan, secrets={"source": {}, "target": {}}, **changes)


def is_refused(job: Job) -> bool:
    job.refresh_from_db()
    return job.status == Status.FAILED and job.error_code == "kind_unknown"


def test_a_worker_is_listed_as_alive_and_takes_a_job_whose_wake_up_was_lost(worker):
    assert Worker.alive()
    assert Worker.objects.slots() == 1
    job = waiting_job()
    assert not OrmQ.objects.exists()
    wait_until(lambda: is_refused(job))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_within_ten_seconds_of_a_signal_and_leaves_no_process(worker, number):
    family = descendants(worker.pid)
    worker.send_signal(number)
    worker.wait(10)
    assert not family & processes().keys()
    assert not Worker.objects.exists()


def test_the_processes_of_a_killed_worker_end_too(worker):
    family = descendants(worker.pid)
    worker.kill()
    wait_until(lambda: not family & processes().keys())


def test_a_cluster_in_which_processes_are_killed_ends_and_is_replaced(worker):
    clusters = {pid for pid, parent in processes().items() if parent == worker.pid}
    for pid in descendants(worker.pid) - clusters:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not clusters & processes().keys() and len(descendants(worker.pid)) == 8)
    job = waiting_job()
    wait_until(lambda: is_refused(job))


def test_a_cluster_that_hangs_is_replaced(monkeypatch, transactional_db):
    cluster = supervising.Cluster("data")
    others = descendants(os.getpid())

    def is_up() -> bool:
        cluster.check()
        return len(descendants(os.getpid()) - others) == 4

    try:
        wait_until(is_up)
        first = descendants(os.getpid()) - others
        (main,) = {pid for pid, parent in processes().items() if parent == os.getpid()} & first
        os.kill(main, signal.SIGSTOP)
        # Only for the process that was stopped: on a busy machine, a start may take longer than this.
        with monkeypatch.context() as patch:
            patch.setattr(supervising, "SILENCE_SECONDS", 3.0)
            wait_until(lambda: cluster.check() or not first & processes().keys())
        wait_until(is_up)
    finally:
        cluster.kill()
