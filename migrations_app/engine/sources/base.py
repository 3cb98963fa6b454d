"""Source: the base class of all sources. A new source subclasses it in a new file and adds a line to the
registry.

Three pydantic models define all its forms: ``Settings`` (the connection), ``Selection`` (which part of a
collection to move; shown on Select, ``select`` in a plan) and ``Options`` (how a collection is read; shown on
Configure Schema, ``source_options`` in a plan). Selection and options arrive in each ``CollectionRef``.

The ``title`` of a model field is its label, ``description`` its help text, ``examples[0]`` its placeholder.
Its type chooses the control:

====================================  ==================================================================
``str``                               a line of text; with the widget ``textarea`` several lines
``PemText``, ``PemSecret``            a certificate or a key; with the widget ``file`` it can be uploaded
``SecretStr``                         a password, never sent back to the browser; only in ``Settings``
``int``, ``float``, ``bool``          a number, with the limits of the model (``ge``, ``le``, ...); a checkbox
``Literal``, an enum                  a choice; ``labels`` gives the texts to show
``list`` of a ``Literal``             several choices
``list`` of ``str``, ``int``, ...     a text, one entry per line
``SourceValues``                      several of the values that ``choices`` lists; only in ``Selection``
====================================  ==================================================================

``json_schema_extra`` may contain ``{"widget": "textarea"}`` or ``{"widget": "file"}``, ``{"labels": {value:
text}}``, ``{"term": "tls_mode"}`` (a term of the help, which the page explains), ``{"advanced": True}`` and
``{"group": "url"}``. The user fills in exactly one of a model's groups; fields without a group belong to
every group. ``advanced`` and ``group`` are for ``Settings``.

A control that is left empty, or in which nothing is chosen, is not part of the settings: the model's default
applies, and the description says what it means. The model checks what was typed; its errors are shown at the
control, and in a plan file with their path.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol

import pyarrow as pa

from migrations_app.engine.endpoint import Endpoint, NoSettings, SettingsModel
from migrations_app.engine.errors import (
    FerryError,
    ServerBusy,
    ServerChanged,
    ServerError,
    ServerUnavailable,
    SourceBusy,
    SourceChanged,
    SourceError,
    SourceUnavailable,
)
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadColumn, ReadPlan, Slice
from migrations_app.engine.model.names import ASK, NamingRule
from migrations_app.engine.model.row_tests import RowCounts, RowTest
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.read_context import ReadContext

# A collection with more slices is refused.
MAX_SLICES = 2_000


@dataclass(frozen=True, slots=True)
class VectorInfo:
    """A vector field in a listing. ``dim`` is None if the source does not declare it."""

    name: str
    native_type: str
    dim: int | None = None


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """One line of the selection page. ``not_selectable`` is the reason why it cannot be selected, or empty.

    ``note`` is something to know before it is selected, such as that rows are hidden from this user.
    ``group`` is its schema or namespace, ``label`` its short name, ``kind`` the vendor's word for it
    ("table", "view"). ``rows`` is None if unknown; ``rows_exact`` is False for an estimate. ``size_bytes`` is
    the size in the source.
    """

    name: str
    label: str
    group: str = ""
    kind: str = "collection"
    rows: int | None = None
    rows_exact: bool = False
    vectors: tuple[VectorInfo, ...] = ()
    not_selectable: str = ""
    note: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """The number of rows of a collection. ``rows`` is None if the source cannot tell.

    ``is_exact`` is False for an estimate and for a count that may lag behind writes; ``as_of`` is the time at
    which such a count was right, if the source tells. ``by_partition``: the rows of each partition of the
    source; empty if it has none.
    """

    rows: int | None = None
    is_exact: bool = False
    as_of: datetime | None = None
    by_partition: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyRows:
    """The rows whose keys are checked for duplicates. ``columns`` make up the key, with the types in which
    they are moved. Rows with a NULL in one of ``present`` do not count; ``present`` includes the key
    columns. ``by_partition``: equal keys in different partitions of the source are no duplicates."""

    columns: tuple[ReadColumn, ...]
    present: tuple[str, ...]
    by_partition: bool = False


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """Questions about all rows of a collection. The answers are ``Measures``.

    ``dims_of``, ``nulls_of`` and ``extremes_of`` are names of fields; ``extremes_of`` are fields of whole
    numbers. ``absent_of`` are groups of fields: how many rows have NULL in at least one field of the group?
    ``values_of`` is the field whose values are listed, ``at_most`` the number of values that matter.
    ``rows_with`` are conditions under which a row is not moved: how many rows meet each, and any?
    """

    dims_of: tuple[str, ...] = ()
    nulls_of: tuple[str, ...] = ()
    extremes_of: tuple[str, ...] = ()
    duplicates_of: KeyRows | None = None
    values_of: str | None = None
    at_most: int = 0
    absent_of: tuple[tuple[str, ...], ...] = ()
    rows_with: tuple[RowTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Measures:
    """Facts about all rows, for preflight and verification.

    A field that is missing in one of the mappings is unknown: the source cannot tell. It does not mean none.

    ``dims`` gives the number of rows per dimension for each requested vector field, ``nulls`` the number of
    NULLs in each requested field, ``extremes`` the smallest and the largest value of each requested field
    (None if it has no value). ``duplicates`` is the number of rows minus the number of distinct keys, or None
    if not counted; keys are equal if they are equal byte for byte.

    ``values`` is the number of rows for each value of ``values_of``, or None if not listed. The values are
    exact texts (as a VARCHAR is read), NULL is None. If there are more than ``at_most`` values (not counting
    NULL), it contains only some of them: at least ``at_most`` + 1. Long texts may be cut, but not below 1,025
    characters.

    ``absent`` is the number of rows with a NULL in each group of ``absent_of``, and ``rows`` the number of
    all rows at that moment; None if there is no answer. ``row_counts`` answers ``rows_with``.
    """

    dims: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
    extremes: Mapping[str, tuple[int, int] | None] = field(default_factory=dict)
    duplicates: int | None = None
    values: Mapping[str | None, int] | None = None
    absent: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    rows: int | None = None
    row_counts: RowCounts | None = None


Measure = Literal["dims", "nulls", "extremes", "duplicates", "values", "absent", "row_tests"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a control of the selection, with its label and the number of its rows, if known."""

    value: str
    label: str = ""
    rows: int | None = None


