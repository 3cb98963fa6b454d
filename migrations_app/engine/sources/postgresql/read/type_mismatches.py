"""Type mismatches in SQL: the condition for JSON values that a type of Milvus cannot hold exactly.

It gives the same answer as ``model.json.values.fit``, but for some whole numbers of more than 64 bits. NULL
and the JSON value null fit every type.
"""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from migrations_app.engine.model.limits import INTEGER_BITS
from migrations_app.engine.model.types import MilvusType, TypeSpec

T = MilvusType
_KINDS: dict[MilvusType, LiteralString] = {T.VARCHAR: "string", T.BOOL: "boolean"}
# A larger number becomes infinity as a double.
_DOUBLE_END: LiteralString = "1.797693134862315807e308"
# Whole numbers that a double would round. One of up to 63 bits is converted to a double and back; one of 64
# bits is exact if its last 11 bits are 0. Or the shortest text of the double is the number that was written.
# Of larger ones, some that a double holds are counted as well (2^64).
_ROUNDED: LiteralString = (
    "{text} !~ '[.eE]' AND {number}::float8::text::numeric <> {number} AND CASE"
    " WHEN abs({number}) <= 9223372036854774784 THEN {number}::float8::int8 <> {number}"
    " WHEN abs({number}) < 18446744073709551616 THEN mod({number}, 2048) <> 0 ELSE true END"
)


def type_mismatch(value: sql.Composable, family: str, spec: TypeSpec) -> sql.Composable | None:
    """Return the condition for ``value``, an expression of the type ``family`` (json or jsonb); None if
    PostgreSQL cannot tell."""
    condition = _of_array(value, family, spec) if spec.type is T.ARRAY else _of_scalar(value, family, spec)
    if condition is None:
        return None
    return sql.SQL("CASE COALESCE({}, 'null') WHEN 'null' THEN false ELSE {} END").format(
        _kind(value, family), condition
    )


def _kind(value: sql.Composable, family: str) -> sql.Composable:
    return sql.SQL("{}({})").format(sql.SQL("json_typeof" if family == "json" else "jsonb_typeof"), value)


def _of_array(value: sql.Composable, family: str, spec: TypeSpec) -> sql.Composable | None:
    assert spec.element_type is not None
    element = sql.SQL("e.value")
    is_mismatch = _of_scalar(element, family, TypeSpec(spec.element_type))
    if is_mismatch is None:
        return None
    return sql.SQL(
        "CASE WHEN {kind} <> 'array' THEN true ELSE EXISTS (SELECT FROM {elements}({value}) e"
        " WHERE CASE {element_kind} WHEN 'null' THEN true ELSE {is_mismatch} END) END"
    ).format(
        kind=_kind(value, family),
        elements=sql.SQL("json_array_elements" if family == "json" else "jsonb_array_elements"),
        value=value,
        element_kind=_kind(element, family),
        is_mismatch=is_mismatch,
    )


def _of_scalar(value: sql.Composable, family: str, spec: TypeSpec) -> sql.Composable | None:
    """The condition for values that are not null."""
    kind = _kind(value, family)
    if spec.type in _KINDS:
        return sql.SQL("{} <> {}").format(kind, sql.Literal(_KINDS[spec.type]))
    if spec.type is T.JSON:
        return sql.SQL("{} NOT IN ('object', 'array')").format(kind)
    text = sql.SQL("({} #>> '{{}}')").format(value)
    number = sql.SQL("{}::numeric").format(text)
    if spec.type in INTEGER_BITS:
        end = 1 << (INTEGER_BITS[spec.type] - 1)
        is_bad = sql.SQL("{number} <> trunc({number}) OR {number} < {least} OR {number} > {most}").format(
            number=number, least=sql.Literal(-end), most=sql.Literal(end - 1)
        )
    elif spec.type is T.DOUBLE:
        is_bad = sql.SQL(
            "CASE WHEN abs({number}) >= " + _DOUBLE_END + " THEN true ELSE " + _ROUNDED + " END"
        ).format(text=text, number=number)
    else:
        return None
    return sql.SQL("CASE WHEN {} <> 'number' THEN true ELSE {} END").format(kind, is_bad)
