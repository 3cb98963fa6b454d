"""``manage.py worker`` as a host runs it: real processes, really killed."""

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


def wait_until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)


def processes() -> dict[int, int]:
    """The parent of each process that has not ended, but for the one that tells it."""
    columns = ["ps", "-eo", "pid=,ppid=,stat=,comm="]
    lines = subprocess.run(columns, capture_output=True, text=True, check=True).stdout.splitlines()
    found = (line.split(maxsplit=3) for line in lines)
    alive = (facts for facts in found if not facts[2].startswith("Z") and facts[3] != "ps")
    return {int(pid): int(parent) for pid, parent, *_ in alive}


def below(root: int) -> set[int]:
    """All processes that come from ``root``."""
    parents = processes()
    found, new = set(), {root}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker of one slot, at work."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "VECTORFERRY_WORKERS": "1",
        "VECTORFERRY_LEASE_SECONDS": "2",
    }
    started = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "worker"], env=os.environ | environment, cwd=ROOT
    )
    try:
        wait_until(lambda: Worker.objects.exists() and len(below(started.pid)) == 8)
        yield started
    finally:
        if started.poll() is None:
            started.terminate()
        started.wait(PATIENCE_SECONDS)


def waiting_job(**changes: object) -> Job:
    """A job that a worker can only refuse: that it did shows that a task was done."""
    plan = {"version": 1, "source": {"kind": "nowhere"}, "target": {"kind": "nowhere"}}
    return Job.objects.create(kind="nowhere", plan=plan, secrets={"source": {}, "target": {}}, **changes)


def is_refused(job: Job) -> bool:
    job.refresh_from_db()
    return job.status == Status.FAILED and job.error_code == "kind_unknown"


def test_it_shows_that_it_lives_and_takes_up_a_job_whose_wake_up_was_lost(worker):
    assert Worker.alive()
    assert Worker.objects.slots() == 1
    job = waiting_job()
    assert not OrmQ.objects.exists()
    wait_until(lambda: is_refused(job))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_within_ten_seconds_and_leaves_nothing(worker, number):
    family = below(worker.pid)
    worker.send_signal(number)
    worker.wait(10)
    assert not family & processes().keys()
    assert not Worker.objects.exists()


def test_killed_it_takes_its_processes_with_it(worker):
    family = below(worker.pid)
    worker.kill()
    wait_until(lambda: not family & processes().keys())


def test_a_process_killed_inside_a_cluster_ends_the_cluster_and_another_takes_its_place(worker):
    clusters = {pid for pid, parent in processes().items() if parent == worker.pid}
    for pid in below(worker.pid) - clusters:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not clusters & processes().keys() and len(below(worker.pid)) == 8)
    job = waiting_job()
    wait_until(lambda: is_refused(job))


def test_a_cluster_that_stands_still_is_replaced(monkeypatch, transactional_db):
    monkeypatch.setattr(supervising, "SILENCE_SECONDS", 3.0)
    cluster = supervising.Cluster("data")
    others = below(os.getpid())

    def is_up() -> bool:
        cluster.check()
        return len(below(os.getpid()) - others) == 4

    try:
        wait_until(is_up)
        first = below(os.getpid()) - others
        (main,) = {pid for pid, parent in processes().items() if parent == os.getpid()} & first
        os.kill(main, signal.SIGSTOP)
        wait_until(lambda: is_up() and not first & processes().keys())
    finally:
        cluster.kill()
