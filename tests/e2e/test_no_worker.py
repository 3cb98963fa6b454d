"""Console without a worker: a job stays pending, and the pages say so and how to start a worker."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from migrations_app.models import Job
from tests.e2e.conftest import PASSWORD
from tests.e2e.person import Person

pytestmark = pytest.mark.engine


def test_a_double_click_on_migrate_makes_one_job(ada, library, vault, unique):
    ada.go_to_migrate(library, vault, reviews=f"reviews_{unique}")
    ada.page.get_by_role("button", name="Migrate", exact=True).dblclick()
    job = ada.sees_job()
    assert [job] == list(Job.objects.values_list("public_id", flat=True))


def test_migrate_pressed_in_two_windows_makes_one_job(ada, library, vault, unique):
    ada.go_to_migrate(library, vault, reviews=f"reviews_{unique}")
    second = Person(ada.page.context.new_page(), PASSWORD)
    second.page.goto(ada.page.url)
    second.sees("Migrate")
    job = ada.migrate()
    assert second.migrate() == job
    assert Job.objects.count() == 1


def test_every_page_that_needs_a_worker_says_how_to_start_one(ada, library, vault, unique):
    ada.go_to_migrate(library, vault, reviews=f"reviews_{unique}")
    ada.migrate()
    expect(ada.status).to_have_text("Pending")
    for url in (ada.page.url, "/jobs/", "/"):
        ada.page.goto(url)
        expect(ada.page.get_by_text("No worker is running")).to_be_visible()
        expect(ada.page.get_by_text("python manage.py worker")).to_be_visible()


def test_a_job_that_has_not_started_is_canceled_at_once(ada, library, vault, unique):
    ada.go_to_migrate(library, vault, reviews=f"reviews_{unique}")
    ada.migrate()
    ada.page.get_by_role("link", name="Cancel job…").click()
    dialog = ada.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel PostgreSQL library → vault?")
    expect(dialog.get_by_role("radio", name="Drop the collections")).to_be_disabled()
    dialog.get_by_role("link", name="Keep running").click()
    expect(dialog).not_to_be_visible()
    expect(ada.status).to_have_text("Pending")

    ada.page.get_by_role("link", name="Cancel job…").click()
    dialog.get_by_role("button", name="Cancel the job").click()
    ada.waits_for("Canceled")
    expect(ada.page.get_by_text("canceled before any row was written")).to_be_visible()
    expect(ada.page.get_by_role("link", name="Cancel job…")).to_have_count(0)
