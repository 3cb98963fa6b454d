"""A running job is canceled from a dialog that names it and asks what shall become of what it wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import save_vault
from tests.e2e.milvus import client_of, count, load
from tests.e2e.person import JOB_MS, Person
from tests.e2e.slow_link import SlowLink
from tests.engines.postgres import Database

pytestmark = pytest.mark.engine

# Some 60 MB: ten seconds, of which a few are under way at a time.
ROWS, DIMENSIONS = 40_000, 384
BYTES_PER_SECOND = 6_000_000


@pytest.fixture(scope="module")
def big(books: Database) -> Database:
    books.execute(
        f"""
        CREATE TABLE pages (id bigint PRIMARY KEY, embedding vector({DIMENSIONS}) NOT NULL);
        INSERT INTO pages
        SELECT n, array_fill(n::real, ARRAY[{DIMENSIONS}])::vector FROM generate_series(1, {ROWS}) AS n;
        ANALYZE pages
        """  # type: ignore[arg-type]
    )
    return books


@pytest.fixture
def link(milvus_lite_uri: str) -> Iterator[SlowLink]:
    there = urlsplit(milvus_lite_uri)
    with SlowLink(str(there.hostname), int(there.port or 0), BYTES_PER_SECOND).open() as link:
        yield link


@pytest.fixture
def running(worker, big, ada, library, administrator, link, unique) -> Person:
    """Someone who looks at a job that has written some of its rows into `pages_<unique>`."""
    ada.walk_to_migrate(library, save_vault(link.uri, administrator), pages=f"pages_{unique}")
    ada.migrate()
    expect(figure(ada, "Written")).to_have_text(re.compile("[1-9]"), timeout=JOB_MS)
    expect(ada.status).to_have_text("In Progress")
    return ada


def figure(person: Person, label: str) -> Locator:
    return person.page.locator(f'#live td[data-label="{label}"]')


def ask_to_cancel(person: Person, collection: str) -> Locator:
    person.page.get_by_role("link", name="Cancel job…").click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel PostgreSQL library → vault?")
    expect(dialog).to_contain_text(person.sees_job())
    expect(dialog).to_contain_text(f"{collection} (")
    return dialog


def test_a_canceled_job_keeps_what_it_wrote_and_says_how_much(running, milvus_lite_uri, unique):
    dialog = ask_to_cancel(running, f"pages_{unique}")
    dialog.get_by_role("button", name="Cancel the job").click()
    running.waits_for("Canceled")
    panel = running.page.locator("main .panel")
    expect(panel).to_contain_text(f"rows in pages_{unique}. They were kept.")
    written = int(re.sub(r"\D", "", panel.inner_text().partition("rows")[0]))
    assert 0 < written < ROWS

    with client_of(milvus_lite_uri) as client:
        load(client, f"pages_{unique}", "embedding")
        assert count(client, f"pages_{unique}") == written
        client.drop_collection(f"pages_{unique}")


def test_a_canceled_job_drops_what_it_made_where_that_was_asked(running, milvus_lite_uri, unique):
    dialog = ask_to_cancel(running, f"pages_{unique}")
    dialog.get_by_role("radio", name="Drop the collections this job created").check()
    dialog.get_by_role("button", name="Cancel the job").click()
    running.waits_for("Canceled")
    expect(running.page.locator("main .panel")).to_contain_text(
        "The collections that it created were dropped."
    )

    with client_of(milvus_lite_uri) as client:
        assert not client.has_collection(f"pages_{unique}")
