"""Checkpoint store: the statements and the values that a heartbeat stores."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from migrations_app.engine.model.counters import Counters
from migrations_app.execution import claim, lease
from migrations_app.models import RateSample, SliceState
from migrations_app.reporting.run_log import RunLog
from migrations_app.stages.checkpoint_store import CheckpointStore
from migrations_app.worker import tasks

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def test_a_heartbeat_is_one_statement_when_many_slices_run(world):
    job = world.job()
    tasks.prepare(job.pk)
    terms = lease.terms_for(1000, 30)
    checkpoints = CheckpointStore(claim.claim(job, terms), terms, RunLog(job))
    for number in range(3):
        sequence = checkpoints.ledger.begin(number, Counters(read=5))
        checkpoints.ledger.acknowledge(sequence, written=5)
        with CaptureQueriesContext(connection) as caught:
            assert checkpoints.beat() is None
        assert [query["sql"].split()[0] for query in caught.captured_queries] == ["UPDATE"]
    checkpoints.close(state=SliceState.WAITING)
    # The last sample has the rows that no earlier sample has.
    assert RateSample.objects.get(job=job).rows == 15
