"""Key notes: sentences that explain what the chosen primary key means for the rows."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from console.schema.key_choices import is_unfinished
from console.schema.table import MappingTable
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.joined_key_text import joined
from migrations_app.engine.planning.type_choices import is_declared_unique, why_auto_id

COLLAPSED = "only the last row read of each key stays, the others are counted as collapsed"


def key_notes(table: MappingTable, capabilities: Capabilities) -> Iterator[str]:
    """The notes about the chosen key; none if the source's own key is kept."""
    plan, schema = table.plan, table.schema
    if plan.is_auto_id and table.copied is not None:
        yield "The collection uses Auto ID: the target makes a new key for each row. Old keys are not copied."
    elif plan.is_auto_id:
        if table.existing is None:
            yield from filter(None, (why_auto_id(schema, capabilities),))
        yield _new_keys(table, schema.key.columns if schema.key else ())
    elif not (is_unfinished(plan) or is_declared_unique(schema, plan.key_columns)):
        yield f"The source does not declare {' / '.join(plan.key_columns)} as unique: {COLLAPSED}."
    nullable = [name for name in plan.key_columns if (field := schema.field(name)) and field.nullable]
    if nullable and plan.is_joined:
        yield f"Rows in which {' or '.join(nullable)} is NULL are rejected, because they have no key."
    elif nullable:
        yield f"{nullable[0]} may be NULL, but a key cannot. NULLs are counted before anything is written."


def joined_example(table: MappingTable) -> str:
    """Return the joined key of the first sample row that has one; empty if there is none."""
    sample, names = table.schema.sample, table.plan.key_columns
    if sample is None or not table.plan.is_joined or not set(names) <= set(sample.schema.names):
        return ""
    try:
        keys = joined([sample.column(name).cast(pa.string()) for name in names])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return ""
    return next((key for key in keys.to_pylist() if key is not None), "")


def _new_keys(table: MappingTable, columns: tuple[str, ...]) -> str:
    if not columns:
        return "The source declares no key. Auto ID gives each row a new key."
    if len(columns) > 1:
        names = ", ".join(columns)
        return f"Auto ID gives each row a new key. The parts of the old key ({names}) stay ordinary fields."
    is_kept = table.plan.keep_source_key
    discarded = "are discarded, unless you keep them as an ordinary field"
    old = "are kept as an ordinary field" if is_kept else discarded
    return f"Auto ID gives each row a new key. The old keys ({columns[0]}) {old}."
