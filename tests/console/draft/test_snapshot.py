"""Snapshot: what a draft stores of a source schema comes back unchanged, whatever its dataclasses contain."""

import dataclasses
import json
import typing
from collections.abc import Mapping
from enum import Enum
from types import NoneType, UnionType

import pyarrow as pa

from console.draft.snapshot import schema_from_json, schema_to_json
from migrations_app.engine.model.source_schema import CollectionSchema

SAMPLE = pa.record_batch({"id": pa.array([1, 2], pa.int64()), "title": pa.array(["a", None], pa.string())})
# A value of each simple type that differs from every default.
VALUES = {str: "text", int: 7, float: 0.5, bool: True, bytes: b"\x00\xff", pa.RecordBatch: SAMPLE}


def filled(kind: typing.Any, *, not_equal_to: typing.Any = None) -> typing.Any:
    """Return a value of this type in which every field of every dataclass differs from its default."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return filled(parts[0], not_equal_to=not_equal_to)
    if origin in (typing.Union, UnionType):
        return filled(next(part for part in parts if part is not NoneType), not_equal_to=not_equal_to)
    if origin is tuple:
        return tuple(filled(part) for part in parts if part is not ...)
    if origin in (dict, Mapping):
        return {filled(parts[0]): filled(parts[1])}
    if origin is typing.Literal:
        return next(part for part in parts if part != not_equal_to)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = dataclasses.fields(kind)
        return kind(**{f.name: filled(hints[f.name], not_equal_to=f.default) for f in fields})
    if kind is typing.Any:
        return "any"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(member for member in kind if member != not_equal_to)
    return not not_equal_to if kind is bool else VALUES[kind]


def test_every_field_of_a_schema_survives_the_draft() -> None:
    """A field that is added later to ``CollectionSchema``, or to a dataclass in it, is stored too."""
    schema = filled(CollectionSchema)
    for field in dataclasses.fields(schema):
        assert field.default is dataclasses.MISSING or getattr(schema, field.name) != field.default

    again = schema_from_json(json.loads(json.dumps(schema_to_json(schema))))

    assert again is not None
    assert again == schema
    assert again.exact is not None
    assert again.exact.message == schema.exact.message


def test_a_schema_in_another_format_is_described_again() -> None:
    assert schema_from_json({"name": 7}) is None
    assert schema_from_json(None) is None
