"""Someone at the console. They know it by what they see: headings, labels, buttons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

# A connection test, a preflight check or a page under load may take its time.
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
        self.waits_until_it_listens()

    def waits_until_it_listens(self) -> None:
        """A page that came by htmx takes notice of what is typed a moment after it is there."""
        expect(self.page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def field(self, label: str) -> Locator:
        """A control by its label, which ends with a star where something must be filled in."""
        return self.page.get_by_label(re.compile(rf"^\s*{re.escape(label)}\s*\*?\s*$"))

    # ---------------------------------------------------------------- The wizard

    def begin(self) -> None:
        self.page.goto("/")
        self.page.get_by_role("link", name=re.compile("^PostgreSQL")).click()
        self.sees("Connect to PostgreSQL")

    def fill_in(self, name: str, settings: Mapping[str, Any]) -> None:
        """Type a new connection to a PostgreSQL."""
        self.field("Name").fill(name)
        for setting in ("host", "port", "database", "user", "password"):
            self.field(setting.capitalize()).fill(str(settings[setting]))

    def choose(self, *tables: str, target: str) -> None:
        """On Select: tick the tables and take a target, then go on."""
        self.sees("Select source and target")
        for table in tables:
            self.field(table).check()
        self.field("Connection").select_option(label=target)
        self.press("Next")
        self.sees("Configure schema")

    def name_target(self, name: str) -> None:
        """On Configure: call the target collection ``name``, and wait until that is saved."""
        self.field("Target collection").fill(name)
        with self.page.expect_response(lambda answer: answer.request.method == "POST"):
            self.field("Target collection").blur()

    def turn_to(self, collection: str) -> None:
        """On Configure: go to another collection of this migration."""
        tab = self.page.get_by_label("Collections", exact=True).get_by_role("button", name=collection)
        tab.click()
        expect(tab).to_have_attribute("aria-current", "true")
        self.waits_until_it_listens()

    def repair(self, fix: str) -> None:
        """On Configure: press the fix of a problem, which is gone then."""
        self.press(fix)
        expect(self.page.get_by_role("button", name=fix, exact=True)).to_have_count(0)
        self.waits_until_it_listens()

    def go_on_to_migrate(self) -> None:
        self.press("Next")
        self.sees("Migrate")

    def walk_to_migrate(self, source: str, target: str, **names: str) -> None:
        """From saved connections to the last step; ``names`` of the target collections by table."""
        self.begin()
        self.page.get_by_role("radio", name=source).check()
        self.press("Next")
        self.choose(*(f"public.{table}" for table in names), target=target)
        for table, name in names.items():
            if len(names) > 1:
                self.turn_to(table)
            self.name_target(name)
        self.go_on_to_migrate()

    # ---------------------------------------------------------------- A job

    def migrate(self) -> str:
        """Press Migrate; the job's public id."""
        self.press("Migrate")
        return self.sees_job()

    def sees_job(self) -> str:
        """The public id of the job whose page is open."""
        self.page.wait_for_url(re.compile(r"/jobs/job-\w+/$"))
        return self.page.url.rstrip("/").rpartition("/")[2]

    @property
    def status(self) -> Locator:
        """The state of the open job, beside its name."""
        return self.page.locator("#live .title-line .pill")

    def waits_for(self, status: str) -> None:
        expect(self.status).to_have_text(status, timeout=JOB_MS)
