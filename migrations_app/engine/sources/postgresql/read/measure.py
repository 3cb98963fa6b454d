"""Table measurer: questions about all rows of a relation that the server answers, without a time limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import tuple_row

from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.partition_names import MAX_VALUE_BYTES, VALUE
from migrations_app.engine.model.row_tests import RowCounts, RowTest
from migrations_app.engine.sources.base import KeyRows, Measures
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.read.row_tests import NEVER, condition_of
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

    def scan(
        self,
        nulls_of: tuple[str, ...],
        absent_of: tuple[tuple[str, ...], ...],
        rows_with: tuple[RowTest, ...],
    ) -> Measures:
        """Answer all questions about single rows in one pass over the table."""
        if not (nulls_of or absent_of or rows_with):
            return Measures()
        tests = {t: c for t in rows_with if (c := condition_of(self.relation, t)) is not None}
        made = {test: condition for test, condition in tests.items() if condition is not NEVER}
        groups = [*((name,) for name in nulls_of), *absent_of]
        conditions = [*map(self._any_null, groups), *made.values()]
        places = {test: number for number, test in enumerate(made, len(groups))}
        rows, rejected, skipped, *counts = self._counts(conditions, places)
        found = dict(zip(groups, counts, strict=False))
        by_test = {test: counts[places[test]] if test in places else 0 for test in tests}
        return Measures(
            nulls={name: found[name,] for name in nulls_of},
            absent={group: found[group] for group in absent_of},
            rows=rows if absent_of else None,
            row_counts=RowCounts(rows, rejected, skipped, by_test) if rows_with else None,
        )

    def _counts(self, conditions: list[sql.Composable], places: dict[RowTest, int]) -> list[int]:
        """Return the number of all rows, of the rejected and of the skipped ones, and of those that meet each
        condition.

        The rows are grouped by their answers: so each condition is evaluated only once for each row, and
        parallel workers can share the work.
        """
        answers = [
            sql.SQL("({}) IS TRUE AS c{}").format(c, sql.SQL(str(n))) for n, c in enumerate(conditions)
        ]
        numbers = sql.SQL(", ").join(sql.SQL(str(number + 1)) for number in range(len(conditions)))
        of_read = _any(places[test] for test in places if test.is_of_read)
        skips = _any(places[test] for test in places if test.is_skipped)
        others = _any(
            places[test] for test in places if not (test.is_of_read or test.is_skipped or test.is_kept)
        )
        # The source rejects rows before the mapping can skip them.
        wanted = [
            sql.SQL("true"),
            sql.SQL("{} OR ({} AND NOT {})").format(of_read, others, skips),
            sql.SQL("{} AND NOT {}").format(skips, of_read),
            *(sql.SQL(f"c{number}") for number in range(len(conditions))),
        ]
        sums = [sql.SQL("COALESCE(sum(n) FILTER (WHERE {}), 0)::bigint").format(one) for one in wanted]
        question = sql.SQL("SELECT {sums} FROM (SELECT {answers} FROM {rows} {grouped}) AS by_answer")
        return list(
            self._row(
                question,
                sums=sql.SQL(", ").join(sums),
                answers=sql.SQL(", ").join([*answers, sql.SQL("count(*) AS n")]),
                grouped=sql.SQL("GROUP BY {}").format(numbers) if conditions else sql.SQL(""),
            )
        )

    def _any_null(self, names: tuple[str, ...]) -> sql.Composable:
        return sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(self._name(name)) for name in names)

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


def _any(numbers: Iterable[int]) -> sql.Composable:
    """Return the SQL that is true if one of the answers with these numbers is."""
    names = [sql.SQL(f"c{number}") for number in numbers]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(names)) if names else sql.SQL("false")
