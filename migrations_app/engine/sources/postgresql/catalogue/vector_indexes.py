"""Vector indexes: those of each column of a relation, found through views down to the table's column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.connect.session import Session

# The indexes whose first column is a column of one of these tables, or an expression that uses it. Those of
# the partitions of a table, and of tables that inherit from it, count too: they store some of its rows.
_INDEXES: LiteralString = """
    WITH RECURSIVE tree (root, oid) AS (
        SELECT o, o FROM unnest(%s::oid[]) o
        UNION
        SELECT tree.root, h.inhrelid FROM pg_catalog.pg_inherits h JOIN tree ON h.inhparent = tree.oid)
    SELECT own.attrelid::bigint AS relation, own.attnum AS number, o.opcname::text AS operator_class,
        m.amname::text AS method, ic.reloptions AS options
    FROM tree JOIN pg_catalog.pg_index i ON i.indrelid = tree.oid AND i.indisvalid
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid = ic.relam AND m.amname NOT IN ('btree', 'hash', 'gin', 'brin')
        JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[0]
        JOIN pg_catalog.pg_attribute a ON a.attrelid = tree.oid AND a.attnum > 0
            AND (a.attnum = i.indkey[0] OR i.indkey[0] = 0 AND EXISTS (
                SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass
                AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass
                AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum))
        JOIN pg_catalog.pg_attribute own ON own.attrelid = tree.root AND own.attname = a.attname
            AND NOT own.attisdropped
    ORDER BY i.indkey[0] = 0, i.indexrelid"""

# The query of a view or a materialized view, as the server stores it.
_QUERIES: LiteralString = """
    SELECT r.ev_class::bigint AS relation, r.ev_action::text AS query FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
    WHERE r.ev_class = ANY(%s::oid[]) AND r.rulename = '_RETURN'"""

_NUMBERS: LiteralString = """
    SELECT attname::text AS name, attnum AS number FROM pg_catalog.pg_attribute
    WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped"""

# The brackets of a stored query, and the parts of its target list that say where a column comes from.
# A backslash escapes the next character.
_TOKEN = re.compile(r"\\.|[(){}]|:(targetList)\b|:(resno|resorigtbl|resorigcol) (\d+)", re.DOTALL)
_DEEPEST = 20

_Column = tuple[int, int]  # the oid of a relation, the number of a column


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """An index on a vector. ``options`` are those that were given when it was created."""

    operator_class: str
    method: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnIndexes:
    """The vector indexes on a column. ``is_computed``: the column of a view is an expression, so the indexes
    of the tables say nothing about it."""

    indexes: tuple[VectorIndex, ...] = ()
    is_computed: bool = False


def vector_indexes(session: Session, relation: Relation) -> dict[str, ColumnIndexes]:
    """Return the vector indexes on each column of ``relation``, by the name of the column.

    A view that passes a column on unchanged has the indexes of that column; so has a materialized view, but
    its own come first.
    """
    with session.query(f"the indexes of {relation}") as connection:
        numbers = {row.name: row.number for row in connection.execute(_NUMBERS, (relation.oid,))}
        found: dict[str, ColumnIndexes] = {}
        at: dict[str, _Column] = {name: (relation.oid, number) for name, number in numbers.items()}
        for _ in range(_DEEPEST):
            indexes = _indexes(connection, at.values())
            found |= {
                name: ColumnIndexes(indexes[column]) for name, column in at.items() if column in indexes
            }
            at = {name: column for name, column in at.items() if name not in found}
            origins, views = _origins(connection, at.values())
            computed = {n for n, column in at.items() if column[0] in views and column not in origins}
            found |= dict.fromkeys(computed, ColumnIndexes(is_computed=True))
            at = {name: origins[column] for name, column in at.items() if column in origins}
            if not at:
                break
    return {name: found.get(name, ColumnIndexes()) for name in numbers}


def _indexes(
    connection: psycopg.Connection[Any], columns: Iterable[_Column]
) -> dict[_Column, tuple[VectorIndex, ...]]:
    wanted = set(columns)
    found: dict[_Column, dict[VectorIndex, None]] = {}
    for row in connection.execute(_INDEXES, (sorted({relation for relation, _ in wanted}),)):
        if (column := (row.relation, row.number)) in wanted:
            options = tuple((name, value) for name, _, value in (o.partition("=") for o in row.options or ()))
            found.setdefault(column, {})[VectorIndex(row.operator_class, row.method, options)] = None
    return {column: tuple(indexes) for column, indexes in found.items()}


def _origins(
    connection: psycopg.Connection[Any], columns: Iterable[_Column]
) -> tuple[dict[_Column, _Column], set[int]]:
    """Return where the columns of views come from, for those that are passed on unchanged, and the views."""
    relations = sorted({relation for relation, _ in columns})
    rows = connection.execute(_QUERIES, (relations,)).fetchall() if relations else []
    origins = {(row.relation, number): origin for row in rows for number, origin in passed_on(row.query)}
    return origins, {row.relation for row in rows}


def passed_on(query: str) -> Iterator[tuple[int, _Column]]:
    """Yield the number of each result column of a stored query that is a column of a relation, and this
    column. The server stores both in the target list of the outermost query: ``({QUERY … :targetList (
    {TARGETENTRY … :resno 1 … :resorigtbl 16400 :resorigcol 2 …} …) …})``."""
    depth, is_in_list = 0, False
    entry: dict[str, int] = {}
    for token in _TOKEN.finditer(query):
        text = token[0]
        if text in ("(", "{"):
            depth += 1
        elif text in (")", "}"):
            depth -= 1
            if is_in_list and depth == 3:
                if entry.get("resorigtbl") and entry.get("resorigcol"):
                    yield entry["resno"], (entry["resorigtbl"], entry["resorigcol"])
                entry = {}
            elif is_in_list and depth == 2:
                return
        elif token[1]:
            is_in_list = is_in_list or depth == 2
        elif token[2] and is_in_list and depth == 4:
            entry[token[2]] = int(token[3])
