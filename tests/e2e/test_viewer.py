"""Viewers: users who see jobs and their logs and cannot change anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from migrations_app import services
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Connection, Draft, Job
from tests.e2e.conftest import PASSWORD
from tests.e2e.person import Person

pytestmark = pytest.mark.engine


@pytest.fixture
def vic(open_browser: Callable[..., Page], viewer: User) -> Person:
    person = Person(open_browser(), PASSWORD)
    person.log_in("vic")
    return person


@pytest.fixture
def job(library: str, vault: str, administrator: User) -> Job:
    """A job that waits for a worker."""
    source, target = Connection.objects.get(name=library), Connection.objects.get(name=vault)
    plan = {
        "version": 1,
        "source": {"connection": library},
        "target": {"connection": vault},
        "collections": [{"source": "public.books"}],
    }
    return services.job_create(
        plan=Plan.model_validate(plan),
        user=administrator,
        source_connection=source,
        target_connection=target,
    )


def test_a_viewer_sees_jobs_and_logs_but_no_actions(vic, job):
    expect(vic.page.get_by_role("navigation", name="Main").get_by_role("link")).to_have_text(
        ["Migrations", "Jobs"]
    )
    expect(vic.page.locator("a.tile")).to_have_count(0)
    vic.page.get_by_role("link", name="Jobs", exact=True).click()
    vic.page.get_by_role("link", name="View Details").click()
    assert vic.sees_job() == job.public_id
    expect(vic.status).to_have_text("Pending")
    expect(vic.page.get_by_role("heading", name="Run log")).to_be_visible()
    for name in ("Cancel job…", "View plan"):
        expect(vic.page.get_by_role("link", name=name)).to_have_count(0)


def test_pages_for_administrators_refuse_a_viewer(vic, job, administrator):
    draft = Draft.objects.create(
        kind="postgresql", owner=administrator, source_connection=job.source_connection
    )
    refused = [
        reverse("connections"),
        reverse("connection_new", args=["postgresql"]),
        reverse("connection_edit", args=[job.source_connection.pk]),
        reverse("wizard_new", args=["postgresql"]),
        reverse("wizard_select", args=[draft.pk]),
        reverse("job_cancel", args=[job.public_id]),
        reverse("job_plan", args=[job.public_id]),
        reverse("accounts"),
    ]
    for url in refused:
        answer = vic.page.goto(url)
        assert answer is not None
        assert answer.status == 403, url
        expect(vic.page.get_by_role("heading", name="Not allowed")).to_be_visible()
    job.refresh_from_db()
    assert job.is_live


def test_an_anonymous_user_must_log_in_and_then_gets_to_the_page(open_browser, viewer, job):
    person = Person(open_browser(), PASSWORD)
    person.page.goto(reverse("job", args=[job.public_id]))
    expect(person.page.get_by_text("Please log in to see this page.")).to_be_visible()
    person.field("Username").fill("vic")
    person.field("Password").fill("wrong")
    person.press("Log in")
    expect(person.page.get_by_role("alert")).to_contain_text("correct username and password")
    person.field("Username").fill("vic")
    person.field("Password").fill(PASSWORD)
    person.press("Log in")
    assert person.sees_job() == job.public_id
