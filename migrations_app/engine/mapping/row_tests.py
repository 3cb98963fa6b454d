"""Row tests of a mapping: the reasons for which it would reject or skip a row, as questions to a source.

A source answers them for all rows without sending the rows. They follow the rules of the mapped columns; what
only a look at each value can tell (the numbers inside a JSON document, for example) has no test here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrations_app.engine.mapping.apply import Mapping
from migrations_app.engine.mapping.checks.server_checks import ServerChecks
from migrations_app.engine.mapping.columns import DynamicKeyColumn, FixedColumn
from migrations_app.engine.mapping.joined_key import JoinedKey
from migrations_app.engine.mapping.json_column import FixedKey, OpenedColumn
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.json.documents import to_json
from migrations_app.engine.model.limits import MAX_JSON_BYTES
from migrations_app.engine.model.row_tests import (
    DYNAMIC_TOO_LARGE,
    JSON_NOT_OBJECT,
    NULL_VECTOR,
    TYPE_MISMATCH,
    UNREADABLE,
    WRONG_DIMENSION,
    RowTest,
)
from migrations_app.engine.model.target_schema import META, TargetField
from migrations_app.engine.model.types import MilvusType, TypeSpec

T = MilvusType


def row_tests(mapping: Mapping) -> tuple[RowTest, ...]:
    """Return the tests of all columns of a mapping."""
    return tuple(dict.fromkeys(_tests(mapping)))


def _tests(mapping: Mapping) -> Iterator[RowTest]:
    for read in mapping.read_plan.columns:
        yield RowTest(UNREADABLE, read.path, (read,))
        if read.spec.dim is not None:
            yield RowTest(WRONG_DIMENSION, read.path, (read,), read.spec.dim)
    for column in mapping.columns:
        if isinstance(column, FixedColumn):
            yield from _of_field(column, mapping.server)
        elif isinstance(column, JoinedKey):
            yield from _of_joined_key(column)
        elif isinstance(column, DynamicKeyColumn) and column.read.spec.type in (T.FLOAT, T.DOUBLE):
            yield RowTest("not_finite", column.key, (column.read,))
        elif isinstance(column, OpenedColumn):
            yield RowTest("opened_not_object", column.name, (column.read,))
            for key in column.fixed:
                yield from _of_document_key(column.read, key)
    if mapping.target.dynamic:
        yield from _of_dynamic_field(mapping)


def _of_field(column: FixedColumn, server: ServerChecks) -> Iterator[RowTest]:
    reads, name, target = column.reads, column.name, column.target
    if column.skips_null:
        yield RowTest(_null_code(target), name, reads, is_skipped=True)
    elif column.fill is None and (column.rejects_null or not target.nullable):
        yield RowTest(_null_code(target), name, reads)
    yield from _of_values(target, name, reads, truncates=column.truncates)
    yield from _of_server(target, name, reads, server)


def _of_values(
    target: TargetField, name: str, reads: tuple[ReadColumn, ...], *, truncates: bool
) -> Iterator[RowTest]:
    spec = target.spec
    if spec.type is T.VARCHAR and not truncates:
        yield RowTest("too_long", name, reads, spec.max_length)
    elif spec.type is T.JSON:
        yield RowTest("json_too_large", name, reads, MAX_JSON_BYTES)
        yield RowTest(JSON_NOT_OBJECT, name, reads)
    elif spec.type is T.ARRAY:
        yield from _of_array(spec, name, reads, truncates=truncates)
    elif spec.type is T.SPARSE_FLOAT_VECTOR:
        yield RowTest("negative_value", name, reads)


def _of_array(
    spec: TypeSpec, name: str, reads: tuple[ReadColumn, ...], *, truncates: bool
) -> Iterator[RowTest]:
    yield RowTest("too_many_items", name, reads, spec.max_capacity)
    yield RowTest("null_item", name, reads)
    if spec.element_type is T.VARCHAR and not truncates:
        yield RowTest("item_too_long", name, reads, spec.max_length)


def _of_server(
    target: TargetField, name: str, reads: tuple[ReadColumn, ...], server: ServerChecks
) -> Iterator[RowTest]:
    kind = target.spec.type
    is_number = kind in (T.FLOAT, T.DOUBLE)
    if (is_number and not server.keeps_not_finite) or kind is T.FLOAT_VECTOR:
        yield RowTest("not_finite", name, reads)
    elif kind is T.SPARSE_FLOAT_VECTOR and not server.empty_sparse:
        yield RowTest("empty_sparse_vector", name, reads)
    elif kind is T.JSON and server.json_objects_only:
        yield RowTest("json_list", name, reads)
    elif kind is T.JSON and not (server.json_null or target.nullable):
        yield RowTest("json_null", name, reads)


def _of_joined_key(key: JoinedKey) -> Iterator[RowTest]:
    for read in key.reads:
        yield RowTest("null_key", read.path, (read,))
    yield RowTest("too_long", key.name, key.reads, key.target.spec.max_length)


def _of_document_key(read: ReadColumn, key: FixedKey) -> Iterator[RowTest]:
    target, spec = key.target, key.target.spec
    if key.fill is None and not target.nullable:
        yield RowTest(_null_code(target), key.path, (read,), path=key.parts)
    if key.keeps_mismatches:
        kept = replace(spec, max_length=None) if key.truncates else spec
        yield RowTest(TYPE_MISMATCH, key.path, (read,), path=key.parts, spec=kept, is_kept=True)
        return
    code = JSON_NOT_OBJECT if spec.type is T.JSON else TYPE_MISMATCH
    yield RowTest(code, key.path, (read,), path=key.parts, spec=replace(spec, max_length=None))
    if spec.type is T.VARCHAR and not key.truncates:
        yield RowTest("too_long", key.path, (read,), spec.max_length, key.parts)


def _of_dynamic_field(mapping: Mapping) -> Iterator[RowTest]:
    """The size of the dynamic field: the values and, as a part of the limit, the names of its keys."""
    single = [column for column in mapping.columns if isinstance(column, DynamicKeyColumn)]
    opened = [column for column in mapping.columns if isinstance(column, OpenedColumn) and column.keeps_rest]
    if not single and not opened:
        return
    names = sum(len(to_json({column.key: None})) - len(b"{null}") + 1 for column in single)
    yield RowTest(
        DYNAMIC_TOO_LARGE,
        META,
        tuple(column.read for column in single),
        MAX_JSON_BYTES - names,
        # Moved keys stay in the dynamic field, under another name.
        opened=tuple((column.read, tuple(key.parts for key in column.fixed)) for column in opened),
    )


def _null_code(target: TargetField) -> str:
    return "null_key" if target.is_key else NULL_VECTOR if target.spec.type.is_vector else "null"
