"""What a choice of the primary key means for the rows, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from console.schema.key_choices import is_unfinished
from console.schema.table import MappingTable
from migrations_app.engine.model.key_text import joined
from migrations_app.engine.planning.type_choices import is_declared_unique

COLLAPSED = "of rows with equal keys only the last that is read stays, the others are counted as collapsed"


def key_notes(table: MappingTable) -> Iterator[str]:
    """Nothing where the source's own key is kept."""
    plan, schema = table.plan, table.schema
    if plan.is_auto_id:
        yield _new_keys(table, schema.key.columns if schema.key else ())
    elif not (is_unfinished(plan) or is_declared_unique(schema, plan.key_columns)):
        yield f"The source does not declare {' / '.join(plan.key_columns)} unique: {COLLAPSED}."
    nullable = [name for name in plan.key_columns if (found := schema.field(name)) and found.nullable]
    if nullable and plan.is_joined:
        yield f"A row in which {' or '.join(nullable)} is NULL has no key: it is rejected."
    elif nullable:
        yield f"{nullable[0]} may be NULL, and a key never is: that is counted before anything is written."


def joined_example(table: MappingTable) -> str:
    """The joined key of the first row in the sample that has one."""
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
        return "The source declares no key: Auto ID gives every row one."
    if len(columns) > 1:
        names = ", ".join(columns)
        return f"The key is made of {names}: Auto ID gives every row a new one, and these stay fields."
    kept = table.plan.keep_source_key
    what = "stay as an ordinary field" if kept else "are discarded, unless you keep them as an ordinary field"
    return f"Auto ID gives every row a new key. The old keys ({columns[0]}) {what}."
