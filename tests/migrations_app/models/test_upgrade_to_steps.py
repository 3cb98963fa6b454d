"""Upgrade: the progress that existing jobs stored in columns becomes steps, and running jobs continue."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from migrations_app.engine.model.target_schema import IndexSpec
from migrations_app.models import Job, JobCollection, JobStep, StepState
from migrations_app.models.status import Stage, Status
from migrations_app.worker import tasks
from tests.migrations_app.stages.test_provision import APPEND, fill

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
APP, OLD = "migrations_app", "0007_inexact_counts"
# A count that created an index, requested a load and waits for it.
COUNT = {
    "is_flushed": True,
    "is_prepared": True,
    "unindexed": ["embedding"],
    "was_loaded": False,
    "asks": 1,
    "watch": {"seen": 40, "idle_seconds": 1.0, "looked_at": 5.0},
    "is_done": False,
}


@pytest.fixture
def migrate():
    """Return a function that migrates to a migration and returns the models of that time. Afterwards, the
    tables are migrated to the newest migration again."""

    def migrate(name):
        executor = MigrationExecutor(connection)
        executor.migrate([(APP, name)])
        return executor.loader.project_state([(APP, name)]).apps

    ((_, newest),) = MigrationExecutor(connection).loader.graph.leaf_nodes(APP)
    migrate.newest = newest
    yield migrate
    migrate(newest)


def test_a_running_count_continues_after_an_upgrade(world, work_off, migrate):
    collection = fill(world, range(95, 105))
    job = world.job(APPEND)
    tasks.prepare(job.pk)
    tasks.work(job.pk)
    Job.objects.update(stage=Stage.VERIFYING)
    collection.indexes["embedding"] = IndexSpec("embedding")  # created by the count
    before = {"is_done": True, "rows": 10, "method": "count(*)", "is_prepared": True}
    keys = {"part": 0, "after": 50, "read": 50, "asked": 50, "found": 50}
    migrate(OLD).get_model(APP, "JobCollection").objects.update(
        finish={"before": before, "count": COUNT, "keys": keys}, is_prepared=True, is_sliced=True
    )
    migrate(migrate.newest)
    count = JobStep.objects.get(kind="count_after")
    assert (count.state, count.position) == (StepState.RUNNING, COUNT)
    assert JobStep.objects.get(kind="count_before").state == StepState.DONE
    tasks.finish(job.pk)
    work_off()
    job.refresh_from_db()
    assert job.status == Status.SUCCESSFUL, job.error
    row = JobCollection.objects.get()
    assert (row.count_before, row.rows_target, row.verified) == (10, 105, True)
    assert not collection.indexes
    assert not collection.is_loaded


def test_requested_actions_keep_their_state_in_an_upgrade(migrate):
    old = migrate(OLD)
    job = old.get_model(APP, "Job").objects.create(kind="memory", plan={}, status=Status.SUCCESSFUL)
    collections = old.get_model(APP, "JobCollection").objects
    collections.create(
        job=job,
        position=0,
        source="a",
        plan={},
        checks=[{"passed": True}],
        index_action_state="done",
        index_percent=100,
        load_action="load",
        load_action_state="running",
        load_percent=40,
        finish={"load_watch": {"seen": ["loading", 40], "idle_seconds": 3.0, "looked_at": 5.0}},
    )
    collections.create(
        job=job,
        position=1,
        source="b",
        plan={},
        finish={"replaced": True},
        index_action_state="asked",
        load_action="release",
        load_action_state="failed",
        load_error="No memory. Add some.",
    )
    collections.create(job=job, position=2, source="c", plan={})
    migrate(migrate.newest)
    steps = JobStep.objects.order_by("collection__position", "kind")
    assert [(s.collection.source, s.kind, s.state, s.percent, s.error) for s in steps] == [
        ("a", "index", "done", 100, ""),
        ("a", "load", "running", 40, ""),
        ("a", "verify", "done", 0, ""),
        ("b", "index", "waiting", 0, ""),
        ("b", "release", "failed", 0, "No memory. Add some."),
    ]
    assert steps[1].position["idle_seconds"] == 3.0
    assert list(JobCollection.objects.values_list("target_state", flat=True)) == ["none", "replacing", "none"]
