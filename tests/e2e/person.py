"""Person: a user of the console in a browser, who finds everything by headings, labels and buttons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

# A connection test, a preflight check or a page under load may take long.
PATIENCE_MS = 20_000
JOB_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Person:
    page: Page
    password: str

    def log_in(self, name: str) -> None:
        self.page.goto("/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(self.password)
        self.press("Log in")
        self.sees("Migrations")

    def sees(self, heading: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)
        self.waits_until_page_is_ready()

    def waits_until_page_is_ready(self) -> None:
        """Wait until htmx has settled: only then does a new page react to input."""
        expect(self.page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def field(self, label: str) -> Locator:
        """A control, found by its label. The label of a required control ends with a star."""
        return self.page.get_by_label(re.compile(rf"^\s*{re.escape(label)}\s*\*?\s*$"))

    # ---------------------------------------------------------------- The wizard

    def begin(self, source: str = "PostgreSQL") -> None:
        self.page.goto("/")
        self.page.get_by_role("link", name=re.compile(f"^{source}")).click()
        self.sees(f"Connect to {source}")

    def fill_in(self, name: str, settings: Mapping[str, Any]) -> None:
        """Fill in a new connection to PostgreSQL."""
        self.field("Name").fill(name)
        for setting in ("host", "port", "database", "user", "password"):
            self.field(setting.capitalize()).fill(str(settings[setting]))

    def choose(self, *tables: str, target: str) -> None:
        """On Select: select the tables and a target, then continue."""
        self.sees("Select source and target")
        for table in tables:
            self.field(table).check()
        self.field("Connection").select_option(label=target)
        self.press("Next")
        self.sees("Configure schema")

    def name_target(self, name: str) -> None:
        """On Configure: name the target collection, and wait until the name is saved."""
        self.field("Target collection").fill(name)
        with self.page.expect_response(lambda answer: answer.request.method == "POST"):
            self.field("Target collection").blur()

    def switch_to(self, collection: str) -> None:
        """On Configure: go to another collection of this migration."""
        tab = self.page.get_by_label("Collections", exact=True).get_by_role("button", name=collection)
        tab.click()
        expect(tab).to_have_attribute("aria-current", "true")
        self.waits_until_page_is_ready()

    def apply_fix(self, fix: str) -> None:
        """On Configure: press the button of a fix, and wait until the button is gone."""
        self.press(fix)
        expect(self.page.get_by_role("button", name=fix, exact=True)).to_have_count(0)
        self.waits_until_page_is_ready()

    def continue_to_migrate(self) -> None:
        self.press("Next")
        self.sees("Migrate")

    def go_to_migrate(self, source: str, target: str, **names: str) -> None:
        """Go from saved connections to the last step. ``names``: the target collection of each table."""
        self.begin()
        self.page.get_by_role("radio", name=source).check()
        self.press("Next")
        self.choose(*(f"public.{table}" for table in names), target=target)
        for table, name in names.items():
            if len(names) > 1:
                self.switch_to(table)
            self.name_target(name)
        self.continue_to_migrate()

    # ---------------------------------------------------------------- A job

    def migrate(self) -> str:
        """Press Migrate and return the public id of the job."""
        self.press("Migrate")
        return self.sees_job()

    def sees_job(self) -> str:
        """Wait for the page of a job and return the public id of the job."""
        self.page.wait_for_url(re.compile(r"/jobs/job-\w+/$"))
        return self.page.url.rstrip("/").rpartition("/")[2]

    @property
    def status(self) -> Locator:
        """The status of the open job, next to its name."""
        return self.page.locator("#live .title-line .pill")

    def waits_for(self, status: str) -> None:
        expect(self.status).to_have_text(status, timeout=JOB_MS)
