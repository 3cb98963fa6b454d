"""Fixtures of the end-to-end tests: users, a worker, a PostgreSQL database of books, and a Milvus."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page

from migrations_app import services
from tests.e2e.person import PATIENCE_MS, Person
from tests.e2e.watch import Watch
from tests.engines.postgres import Database

ROOT = Path(__file__).parents[2]
PASSWORD = "a long enough secret"
START_SECONDS = 60

TABLES = """
CREATE TABLE books (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    pages integer,
    "like" boolean NOT NULL,
    embedding vector(8) NOT NULL
);
INSERT INTO books
SELECT n, 'Book ' || n, CASE WHEN n % 5 > 0 THEN 100 + n END, n % 2 = 0,
    array_fill(n::real, ARRAY[8])::vector
FROM generate_series(1, 500) AS n;
CREATE TABLE reviews (
    book bigint,
    reader text,
    words varchar(80),
    embedding vector(4) NOT NULL,
    PRIMARY KEY (book, reader)
);
INSERT INTO reviews
SELECT n, 'reader ' || n % 7, 'Review ' || n, array_fill(n::real, ARRAY[4])::vector
FROM generate_series(1, 70) AS n;
CREATE TABLE authors (id bigint PRIMARY KEY, name text);
INSERT INTO authors VALUES (1, 'Ada');
CREATE TABLE shelves (id bigint PRIMARY KEY, embedding vector(8));
ANALYZE;
"""


@pytest.fixture(scope="session")
def base_url(live_server: Any) -> str:
    return str(live_server.url)


@pytest.fixture(scope="module")
def worker(django_db_setup: None) -> Iterator[None]:
    """`manage.py worker`, started as a user starts it. It inherits the settings and so the database."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "worker"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    yield
    process.send_signal(signal.SIGTERM)
    assert process.wait(START_SECONDS) == 0


@pytest.fixture(scope="module")
def books(pg: Database) -> Database:
    """Tables of books and reviews. The authors have no vectors, and the table of shelves is empty."""
    pg.execute(TABLES)
    return pg


@pytest.fixture
def watch(base_url: str) -> Iterator[Watch]:
    """Fails every test in which a page does something that it must not do (see ``Watch``)."""
    watch = Watch(base_url)
    yield watch
    assert watch.noted == []


@pytest.fixture
def open_browser(
    new_context: Callable[..., Any], watch: Watch, transactional_db: None
) -> Callable[..., Page]:
    """Open a new browser context with an empty page."""

    def open_browser(**options: Any) -> Page:
        context = new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        watch.follow(context)
        page: Page = context.new_page()
        return page

    return open_browser


@pytest.fixture
def administrator(transactional_db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD, is_staff=True)


@pytest.fixture
def viewer(transactional_db: None) -> User:
    return User.objects.create_user("vic", password=PASSWORD)


@pytest.fixture
def ada(open_browser: Callable[..., Page], administrator: User) -> Person:
    """An administrator, logged in."""
    person = Person(open_browser(), PASSWORD)
    person.log_in("ada")
    return person


@pytest.fixture
def library(books: Database, administrator: User) -> str:
    """A saved connection to the database of books."""
    settings = {**books.settings, "sslmode": "disable"}
    return services.connection_save(
        name="library", kind="postgresql", settings=settings, user=administrator
    ).name


@pytest.fixture
def vault(milvus_lite_uri: str, administrator: User) -> str:
    """A saved connection to Milvus Lite."""
    return save_vault(milvus_lite_uri, administrator)


def save_vault(uri: str, user: User) -> str:
    return services.connection_save(name="vault", kind="milvus", settings={"uri": uri}, user=user).name


@pytest.fixture
def unique() -> str:
    """A suffix for names of collections that no other test uses."""
    return uuid4().hex[:8]
