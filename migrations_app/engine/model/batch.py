"""What travels between a source, the mapping and the target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from migrations_app.engine.model.types import TypeSpec

Cursor = Any
"""Where a read stands: any JSON value, meaningful only to the source that made it."""


@dataclass(frozen=True, slots=True)
class CollectionRef:
    """A collection of a source: its name as the wizard lists it, and the selection within it."""

    name: str
    selection: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slice:
    """An independent part of one collection. ``bounds`` is a JSON value, stored and never computed again.

    ``resumable`` is False where no cursor can be given: such a slice starts over.
    """

    id: str
    bounds: Any = None
    rows_estimate: int | None = None
    partition: str | None = None
    resumable: bool = True


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A column or path to read and the type wanted; it arrives as ``schema.arrow_type(spec)``."""

    path: str
    spec: TypeSpec


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a read delivers: ``columns`` in this order, batches of about ``batch_bytes``.

    ``key`` are the source columns whose values name a row in reports (they are among ``columns``).
    ``limit``: no more than so many rows, the first in the order of the read; rejected ones count.
    """

    columns: tuple[ReadColumn, ...]
    key: tuple[str, ...] = ()
    batch_bytes: int = 6 * 1024 * 1024
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be moved: where it is (key, or file and row), why, and the row as JSON text."""

    locator: str
    field: str
    code: str
    reason: str
    row: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a slice, in its stable order, and the cursor after them.

    ``locators`` (``string``, one a row) name the rows in reports. ``rejected`` are rows of this
    stretch that the source itself could not read; they are not in ``rows``.
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