_OF_SOURCES: dict[type[ServerError], type[SourceError]] = {
    ServerError: SourceError,
    ServerUnavailable: SourceUnavailable,
    ServerBusy: SourceBusy,
    ServerChanged: SourceChanged,
}


def source_error(error: ServerError) -> FerryError:
    """Return the error of a source for an error of its server, in code that it shares with a target."""
    return error.translated(_OF_SOURCES)


class Source(Endpoint):
    """One open source. Creating one is cheap: it connects at the first request. Use it as a context manager.

    Its methods raise only ``FerryError``s. Each takes a ``ReadContext`` as its last argument and obeys its
    stop. Threads must not share a source.

    A source must implement ``check``, ``hosts``, ``collections``, ``describe``, ``slices`` and ``read``. The
    other methods are optional; what a source cannot tell is unknown, never none.
    """

    Selection: ClassVar[type[SettingsModel]] = NoSettings
    Options: ClassVar[type[SettingsModel]] = NoSettings

    # The vendor's words for one collection and for several.
    collection_words: ClassVar[tuple[str, str]] = ("collection", "collections")
    # What is proposed for names that Milvus refuses.
    naming_rule: ClassVar[NamingRule] = ASK
    # The maximum number of collections in one job. None: as many as the console allows.
    max_collections: ClassVar[int | None] = None
    # How many slices one job may read from the source at the same time. None: as many as there are workers.
    most_readers: ClassVar[int | None] = None
    # True if the user can add fields that the source does not have.
    can_add_fields: ClassVar[bool] = True
    # True if the default is to create indexes and load the collection after the migration.
    indexes_by_default: ClassVar[bool] = False
    # What ``measure`` can answer. The engine answers the rest by reading the rows, if there are few
    # (``reading.measure``). An older server may answer less: then it is known after the first ``measure``.
    can_measure: frozenset[Measure] = frozenset()
    # True if a read without the vector columns takes much less time, because they are not sent. The check
    # before a migration then reads all rows without their dense vectors.
    reads_without_vectors: ClassVar[bool] = False
    # True if the source overrides ``fetch``: it finds rows by their keys without reading all rows.
    can_fetch: ClassVar[bool] = False

    @abstractmethod
    def collections(self, ctx: ReadContext) -> Iterator[CollectionInfo]:
        """Yield all collections in a stable order, with the reason for each that cannot be selected."""

    @abstractmethod
    def describe(self, ref: CollectionRef, sample: int, ctx: ReadContext) -> CollectionSchema:
        """Return fields, types, key and at most ``sample`` rows.

        Raises ``SourceChanged`` if the collection no longer exists.
        """

    @abstractmethod
    def slices(self, ref: CollectionRef, wanted: int, ctx: ReadContext) -> Iterator[Slice]:
        """Yield about ``wanted`` independent slices that together contain each row exactly once, rows that
        are written later included. An empty collection has one slice or none.

        Workers take them in this order: neighbours should be on different shards. They may be fewer, but
        never more than ``MAX_SLICES``.
        """

    @abstractmethod
    def read(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        """Yield the rows of ``part`` after the cursor ``after`` (None: all rows), in a stable order, at most
        ``plan.limit`` rows.

        Does not retry; raises ``SourceUnavailable`` if a retry after the last cursor may help, ``SourceBusy``
        if the source asks to slow down, ``CursorLost`` if the source no longer knows the cursor, and
        ``BoundsLost`` if the slices of ``ref`` must be planned again. If the iterator is closed early, the
        server stops its work.
        """

    def count(self, ref: CollectionRef, ctx: ReadContext) -> Count:
        """Return the number of rows. A source that cannot count does not override this: the count is
        unknown."""
        return Count()

    def measure(self, ref: CollectionRef, wanted: MeasureRequest, ctx: ReadContext) -> Measures:
        """Answer those of the questions that ``can_measure`` names, without sending the rows; none by
        default."""
        return Measures()

    def fetch(self, ref: CollectionRef, keys: pa.Array, plan: ReadPlan, ctx: ReadContext) -> pa.RecordBatch:
        """Return the rows with these keys, in any order, if ``can_fetch``. If ``plan.key`` has several
        columns, ``keys`` are joined keys."""
        raise SourceError(f"{self.title} cannot read rows by their keys.")

    def selection_of_dim(
        self, ref: CollectionRef, name: str, dim: int, ctx: ReadContext
    ) -> dict[str, Any] | None:
        """Return the selection of those rows of ``ref`` whose vector ``name`` has ``dim`` dimensions; None if
        the source cannot select them."""
        return None

    def has_rows(self, ref: CollectionRef, ctx: ReadContext) -> bool:
        """True if there is at least one row, even one that cannot be read. Never based on an estimate: a
        source that does not override this is asked for one sample row and, if there is none, for the first
        row of its slices."""
        schema = self.describe(ref, 1, ctx)
        if schema.sample is None or schema.sample.num_rows:
            return True
        column = next((ReadColumn(f.name, f.choices[0].spec) for f in schema.fields if f.choices), None)
        plan = ReadPlan((column,) if column else (), limit=1)
        parts = self.slices(ref, 1, ctx)
        return any(batch.rows_read for part in parts for batch in self.read(ref, part, None, plan, ctx))

    def choices(self, ref: CollectionRef, name: str, ctx: ReadContext) -> Iterator[Choice]:
        """Yield the values that the field ``name`` of the selection, a ``SourceValues``, offers for this
        collection, the most useful first. ``ref`` may hold any selection; it does not limit the values."""
        raise SourceError(f"{self.title} has no list of values for “{name}”.")


class Closable(Protocol):
    def close(self) -> None: ...
