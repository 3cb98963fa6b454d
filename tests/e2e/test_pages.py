"""All pages of the console, each opened once by an administrator: no page calls another host, breaks the
content security policy or raises a script error (``Watch`` checks this), and each page fits a phone.
"""

from __future__ import annotations

import pytest
from django.urls import get_resolver, reverse
from playwright.sync_api import expect

from migrations_app.models import Connection, ConnectionCheck, Draft, Job
from tests.e2e.person import Person

pytestmark = pytest.mark.engine

# URLs that are not pages: fragments, downloads, URLs for POST only, and the health check.
NOT_PAGES = {
    "connection_check_new",
    "connection_test",
    "healthz",
    "job_edit",
    "job_index",
    "job_live",
    "job_load",
    "job_log",
    "job_log_download",
    "job_plan_download",
    "job_rejected_download",
    "job_release",
    "job_trial_drop",
    "logout",
    "wizard_discard",
    "wizard_plan",
}


@pytest.fixture
def arguments(ada: Person, administrator, library, vault) -> dict[str, list[object]]:
    """The URL arguments of each page that needs some. One draft is complete; another became a job."""
    ada.go_to_migrate(library, vault, reviews="reviews_of_a_job")
    ada.migrate()
    ada.go_to_migrate(library, vault, reviews="reviews_of_a_draft")
    draft, job = Draft.objects.get(job=None).pk, Job.objects.get().public_id
    Job.objects.update(trial_targets=[{"target": "reviews", "if_exists": "error"}])
    opened = {"plan": {"collections": [{"source": "public.reviews"}], "source": {"connection": "elsewhere"}}}
    waiting = Draft.objects.create(kind="postgresql", state={"opened": opened})
    steps = {f"wizard_{step}": [draft] for step in ("connect", "select", "schema", "migrate", "replace")}
    pages = {
        name: [job]
        for name in (
            "job",
            "job_again",
            "job_cancel",
            "job_everything",
            "job_plan",
            "job_rejected",
            "job_resume",
        )
    }
    pages["wizard_opened"] = [waiting.pk]
    connection = {
        f"connection_{action}": [Connection.objects.get(name=vault).pk] for action in ("edit", "delete")
    }
    kinds = {"connection_new": ["postgresql"], "wizard_new": ["postgresql"], "help_page": ["plan-file"]}
    check = ConnectionCheck.objects.create(
        kind="postgresql",
        is_target=False,
        created_by=administrator,
        host="worker-1",
        result={"error": {"message": "Nothing listens there.", "hint": "Check it.", "code": "x" * 40}},
    )
    connection["connection_check"] = [check.pk]
    return steps | pages | connection | kinds | {"account_edit": [administrator.pk]}


def page_names() -> set[str]:
    return {name for name in get_resolver().reverse_dict if isinstance(name, str)} - NOT_PAGES


def test_every_page_stays_on_its_host_and_fits_a_phone(ada, arguments, watch):
    ada.page.set_viewport_size({"width": 390, "height": 844})
    addresses = [reverse(name, args=arguments.get(name)) for name in sorted(page_names() - {"login"})]
    for address in addresses:
        answer = ada.page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        expect(ada.page.locator("h1")).to_have_count(1)
        assert ada.page.evaluate("document.documentElement.scrollWidth") == 390, address
    assert watch.pages >= set(addresses)


def test_the_theme_button_switches_between_light_dark_and_system(ada):
    shown = ada.page.locator("html")
    for theme in ("light", "dark"):
        ada.page.locator("[data-theme-toggle]").click()
        expect(shown).to_have_attribute("data-bs-theme", theme)
        ada.page.reload()
        expect(shown).to_have_attribute("data-bs-theme", theme)
    ada.page.locator("[data-theme-toggle]").click()
    expect(shown).not_to_have_attribute("data-bs-theme", "dark")
