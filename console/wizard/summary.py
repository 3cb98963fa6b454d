"""Summary of the plan in the last step: sentences for the plan, and a line for each collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.draft import contents
from console.draft.preflight_cache import CachedPreflight
from console.format import rows as number_of_rows
from console.model_forms.form import summary as model_summary
from console.schema.page.context import url as schema_url
from console.schema.page.preview import bytes_per_row
from console.schema.page.row_counts import rows_of
from console.schema.table import MappingTable
from migrations_app.engine.log import counted
from migrations_app.engine.model.plan import FieldPlan, Options
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.index_defaults import copied_outputs
from migrations_app.engine.preflight.scans.existing import ExistingRows
from migrations_app.engine.sources.registry import source_class
from migrations_app.models import Draft


def summary(draft: Draft, rows: list[dict[str, Any]], options: Options, replaced: list[str]) -> str:
    """Return sentences that say what *Migrate* does. ``replaced`` are the collections that are dropped
    first."""
    route, counts = contents.route(draft), [row["rows"] for row in rows]
    is_exact = all(row["rows_exact"] for row in rows)
    moved = "All rows" if None in counts else f"{number_of_rows(sum(counts), is_exact)} rows"
    if options.limit_rows is not None:
        moved = f"Only the first {counted(options.limit_rows, 'row')}"
    places = counted(len(rows), *source_class(draft.kind).collection_words)
    each = "each of " if options.limit_rows is not None and len(rows) > 1 else ""
    sentences = [
        f"{moved[:1].upper()}{moved[1:]} of {each}{places} are copied from {route.source_name} into "
        f"{_into(rows)} in “{route.database}” of {route.target_name}."
    ]
    if options.limit_rows is not None:
        into = f"“{rows[0]['target_name']}”" if len(rows) == 1 else "collections with names of their own"
        sentences.append(f"This is a trial: the rows go into {into}, and the names of the plan stay free.")
    if replaced:
        sentences.append(f"{' and '.join(replaced)} {'is' if len(replaced) == 1 else 'are'} dropped first.")
    if options.source_rows_per_second is not None:
        are = "is" if options.source_rows_per_second == 1 else "are"
        sentences.append(f"At most {counted(options.source_rows_per_second, 'row')} {are} read per second.")
    return " ".join([*sentences, f"{route.source_name} is only read."])


def _into(rows: list[dict[str, Any]]) -> str:
    added = sum(row["is_added_to"] for row in rows)
    new = len(rows) - added
    parts = [counted(new, "new collection")] if new else []
    return " and ".join([*parts, counted(added, "existing collection")] if added else parts)


def line(
    draft: Draft, table: MappingTable, place: int, preflight: CachedPreflight | None, limit: int | None
) -> dict[str, Any]:
    """Return the line of one collection: its source, target, rows, size, key, fields and notes."""
    plan = table.plan
    rows = rows_of(draft, table, preflight).first(limit)
    per_row = bytes_per_row(table)
    fixed = [field for field in plan.fields or () if not field.dynamic]
    outputs = copied_outputs(plan, table.copied)
    # A trial goes into a collection of its own.
    existing = (preflight.held or {}).get(plan.source) if preflight and limit is None else None
    discards = plan.is_auto_id and table.schema.key is not None and not plan.keep_source_key
    return {
        "source_name": plan.source,
        "target_name": plan.target,
        "rows": rows.number,
        "rows_exact": rows.is_exact,
        "size_bytes": round(rows.number * per_row) if rows.number is not None and per_row else None,
        "key_text": _key_text(table),
        "key_warning": "old keys discarded" if discards and len(table.schema.key.columns) == 1 else "",
        "fields": len(fixed) + plan.makes_key + len(plan.full_text) + len(outputs),
        "vectors": _vectors(fixed) + len(plan.full_text) + len(outputs),
        "notes": [*_existing(table, existing), *_notes(draft, table)],
        "is_added_to": plan.if_exists == "append" and existing is not None,
        "url": schema_url(draft, place),
    }


def _vectors(fields: list[FieldPlan]) -> int:
    return sum(MilvusType(field.type).is_vector for field in fields if field.type in set(MilvusType))


def _existing(table: MappingTable, existing: ExistingRows | None) -> Iterator[str]:
    """A note about the rows that already exist in the target."""
    if existing is not None:
        number = number_of_rows(existing.rows, existing.is_exact)
        action = "added to" if table.plan.if_exists == "append" else "replaces"
        yield f"{action} {number} existing {'row' if existing.rows == 1 else 'rows'}"


def _notes(draft: Draft, table: MappingTable) -> Iterator[str]:
    """Short notes about the settings that differ from the defaults."""
    plan = table.plan
    fields = plan.fields or []
    source = source_class(draft.kind)
    yield from model_summary(source.Selection, plan.select)
    yield from model_summary(source.Options, plan.source_options)
    if table.copied is not None:
        yield "exact copy of the schema"
    if plan.partition_key:
        yield f"partition key {plan.partition_key}"
    if plan.partition_by is not None:
        yield f"one partition per value of {plan.partition_by}"
    if plan.source_partitions:
        yield f"keeps {counted(len(plan.source_partitions), 'partition')} of the source"
    for searched in plan.full_text:
        yield f"full-text search on {searched.field}"
    for name in table.opened:
        yield f"{name} opened: {_opened_words(table, name)}"
    if added := [field.target or "" for field in fields if field.added]:
        yield f"added: {', '.join(added)}"
    if cut := [field.target or "" for field in fields if field.too_long == "truncate"]:
        yield f"long text is truncated in {', '.join(cut)}"


def _opened_words(table: MappingTable, name: str) -> str:
    """Return a text that says where the keys of an opened column go."""
    sources = [table.schema.field(f.source or "") for f in table.plan.fields or () if not f.dynamic]
    fixed = sum(source is not None and source.opened_from == name for source in sources)
    rest = "go into the dynamic field" if table.plan.rest == "dynamic" else "are left out"
    keys = f"{counted(fixed, 'key')} as {'a field' if fixed == 1 else 'fields'}"
    return f"{keys}, the others {rest}" if fixed else f"its keys {rest}"


def _key_text(table: MappingTable) -> str:
    plan = table.plan
    if plan.is_auto_id:
        return "Auto ID"
    if plan.is_joined:
        return f"{plan.key_name} (VARCHAR), joined from {' / '.join(plan.key_columns)}"
    fields = [f for f in plan.fields or () if plan.is_kept_key(f.source)]
    return ", ".join(f"{field.target} ({field.type})" for field in fields)
