"""Helpers that open a source on a test database and read a whole table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadColumn, ReadPlan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from tests.engines.postgres import Database


@contextmanager
def opened(server: Database, /, **changes: Any) -> Iterator[PostgresSource]:
    with PostgresSource(PostgresSettings.model_validate({**server.settings, **changes})) as source:
        yield source


def plan_of(source: PostgresSource, name: str, batch_bytes: int = 2048) -> ReadPlan:
    """All fields of a table, each as its first choice."""
    schema = source.describe(CollectionRef(name), 100, ReadContext())
    columns = tuple(ReadColumn(f.name, f.choices[0].spec) for f in schema.fields if f.choices)
    return ReadPlan(columns, schema.key.columns if schema.key else (), batch_bytes)


def batches_of(
    source: PostgresSource,
    name: str,
    plan: ReadPlan | None = None,
    after: Cursor | None = None,
    ctx: ReadContext | None = None,
) -> Iterator[Batch]:
    """The rows of a table's only slice."""
    ref = CollectionRef(name)
    (part,) = source.slices(ref, 1, ReadContext())
    return source.read(ref, part, after, plan or plan_of(source, name), ctx or ReadContext())


def locators_of(batches: list[Batch]) -> list[str]:
    return [locator for batch in batches for locator in batch.locators.to_pylist()]
