"""Draws: some rows of a relation, taken from all its parts, and the same rows each time.

What is drawn depends on the rows and on the size of the table's file, never on statistics: ANALYZE and VACUUM
do not change it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from psycopg import sql

from migrations_app.engine.errors import SourceError
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.connect.read_errors import is_timeout

Answer = TypeVar("Answer")

# A describe asks for draws twice, so at worst (all rows once, the first rows twice) it takes twelve seconds:
# less than the time for which a web page waits.
FIRST_SECONDS = 5.0
ALL_SECONDS = 2.0
# At most about this number of pages, and at least about half of it, is read from a larger table.
SAMPLE_PAGES = 500
# The most rows that fit into a page of 8 kB.
_ROWS_IN_A_PAGE = 291


class Reach(Enum):
    """How far a draw looks."""

    SOME_PAGES = "some pages of the table"
    ALL_ROWS = "all rows"
    FIRST_ROWS = "the first rows"


@dataclass(frozen=True, slots=True)
class Draw:
    """Some rows of a relation as a FROM item called ``t``, from the rows that it looks at (``reach``), within
    ``seconds``. ``is_ordered``: the same rows are drawn only if they are read in the same order each time, so
    not by several processes. ``is_try``: if it takes too long, another draw is faster."""

    rows: sql.Composable
    reach: Reach
    seconds: float
    is_ordered: bool = False
    is_try: bool = False

    @property
    def planner(self) -> dict[str, str]:
        return {"max_parallel_workers_per_gather": "0"} if self.is_ordered else {}


class Draws:
    """The ways to draw rows of one relation. What took too long once is not tried again."""

    def __init__(self, relation: Relation) -> None:
        self._relation = relation
        self._is_slow = False

    def ask(
        self,
        columns: Iterable[str],
        limit: int,
        least: int,
        question: Callable[[Draw], tuple[int, Answer]],
    ) -> tuple[Answer, int, Reach]:
        """Return the answer to ``question`` about at most ``limit`` rows with these columns, their number,
        and how far the draw looked. ``question`` returns the number of rows and the answer.

        If only some pages were looked at and they have fewer than ``least`` rows that meet the condition, all
        rows are looked at; if that takes too long, the first ones. Raises ``SourceError`` (``is_timeout``) if
        even these take too long.
        """
        for draw in self._draws(list(columns), limit):
            try:
                rows, answer = question(draw)
            except SourceError as error:
                if not draw.is_try or not is_timeout(error):
                    raise
                self._is_slow = True
                continue
            if draw.reach is not Reach.SOME_PAGES or rows >= least:
                break
        return answer, rows, draw.reach

    def _draws(self, columns: list[str], limit: int) -> Iterator[Draw]:
        relation, names = self._relation, _names(columns)
        by_place = _by_place(names, _with_places(names, relation.rows), limit)
        if 0 < relation.pages <= SAMPLE_PAGES:
            yield Draw(by_place, Reach.ALL_ROWS, FIRST_SECONDS)
            return
        if relation.pages:
            yield Draw(_of_pages(relation, names, limit), Reach.SOME_PAGES, FIRST_SECONDS)
        if not self._is_slow and relation.pages:
            yield Draw(by_place, Reach.ALL_ROWS, ALL_SECONDS, is_try=True)
        elif not self._is_slow:
            by_number = _by_number(names, relation.rows, limit, columns)
            yield Draw(by_number, Reach.ALL_ROWS, ALL_SECONDS, is_ordered=True, is_try=True)
        first = _FIRST.format(names, relation.rows, sql.Literal(limit))
        yield Draw(first, Reach.FIRST_ROWS, FIRST_SECONDS, is_ordered=True)


def _names(columns: list[str]) -> sql.Composable:
    # A relation may have no columns.
    listed: list[sql.Composable] = [sql.Identifier("t", name) for name in columns]
    return sql.SQL(", ").join(listed or [sql.SQL("1 AS nothing")])


def _of_pages(relation: Relation, names: sql.Composable, limit: int) -> sql.Composable:
    """Draw from some pages. Of a partitioned table the first page of each partition is always among them."""
    # A power of two, so that a few pages more or less (VACUUM frees the last ones) draw the same pages.
    share = 2 ** math.ceil(math.log2(relation.pages / SAMPLE_PAGES))
    pages = sql.SQL(f"TABLESAMPLE SYSTEM ({100 / share:.9f}) REPEATABLE (0)")
    if relation.kind != "partitioned table":
        return _by_place(names, _with_places(names, relation.rows_where((), pages)), limit)
    other = _with_places(names, relation.rows_where((sql.SQL("t.ctid >= '(1,0)'"),), pages))
    first = _with_places(names, relation.rows_where((_FIRST_PAGE,)))
    return _by_place(names, sql.SQL("{} UNION ALL {}").format(first, other), limit)


# Each place by itself: only then PostgreSQL 12 and 13 read no other page.
_FIRST_PAGE = sql.SQL(
    "t.ctid = ANY (ARRAY(SELECT ('(0,' || n || ')')::tid"
    f" FROM pg_catalog.generate_series(1, {_ROWS_IN_A_PAGE}) n))"
)
_FIRST = sql.SQL("(SELECT {} FROM {} LIMIT {}) AS t")
_WITH_PLACES = sql.SQL("SELECT {}, t.tableoid, t.ctid FROM {}")
# Sorted by a hash of the place of each row, any first rows are a fair draw. They come in the table's order.
_BY_PLACE = sql.SQL(
    "(SELECT {0} FROM (SELECT * FROM ({1}) AS t ORDER BY pg_catalog.md5(t.ctid::text), t.tableoid LIMIT {2})"
    " AS t ORDER BY t.tableoid, t.ctid) AS t"
)
# The rows of a view or a foreign table have no place, so their numbers are used instead.
_BY_NUMBER = sql.SQL(
    "(SELECT {0} FROM (SELECT * FROM (SELECT {0}, pg_catalog.row_number() OVER () AS {3} FROM {1}) AS t"
    " ORDER BY pg_catalog.hashint8(t.{3}), t.{3} LIMIT {2}) AS t ORDER BY t.{3}) AS t"
)


def _with_places(names: sql.Composable, rows: sql.Composable) -> sql.Composable:
    return _WITH_PLACES.format(names, rows)


def _by_place(names: sql.Composable, rows: sql.Composable, limit: int) -> sql.Composable:
    return _BY_PLACE.format(names, rows, sql.Literal(limit))


def _by_number(names: sql.Composable, rows: sql.Composable, limit: int, columns: list[str]) -> sql.Composable:
    number = "number"
    while number in columns:
        number += "_"
    return _BY_NUMBER.format(names, rows, sql.Literal(limit), sql.Identifier(number))
