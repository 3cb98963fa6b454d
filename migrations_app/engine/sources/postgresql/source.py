"""PostgreSQL source: the ``Source`` class for PostgreSQL with pgvector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import pyarrow as pa

from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadColumn, ReadPlan, Slice
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import (
    MAX_SLICES,
    CollectionInfo,
    Count,
    Measure,
    MeasureRequest,
    Measures,
    Source,
)
from migrations_app.engine.sources.postgresql.catalogue.leaves import check_filenode, leaves_of
from migrations_app.engine.sources.postgresql.catalogue.listing import list_collections
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation, load_relation
from migrations_app.engine.sources.postgresql.connect.conninfo import address_of, hosts_of, is_socket
from migrations_app.engine.sources.postgresql.connect.server import check_server
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from migrations_app.engine.sources.postgresql.describe import describe_relation
from migrations_app.engine.sources.postgresql.draws import Draw, Draws
from migrations_app.engine.sources.postgresql.read.condition import check_condition
from migrations_app.engine.sources.postgresql.read.key_ranges import key_ranges
from migrations_app.engine.sources.postgresql.read.measure import TableMeasurer
from migrations_app.engine.sources.postgresql.read.reader import BatchReader
from migrations_app.engine.sources.postgresql.read.select import (
    Select,
    select_columns,
    select_piece,
    select_slice,
)
from migrations_app.engine.sources.postgresql.read.selection import PostgresSelection
from migrations_app.engine.sources.postgresql.read.stored_ranges import stored_ranges
from migrations_app.engine.stop_token import StopToken

_SAMPLE_BYTES = 4 * 1024 * 1024
# If a condition selects up to this many rows, the planner may use any index and sort the rows. Reading the
# whole index of the key and skipping all other rows would take longer.
SORTED_ROWS = 50_000


class PostgresSource(Source):
    """The tables, views, materialized views, partitioned and foreign tables of one database. Never writes."""

    kind: ClassVar[str] = "postgresql"
    title: ClassVar[str] = "PostgreSQL"
    Settings: ClassVar[type[SettingsModel]] = PostgresSettings
    Selection: ClassVar[type[SettingsModel]] = PostgresSelection
    address_field: str = "host"
    collection_words: ClassVar[tuple[str, str]] = ("table", "tables")
    can_fetch: ClassVar[bool] = True
    can_measure: frozenset[Measure] = frozenset(
        ("dims", "nulls", "extremes", "duplicates", "values", "absent", "row_tests")
    )
    before_you_start: ClassVar[tuple[str, ...]] = (
        "PostgreSQL 12 or later with the pgvector extension in the database to read.",
        "The machine that Vectorferry runs on can reach its host and port: check firewall, allow list and "
        "pg_hba.conf.",
        "A user who may CONNECT to the database and SELECT from the tables. Nothing is written.",
        "If possible, a direct connection instead of a pooler.",
    )

    def __init__(self, settings: SettingsModel) -> None:
        super().__init__(settings)
        assert isinstance(settings, PostgresSettings)
        self._hosts = hosts_of(settings)
        self._address = f"{address_of(settings)}/{address_of(settings).database}"
        self.address_field = address_of(settings).field("host")
        self._session = Session(settings, self._addresses_of)

    def close(self) -> None:
        self._session.close()

    def hosts(self) -> tuple[str, ...]:
        return self._hosts

    def address(self) -> str:
        return self._address

    def _addresses_of(self, host: str) -> tuple[str, ...]:
        """Like ``resolve``; an empty address for a Unix socket, which has none."""
        if is_socket(host):
            self.address_policy.check_socket(host, self.address_field)
            return ("",)
        return self.resolve(host)

    def check(self, ctx: ReadContext) -> ServerInfo:
        return check_server(self._asked(ctx))

    def collections(self, ctx: ReadContext) -> Iterator[CollectionInfo]:
        yield from list_collections(self._asked(ctx))

    def describe(self, ref: CollectionRef, sample: int, ctx: ReadContext) -> CollectionSchema:
        relation = check_condition(self._session, self._relation(ref, ctx))
        return describe_relation(
            self._session,
            relation,
            lambda draws, columns: self._sample(relation, draws, columns, sample, ctx.stop),
        )

    def count(self, ref: CollectionRef, ctx: ReadContext) -> Count:
        return Count(self._measurer(ref, ctx).count(), is_exact=True)

    def has_rows(self, ref: CollectionRef, ctx: ReadContext) -> bool:
        return self._measurer(ref, ctx).has_rows()

    def slices(self, ref: CollectionRef, wanted: int, ctx: ReadContext) -> Iterator[Slice]:
        """Yield ranges of the key, or without a key to order by, ranges of the places of the rows on disk.

        If one slice is wanted or possible, it contains all rows, and is resumable if it has a key.
        """
        ctx.stop.check()
        relation = check_condition(self._session, self._relation(ref, ctx))
        wanted = min(wanted, MAX_SLICES)
        leaves = leaves_of(self._session, relation) if wanted > 1 else ()
        if leaves and relation.order:
            blocks = sum(leaf.blocks for leaf in leaves)
            yield from key_ranges(self._session, relation, wanted, blocks)
        elif leaves and not relation.is_filtered and all(leaf.can_read_in_place for leaf in leaves):
            rows, version = relation.rows_estimate, self._session.server_version
            yield from stored_ranges(leaves, wanted, rows, version)
        else:
            bounds = {"key": list(relation.order), "after": None, "to": None}
            yield Slice("all", bounds, relation.rows_estimate, resumable=bool(relation.order))

    def read(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        if "pieces" in part.bounds:
            yield from self._read_pieces(ref, part, after, plan, ctx)
            return
        select = self._select(ref, part, after, plan, ctx)
        yield from BatchReader(self._session, select, plan.batch_bytes, ctx.stop).batches()

    def _read_pieces(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        """Read the pieces one after another. A cursor is the number of a piece and a place in it."""
        relation, left = self._relation(ref, ctx), plan.limit
        first, place = after or (0, None)
        for number, piece in enumerate(part.bounds["pieces"][first:], first):
            select = select_piece(relation, plan, piece, place)
            select.limit, place = left, None
            check = partial(check_filenode, self._session, piece["table"], piece["filenode"])
            check()  # a table that was dropped cannot be read, and holds no lock
            reader = BatchReader(self._session, select, plan.batch_bytes, ctx.stop, on_open=check)
            for batch in reader.batches():
                yield replace(batch, after=[number, *batch.after])
                left = None if left is None else left - batch.rows_read
            if left == 0:
                return

    def fetch(self, ref: CollectionRef, keys: pa.Array, plan: ReadPlan, ctx: ReadContext) -> pa.RecordBatch:
        select = select_columns(self._relation(ref, ctx), plan)
        select.filter_keys(plan.key, [str(key) for key in keys.to_pylist()])
        return BatchReader(self._session, select, plan.batch_bytes, ctx.stop).all_rows()

    def selection_of_dim(
        self, ref: CollectionRef, name: str, dim: int, ctx: ReadContext
    ) -> dict[str, Any] | None:
        where = self._measurer(ref, ctx).where_dim(name, dim)
        return PostgresSelection(where=where).model_dump()

    def measure(self, ref: CollectionRef, wanted: MeasureRequest, ctx: ReadContext) -> Measures:
        measurer = self._measurer(ref, ctx)
        found = measurer.scan(wanted.nulls_of, wanted.absent_of, wanted.rows_with)
        return replace(
            found,
            dims={name: measurer.dims(name) for name in wanted.dims_of},
            extremes={name: measurer.extremes(name) for name in wanted.extremes_of},
            duplicates=measurer.duplicates(wanted.duplicates_of) if wanted.duplicates_of else None,
            values=measurer.distinct(wanted.values_of, wanted.at_most + 2) if wanted.values_of else None,
        )

    # ------------------------------------------------------------ helpers

    def _asked(self, ctx: ReadContext) -> Session:
        """The session, for a question that ends with the stop of ``ctx``."""
        self._session.stop = ctx.stop
        return self._session

    def _relation(self, ref: CollectionRef, ctx: ReadContext) -> Relation:
        where = PostgresSelection.model_validate(ref.selection).where
        return replace(load_relation(self._asked(ctx), ref.name), where=where)

    def _select(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Select:
        select = select_slice(self._relation(ref, ctx), plan, part.bounds, after)
        is_small = part.rows_estimate is not None and part.rows_estimate <= SORTED_ROWS
        select.may_sort = is_small and bool(select.relation.where)
        select.limit = plan.limit
        return select

    def _measurer(self, ref: CollectionRef, ctx: ReadContext) -> TableMeasurer:
        return TableMeasurer(self._session, self._relation(ref, ctx))

    def _sample(
        self, relation: Relation, draws: Draws, columns: tuple[ReadColumn, ...], rows: int, stop: StopToken
    ) -> pa.RecordBatch:
        select = select_columns(relation, ReadPlan(columns))

        def found(draw: Draw) -> tuple[int, pa.RecordBatch]:
            select.drawn = draw
            first = BatchReader(self._session, select, _SAMPLE_BYTES, stop, draw.seconds).first_rows()
            return first.num_rows, first

        sample, _, _ = draws.ask([column.path for column in columns], rows, rows // 2, found)
        return sample
