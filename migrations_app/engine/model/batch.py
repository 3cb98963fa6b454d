"""Batch: the rows that move from a source through the mapping to the target, and the plan of a read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from migrations_app.engine.model.types import TypeSpec, arrow_type

Cursor = Any
"""The position of a read: any JSON value. Only the source that created it understands it."""


@dataclass(frozen=True, slots=True)
class CollectionRef:
    """A collection of a source: its name as the wizard lists it, the selection within it, and the source's
    own options for it."""

    name: str
    selection: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slice:
    """An independent part of one collection. ``bounds`` is a JSON value, stored and never computed again.

    ``partition``: the partition of the source that all its rows are in, if the collection is divided.
    ``resumable`` is False if the source cannot give a cursor: such a slice starts again from its first row.
    """

    id: str
    bounds: Any = None
    rows_estimate: int | None = None
    partition: str | None = None
    resumable: bool = True


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A column or path to read, and the wanted type. Its values arrive as ``types.arrow_type(spec)``.

    ``encoding`` is the wanted text form of raw bytes (``TypeChoice.encoding``); empty: the first one.
    """

    path: str
    spec: TypeSpec
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The columns that a read delivers, in this order, in batches of about ``batch_bytes`` (bytes of Arrow
    buffers).

    ``key`` are the source columns whose values name a row in reports (``columns`` contains them). ``limit``
    is the maximum number of rows, rejected rows included: the first ones in the order of the read.
    """

    columns: tuple[ReadColumn, ...]
    key: tuple[str, ...] = ()
    batch_bytes: int = 6 * 1024 * 1024
    limit: int | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns with their Arrow types."""
        return pa.schema([(column.path, arrow_type(column.spec)) for column in self.columns])


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be moved: its key (or file and row), the reason, and the row as JSON text."""

    locator: str
    field: str
    code: str
    reason: str
    row: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a slice, in its stable order, and the cursor after them.

    ``locators`` (``string``, one per row) name the rows in reports: each is different and always the same for
    its row. The usual one is the key (``ReadPlan.key``), or the file and the line if there is no key.
    ``rejected`` are rows of this batch that the source could not read; ``rows`` does not contain them.
    """

    rows: pa.RecordBatch
    after: Cursor
    locators: pa.Array
    rejected: tuple[Rejected, ...] = ()

    @property
    def rows_read(self) -> int:
        return int(self.rows.num_rows) + len(self.rejected)

    @property
    def size_bytes(self) -> int:
        return int(self.rows.nbytes)
