"""Type choices: the target type and the parameters that are proposed for a source field."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.log import counted
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, TypeChoice
from migrations_app.engine.model.types import INTEGER_TYPES, KEY_TYPES, MilvusType, TypeSpec


def left_out(schema: CollectionSchema, capabilities: Capabilities, generated: int = 0) -> dict[str, str]:
    """Return the source fields that are not proposed, each with the reason. ``generated``: the number of
    vector fields that the target fills itself."""
    reasons: dict[str, str] = {}
    vectors = generated
    for field in schema.fields:
        if field.opened_from:
            continue
        choice = choice_of(field, capabilities)
        if choice is None:
            reasons[field.name] = field.left_out or _no_type(field, capabilities)
        elif not choice.is_proposed:
            reasons[field.name] = field.left_out or choice.note or "it is moved only if you choose it"
        elif choice.spec.type.is_vector:
            vectors += 1
            if vectors > capabilities.max_vector_fields:
                most = counted(capabilities.max_vector_fields, "vector field")
                reasons[field.name] = f"{capabilities.limited_by} allows {most}"
    return reasons


def choice_of(
    field: SourceField,
    capabilities: Capabilities,
    type_: str | None = None,
    element_type: str | None = None,
    encoding: str | None = None,
) -> TypeChoice | None:
    """Return the choice with the given type, or without a type the first proposed one that the target has (if
    there is none, the first other one). None if there is no such choice."""
    for choice in sorted(field.choices, key=lambda choice: not choice.is_proposed):
        spec = choice.spec
        has_type = spec.type in capabilities.types if type_ is None else spec.type == type_
        has_encoding = encoding is None or choice.encoding in ("", encoding)
        if has_type and has_encoding and element_type in (None, spec.element_type):
            return choice
    return None


def key_choices(field: SourceField, capabilities: Capabilities) -> tuple[TypeChoice, ...]:
    """Return the types that ``field`` can have as a key, the default first: INT64, VARCHAR or both. Smaller
    integers become INT64. Empty if it cannot be a key."""
    if not field.can_be_key:
        return ()
    choices = tuple(
        choice
        for choice in field.choices
        if choice.spec.type in KEY_TYPES and choice.spec.type in capabilities.types and choice.is_distinct
    )
    if choices or not any(choice.spec.type in INTEGER_TYPES for choice in field.choices):
        return choices
    return (TypeChoice(TypeSpec(MilvusType.INT64)),)


def can_be_part(field: SourceField) -> bool:
    """True if ``field`` may be part of a joined key, because the source can deliver it as exact text."""
    is_text = any(choice.spec.type is MilvusType.VARCHAR for choice in field.choices)
    return (is_text or (field.can_be_key and bool(field.choices))) and not field.opened_from


def key_fields(schema: CollectionSchema, capabilities: Capabilities) -> tuple[SourceField, ...]:
    """Return the fields that may be the key alone. NULLs in them are counted before the move."""
    return tuple(field for field in schema.fields if key_choices(field, capabilities))


def part_fields(schema: CollectionSchema, capabilities: Capabilities) -> tuple[SourceField, ...]:
    """Return the fields that may be joined into a key, two or more in any order. Empty if the target has no
    VARCHAR."""
    if MilvusType.VARCHAR not in capabilities.types:
        return ()
    return tuple(field for field in schema.fields if can_be_part(field))


def joined_key(schema: CollectionSchema, capabilities: Capabilities) -> tuple[str, ...]:
    """Return the columns of the source's own key if the source wants them joined and they can be; else an
    empty tuple."""
    key = schema.key
    if key is None or not key.is_joined or len(key.columns) < 2:
        return ()
    parts = {field.name for field in part_fields(schema, capabilities)}
    return key.columns if parts.issuperset(key.columns) else ()


def is_declared_unique(schema: CollectionSchema, columns: Iterable[str]) -> bool:
    """True if the source guarantees that no two rows have the same values in all of ``columns``."""
    own = (schema.key.columns,) if schema.key and schema.key.unique else ()
    chosen = set(columns)
    return any(chosen.issuperset(unique) for unique in (*own, *schema.unique))


def why_auto_id(schema: CollectionSchema, capabilities: Capabilities) -> str:
    """Return a sentence if Auto ID is proposed only because the source does not declare its key unique; else
    an empty text."""
    key = schema.key
    field = schema.field(key.columns[0]) if key and not key.unique and len(key.columns) == 1 else None
    if field is None or not key_choices(field, capabilities):
        return ""
    return (
        f"“{field.name}” is not declared unique, so Auto ID is proposed: choose “{field.name}” as the key to "
        "keep it."
    )


def sampled_dim(sample: pa.RecordBatch | None, name: str) -> int | None:
    """Return the most frequent dimension in the sample, for a dense vector field without a declared one."""
    if sample is None or name not in sample.schema.names:
        return None
    column = sample.column(name)
    if not pa.types.is_list(column.type) or pa.types.is_struct(column.type.value_type):
        return None
    modes = pc.mode(pc.list_value_length(column.drop_null()))
    return modes[0]["mode"].as_py() if len(modes) else None


def lists_in_sample(sample: pa.RecordBatch | None, field: SourceField) -> tuple[int, int]:
    """Return how many of the sampled JSON values are lists, and how many values there are. An array that
    becomes JSON is always a list."""
    if sample is None or field.name not in sample.schema.names:
        return 0, 0
    values = sample.column(field.name).drop_null()
    if pa.types.is_list(values.type):
        return len(values), len(values)
    if not pa.types.is_string(values.type) or field.choices[0].spec.type is not MilvusType.JSON:
        return 0, 0
    is_list = pc.match_substring_regex(values, r"^\s*\[")
    return pc.sum(is_list).as_py() or 0, len(values)


def _no_type(field: SourceField, capabilities: Capabilities) -> str:
    if not field.choices:
        return f"Milvus has no type for {field.native_type}"
    wanted = field.choices[0].spec.type.value
    return f"{wanted} {capabilities.missing(wanted)}"
