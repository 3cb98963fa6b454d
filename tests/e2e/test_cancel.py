"""Cancel dialog: it names the running job and asks what to do with the rows that the job wrote."""

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

# About 60 MB, which take ten seconds to send; the data of a few seconds is in transit at a time.
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
    address = urlsplit(milvus_lite_uri)
    with SlowLink(str(address.hostname), int(address.port or 0), BYTES_PER_SECOND).open() as link:
        yield link


@pytest.fixture
def running(worker, big, ada, library, administrator, link, unique) -> Person:
    """A user on the page of a job that has written some of its rows into `pages_<unique>`."""
    ada.go_to_migrate(library, save_vault(link.uri, administrator), pages=f"pages_{unique}")
    ada.migrate()
    expect(counter(ada, "Written")).to_have_text(re.compile("[1-9]"), timeout=JOB_MS)
    expect(ada.status).to_have_text("In Progress")
    return ada


def counter(person: Person, label: str) -> Locator:
    return person.page.locator(f'#live td[data-label="{label}"]')


def ask_to_cancel(person: Person, collection: str) -> Locator:
    person.page.get_by_role("link", name="Cancel job…").click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel PostgreSQL library → vault?")
    expect(dialog).to_contain_text(person.sees_job())
    expect(dialog).to_contain_text(f"{collection} (")
    return dialog


def test_a_canceled_job_keeps_its_rows_and_can_be_resumed(running, link, milvus_lite_uri, unique):
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
        link.bytes_per_second = 1e9
        running.page.get_by_role("link", name="Resume…").click()
        dialog = running.page.get_by_role("dialog")
        expect(dialog).to_contain_text("written so far")
        dialog.get_by_role("button", name="Resume").click()
        running.waits_for("Successful")
        assert count(client, f"pages_{unique}") == ROWS
        client.drop_collection(f"pages_{unique}")


def test_a_canceled_job_drops_the_collections_it_created_if_chosen(running, milvus_lite_uri, unique):
    dialog = ask_to_cancel(running, f"pages_{unique}")
    dialog.get_by_role("radio", name="Drop the collections this job created").check()
    dialog.get_by_role("button", name="Cancel the job").click()
    running.waits_for("Canceled")
    expect(running.page.locator("main .panel")).to_contain_text(
        "The collections that it created were dropped."
    )

    with client_of(milvus_lite_uri) as client:
        assert not client.has_collection(f"pages_{unique}")
