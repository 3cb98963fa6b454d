"""Memory source: the smallest complete connector, used to test the pipeline.

A test creates a ``MemoryStore``, registers it under a name and opens it by settings, like any other source::

    with memory_store(MemoryStore({"books": memory_collection(rows, specs, key="id")})) as settings:
        source = MemorySource(settings)
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, SecretStr

from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.errors import (
    AuthRefused,
    CursorLost,
    HostUnknown,
    SourceBusy,
    SourceChanged,
    SourceDataError,
    SourceUnavailable,
)
from migrations_app.engine.identity import CollectionIdentity
from migrations_app.engine.model.batch import (
    Batch,
    CollectionRef,
    Cursor,
    ReadColumn,
    ReadPlan,
    Rejected,
    Slice,
)
from migrations_app.engine.model.joined_key_text import joined
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.model.types import KEY_TYPES, MilvusType, TypeSpec, arrow_type
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import (
    CollectionInfo,
    Count,
    KeyRows,
    Measure,
    MeasureRequest,
    Measures,
    Source,
    VectorInfo,
)
from migrations_app.engine.sources.json_rows import columns_of, rows_of_texts
from tests.kit.metrics import usual_metric
from tests.kit.row_counts import row_counts


@dataclass
class MemoryCollection:
    """Rows, and the faults that a read of them meets.

    ``unreadable`` are row numbers that the source itself rejects; ``breaks`` are row numbers at which a read
    fails with ``SourceUnavailable``, once each; with ``resumable`` False, slices start over. ``busy`` are row
    numbers at which a read fails with ``SourceBusy``, once each, with ``retry_after_seconds``. A read that
    continues after a cursor in ``lost_after`` fails with ``CursorLost``, once for each.
    """

    rows: pa.RecordBatch
    fields: tuple[SourceField, ...]
    key: SourceKey | None = None
    unreadable: frozenset[int] = frozenset()
    breaks: list[int] = field(default_factory=list)
    resumable: bool = True
    busy: list[int] = field(default_factory=list)
    retry_after_seconds: float | None = None
    lost_after: list[int] = field(default_factory=list)
    # How many rows the source's count misses: it lags behind writes. None: the source cannot count.
    count_lag: int | None = 0
    # Columns that hold the JSON texts of values of any type; their fields are sampled. Only a ``JsonSource``
    # can read them.
    mixed: frozenset[str] = frozenset()
    # An empty batch comes before each page: an empty answer is not the end.
    empty_pages: bool = False
    # The schema that a target copies exactly, as of a source that is itself a Milvus.
    exact: TargetSchema | None = None
    # The column whose values are the partitions of the source. ``partitioned_by`` sets it.
    partition_column: str = ""
    # The source lists its partitions before their slices are read.
    lists_partitions: bool = True
    # By default, the partitions of the source become partitions of the target.
    keeps_partitions: bool = True

    def partitions(self) -> dict[str, tuple[int, int]]:
        """The first row of each partition of the source, and the row after its last one."""
        names = self.rows.column(self.partition_column).to_pylist() if self.partition_column else []
        return {
            name: (names.index(name), names.index(name) + names.count(name)) for name in dict.fromkeys(names)
        }


@dataclass
class MemoryStore:
    """The collections of one source. ``before_page`` gets the number of the first row before each page.

    ``server`` is the server that it is on, if a target may be on the same one.
    """

    collections: dict[str, MemoryCollection] = field(default_factory=dict)
    password: str = ""
    before_page: Callable[[int], None] = lambda row: None
    server: str = ""


def memory_collection(
    rows: pa.RecordBatch,
    specs: Mapping[str, TypeSpec],
    key: str | tuple[str, ...] = (),
    rest: str = "",
    mixed: Collection[str] = (),
) -> MemoryCollection:
    """Return ``rows`` with a field for each column. A column without a type in ``specs`` is left out;
    ``rest`` is the rest field. The columns ``mixed`` hold the JSON texts of values of any type."""
    columns = (key,) if isinstance(key, str) else key
    choices = {name: _choices(specs.get(name), name in mixed) for name in rows.schema.names}
    fields = tuple(
        SourceField(
            name=name,
            native_type=str(rows.schema.field(name).type),
            choices=choices[name],
            metric=usual_metric(choices[name]),
            left_out="" if name in specs else "Milvus has no type for it.",
            nullable=name not in columns,
            can_be_key=name in specs and specs[name].type in KEY_TYPES,
            can_open=name in specs and specs[name].type is MilvusType.JSON,
            is_rest=name == rest,
            is_sampled=name in mixed,
        )
        for name in rows.schema.names
    )
    return MemoryCollection(rows, fields, SourceKey(columns) if columns else None, mixed=frozenset(mixed))


def _choices(spec: TypeSpec | None, is_mixed: bool) -> tuple[TypeChoice, ...]:
    specs = () if spec is None else (spec, TypeSpec(MilvusType.JSON)) if is_mixed else (spec,)
    return tuple(map(TypeChoice, specs))


def partitioned_by(column: str, collection: MemoryCollection) -> MemoryCollection:
    """Return the collection divided into partitions by the texts of ``column``, each with its own slices."""
    return replace(collection, rows=collection.rows.sort_by(column), partition_column=column)


class MemorySettings(SettingsModel):
    store: str = Field(title="Store", description="The name under which a test registered its rows.")
    password: SecretStr = Field(default=SecretStr(""), title="Password")


class MemorySource(Source):
    kind: ClassVar[str] = "memory"
    title: ClassVar[str] = "Memory"
    Settings: ClassVar[type[SettingsModel]] = MemorySettings
    address_field = "store"
    stores: ClassVar[dict[str, MemoryStore]] = {}
    can_fetch: ClassVar[bool] = True
    can_measure: frozenset[Measure] = frozenset(
        ("dims", "nulls", "extremes", "duplicates", "values", "absent", "row_tests")
    )

    settings: MemorySettings

    def _open(self) -> MemoryStore:
        store = self.stores.get(self.settings.store)
        if store is None:
            raise HostUnknown(
                f"There is no store named “{self.settings.store}”.", "Check its name.", field="store"
            )
        if store.password != self.settings.password.get_secret_value():
            raise AuthRefused("The store refused the password.", "Type it again.", field="password")
        return store

    def _collection(self, ref: CollectionRef) -> MemoryCollection:
        found = self._open().collections.get(ref.name)
        if found is None:
            raise SourceChanged(f"There is no collection “{ref.name}”.", "Select another one.")
        return found

    def check(self, ctx: ReadContext) -> ServerInfo:
        return ServerInfo("Memory", "1", (f"{len(self._open().collections)} collections",))

    def identity(self, collection: str, ctx: ReadContext) -> CollectionIdentity | None:
        store = self._open()
        if not store.server or collection not in store.collections:
            return None
        return CollectionIdentity(collection, unique=f"{store.server}, {collection}")

    def hosts(self) -> tuple[str, ...]:
        return (self.settings.store,)

    def collections(self, ctx: ReadContext) -> Iterator[CollectionInfo]:
        for name, found in sorted(self._open().collections.items()):
            vectors = tuple(
                VectorInfo(f.name, f.native_type, f.choices[0].spec.dim) for f in found.fields if f.is_vector
            )
            rows = found.rows.num_rows
            reason = "" if rows and vectors else "It has no vector field." if rows else "It has no rows."
            yield CollectionInfo(
                name, name, rows=rows, rows_exact=True, vectors=vectors, not_selectable=reason
            )

    def describe(self, ref: CollectionRef, sample: int, ctx: ReadContext) -> CollectionSchema:
        found = self._collection(ref)
        wanted = tuple(ReadColumn(f.name, f.choices[0].spec) for f in found.fields if f.choices)
        rows = found.rows.slice(0, sample)
        first = Batch(rows, rows.num_rows, _locators(found, 0, rows.num_rows))
        return CollectionSchema(
            ref.name,
            found.fields,
            found.key,
            self._batch(found, first, ReadPlan(wanted)).rows,
            rows_estimate=found.rows.num_rows,
            exact=found.exact,
            partitions=tuple(found.partitions()) if found.lists_partitions else None,
            keeps_partitions=bool(found.partition_column) and found.keeps_partitions,
        )

    def count(self, ref: CollectionRef, ctx: ReadContext) -> Count:
        found = self._collection(ref)
        if found.count_lag is None:
            return Count()
        by_partition = {name: end - start for name, (start, end) in found.partitions().items()}
        rows = max(0, found.rows.num_rows - found.count_lag)
        return Count(rows, is_exact=found.count_lag == 0, by_partition=by_partition)

    def slices(self, ref: CollectionRef, wanted: int, ctx: ReadContext) -> Iterator[Slice]:
        found = self._collection(ref)
        rows = found.rows.num_rows
        step = max(1, -(-rows // wanted))
        bounds: dict[str | None, tuple[int, int]] = {**found.partitions()} or {None: (0, rows)}
        parts = [
            (partition, first, min(first + step, end))
            for partition, (start, end) in bounds.items()
            for first in range(start, end, step)
        ]
        for number, (partition, start, end) in enumerate(parts):
            ctx.stop.check()
            yield Slice(str(number), [start, end], end - start, partition, found.resumable)

    def read(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        found = self._collection(ref)
        start, end = part.bounds
        start = start if after is None else after
        if after in found.lost_after:
            found.lost_after.remove(after)
            raise CursorLost(f"The store does not know the cursor {after} any longer.")
        end = end if plan.limit is None else min(end, start + plan.limit)
        step = max(1, plan.batch_bytes * found.rows.num_rows // max(1, found.rows.nbytes))
        pages = [(row, min(row + step, end)) for row in range(start, end, step)]
        for page in pages:
            ctx.stop.check()
            if found.empty_pages:
                nothing = Batch(found.rows.slice(0, 0), page[0], pa.array([], pa.string()))
                yield self._batch(found, nothing, plan)
                ctx.stop.check()
            yield self._page(found, plan, page)

    def _page(self, found: MemoryCollection, plan: ReadPlan, page: tuple[int, int]) -> Batch:
        start, end = page
        self._open().before_page(start)
        for row in [row for row in found.breaks if start <= row < end]:
            found.breaks.remove(row)
            raise SourceUnavailable(f"The store went away at row {row}.", "Try again.")
        for row in [row for row in found.busy if start <= row < end]:
            found.busy.remove(row)
            raise SourceBusy("Too many requests.", retry_after_seconds=found.retry_after_seconds)
        bad = [row for row in range(start, end) if row in found.unreadable]
        rows, names = found.rows.slice(start, end - start), _locators(found, start, end)
        rejected = tuple(
            Rejected(names[row - start].as_py(), "", "unreadable", "The store cannot read this row.")
            for row in bad
        )
        if bad:
            kept = pa.array([row not in found.unreadable for row in range(start, end)])
            rows, names = rows.filter(kept), names.filter(kept)
        return self._batch(found, Batch(rows, end, names, rejected), plan)

    def _batch(self, found: MemoryCollection, page: Batch, plan: ReadPlan) -> Batch:
        """Return the columns of ``plan`` for a page with all columns of the store."""
        return replace(page, rows=_columns(page.rows, plan.columns))

    def fetch(self, ref: CollectionRef, keys: pa.Array, plan: ReadPlan, ctx: ReadContext) -> pa.RecordBatch:
        found = self._collection(ref)
        columns = [found.rows.column(name) for name in plan.key]
        stored_keys = (
            columns[0] if len(columns) == 1 else joined([column.cast(pa.string()) for column in columns])
        )
        requested = found.rows.filter(pc.is_in(stored_keys, value_set=keys.cast(stored_keys.type)))
        return _columns(requested, plan.columns)

    def measure(self, ref: CollectionRef, wanted: MeasureRequest, ctx: ReadContext) -> Measures:
        rows = self._collection(ref).rows
        ends = {name: pc.min_max(rows.column(name)).as_py() for name in wanted.extremes_of}
        return Measures(
            {name: _dims(rows.column(name)) for name in wanted.dims_of},
            {name: rows.column(name).null_count for name in wanted.nulls_of},
            {name: None if end["min"] is None else (end["min"], end["max"]) for name, end in ends.items()},
            _duplicates(self._collection(ref), wanted.duplicates_of) if wanted.duplicates_of else None,
            _values(rows.column(wanted.values_of), wanted.at_most) if wanted.values_of else None,
            {group: _absent(rows, group) for group in wanted.absent_of},
            rows.num_rows if wanted.absent_of else None,
            row_counts(rows, wanted.rows_with) if wanted.rows_with else None,
        )


class MinimalSource(MemorySource):
    """A memory source without optional abilities: it cannot count, measure or list values."""

    can_fetch: ClassVar[bool] = False
    can_measure: frozenset[Measure] = frozenset()
    count = Source.count
    fetch = Source.fetch
    measure = Source.measure
    has_rows = Source.has_rows


class JsonSource(MinimalSource):
    """A minimal source whose rows travel as JSON documents, as those of an HTTP API do.

    A document keeps the type of each value. A value that does not fit the type of its column is a rejected
    row.
    """

    def _batch(self, found: MemoryCollection, page: Batch, plan: ReadPlan) -> Batch:
        missing = [column.path for column in plan.columns if column.path not in page.rows.schema.names]
        if missing:
            raise SourceChanged(f"The field “{missing[0]}” does not exist.", "Map the collection again.")
        names = [column.path for column in plan.columns]
        rows = page.rows.select(names).to_pylist()
        for column in plan.columns:
            is_json = column.spec.type is MilvusType.JSON or column.path in found.mixed
            for row in rows if is_json else ():
                if row[column.path] is not None:
                    row[column.path] = orjson.Fragment(row[column.path])
            for row in rows if column.spec.type is MilvusType.SPARSE_FLOAT_VECTOR else ():
                if (entries := row[column.path]) is not None:
                    row[column.path] = {
                        "indices": [entry["index"] for entry in entries],
                        "values": [entry["value"] for entry in entries],
                    }
        texts = [orjson.dumps(row) for row in rows]
        read = rows_of_texts(columns_of(plan), texts, page.locators.to_pylist())
        return Batch(read.rows, page.after, read.locators, page.rejected + read.rejected)


@contextmanager
def memory_store(store: MemoryStore) -> Iterator[MemorySettings]:
    """Register ``store`` under a unique name and yield the settings that open it."""
    name = f"store-{uuid.uuid4().hex[:8]}"
    MemorySource.stores[name] = store
    try:
        yield MemorySettings(store=name, password=SecretStr(store.password))
    finally:
        del MemorySource.stores[name]


def _columns(rows: pa.RecordBatch, wanted: tuple[ReadColumn, ...]) -> pa.RecordBatch:
    """Return the ``wanted`` columns in that order, each as the Arrow type of its spec."""
    missing = [column.path for column in wanted if column.path not in rows.schema.names]
    if missing:
        raise SourceChanged(f"The field “{missing[0]}” does not exist.", "Map the collection again.")
    try:
        arrays = [rows.column(column.path).cast(arrow_type(column.spec)) for column in wanted]
    except pa.ArrowInvalid as error:
        raise SourceDataError(f"A value does not fit its type: {error}", "Choose another type.") from error
    schema = pa.schema([(column.path, arrow_type(column.spec)) for column in wanted])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _locators(found: MemoryCollection, start: int, end: int) -> pa.Array:
    """Return the keys of the rows ``[start, end)``, parts joined with “/”; row numbers without a key."""
    if found.key is None:
        return pa.array([str(row) for row in range(start, end)], pa.string())
    parts = [
        found.rows.column(name).slice(start, end - start).cast(pa.string()) for name in found.key.columns
    ]
    return joined(parts)


def _dims(column: pa.Array) -> dict[int, int]:
    return {
        item["values"]: item["counts"]
        for item in pc.value_counts(pc.list_value_length(column.drop_null())).to_pylist()
    }


def _absent(rows: pa.RecordBatch, group: tuple[str, ...]) -> int:
    return rows.num_rows - pa.table(rows.select(group)).drop_null().num_rows


def _values(column: pa.Array, at_most: int) -> dict[str | None, int]:
    found = pc.value_counts(column.cast(pa.string())).to_pylist()
    return {item["values"]: item["counts"] for item in found[: at_most + 2]}


def _duplicates(found: MemoryCollection, keys: KeyRows) -> int:
    rows = found.rows
    for name in keys.present:
        rows = rows.filter(rows.column(name).is_valid())
    columns = list(_columns(rows, keys.columns).columns)
    columns += [rows.column(found.partition_column)] if keys.by_partition else []
    table = pa.table({str(number): column for number, column in enumerate(columns)})
    return int(table.num_rows - table.group_by(table.column_names).aggregate([]).num_rows)
