"""Table measurer: questions about all rows of a relation that the server answers, without a time limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import tuple_row

from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.partition_names import MAX_VALUE_BYTES, VALUE
from migrations_app.engine.sources.base import KeyRows
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.read.select import exact_value
from migrations_app.engine.sources.postgresql.types import dims_of

# The name of a column, and of pgvector's function with its schema if that is not searched for functions.
_QUOTED: LiteralString = """
    SELECT pg_catalog.quote_ident(%s), CASE WHEN %s = ANY (pg_catalog.current_schemas(false)::text[])
        THEN '' ELSE pg_catalog.quote_ident(%s) || '.' END || 'vector_dims'"""


@dataclass(frozen=True, slots=True)
class TableMeasurer:
    """Questions about all rows of ``relation``. The stop of the session ends them."""

    session: Session
    relation: Relation

    def count(self) -> int:
        return int(self._row(sql.SQL("SELECT count(*) FROM {rows}"))[0])

    def has_rows(self) -> bool:
        return bool(self._row(sql.SQL("SELECT EXISTS (SELECT FROM {rows})"))[0])

    def dims(self, name: str) -> dict[int, int]:
        """The number of vectors per dimension."""
        column = self.relation.column(name)
        function = sql.Identifier(self.relation.pgvector_schema or "public", "vector_dims")
        dims = sql.SQL(dims_of(column)).format(c=sql.Identifier(column.name), vector_dims=function)
        rows = self._rows(sql.SQL("SELECT {dims}, count(*) FROM {rows} GROUP BY 1"), dims=dims)
        return {dim: count for dim, count in rows if dim is not None}

    def where_dim(self, name: str, dim: int) -> str:
        """The condition that selects the rows whose vector has this dimension, as a user would write it."""
        column, schema = self.relation.column(name), self.relation.pgvector_schema or "public"
        with self.session.query(self.relation.description) as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            [(quoted, function)] = cursor.execute(_QUOTED, (name, schema, schema))
        condition = f"{dims_of(column).format(c=quoted, vector_dims=function)} = {dim}"
        return f"({self.relation.where}) AND {condition}" if self.relation.where else condition

    def nulls(self, names: tuple[str, ...]) -> dict[str, int]:
        """The number of NULLs in each column."""
        counts = [sql.SQL("count(*) FILTER (WHERE {} IS NULL)").format(self._name(name)) for name in names]
        row = self._row(sql.SQL("SELECT {counts} FROM {rows}"), counts=sql.SQL(", ").join(counts))
        return dict(zip(names, row, strict=True))

    def absent(self, groups: tuple[tuple[str, ...], ...]) -> tuple[int, dict[tuple[str, ...], int]]:
        """The number of all rows, and of those with a NULL in at least one column of each group."""
        counts: list[sql.Composable] = [sql.SQL("count(*)")]
        for group in groups:
            is_null = sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(self._name(name)) for name in group)
            counts.append(sql.SQL("count(*) FILTER (WHERE {})").format(is_null))
        rows, *absent = self._row(sql.SQL("SELECT {counts} FROM {rows}"), counts=sql.SQL(", ").join(counts))
        return rows, dict(zip(groups, absent, strict=True))

    def extremes(self, name: str) -> tuple[int, int] | None:
        """The smallest and the largest value, or None. With an index on the column, this is fast."""
        least, most = self._row(sql.SQL("SELECT min({c}), max({c}) FROM {rows}"), c=self._name(name))
        return None if least is None else (int(least), int(most))

    def duplicates(self, keys: KeyRows) -> int:
        """The number of rows minus that of different keys, among rows without NULL in ``keys.present``."""
        present = [sql.SQL("{} IS NOT NULL").format(self._name(name)) for name in keys.present]
        row = self._row(
            sql.SQL(
                "SELECT COALESCE(sum(alike.rows - 1), 0) FROM"
                " (SELECT count(*) AS rows FROM {chosen} GROUP BY {key}) alike"
            ),
            chosen=self.relation.rows_where(present),
            key=sql.SQL(", ").join(exact_value(self.relation, column) for column in keys.columns),
        )
        return int(row[0])

    def distinct(self, name: str, most: int) -> dict[str | None, int]:
        """The number of rows per value. Values are texts and may be cut. At most ``most`` values."""
        rows = self._rows(
            sql.SQL("SELECT left({text}, {longest}) AS value, count(*) FROM {rows} GROUP BY 1 LIMIT {most}"),
            text=exact_value(self.relation, ReadColumn(name, VALUE)),
            longest=sql.Literal(MAX_VALUE_BYTES + 1),
            most=sql.Literal(most),
        )
        return dict(rows)

    def _name(self, name: str) -> sql.Identifier:
        return sql.Identifier("t", self.relation.column(name).name)

    def _row(self, question: sql.SQL, **parts: sql.Composable) -> Any:
        (row,) = self._rows(question, **parts)
        return row

    def _rows(self, question: sql.SQL, **parts: sql.Composable) -> list[Any]:
        statement = question.format(rows=self.relation.rows, **parts)
        with self.session.query(self.relation.description, None) as connection:
            return connection.cursor(row_factory=tuple_row).execute(statement).fetchall()
