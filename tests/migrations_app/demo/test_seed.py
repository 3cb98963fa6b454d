"""Sample job of the demo: reused until it ends, created again if it failed."""

import pytest

from migrations_app.demo import seed
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.planning.unbuilt import unbuilt_faults
from migrations_app.models import Job
from migrations_app.models.status import Status
from migrations_app.services import connection_save

pytestmark = pytest.mark.django_db


@pytest.fixture
def ready(tmp_path):
    seed.make_accounts(tmp_path / "accounts.json")
    source = {"host": "127.0.0.1", "database": "demo", "user": "demo"}
    connection_save(name=seed.SOURCE, kind="postgresql", settings=source, user=None)
    connection_save(name=seed.TARGET, kind="milvus", settings={"uri": "http://127.0.0.1:1"}, user=None)


def test_a_sample_job_that_has_not_ended_is_reused(ready):
    assert seed.sample_job() == seed.sample_job()


def test_a_failed_sample_job_is_followed_by_one_with_another_target_collection(ready):
    first = seed.sample_job()
    Job.objects.filter(pk=first.pk).update(status=Status.FAILED)
    second = seed.sample_job()
    plans = [Plan.model_validate(job.plan) for job in (first, second)]
    assert plans[0].collections[0].target != plans[1].collections[0].target
    assert not list(unbuilt_faults(plans[1]))
