"""Preview: the first rows of the sample, mapped in the same way as the job maps them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from console.draft.snapshot import PREVIEW_ROWS
from console.schema.table import MappingTable
from migrations_app.engine.log import counted
from migrations_app.engine.mapping import MappedBatch, Mapping, ServerChecks
from migrations_app.engine.mapping.sampled_rows import sampled_rows
from migrations_app.engine.model.target_schema import META, TargetField
from migrations_app.engine.model.types import INTEGER_TYPES, MilvusType

TEXT_LENGTH = 200
VECTOR_ITEMS = 2
ANY_SERVER = ServerChecks()
NUMBERS = INTEGER_TYPES | {MilvusType.FLOAT, MilvusType.DOUBLE}


@dataclass(frozen=True, slots=True)
class PreviewColumn:
    name: str
    numeric: bool = False
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview table. Each of ``rows`` holds one text per column."""

    columns: list[PreviewColumn]
    rows: list[list[str]]
    note: str = ""


def preview(table: MappingTable, server: ServerChecks = ANY_SERVER) -> Preview | None:
    """Return the preview of a mapping table that has no problems; None if there is no sample. ``server`` has
    the rules of the target."""
    sample = table.schema.sample
    if sample is None or not sample.num_rows:
        return None
    rows = sampled_rows(table.plan, table.schema, sample.slice(0, PREVIEW_ROWS), server)
    mapped = rows.mapping.apply(rows.batch)
    return _shown(rows.mapping, mapped, rows.batch.rows_read, rows.stand_ins)


def _shown(mapping: Mapping, mapped: MappedBatch, sampled: int, stand_ins: Sequence[str]) -> Preview:
    target = mapping.target
    # Fields that the target fills in are not known yet. Only the column of its new keys is shown.
    fields = [field for field in target.fields if field.auto_id or field in target.sent_fields]
    columns = [_column(field) for field in fields]
    cells = [_cells(field, mapped.rows) for field in fields]
    if target.dynamic and any(value not in (None, "{}") for value in mapped.rows.column(META).to_pylist()):
        columns.append(PreviewColumn(META, mono=True))
        cells.append([_text(value) for value in mapped.rows.column(META).to_pylist()])
    rows = [list(row) for row in zip(*cells, strict=True)]
    return Preview(columns, rows, _note(mapped, sampled, stand_ins))


def _column(field: TargetField) -> PreviewColumn:
    is_mono = field.spec.type.is_vector or field.spec.type in (MilvusType.JSON, MilvusType.ARRAY)
    return PreviewColumn(field.name, field.spec.type in NUMBERS, is_mono)


def _cells(field: TargetField, rows: pa.RecordBatch) -> list[str]:
    if field.auto_id:
        return ["new"] * rows.num_rows
    column = rows.column(field.name)
    if field.spec.type.is_vector:
        return [_vector(value) for value in column]
    return [_text(value) for value in column.to_pylist()]


def _vector(value: pa.Scalar) -> str:
    """Return the first items of a vector; the others do not help the user."""
    if not value.is_valid:
        return "null"
    if pa.types.is_fixed_size_binary(value.type):
        return value.as_py()[:4].hex() + "…"
    first = value.values.slice(0, VECTOR_ITEMS).to_pylist()
    texts = [f"{item:.3f}" if isinstance(item, float) else json.dumps(item) for item in first]
    return f"[{', '.join(texts)}{', …' if len(value.values) > VECTOR_ITEMS else ''}]"


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, float):
        text = repr(value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= TEXT_LENGTH else text[:TEXT_LENGTH] + "…"


def _note(mapped: MappedBatch, sampled: int, stand_ins: Sequence[str]) -> str:
    parts = [f"{counted(mapped.rows.num_rows, 'row')} of the sample"]
    if mapped.rejected:
        first = mapped.rejected[0]
        parts.append(f"{len(mapped.rejected)} of {sampled} would be rejected: {first.reason}")
    if mapped.skipped:
        parts.append(f"{counted(mapped.skipped, 'row')} without a vector would be skipped")
    if stand_ins:
        parts.append(f"{', '.join(stand_ins)} shown in the original type")
    return " · ".join(parts)


def bytes_per_row(table: MappingTable) -> float | None:
    """Return the approximate size of a row in the target, from the first rows of the sample; None without a
    sample."""
    sample = table.schema.sample
    if sample is None or not sample.num_rows:
        return None
    sample = sample.slice(0, PREVIEW_ROWS)
    total = sum(sample.column(name).nbytes for name in _stored(table) if name in sample.schema.names)
    return total / sample.num_rows


def _stored(table: MappingTable) -> Iterator[str]:
    """Yield each column once for every copy of its values that the target stores."""
    plan = table.plan
    whole = table.opened if plan.rest == "dynamic" else ()
    for field in plan.fields or ():
        source = table.schema.field(field.source or "")
        if source is not None and source.opened_from not in whole:
            yield source.name
            # The vector of full-text search holds a position and a weight per word: about the size of the
            # text.
            yield from [source.name] * any(words.field == field.target for words in plan.full_text)
    yield from whole
    yield from plan.key_columns if plan.is_joined else ()
