"""Select: the statement of one read, with its columns, its order and the row it starts after."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from psycopg import sql

from migrations_app.engine.errors import SourceChanged
from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.joined_key_text import split_joined
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.catalogue.names import TableName
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.draws import Draw
from migrations_app.engine.sources.postgresql.types import TEXT, Reading, key_reading, reading_as
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn

_ALIAS = "t"
# A read in key order should use the index of the key: sorting first would delay the first row, and each
# resumed read would sort again. Without a suitable index, PostgreSQL sorts anyway.
_IN_ORDER = {"enable_sort": "off"}
# A read by places must return the rows in the order of their places, so it must not use an index.
_AS_STORED = {
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_bitmapscan": "off",
    "max_parallel_workers_per_gather": "0",
}
_PLACE = "t.ctid"


@dataclass(frozen=True, slots=True)
class Delivered:
    """A column of the plan in the result. ``value`` is its position there. ``unreadable`` is the position of
    the texts of the values that the reading cannot take (NULL for all other values)."""

    column: ReadColumn
    reading: Reading
    value: int
    unreadable: int | None = None


@dataclass
class Select:
    """The parts of a statement. An expression that is needed several times is selected only once.

    ``drawn`` is a draw of some of the selected rows, instead of all.
    ``leaf`` is the only table that is read, if it is not the whole relation. ``place`` is the position of the
    place (``ctid``) of the row in the result, if the rows are read in the order of their places.
    """

    relation: Relation
    expressions: dict[str, int] = field(default_factory=dict)
    delivered: list[Delivered] = field(default_factory=list)
    locators: list[int] = field(default_factory=list)
    cursor: list[int] = field(default_factory=list)
    order: tuple[str, ...] = ()
    conditions: list[sql.Composable] = field(default_factory=list)
    limit: int | None = None
    drawn: Draw | None = None
    may_sort: bool = False
    leaf: TableName | None = None
    place: int | None = None

    def add(self, expression: LiteralString, column: PostgresColumn) -> int:
        """Select an expression and return its position in the result."""
        text = expand(expression, column).as_string()
        return self.expressions.setdefault(text, len(self.expressions))

    def deliver(self, wanted: ReadColumn) -> None:
        """Select a column as the wanted type. Raises ``SourceChanged`` if it cannot be read as that type."""
        column = self.relation.column(wanted.path)
        reading = reading_of(self.relation, wanted)
        value: LiteralString = reading.sql
        unreadable = None
        if reading.unreadable is not None:
            condition = reading.unreadable.condition
            value = f"CASE WHEN {condition} THEN NULL ELSE {value} END"
            unreadable = self.add(f"CASE WHEN {condition} THEN {TEXT} END", column)
        self.delivered.append(Delivered(wanted, reading, self.add(value, column), unreadable))

    def order_by(self, key: Sequence[str]) -> None:
        """Order by a key, and select the exact text of its parts for the cursor."""
        self.order = tuple(key)
        for name in key:
            column = self.relation.column(name)
            self.cursor.append(self.add(_exact_reading(column), column))

    def read_pieces_of(self, leaf: TableName, first_block: int, end_block: int | None) -> None:
        """Read only the rows of ``leaf`` in these blocks, in the order of their places."""
        self.leaf = leaf
        self.place = self.expressions.setdefault(f"{_PLACE}::text", len(self.expressions))
        self.cursor.append(self.place)
        self._compare_place(">=", f"({first_block},0)")
        if end_block is not None:
            self._compare_place("<", f"({end_block},0)")

    def continue_after(self, place: str) -> None:
        """Read only the rows after ``place``."""
        self._compare_place(">", place)

    def _compare_place(self, operator: LiteralString, place: str) -> None:
        self.conditions.append(sql.SQL(f"{_PLACE} {operator} {{}}").format(sql.Literal(place)))

    def add_locators(self, key: Iterable[str]) -> None:
        """Select the columns that name a row in reports."""
        for name in key:
            column = self.relation.column(name)
            self.locators.append(self.add(key_reading(column).sql, column))

    def compare(self, key: Sequence[str], operator: LiteralString, values: Sequence[str]) -> None:
        """Select only rows whose key compares with ``values`` (exact texts) by ``operator``."""
        columns = [sql.Identifier(_ALIAS, self.relation.column(name).name) for name in key]
        self.conditions.append(
            sql.SQL("({}) {} ({})").format(sql.SQL(", ").join(columns), sql.SQL(operator), _listed(values))
        )

    def filter_keys(self, key: Sequence[str], values: Sequence[str]) -> None:
        """Select only rows whose key is one of ``values``: texts, joined if the key has several columns."""
        parts = [self.relation.column(name) for name in key]
        columns = [sql.Identifier(_ALIAS, part.name) for part in parts]
        if len(columns) == 1:
            texts = [self._written(parts[0], value) for value in values]
            condition = sql.SQL("{} = ANY ({})").format(columns[0], sql.Literal(_array_text(texts)))
        else:
            split = [zip(parts, split_joined(value, len(key)), strict=True) for value in values]
            keys = [sql.SQL("({})").format(_listed(self._written(*part) for part in one)) for one in split]
            condition = sql.SQL("({}) IN ({})").format(sql.SQL(", ").join(columns), sql.SQL(", ").join(keys))
        self.conditions.append(condition if values else sql.SQL("false"))

    def _written(self, column: PostgresColumn, text: str) -> str:
        """Return the text of a key as PostgreSQL reads it: raw bytes are delivered in another encoding."""
        if column.family != "bytea":
            return text
        read = (one.column for one in self.delivered if one.column.path == column.name)
        is_base64 = any(one.encoding == "base64" for one in read)
        return "\\x" + (b64decode(text).hex() if is_base64 else text)

    @property
    def planner(self) -> dict[str, str]:
        """The planner settings that make the first rows arrive in order and without delay."""
        if self.drawn is not None:
            return self.drawn.planner
        if self.place is not None:
            return _AS_STORED
        if not self.order:
            return {"max_parallel_workers_per_gather": "0"} if self.limit is not None else {}
        return {} if self.may_sort else _IN_ORDER

    def text(self) -> str:
        """The statement, without parameters to bind."""
        # A statement must select something, even for a plan without columns: its rows are still counted.
        items = [f"{text} AS c{place}" for text, place in self.expressions.items()] or ["1 AS c0"]
        rows = self.drawn.rows if self.drawn else self.relation.rows_where(self.conditions, leaf=self.leaf)
        parts = [f"SELECT {', '.join(items)} FROM {rows.as_string()}"]
        if self.order:
            names = (sql.Identifier(_ALIAS, name).as_string() for name in self.order)
            parts.append(f"ORDER BY {', '.join(names)}")
        if self.limit is not None:
            parts.append(f"LIMIT {self.limit:d}")
        return " ".join(parts)


def select_columns(relation: Relation, plan: ReadPlan) -> Select:
    """Return the statement that reads the columns of a plan."""
    select = Select(relation)
    for column in plan.columns:
        select.deliver(column)
    return select


def select_slice(relation: Relation, plan: ReadPlan, bounds: Any, after: Sequence[str] | None) -> Select:
    """Return the statement that reads the rows of a range of the key after a cursor, or without a key all
    rows. ``bounds`` come from ``PostgresSource.slices``."""
    select = select_columns(relation, plan)
    key = bounds["key"]
    # Two rows may have the same key in the plan, but must not have the same locator in a report.
    select.add_locators(plan.key if set(key).issubset(plan.key) else key)
    if not key:
        return select
    select.order_by(key)
    if start := after or bounds["after"]:
        select.compare(key, ">", start)
    if bounds["to"]:
        select.compare(key, "<=", bounds["to"])
    return select


def select_piece(relation: Relation, plan: ReadPlan, piece: Any, after: str | None) -> Select:
    """Return the statement that reads the rows of a piece (``stored_ranges.py``) after a place."""
    select = select_columns(relation, plan)
    select.add_locators(plan.key)
    select.read_pieces_of(TableName(*piece["table"]), piece["from"], piece["to"])
    if after is not None:
        select.continue_after(after)
    return select


def exact_text(column: PostgresColumn) -> sql.Composed:
    """Return the expression of the exact text of a key part, from which its value can be restored."""
    return expand(TEXT, column)


def _exact_reading(column: PostgresColumn) -> LiteralString:
    """Like ``exact_text``, but whole numbers need not become texts."""
    return "{c}" if column.family in ("int2", "int4", "int8") else TEXT


def exact_value(relation: Relation, wanted: ReadColumn) -> sql.Composed:
    """Return the expression of a column as it is delivered. Texts are equal only if they are equal byte for
    byte. Raises ``SourceChanged`` if the column cannot be read as the wanted type."""
    value = expand(reading_of(relation, wanted).sql, relation.column(wanted.path))
    is_text = wanted.spec.type is MilvusType.VARCHAR
    return sql.SQL('({})::text COLLATE "C"').format(value) if is_text else value


def reading_of(relation: Relation, wanted: ReadColumn) -> Reading:
    """Return how a column is read as the wanted type. Raises ``SourceChanged`` if that is impossible."""
    column = relation.column(wanted.path)
    reading = reading_as(column, wanted.spec, wanted.encoding)
    if reading is None:
        raise SourceChanged(
            f"Column “{column.name}” of {relation} is {column.native} and cannot be read as {wanted.spec}.",
            "Its type changed: check the table again under Configure Schema.",
        )
    return reading


def expand(expression: LiteralString, column: PostgresColumn) -> sql.Composed:
    """Return ``expression`` with the column's quoted name in place of ``{c}``."""
    return sql.SQL(expression).format(c=sql.Identifier(_ALIAS, column.name))


def _listed(values: Iterable[str]) -> sql.Composed:
    """Return texts without a type: PostgreSQL converts them to the column's type and uses its collation."""
    return sql.SQL(", ").join(sql.Literal(value) for value in values)


def _array_text(values: Iterable[str]) -> str:
    """Return the text form of a PostgreSQL array, with every element quoted."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
