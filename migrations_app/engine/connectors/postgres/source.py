"""PostgreSQL as a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pyarrow as pa
from psycopg import sql
from psycopg.rows import tuple_row

from migrations_app.engine.batch import Batch, CollectionRef, Cursor, ReadColumn, ReadPlan, Slice
from migrations_app.engine.cancel import StopToken
from migrations_app.engine.connectors.base import (
    CollectionInfo,
    Measures,
    ReadContext,
    ServerInfo,
    SettingsModel,
    Source,
)
from migrations_app.engine.connectors.postgres import sampling
from migrations_app.engine.connectors.postgres.catalogue import Relation, load_relation
from migrations_app.engine.connectors.postgres.condition import checked
from migrations_app.engine.connectors.postgres.conninfo import address_of, hosts_of
from migrations_app.engine.connectors.postgres.describing import described
from migrations_app.engine.connectors.postgres.listing import list_collections
from migrations_app.engine.connectors.postgres.reader import Reader
from migrations_app.engine.connectors.postgres.select import Select, select_columns, select_slice, text_of
from migrations_app.engine.connectors.postgres.selection import PostgresSelection
from migrations_app.engine.connectors.postgres.server import check_server
from migrations_app.engine.connectors.postgres.session import Session
from migrations_app.engine.connectors.postgres.settings import PostgresSettings
from migrations_app.engine.connectors.postgres.types import dims_of
from migrations_app.engine.opening import with_opened_keys
from migrations_app.engine.partitions import MAX_VALUE_BYTES
from migrations_app.engine.schema import CollectionSchema

_SAMPLE_BYTES = 4 * 1024 * 1024
# Of what a condition chooses, so many rows may be found by any index and then sorted: walking the key's own
# index past all others would take longer.
SORTED_ROWS = 50_000


class PostgresSource(Source):
    """Tables, views, materialized views, partitioned and foreign tables of one database. Never writes."""

    kind: ClassVar[str] = "postgresql"
    title: ClassVar[str] = "PostgreSQL"
    Settings: ClassVar[type[SettingsModel]] = PostgresSettings
    Selection: ClassVar[type[SettingsModel]] = PostgresSelection
    collection_word: ClassVar[str] = "table"
    before_you_start: ClassVar[tuple[str, ...]] = (
        "PostgreSQL 12 or later with the pgvector extension in the database to read.",
        "Its host and port can be reached from the machine that Vectorferry runs on: firewall, allow list, "
        "pg_hba.conf.",
        "A user who may CONNECT to the database and SELECT from the tables. Nothing is written.",
        "A direct connection rather than a pooler, where there is the choice.",
    )

    def __init__(self, settings: SettingsModel) -> None:
        super().__init__(settings)
        assert isinstance(settings, PostgresSettings)
        self._hosts = hosts_of(settings)
        self._address = f"{address_of(settings)}/{address_of(settings).database}"
        self._session = Session(settings)

    def close(self) -> None:
        self._session.close()

    def hosts(self) -> tuple[str, ...]:
        return self._hosts

    def address(self) -> str:
        return self._address

    def check(self) -> ServerInfo:
        return check_server(self._session)

    def collections(self) -> Iterator[CollectionInfo]:
        yield from list_collections(self._session)

    def describe(self, ref: CollectionRef, sample: int = 100) -> CollectionSchema:
        relation = checked(self._session, self._relation(ref))
        found = described(self._session, relation, lambda columns: self._sample(relation, columns, sample))
        return with_opened_keys(found, ref.selection)

    def counts(self, ref: CollectionRef) -> dict[str | None, int]:
        row = self._ask(self._relation(ref), sql.SQL("SELECT count(*) FROM {rows}"))
        return {None: row[0]}

    def has_rows(self, ref: CollectionRef) -> bool:
        row = self._ask(self._relation(ref), sql.SQL("SELECT EXISTS (SELECT FROM {rows})"))
        return bool(row[0])

    def slices(self, ref: CollectionRef, wanted: int) -> Iterator[Slice]:
        """One slice: in key order and resumable where a unique key gives it an order, else as it comes."""
        relation = checked(self._session, self._relation(ref))
        key = list(relation.order)
        bounds = {"key": key, "after": None, "to": None}
        yield Slice("all", bounds, relation.rows_estimate, resumable=bool(key))

    def read(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        select = self._select(ref, part, after, plan)
        yield from Reader(self._session, select, plan.batch_bytes, ctx.stop).batches()

    def fetch(self, ref: CollectionRef, keys: pa.Array, plan: ReadPlan) -> pa.RecordBatch:
        select = select_columns(self._relation(ref), plan)
        select.among(plan.key, [str(key) for key in keys.to_pylist()])
        return Reader(self._session, select, plan.batch_bytes, StopToken()).all_rows()

    def measure(self, ref: CollectionRef, dims_of: tuple[str, ...], nulls_of: tuple[str, ...]) -> Measures:
        relation = self._relation(ref)
        return Measures(
            dims={name: self._dims(relation, name) for name in dims_of},
            nulls=self._nulls(relation, nulls_of) if nulls_of else {},
        )

    def distinct(self, ref: CollectionRef, field: str, at_most: int) -> dict[str | None, int]:
        relation = self._relation(ref)
        statement = sql.SQL(
            "SELECT left(({value})::text, {longest}) AS value, count(*) AS rows FROM {rows}"
            " GROUP BY 1 LIMIT {most}"
        ).format(
            value=text_of(relation, field),
            longest=sql.Literal(MAX_VALUE_BYTES + 1),
            rows=relation.rows,
            most=sql.Literal(at_most + 2),
        )
        with self._session.count(relation.chosen, self.stop) as connection:
            return {row.value: row.rows for row in connection.execute(statement)}

    # ------------------------------------------------------------ within

    def _relation(self, ref: CollectionRef) -> Relation:
        where = PostgresSelection.model_validate(ref.selection).where
        return replace(load_relation(self._session, ref.name), where=where)

    def _select(self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan) -> Select:
        select = select_slice(self._relation(ref), plan, part.bounds, after)
        few = part.rows_estimate is not None and part.rows_estimate <= SORTED_ROWS
        select.may_sort = few and bool(select.relation.where)
        select.limit = plan.limit
        return select

    def _ask(self, relation: Relation, question: sql.SQL, **parts: sql.Composable) -> Any:
        """The one row that answers, however long the server takes, or until ``stop``."""
        statement = question.format(rows=relation.rows, **parts)
        with self._session.count(relation.chosen, self.stop) as connection:
            (row,) = connection.cursor(row_factory=tuple_row).execute(statement).fetchall()
        return row

    def _dims(self, relation: Relation, name: str) -> dict[int, int]:
        column = relation.column(name)
        parts = {
            "c": sql.Identifier(column.name),
            "vector_dims": sql.Identifier(relation.pgvector_schema or "public", "vector_dims"),
        }
        statement = sql.SQL("SELECT {dims} AS dim, count(*) AS rows FROM {rows} GROUP BY 1").format(
            dims=sql.SQL(dims_of(column)).format(**parts), rows=relation.rows
        )
        with self._session.count(relation.chosen, self.stop) as connection:
            return {row.dim: row.rows for row in connection.execute(statement) if row.dim is not None}

    def _nulls(self, relation: Relation, names: tuple[str, ...]) -> dict[str, int]:
        counts = [
            sql.SQL("count(*) FILTER (WHERE {} IS NULL)").format(sql.Identifier(relation.column(name).name))
            for name in names
        ]
        row = self._ask(relation, sql.SQL("SELECT {counts} FROM {rows}"), counts=sql.SQL(", ").join(counts))
        return dict(zip(names, row, strict=True))

    def _sample(self, relation: Relation, columns: tuple[ReadColumn, ...], rows: int) -> pa.RecordBatch:
        select = select_columns(relation, ReadPlan(columns))
        select.limit = rows
        reader = Reader(self._session, select, _SAMPLE_BYTES, StopToken(), sampling.LOOK_SECONDS)
        return reader.first_rows()
