"""Run again and Edit as new, from the page of an ended job."""

import pytest
from django.urls import reverse

from console.html_anchors import anchor
from migrations_app import services
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Draft, Job, JobSlice, LogEntry, RejectedRow
from migrations_app.models.status import Status
from migrations_app.worker.inline import run_inline
from tests.console.conftest import BOOK_SPECS, books
from tests.console.wizard_helpers import change, collection, field, start
from tests.kit import memory_collection

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ended(web, ready):
    """A job of the wizard that has ended: its texts go into a field “name”."""
    change(web, ready, title__target="name", title__max_length="5", title__too_long="truncate")
    start(web, ready)
    job = Job.objects.get()
    run_inline(job)
    assert job.status == Status.SUCCESSFUL, job.error
    return job


def again(job, page="job_again"):
    return reverse(page, args=[job.public_id])


def test_running_again_asks_what_happens_to_the_existing_collection(web, ended, target_store):
    page = web.get(again(ended))
    (row,) = page.context["collections"]
    assert "12 rows" in row["rows"]
    assert not any(choice["chosen"] for choice in row["choices"])
    once = page.context["once"]
    refused = web.post(again(ended), {"once": once})
    assert refused.status_code == 422
    assert "Choose what happens to this collection." in refused.content.decode()
    answer = web.post(again(ended), {"once": once, "exists-0": "replace"})
    second = Job.objects.exclude(pk=ended.pk).get()
    assert answer.url == reverse("job", args=[second.public_id])
    assert second.plan["collections"][0]["if_exists"] == "replace"
    assert f"Runs again the plan of {ended.public_id}; started by ada." in second.log.first().message
    run_inline(second)
    assert second.status == Status.SUCCESSFUL, second.error
    assert target_store.collections["books"].sent == 12


def test_a_second_click_finds_the_job_of_the_first(web, ended):
    sent = {"once": web.get(again(ended)).context["once"], "exists-0": "append"}
    urls = {web.post(again(ended), sent).url for _ in range(2)}
    assert len(urls) == 1
    assert Job.objects.count() == 2
    web.post(again(ended), sent | {"once": web.get(again(ended)).context["once"]})
    assert Job.objects.count() == 3


def test_a_name_that_is_free_needs_no_choice(web, ended, target_store):
    del target_store.collections["books"]
    page = web.get(again(ended))
    assert "the job creates it" in page.content.decode()
    web.post(again(ended), {"once": page.context["once"]})
    assert Job.objects.count() == 2


def test_a_job_that_runs_or_lost_a_connection_cannot_run_again(web, ended):
    Job.objects.update(status=Status.IN_PROGRESS)
    assert "only a job that has ended" in web.get(again(ended)).content.decode()
    Job.objects.update(status=Status.FAILED)
    ended.source_connection.delete()
    page = web.get(again(ended))
    assert "source connection of this job was deleted" in page.content.decode()
    assert web.post(again(ended), {"once": "x"}).status_code == 422
    assert Job.objects.count() == 1


def test_editing_as_new_makes_a_draft_with_the_whole_mapping(web, ended):
    before = ended.plan["collections"][0]
    answer = web.post(again(ended, "job_edit"))
    draft = Draft.objects.get(job=None)
    assert answer.url == reverse("wizard_schema", args=[draft.pk])
    assert field(draft, "title")["target"] == "name"
    assert field(draft, "title")["too_long"] == "truncate"
    kept = collection(draft)
    assert {k: v for k, v in kept.items() if v != before.get(k)} == {}
    assert web.get(answer.url).status_code == 200
    assert Job.objects.get().status == Status.SUCCESSFUL


def test_editing_lands_on_the_field_at_fault(web, ended):
    Job.objects.update(status=Status.FAILED, error_code="too_many_rejected", error_message="Many.")
    RejectedRow.objects.create(
        job=ended, slice=JobSlice.objects.get(), locator="1", locator_hash="1", field="name", code="too_long"
    )
    assert web.post(again(ended, "job_edit")).url.endswith(f"#{anchor('title')}")
    place = [f["source"] for f in ended.plan["collections"][0]["fields"]].index("pages")
    services.jobs.note(ended, "x")
    LogEntry.objects.filter(message="x").update(
        level="error", details=f"code: x\npath: collections[0].fields[{place}].type"
    )
    assert web.post(again(ended, "job_edit")).url.endswith(f"#{anchor('pages')}")


def test_what_the_source_no_longer_has_is_left_out_with_a_word(web, ended, source_store):
    rows = books().select(["id", "embedding", "title"])
    source_store.collections["books"] = memory_collection(rows, BOOK_SPECS, key="id")
    answer = web.post(again(ended, "job_edit"), follow=True)
    assert "the source has no “pages” any more" in answer.content.decode()
    assert field(Draft.objects.get(job=None), "pages") is None


def test_a_job_of_a_plan_file_is_edited_with_saved_connections(web, connected, target, source_store):
    settings = {"source": {"store": source_store.name, "password": "opensesame"}}
    settings["target"] = dict(target.settings)
    plan = Plan.model_validate(
        {
            "version": 1,
            "source": {"kind": "memory", "settings": {"store": source_store.name}},
            "target": {"kind": "memory", "settings": {"store": target.settings["store"]}},
            "collections": [{"source": "books", "fields": [{"source": "id"}, {"source": "embedding"}]}],
        }
    )
    job = services.job_create(plan=plan, user=None, secrets=settings, inline=True)
    run_inline(job)
    Draft.objects.all().delete()
    answer = web.post(again(job, "job_edit"))
    draft = Draft.objects.get()
    assert answer.url == reverse("wizard_opened", args=[draft.pk])
    assert "opensesame" not in web.get(answer.url).content.decode() + str(draft.state)
    assert web.get(reverse("wizard_connect", args=[draft.pk])).url == answer.url
    assert answer.url in web.get(reverse("migrations")).content.decode()
    assert web.post(answer.url, {}).status_code == 422
    source = services.connection_save(
        name="again", kind="memory", settings=settings["source"], user=None, is_target=False
    )
    done = web.post(answer.url, {"source": source.pk, "target": target.pk})
    assert done.url == reverse("wizard_schema", args=[draft.pk])
    assert [f["source"] for f in collection(draft)["fields"]] == ["id", "embedding"]


def test_a_viewer_can_neither_run_again_nor_edit(viewer_web, ended):
    page = viewer_web.get(reverse("job", args=[ended.public_id])).content.decode()
    for name in ("job_again", "job_edit", "job_everything", "job_trial_drop"):
        assert again(ended, name) not in page
        assert viewer_web.post(again(ended, name)).status_code == 403
