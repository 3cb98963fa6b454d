"""Jobs page, and the pages of one job."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from migrations_app.engine.sources.registry import source_class
from migrations_app.models import (
    Job,
    JobCollection,
    JobSlice,
    JobStep,
    LogEntry,
    RateSample,
    RejectedRow,
    TargetState,
    Worker,
)
from migrations_app.models.status import Stage, Status

pytestmark = [pytest.mark.database, pytest.mark.django_db]

PLAN = {
    "version": 1,
    "source": {"kind": "postgresql", "settings": {"host": "db"}},
    "target": {"kind": "milvus", "settings": {"uri": "http://milvus:19530"}},
    "collections": [{"source": "public.docs"}],
}


def make_job(status: Status = Status.IN_PROGRESS, *, rows: int = 1000, written: int = 400, **changes) -> Job:
    now = timezone.now()
    job = Job.objects.create(
        kind="postgresql",
        plan=PLAN,
        status=status,
        description="shop-db → prod",
        source_name="shop-db",
        target_name="prod",
        stage=changes.pop("stage", Stage.MOVING),
        started_at=now - timedelta(seconds=40),
        stage_started_at=now - timedelta(seconds=40),
        **changes,
    )
    docs = JobCollection.objects.create(
        job=job,
        position=0,
        source="public.docs",
        target="docs",
        plan=PLAN["collections"][0],
        rows_source=rows,
        key_unique=True,
    )
    JobSlice.objects.create(
        collection=docs, number=0, part_id="all", rows_read=written, rows_written=written, bytes_written=9_000
    )
    return job


def reject(job: Job, locator: str = "7", code: str = "too_long") -> RejectedRow:
    return RejectedRow.objects.create(
        job=job,
        slice=JobSlice.objects.get(collection__job=job),
        locator=locator,
        locator_hash=locator,
        field="title",
        code=code,
        reason="title has 600 bytes, and 512 fit.",
        row='{"id": 7, "title": "<b>long</b>"}',
    )


@pytest.fixture
def viewer(client):
    client.force_login(User.objects.create_user("vera", password="x"))
    return client


@pytest.fixture
def administrator(client):
    client.force_login(User.objects.create_user("ada", password="x", is_staff=True))
    return client


def text(response) -> str:
    return response.content.decode()


def test_without_a_login_the_jobs_page_redirects(client):
    assert client.get(reverse("jobs")).status_code == 302


def test_an_empty_list_says_that_there_are_no_jobs(viewer):
    assert "No jobs yet" in text(viewer.get(reverse("jobs")))


def test_the_list_shows_status_progress_and_creator(viewer):
    make_job()
    page = text(viewer.get(reverse("jobs")))
    assert "shop-db → prod" in page
    assert "public.docs" in page
    assert "In Progress" in page
    assert "400 of 1,000 rows" in page
    assert "command line" in page


@pytest.mark.parametrize(
    ("counted", "words"),
    [
        ({"rows_source": 400}, "counts agree"),
        ({"rows_source": 400, "rows_source_exact": False}, "all rows that were read arrived"),
        ({"rows_source": None}, "all rows that were read arrived"),
    ],
)
def test_the_list_says_that_counts_agree_only_if_the_source_counted_its_rows(viewer, counted, words):
    job = make_job(Status.SUCCESSFUL)
    job.collections.update(verified=True, **counted)
    (row,) = viewer.get(reverse("jobs")).context["page"]
    assert row.progress_text == f"400 rows · {words}"
    assert row.progress_value == row.progress_max


def test_rows_that_were_left_out_are_a_warning_and_the_check_shows_no_tick_beside_unequal_numbers(viewer):
    job = make_job(Status.SUCCESSFUL, rows=400, written=400)
    job.collections.update(verified=True, rows_target=270)
    JobSlice.objects.update(rows_written=270, rows_rejected=100, rows_skipped=30)
    (row,) = viewer.get(reverse("jobs")).context["page"]
    assert (row.status_label, row.tone) == ("Successful · 100 rejected · 30 skipped", "warn")
    assert row.progress_text == "270 of 400 rows · no other row is missing"
    page = text(viewer.get(reverse("job", args=[job.public_id])))
    assert "270 of 400" in page
    assert "✓" not in page


def test_the_list_can_be_filtered_by_status_and_by_a_search(viewer):
    make_job()
    failed = make_job(Status.FAILED, error_code="x", error_message="The target refused the login.")
    assert text(viewer.get(reverse("jobs"), {"show": "failed"})).count("View Details") == 1
    assert failed.public_id in text(viewer.get(reverse("jobs"), {"q": failed.public_id[:10]}))
    assert "No jobs found" in text(viewer.get(reverse("jobs"), {"q": "nowhere\x00"}))


def test_the_list_is_polled_only_while_a_job_runs(viewer):
    job = make_job()
    Worker.objects.create(host="here", pid=1, slots=2, last_seen=timezone.now())
    assert 'hx-trigger="every' in text(viewer.get(reverse("jobs")))
    Job.objects.filter(pk=job.pk).update(status=Status.SUCCESSFUL, ended_at=timezone.now())
    assert 'hx-trigger="every' not in text(viewer.get(reverse("jobs")))


def test_a_waiting_job_without_a_worker_says_how_to_start_one(viewer):
    job = make_job(Status.PENDING)
    for page in (reverse("jobs"), reverse("job", args=[job.public_id])):
        assert "python manage.py worker" in text(viewer.get(page))
    Worker.objects.create(host="here", pid=1, slots=2, last_seen=timezone.now())
    assert "python manage.py worker" not in text(viewer.get(reverse("jobs")))


def test_a_custom_data_folder_is_part_of_the_command_for_the_worker(viewer, settings):
    make_job(Status.PENDING)
    settings.DATABASE_URL, settings.DATA_DIR = "", settings.BASE_DIR / ".demo" / "console"
    assert "VECTORFERRY_DATA_DIR=.demo/console " in text(viewer.get(reverse("jobs")))
    settings.DATA_DIR = settings.BASE_DIR / "data"
    assert "VECTORFERRY_DATA_DIR" not in text(viewer.get(reverse("jobs")))


def test_a_worker_that_was_not_seen_for_26_seconds_counts_as_gone(viewer):
    make_job(Status.PENDING)
    Worker.objects.create(host="here", pid=1, slots=2, last_seen=timezone.now() - timedelta(seconds=26))
    assert "python manage.py worker" in text(viewer.get(reverse("jobs")))


def test_the_details_show_numbers_stage_and_collections(viewer):
    job = make_job()
    now = timezone.now()
    for seconds in range(0, 40, 2):
        RateSample.objects.create(job=job, at=now - timedelta(seconds=40 - seconds), rows=20, size_bytes=1)
    page = text(viewer.get(reverse("job", args=[job.public_id])))
    assert "stage 2 of 3: moving rows" in page
    assert "public.docs" in page
    assert "<polyline" in page or "<path" in page


def test_the_stages_include_indexes_that_the_source_creates_by_default(viewer, monkeypatch):
    job = make_job()
    monkeypatch.setattr(source_class(job.kind), "indexes_by_default", True)
    assert "stage 2 of 4: moving rows" in text(viewer.get(reverse("job", args=[job.public_id])))


def test_the_live_fragment_stops_polling_when_the_job_ends(viewer):
    job = make_job()
    address = reverse("job_live", args=[job.public_id])
    assert viewer.get(address).status_code == 200
    Job.objects.filter(pk=job.pk).update(status=Status.SUCCESSFUL, ended_at=timezone.now())
    assert viewer.get(address).status_code == 286


def test_a_failed_job_shows_its_error_and_only_the_errors_of_its_log(viewer):
    job = make_job(
        Status.FAILED,
        error_code="auth_refused",
        error_message="Milvus refused the login.",
        error_hint="Fix it.",
    )
    LogEntry.objects.create(job=job, at=timezone.now(), level="info", message="Connected")
    LogEntry.objects.create(job=job, at=timezone.now(), level="error", message="It broke")
    page = text(viewer.get(reverse("job", args=[job.public_id])))
    assert "Milvus refused the login." in page
    assert "Fix it." in page
    assert "It broke" in page
    assert "Connected" not in page


def test_a_traceback_is_shown_only_to_administrators(administrator, client):
    job = make_job(Status.FAILED, error_code="internal", error_message="A fault in Vectorferry.")
    LogEntry.objects.create(
        job=job, at=timezone.now(), level="error", message="x", details="Traceback: secret"
    )
    address = reverse("job", args=[job.public_id])
    assert "Traceback: secret" in text(administrator.get(address))
    client.force_login(User.objects.create_user("vera", password="x"))
    assert "Traceback: secret" not in text(client.get(address))


def test_the_log_can_be_searched_and_downloaded(viewer):
    job = make_job()
    for message in ("Created collection docs", "Back to full speed"):
        LogEntry.objects.create(job=job, at=timezone.now(), level="info", message=message)
    found = text(viewer.get(reverse("job_log", args=[job.public_id]), {"q": "speed"}))
    assert "Back to full speed" in found
    assert "Created" not in found
    download = viewer.get(reverse("job_log_download", args=[job.public_id]))
    assert b"".join(download).count(b"\n") == 2
    assert "attachment" in download["Content-Disposition"]


def test_rejected_rows_are_listed_and_their_contents_are_shown_only_to_administrators(administrator, client):
    job = make_job()
    reject(job)
    reject(job, "8", "null_vector")
    address = reverse("job_rejected", args=[job.public_id])
    page = text(administrator.get(address, {"code": "too_long"}))
    assert "title has 600 bytes" in page
    assert "&lt;b&gt;long" in page
    assert page.count("title has 600 bytes") == 1
    client.force_login(User.objects.create_user("vera", password="x"))
    assert "&lt;b&gt;long" not in text(client.get(address))


def test_rejected_rows_can_be_downloaded_only_by_administrators(administrator, client):
    job = make_job()
    reject(job)
    address = reverse("job_rejected_download", args=[job.public_id])
    assert b'"locator": "7"' in b"".join(administrator.get(address))
    client.force_login(User.objects.create_user("vera", password="x"))
    assert client.get(address).status_code == 403


def test_the_plan_is_shown_and_downloaded_without_a_secret(administrator):
    job = make_job(secrets={"source": {"password": "s3cret"}})
    page = text(administrator.get(reverse("job_plan", args=[job.public_id])))
    assert "public.docs" in page
    download = b"".join(administrator.get(reverse("job_plan_download", args=[job.public_id])))
    assert b"version: 1" in download
    assert b"s3cret" not in download + page.encode()


def test_the_cancel_page_names_the_job_and_what_it_created(administrator):
    job = make_job()
    job.collections.update(target_state="created")
    page = text(administrator.get(reverse("job_cancel", args=[job.public_id])))
    assert job.public_id in page
    assert "docs (400 rows)" in page


def test_a_viewer_may_not_cancel(viewer):
    job = make_job()
    assert viewer.post(reverse("job_cancel", args=[job.public_id])).status_code == 403
    job.refresh_from_db()
    assert job.status == Status.IN_PROGRESS


def test_canceling_a_pending_job_ends_it_at_once(administrator):
    job = make_job(Status.PENDING)
    administrator.post(reverse("job_cancel", args=[job.public_id]), {"written": "keep"})
    job.refresh_from_db()
    assert job.status == Status.CANCELED


def test_canceling_a_job_that_has_ended_is_refused_with_a_sentence(administrator):
    job = make_job(Status.SUCCESSFUL)
    page = administrator.post(reverse("job_cancel", args=[job.public_id]), follow=True)
    assert "can no longer be canceled" in text(page)


def test_the_cancel_page_of_a_job_that_has_ended_leads_to_the_job(administrator):
    job = make_job(Status.SUCCESSFUL)
    cancel, page = (reverse(name, args=[job.public_id]) for name in ("job_cancel", "job"))
    assert administrator.get(cancel).headers["Location"] == page
    assert administrator.get(cancel, headers={"HX-Request": "true"}).headers["HX-Redirect"] == page


def test_a_finished_job_offers_index_load_and_release(administrator):
    job = make_job(Status.SUCCESSFUL, ended_at=timezone.now())
    page = text(administrator.get(reverse("job", args=[job.public_id])))
    assert reverse("job_index", args=[job.public_id]) in page
    assert reverse("job_release", args=[job.public_id]) in page


def add_step(job, **values):
    JobStep.objects.create(job=job, collection=job.collections.get(), **values)


def test_actions_done_on_a_finished_job_are_shown_and_not_offered_again(administrator):
    job = make_job(Status.SUCCESSFUL, ended_at=timezone.now())
    add_step(job, kind="index", state="done", percent=100)
    add_step(job, kind="load", state="running", percent=40)
    page = text(administrator.get(reverse("job", args=[job.public_id])))
    assert reverse("job_index", args=[job.public_id]) not in page
    assert reverse("job_load", args=[job.public_id]) not in page
    assert reverse("job_release", args=[job.public_id]) in page
    assert "in progress" in page
    assert "index: created · being loaded, 40 %" in page


def test_the_page_shows_the_step_that_runs_and_how_far_it_is(viewer):
    job = make_job(stage=Stage.VERIFYING)
    for kind, percent in (("verify", 0), ("count_after", 0), ("key_check", 40)):
        add_step(job, kind=kind, state="running", percent=percent)
    assert "Comparing keys, 40 %" in text(viewer.get(reverse("job", args=[job.public_id])))


def test_a_step_that_failed_is_named_beside_its_collection(viewer):
    job = make_job(Status.FAILED, error_code="target_failed", error_message="Out of memory.")
    add_step(job, kind="verify", state="failed")
    add_step(job, kind="count_after", state="failed", error_message="Out of memory.")
    page = text(viewer.get(reverse("job", args=[job.public_id])))
    assert "Failed while counting rows" in page


def test_an_action_that_failed_is_offered_again(administrator):
    job = make_job(Status.SUCCESSFUL, ended_at=timezone.now())
    add_step(job, kind="load", state="failed", error_message="No memory.", error_hint="Add some.")
    page = text(administrator.get(reverse("job", args=[job.public_id])))
    assert reverse("job_load", args=[job.public_id]) in page
    assert "load failed: No memory. Add some." in page


def test_a_viewer_is_not_offered_next_steps(viewer):
    job = make_job(Status.SUCCESSFUL, ended_at=timezone.now())
    assert "Next steps" not in text(viewer.get(reverse("job", args=[job.public_id])))


def test_an_action_on_a_job_that_has_not_succeeded_is_refused_with_a_sentence(administrator):
    job = make_job(Status.FAILED)
    page = administrator.post(reverse("job_load", args=[job.public_id]), follow=True)
    assert "needs a Successful job" in text(page)


def test_a_canceled_job_shows_the_rows_that_it_wrote(viewer):
    job = make_job(Status.CANCELED, ended_at=timezone.now())
    page = text(viewer.get(reverse("job", args=[job.public_id])))
    assert "400 rows in docs. They were kept" in page
    assert "may" not in page.partition("They were kept.")[2].partition("</section>")[0]


def test_the_list_says_that_written_rows_were_dropped_only_if_they_were(viewer):
    job = make_job(Status.CANCELED, ended_at=timezone.now(), drop_requested=True)
    assert "400 rows written, then dropped" not in text(viewer.get(reverse("jobs")))
    job.collections.update(target_state="dropped")
    assert "400 rows written, then dropped" in text(viewer.get(reverse("jobs")))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (400, "They were kept. A few more rows may be in the target: it had not confirmed them"),
        (0, "while its first rows were in flight. Some of them may be in the target."),
    ],
)
def test_a_canceled_job_mentions_rows_whose_outcome_is_unknown(viewer, written, sentence):
    job = make_job(Status.CANCELED, written=written, ended_at=timezone.now())
    JobSlice.objects.filter(collection__job=job).update(rows_in_flight=7)
    assert sentence in text(viewer.get(reverse("job", args=[job.public_id])))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (400, "They were kept. Rows that were written before the source was divided into slices again may"),
        (0, "before it wrote rows again. Rows that were written before the source was divided into slices"),
    ],
)
def test_a_canceled_job_mentions_rows_from_before_a_new_planning(viewer, written, sentence):
    job = make_job(Status.CANCELED, written=written, ended_at=timezone.now())
    add_step(job, kind="plan_slices", state="waiting", position={"has_written": True})
    assert sentence in text(viewer.get(reverse("job", args=[job.public_id])))


@pytest.mark.parametrize("public_id", ["job-nothing", "x" * 300, "job-%00", "..%2f"])
def test_a_job_that_does_not_exist_is_not_found(viewer, public_id):
    assert viewer.get(f"/jobs/{public_id}/").status_code == 404


def test_a_collection_shows_its_skipped_collapsed_and_truncated_numbers(viewer):
    job = make_job(Status.SUCCESSFUL)
    JobSlice.objects.update(rows_skipped=12, rows_collapsed=3, values_cut=1234, values_mismatched=5678)

    page = text(viewer.get(reverse("job", args=[job.public_id])))

    for words in ("12 skipped", "3 collapsed", "1,234 texts truncated", "5,678 type mismatches"):
        assert words in page


# ---------------------------------------------------------------- resume


def failed_job(**changes) -> Job:
    job = make_job(
        Status.FAILED, error_code="too_many_rejected", error_message="Too many.", ended_at=timezone.now()
    )
    Job.objects.filter(pk=job.pk).update(
        secrets={"source": {"host": "db"}, "target": {"uri": "http://milvus:19530"}}, **changes
    )
    job.refresh_from_db()
    return job


def test_a_failed_job_offers_to_resume_with_a_higher_limit(administrator, monkeypatch):
    job = failed_job(plan=PLAN | {"options": {"max_rejected": 3}})
    JobSlice.objects.update(rows_rejected=4)
    url = reverse("job_resume", args=[job.public_id])
    assert url in text(administrator.get(reverse("job", args=[job.public_id])))
    page = administrator.get(url)
    assert page.context["form"]["max_rejected"].value() == 8
    assert "4 were rejected so far" in text(page)
    asked = []

    def job_resume(*, job, user, changes):
        asked.append((user.username, changes))

    monkeypatch.setattr("migrations_app.services.job_resume", job_resume)
    answer = administrator.post(url, {"max_rejected": "8", "max_skipped": "50"})
    assert answer.url == reverse("job", args=[job.public_id])
    assert asked == [("ada", {"max_rejected": 8})]


def test_a_second_click_on_resume_leads_to_the_job(administrator):
    job = failed_job()
    Job.objects.update(status=Status.PENDING)
    url = reverse("job_resume", args=[job.public_id])
    answer = administrator.post(url, {"max_rejected": "8", "max_skipped": "50"})
    assert answer.url == reverse("job", args=[job.public_id])


def test_a_limit_that_is_too_low_is_shown_on_its_field(administrator):
    job = failed_job(plan=PLAN | {"options": {"max_rejected": 3}})
    JobSlice.objects.update(rows_rejected=4)
    url = reverse("job_resume", args=[job.public_id])
    answer = administrator.post(url, {"max_rejected": "3", "max_skipped": "50"})
    assert answer.status_code == 422
    assert "at least 4" in answer.context["form"].errors["max_rejected"][0]


def test_a_job_that_cannot_be_resumed_says_why(administrator):
    job = failed_job()
    job.collections.update(target_state=TargetState.DROPPED)
    page = text(administrator.get(reverse("job_resume", args=[job.public_id])))
    assert "cannot be resumed" in page
    assert "was dropped with its rows" in page


def test_a_viewer_cannot_resume(viewer):
    job = failed_job()
    url = reverse("job_resume", args=[job.public_id])
    assert url not in text(viewer.get(reverse("job", args=[job.public_id])))
    assert viewer.get(url).status_code == viewer.post(url).status_code == 403
