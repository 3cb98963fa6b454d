"""Row tests in SQL: the condition for the rows that the mapping would reject or skip.

The conditions are about the values as they are delivered (``Reading.sql``), so they give the same answer as
the checks of the mapping.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from migrations_app.engine.model.row_tests import (
    DYNAMIC_TOO_LARGE,
    JSON_NOT_OBJECT,
    TYPE_MISMATCH,
    UNREADABLE,
    WRONG_DIMENSION,
    RowTest,
)
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.read.select import expand, reading_of
from migrations_app.engine.sources.postgresql.read.type_mismatches import type_mismatch
from migrations_app.engine.sources.postgresql.types import (
    TEXT,
    Reading,
    dims_of,
    may_hold_vectors,
    most_bytes,
)
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn

NEVER = sql.SQL("false")
_DOCUMENTS = frozenset({"json", "jsonb"})
# Their JSON is an object, their array a list.
_OBJECTS = frozenset({"hstore", "composite", "range", "multirange"})
_NOT_FINITE: LiteralString = "IN ('NaN'::float8, 'Infinity'::float8, '-Infinity'::float8)"


@dataclass(frozen=True, slots=True)
class _Value:
    """One column of a test and its reading. ``delivered`` is NULL for a value that cannot be delivered."""

    relation: Relation
    column: PostgresColumn
    reading: Reading

    @property
    def delivered(self) -> LiteralString:
        if self.reading.unreadable is None:
            return self.reading.sql
        return f"CASE WHEN {self.reading.unreadable.condition} THEN NULL ELSE {self.reading.sql} END"

    @property
    def is_array(self) -> bool:
        return self.column.family.endswith("[]")

    def where(self, condition: LiteralString) -> sql.Composed:
        return expand(condition, self.column)


def utf8_bytes(text: LiteralString) -> LiteralString:
    """The SQL for the size of a text in UTF-8. A SQL_ASCII database sends its bytes unchanged."""
    return (
        "CASE WHEN getdatabaseencoding() IN ('UTF8', 'SQL_ASCII') THEN octet_length(" + text + ")"
        " ELSE octet_length(convert_to(" + text + ", 'UTF8')) END"
    )


def condition_of(relation: Relation, test: RowTest) -> sql.Composable | None:
    """Return the condition for the rows that meet ``test``; None if PostgreSQL cannot tell.

    Raises ``SourceChanged`` if a column cannot be read as the wanted type.
    """
    values = [_Value(relation, relation.column(c.path), reading_of(relation, c)) for c in test.columns]
    if test.code == DYNAMIC_TOO_LARGE:
        return _dynamic_too_large(relation, values, test)
    if test.path:
        return _of_document_key(values[0], test)
    if len(values) > 1:
        return _joined_too_long(values, test) if test.code == "too_long" else None
    (value,) = values
    build = _CONDITIONS.get(test.code)
    return build(value, test) if build else None


def _null(value: _Value, test: RowTest) -> sql.Composable:
    # A composite value whose parts are all NULL “IS NULL”, but it is a value.
    return NEVER if value.column.not_null else value.where("{c} IS NOT DISTINCT FROM NULL")


def _unreadable(value: _Value, test: RowTest) -> sql.Composable:
    unreadable = value.reading.unreadable
    return NEVER if unreadable is None else value.where(unreadable.condition)


def _wrong_dimension(value: _Value, test: RowTest) -> sql.Composable | None:
    if may_hold_vectors(value.column):
        return _not_numbers(value, test)
    if value.column.typmod == test.limit:
        return NEVER
    function = sql.Identifier(value.relation.pgvector_schema or "public", "vector_dims")
    name = sql.Identifier("t", value.column.name)
    dims = sql.SQL(dims_of(value.column)).format(c=name, vector_dims=function)
    return sql.SQL("{} <> {}").format(dims, sql.Literal(test.limit))


def _not_numbers(value: _Value, test: RowTest) -> sql.Composable | None:
    """The condition for values that are not lists of as many numbers as the vector has."""
    dim = f"{test.limit or 0:d}"
    if value.is_array:
        items = value.delivered
        return value.where(f"cardinality({items}) <> {dim} OR array_position({items}, NULL) IS NOT NULL")
    if value.column.family != "jsonb":
        return None
    return value.where(
        "CASE WHEN {c} IS NULL THEN false WHEN jsonb_typeof({c}) <> 'array' THEN true"
        f" ELSE jsonb_array_length({{c}}) <> {dim}"
        " OR jsonb_path_exists({c}, 'strict $[*] ? (@.type() <> \"number\")') END"
    )


def _too_long(value: _Value, test: RowTest) -> sql.Composable:
    most, limit = most_bytes(value.column), test.limit or 0
    if most is not None and most <= limit:
        return NEVER
    return value.where(f"{value.reading.bytes or utf8_bytes(_text(value))} > {limit:d}")


def _too_large(value: _Value, test: RowTest) -> sql.Composable:
    return value.where(f"{utf8_bytes(_text(value))} > {test.limit or 0:d}")


def _text(value: _Value) -> LiteralString:
    return "(" + value.delivered + ")::text"


def _not_object(value: _Value, test: RowTest) -> sql.Composable | None:
    return _kind_is(value, "NOT IN ('object', 'array', 'null')", else_never=True)


def _list(value: _Value, test: RowTest) -> sql.Composable | None:
    if value.is_array:
        return value.where("{c} IS NOT NULL")
    return _kind_is(value, "= 'array'", else_never=True)


def _json_null(value: _Value, test: RowTest) -> sql.Composable | None:
    return _kind_is(value, "= 'null'", else_never=True)


def _opened_not_object(value: _Value, test: RowTest) -> sql.Composable | None:
    return _kind_is(value, "NOT IN ('object', 'null')", else_never=value.column.family in _OBJECTS)


def _kind_is(value: _Value, condition: LiteralString, *, else_never: bool) -> sql.Composable | None:
    family = value.column.family
    if family in _DOCUMENTS:
        return value.where(f"{family}_typeof({{c}}) {condition}")
    return NEVER if else_never else None


def _too_many_items(value: _Value, test: RowTest) -> sql.Composable:
    return value.where(f"cardinality({value.delivered}) > {test.limit or 0:d}")


def _null_item(value: _Value, test: RowTest) -> sql.Composable:
    return value.where(f"array_position({value.delivered}, NULL) IS NOT NULL")


def _item_too_long(value: _Value, test: RowTest) -> sql.Composable:
    size = utf8_bytes("e::text")
    return value.where(f"EXISTS (SELECT FROM unnest({value.delivered}) e WHERE {size} > {test.limit or 0:d})")


# 32-bit floats have no larger number: what is nearer to the next power of two becomes infinity.
_MOST: LiteralString = "3.4028235677973366e38"


def _vector_not_finite(value: _Value) -> sql.Composable | None:
    if not may_hold_vectors(value.column):
        return NEVER  # pgvector takes only finite numbers
    if value.is_array:
        is_bad: LiteralString = f"e {_NOT_FINITE} OR abs(e) >= {_MOST}"
        return value.where(f"EXISTS (SELECT FROM unnest(({value.delivered})::float8[]) e WHERE {is_bad})")
    if value.column.family != "jsonb":
        return None
    numbers = f'@.type() == "number" && (@ >= {_MOST} || @ <= -{_MOST})'
    return value.where(f"jsonb_path_exists({{c}}, 'strict $[*] ? ({numbers})', '{{{{}}}}', true)")


def _not_finite(value: _Value, test: RowTest) -> sql.Composable | None:
    if value.reading.type.is_vector:
        return _vector_not_finite(value)
    return value.where(f"({value.delivered})::float8 {_NOT_FINITE}")


def _negative(value: _Value, test: RowTest) -> sql.Composable:
    return value.where(TEXT + " LIKE '%:-%'")


def _empty_sparse(value: _Value, test: RowTest) -> sql.Composable:
    return value.where(TEXT + " LIKE '{{}}/%'")


_CONDITIONS: dict[str, Callable[[_Value, RowTest], sql.Composable | None]] = {
    "null": _null,
    "null_key": _null,
    "null_vector": _null,
    UNREADABLE: _unreadable,
    WRONG_DIMENSION: _wrong_dimension,
    "too_long": _too_long,
    "json_too_large": _too_large,
    "json_not_object": _not_object,
    "json_list": _list,
    "json_null": _json_null,
    "opened_not_object": _opened_not_object,
    "too_many_items": _too_many_items,
    "null_item": _null_item,
    "item_too_long": _item_too_long,
    "not_finite": _not_finite,
    "negative_value": _negative,
    "empty_sparse_vector": _empty_sparse,
}


def _joined_too_long(values: list[_Value], test: RowTest) -> sql.Composable:
    """The size of the parts with their escapes, and a separator between them (``model.joined_key_text``)."""
    sizes = [
        value.where(utf8_bytes("replace(replace((" + value.delivered + ")::text, '%', '%25'), '/', '%2F')"))
        for value in values[:-1]
    ]
    sizes.append(values[-1].where(utf8_bytes(_text(values[-1]))))
    total = sql.SQL(" + ").join(sizes)
    return sql.SQL("{} + {} > {}").format(total, sql.Literal(len(values) - 1), sql.Literal(test.limit or 0))


# What is not a text and not blank. A text with its quotes is kept as it is.
_BLANKS: LiteralString = """'("(?:[^"\\\\]|\\\\.)*")|\\s+', '\\1', 'g'"""


def _dynamic_too_large(relation: Relation, values: list[_Value], test: RowTest) -> sql.Composable | None:
    """The size of all values as JSON. Documents are measured as PostgreSQL writes them, and exactly, without
    blanks, only if that is too large."""
    sizes = [value.where(f"COALESCE({_json_bytes(value)}, 4)") for value in values]
    documents = []
    for read, paths in test.opened:
        column = relation.column(read.path)
        if column.family != "jsonb":
            return None
        rest = sql.SQL("{}").format(sql.Identifier("t", column.name))
        for path in paths:
            rest = sql.SQL("({} #- ARRAY[{}]::text[])").format(
                rest, sql.SQL(", ").join(map(sql.Literal, path))
            )
        # An object loses its braces.
        documents.append(sql.SQL("CASE jsonb_typeof({0}) WHEN 'object' THEN ({0})::text END").format(rest))
    as_written = [sql.SQL("COALESCE(octet_length({}), 0)").format(text) for text in documents]
    compact = [
        sql.SQL("COALESCE(octet_length(regexp_replace({}, " + _BLANKS + ")), 0)").format(text)
        for text in documents
    ]
    limit = sql.Literal(test.limit)
    conditions = [
        sql.SQL("{} > {}").format(sql.SQL(" + ").join([*sizes, *measured]), limit)
        for measured in (as_written, compact)
    ]
    return sql.SQL(" AND ").join(conditions) if documents else conditions[0]


def _json_bytes(value: _Value) -> LiteralString:
    if value.reading.type is MilvusType.JSON:
        return utf8_bytes(_text(value))
    return utf8_bytes("to_json(" + value.delivered + ")::text")


def _of_document_key(value: _Value, test: RowTest) -> sql.Composable | None:
    family = value.column.family
    if family not in _DOCUMENTS or value.reading.type is not MilvusType.JSON:
        return None
    column = sql.Identifier("t", value.column.name)
    path = sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(map(sql.Literal, test.path)))
    part = sql.SQL("({} #> {})").format(column, path)
    kind = sql.SQL(f"{family}_typeof({{}})").format(part)
    if test.code in ("null", "null_key"):
        return sql.SQL("COALESCE({}, 'null') = 'null'").format(kind)
    size = sql.SQL(utf8_bytes("({c} #>> {p})")).format(c=column, p=path)
    too_long = sql.SQL("{} = 'string' AND {} > {}")
    if test.code == "too_long":
        return too_long.format(kind, size, sql.Literal(test.limit or 0))
    if test.code not in (TYPE_MISMATCH, JSON_NOT_OBJECT) or test.spec is None:
        return None
    condition = type_mismatch(part, family, test.spec)
    if condition is not None and test.spec.type is MilvusType.VARCHAR and test.spec.max_length:
        longer = too_long.format(kind, size, sql.Literal(test.spec.max_length))
        return sql.SQL("{} OR {}").format(condition, longer)
    return condition
