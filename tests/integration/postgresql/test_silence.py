"""A PostgreSQL that stops answering: nothing waits for it longer than its stop or its time limit."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from migrations_app import endpoints
from migrations_app.engine.errors import Canceled, ConnectTimeout, FerryError, SourceUnavailable
from migrations_app.engine.model.batch import CollectionRef, ReadColumn, ReadPlan, Slice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MeasureRequest
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.connect import session
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened
from tests.integration.relays import (
    READY_FOR_QUERY,
    Answer,
    as_a_silent_server,
    as_a_silent_tls_server,
    as_a_stalling_relay,
    listening,
    not_accepting,
)

REF = CollectionRef("public.items")
TEXT = ReadColumn("t", TypeSpec(MilvusType.VARCHAR, max_length=99))
PART = Slice("all", {"key": ["id"], "after": None, "to": None})
# A value that no catalogue contains.
VALUE = "gone silent"


@pytest.fixture(scope="module")
def items(pg: Database) -> Database:
    pg.execute("CREATE TABLE items (id bigint PRIMARY KEY, t text, v vector(2))")
    # More than the server sends at once.
    pg.execute(f"INSERT INTO items SELECT n, repeat('{VALUE}', 9), '[1,2]' FROM generate_series(1, 50000) n")
    return pg


def caught_after(seconds: float, ask: Callable[[], Any], within: float) -> FerryError:
    began = time.monotonic()
    with pytest.raises(FerryError) as caught:
        ask()
    assert seconds <= time.monotonic() - began < seconds + within
    return caught.value


def all_rows(source: PostgresSource, ctx: ReadContext) -> Any:
    return list(source.read(REF, PART, None, ReadPlan((TEXT,)), ctx))


QUESTIONS: dict[str, Callable[[PostgresSource, ReadContext], Any]] = {
    "check": lambda source, ctx: source.check(ctx),
    "collections": lambda source, ctx: list(source.collections(ctx)),
    "describe": lambda source, ctx: source.describe(REF, 10, ctx),
    "count": lambda source, ctx: source.count(REF, ctx),
    "measure": lambda source, ctx: source.measure(REF, MeasureRequest(nulls_of=("t",)), ctx),
    "slices": lambda source, ctx: list(source.slices(REF, 1, ctx)),
    "read": all_rows,
}


@pytest.fixture
def stopped_soon() -> ReadContext:
    ctx = ReadContext()
    threading.Timer(0.3, ctx.stop.stop, [Canceled("Stopped by the test.")]).start()
    return ctx


@pytest.mark.parametrize(
    ("answer", "sslmode"),
    [(None, "disable"), (as_a_silent_server, "disable"), (as_a_silent_tls_server, "require")],
    ids=["connect", "login", "TLS"],
)
def test_a_stop_ends_a_connection_that_is_being_opened(
    pg: Database, stopped_soon: ReadContext, answer: Answer | None, sslmode: str
) -> None:
    server = not_accepting() if answer is None else listening(answer)
    with server as port, opened(pg, port=port, sslmode=sslmode) as source:
        error = caught_after(0.25, lambda: source.check(stopped_soon), 1.5)
    assert isinstance(error, Canceled)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_stop_ends_a_question_that_is_not_answered(
    items: Database, stopped_soon: ReadContext, question: str
) -> None:
    answer = as_a_stalling_relay(items.settings["port"], READY_FOR_QUERY)
    with listening(answer) as port, opened(items, port=port) as source:
        error = caught_after(0.25, lambda: QUESTIONS[question](source, stopped_soon), 1.5)
    assert isinstance(error, Canceled)


def test_a_page_does_not_wait_for_rows_that_stop_coming(
    items: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "LOOK_SECONDS", 3.0)
    answer = as_a_stalling_relay(items.settings["port"], VALUE.encode())

    def ask() -> None:
        with endpoints.looking(source) as ctx:
            all_rows(source, ctx)

    with listening(answer) as port, opened(items, port=port) as source:
        error = caught_after(2.9, ask, 1.5)
    assert isinstance(error, ConnectTimeout)
    assert (error.code, error.field) == ("source_timeout", "host")


def test_a_query_with_a_time_limit_is_not_waited_for_longer(
    items: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.3)
    answer = as_a_stalling_relay(items.settings["port"], READY_FOR_QUERY)

    def ask() -> None:
        with source._session.query("the time", 0.2):
            pass

    with listening(answer) as port, opened(items, port=port) as source:
        error = caught_after(0.5, ask, 1.5)
    assert isinstance(error, SourceUnavailable)
    assert error.code == "source_timeout"


def test_a_read_that_was_left_behind_ends_when_its_connection_does(
    items: Database, stopped_soon: ReadContext
) -> None:
    before, began = reading(), []
    answer = as_a_stalling_relay(items.settings["port"], VALUE.encode())

    def noting(client: socket.socket) -> None:
        began.append(client.dup())
        answer(client)

    with listening(noting) as port, opened(items, port=port) as source:
        caught_after(0.25, lambda: all_rows(source, stopped_soon), 1.5)
    (left,) = reading() - before
    for client in began:
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()
    left.join(5)
    assert not left.is_alive()


def reading() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "postgres-read"}
