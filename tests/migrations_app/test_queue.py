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
def free(monkeypatch):
    """This process is a cluster's, and has no task."""
    monkeypatch.setattr(queue.Conf, "POLL", 0)
    yield
    queue.busy.set(False)


def taken(name: str):
    """The function and arguments of the next task of a queue, or None."""
    found = Broker(name).dequeue()
    if found is None:
        return None
    task = SignedPackage.loads(found[0][1])
    return task["func"].rpartition(".")[2], task["args"]


@pytest.mark.parametrize(
    ("task", "name"), [(task, "data" if task is Task.WORK else "control") for task in Task]
)
def test_only_moving_rows_goes_to_the_data_queue(job, task, name):
    queue.wake(job, task)
    assert OrmQ.objects.get().key == name
    assert taken(name) == (task, (job.pk,))


def test_a_task_is_handed_out_once(job):
    queue.wake(job, Task.WORK)
    assert taken("data") is not None
    queue.busy.set(False)
    assert taken("data") is None


def test_a_process_that_has_a_task_is_given_no_second_one(job):
    queue.wake(job, Task.WORK)
    queue.wake(job, Task.WORK)
    assert taken("data") is not None
    assert taken("data") is None
    assert queue.waiting() == {(Task.WORK, job.pk): 1}


def test_a_task_that_cannot_be_read_leaves_the_process_free(job):
    queue.wake(job, Task.WORK)
    OrmQ.objects.update(payload="spoiled")
    assert queue.waiting() == {}
    ((pk, _),) = Broker("data").dequeue()
    Broker("data").fail(pk)
    assert not queue.busy


def test_tasks_come_in_the_order_they_are_due(job):
    queue.wake(job, Task.PREPARE)
    queue.wake(job, Task.FINISH)
    assert taken("control") == ("prepare", (job.pk,))
    queue.busy.set(False)
    assert taken("control") == ("finish", (job.pk,))


def test_a_task_for_later_is_not_handed_out_before(job):
    queue.wake(job, Task.WORK, delay_seconds=60)
    assert taken("data") is None
    assert queue.waiting() == {(Task.WORK, job.pk): 1}
    OrmQ.objects.update(lock=job.created_at)
    assert taken("data") is not None


def test_a_job_run_by_a_command_wakes_no_worker_but_to_end_it(job):
    job.inline = True
    for task in Task:
        queue.wake(job, task)
    assert queue.waiting() == {(Task.SETTLE, job.pk): 1}


def test_tasks_of_others_in_the_same_table_are_not_counted(job):
    queue.async_task("builtins.print", job.pk, broker=Broker("data"))
    assert queue.waiting() == {}
