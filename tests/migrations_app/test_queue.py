"""Task queue: each task is handed out once, when it is due, to a process that has no other task."""

import pytest
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from migrations_app import queue
from migrations_app.models import Job
from migrations_app.queue import Broker, Task

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.fixture
def job():
    return Job.objects.create(kind="memory", plan={})


@pytest.fixture(autouse=True)
def free_process(monkeypatch):
    """This process belongs to a cluster and has no task."""
    monkeypatch.setattr(queue.Conf, "POLL", 0)
    yield
    queue.busy.set(False)


def next_task(name: str):
    """Take the next task of a queue and return its function and arguments, or None."""
    row = Broker(name).dequeue()
    if row is None:
        return None
    task = SignedPackage.loads(row[0][1])
    return task["func"].rpartition(".")[2], task["args"]


@pytest.mark.parametrize(
    ("task", "name"), [(task, "data" if task in (Task.WORK, Task.CONTINUE) else "control") for task in Task]
)
def test_only_tasks_that_may_take_long_go_to_the_data_queue(job, task, name):
    queue.wake(job, task)
    assert OrmQ.objects.get().key == name
    assert next_task(name) == (task, (job.pk,))


def test_a_task_is_handed_out_once(job):
    queue.wake(job, Task.WORK)
    assert next_task("data") is not None
    queue.busy.set(False)
    assert next_task("data") is None


def test_a_process_with_a_task_does_not_get_a_second_one(job):
    queue.wake(job, Task.WORK)
    queue.wake(job, Task.WORK)
    assert next_task("data") is not None
    assert next_task("data") is None
    assert queue.waiting() == {(Task.WORK, job.pk): 1}


def test_a_task_that_cannot_be_read_leaves_the_process_free(job):
    queue.wake(job, Task.WORK)
    OrmQ.objects.update(payload="spoiled")
    assert queue.waiting() == {}
    ((pk, _),) = Broker("data").dequeue()
    Broker("data").fail(pk)
    assert not queue.busy


def test_tasks_are_handed_out_in_the_order_they_are_due(job):
    queue.wake(job, Task.PREPARE)
    queue.wake(job, Task.FINISH)
    assert next_task("control") == ("prepare", (job.pk,))
    queue.busy.set(False)
    assert next_task("control") == ("finish", (job.pk,))


def test_a_delayed_task_is_not_handed_out_before_its_time(job):
    queue.wake(job, Task.WORK, delay_seconds=60)
    assert next_task("data") is None
    assert queue.waiting() == {(Task.WORK, job.pk): 1}
    OrmQ.objects.update(lock=job.created_at)
    assert next_task("data") is not None


def test_a_job_run_by_a_command_wakes_a_worker_only_to_end_it_and_for_actions_afterwards(job):
    job.inline = True
    for task in Task:
        queue.wake(job, task)
    assert queue.waiting() == {(Task.SETTLE, job.pk): 1, (Task.POST_MIGRATION, job.pk): 1}


def test_tasks_of_other_applications_in_the_same_table_are_not_counted(job):
    queue.async_task("builtins.print", job.pk, broker=Broker("data"))
    assert queue.waiting() == {}
