"""Trial: the first rows in a collection of its own, and the full migration after it."""

import pytest
from django.urls import reverse

from migrations_app import services
from migrations_app.engine.errors import SettingsError
from migrations_app.execution import lease
from migrations_app.models import Draft, Job, TargetState
from migrations_app.models.status import Status
from migrations_app.worker.inline import run_inline
from tests.console.wizard_helpers import collection, start, url

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def run_trial(web, draft):
    start(web, draft, limit_rows="3")
    job = Job.objects.get()
    run_inline(job)
    assert job.status == Status.SUCCESSFUL, job.error
    return job


@pytest.fixture
def tried(web, ready):
    return run_trial(web, ready)


def page_of(job, name="job"):
    return reverse(name, args=[job.public_id])


def test_a_trial_goes_into_a_collection_of_its_own_and_is_marked(web, ready, target_store):
    web.post(url("migrate", ready), {"action": "save", "verify": "counts", "limit_rows": "3"})
    context = web.get(url("migrate", ready)).context
    assert context["collections"][0]["target_name"] == "books_trial"
    assert "This is a trial: the rows go into “books_trial”" in context["summary"]
    job = run_trial(web, ready)
    assert {name: len(c.rows) for name, c in target_store.collections.items()} == {"books_trial": 3}
    for address in (reverse("jobs"), page_of(job)):
        page = web.get(address).content.decode()
        assert "Trial finished" in page
        assert ">Successful<" not in page
    assert page_of(job, "job_everything") in page


def test_move_everything_now_fills_the_real_collection_and_drops_the_trial(web, tried, target_store):
    page = web.get(page_of(tried, "job_everything"))
    assert page.context["trials"] == ["books_trial"]
    sent = {"once": page.context["once"], "trial_drop": "on"}
    urls = {web.post(page_of(tried, "job_everything"), sent).url for _ in range(2)}
    assert Job.objects.count() == 2
    job = Job.objects.exclude(pk=tried.pk).get()
    assert urls == {page_of(job)}
    assert (job.is_trial, job.options.limit_rows) == (False, None)
    assert "after the trial" in job.log.first().message
    run_inline(job)
    assert {name: len(c.rows) for name, c in target_store.collections.items()} == {"books": 12}
    tried.refresh_from_db()
    assert tried.collections.get().target_state == TargetState.DROPPED
    assert "Dropped the trial collection “books_trial”, as ada requested." in tried.log.last().message
    assert page_of(tried, "job_trial_drop") not in web.get(page_of(tried)).content.decode()
    web.post(page_of(tried, "job_trial_drop"))
    assert "books" in target_store.collections


def test_a_second_trial_replaces_the_first_but_nothing_of_others(web, tried, ready, target_store):
    web.post(page_of(tried, "job_edit"))
    draft = Draft.objects.get(job=None)
    assert collection(draft)["target"] == "books"
    web.post(url("migrate", draft), {"action": "save", "verify": "counts", "limit_rows": "2"})
    assert "earlier trial “books_trial” is dropped first" in web.get(url("migrate", draft)).context["summary"]
    start(web, draft, limit_rows="2")
    again = Job.objects.exclude(pk=tried.pk).get()
    run_inline(again)
    assert len(target_store.collections["books_trial"].rows) == 2
    Job.objects.update(trial_targets=[])  # now the collection belongs to somebody else
    draft.job = None
    draft.save()
    web.post(page_of(again, "job_edit"))
    draft = Draft.objects.filter(job=None).first()
    draft.plan["collections"][0]["target"] = "books"
    draft.save()
    start(web, draft, limit_rows="1")
    assert Job.objects.order_by("pk").last().plan["collections"][0]["target"] == "books_trial_2"


def test_a_trial_that_runs_again_replaces_its_collection_unless_told_otherwise(web, tried):
    (row,) = web.get(page_of(tried, "job_again")).context["collections"]
    assert [choice["value"] for choice in row["choices"] if choice["chosen"]] == ["replace"]


def test_a_trial_is_not_dropped_while_a_job_works_on_it(tried, target_store):
    services.job_load(job=tried, user=None)
    with pytest.raises(SettingsError, match="is working on a collection"):
        services.trial_drop(job=tried, user=None)
    tried.steps.open_actions().delete()
    lease.take(tried, lease.terms())
    with pytest.raises(SettingsError, match="is working on a collection"):
        services.trial_drop(job=tried, user=None)
    lease.release(tried)
    other = services.job_again(job=tried, user=None)
    with pytest.raises(SettingsError, match=other.public_id):
        services.trial_drop(job=tried, user=None)
    services.job_cancel(job=other, user=None, drop=False)
    tried.collections.update(target_identity="of the trial")
    target_store.server = "here"
    with pytest.raises(SettingsError, match="no longer the collection that the trial created"):
        services.trial_drop(job=tried, user=None)
    assert tried.collections.get().target_state == TargetState.CREATED
    tried.collections.update(target_identity="")
    services.trial_drop(job=tried, user=None)
    assert "books_trial" not in target_store.collections


def test_the_collection_of_a_trial_that_another_job_has_filled_since_is_neither_dropped_nor_replaced(
    web, tried, ready, target_store
):
    web.post(page_of(tried, "job_edit"))
    real, trial = Draft.objects.get(job=None), ready
    collection(real).update(target="books_trial", if_exists="replace")
    real.save()
    web.post(url("migrate", real), {"action": "replace", "replace": "books_trial", "verify": "counts"})
    job = Job.objects.exclude(pk=tried.pk).get()
    run_inline(job)
    assert (job.status, job.is_trial) == (Status.SUCCESSFUL, False), job.error
    with pytest.raises(SettingsError, match=f"{job.public_id} has written into “books_trial”"):
        services.trial_drop(job=tried, user=None)
    trial.job = None
    trial.save()
    start(web, trial, limit_rows="1")
    assert Job.objects.order_by("pk").last().plan["collections"][0]["target"] == "books_trial_2"
    assert len(target_store.collections["books_trial"].rows) == 12


def test_a_job_that_is_no_trial_has_no_end_of_a_trial(web, ready):
    start(web, ready)
    job = Job.objects.get()
    assert web.get(page_of(job, "job_everything")).url == page_of(job)
    with pytest.raises(SettingsError, match="Only the collections of a trial"):
        services.trial_drop(job=job, user=None)
