"""Key ranges: the slices of a relation that has a unique key to order by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from psycopg import sql
from psycopg.rows import tuple_row

from migrations_app.engine.model.batch import Slice
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.read.select import exact_text, expand

# A block of a table holds rows that were written together, so their keys are often neighbours. With 100
# blocks for each slice, the slices differ by about a tenth.
_BLOCKS_PER_SLICE = 100
_ROWS_PER_SLICE = 100

_SAMPLING = sql.SQL("TABLESAMPLE SYSTEM ({}) REPEATABLE (0)")
_BOUNDS = sql.SQL(
    "SELECT DISTINCT ON (part) sampled, {texts} FROM (SELECT {values}, {exact}, count(*) OVER () AS sampled,"
    " ntile({wanted}) OVER (ORDER BY {key}) AS part"
    " FROM {rows}) AS sample"
    " ORDER BY part, {descending}"
)


def key_ranges(session: Session, relation: Relation, wanted: int, blocks: int) -> Iterator[Slice]:
    """Yield ``wanted`` ranges of the key (fewer if there are fewer rows), of about the same number of rows.

    The first range has no lower bound and the last one no upper bound, so together they contain every key.
    ``blocks`` is the size of the relation on disk.
    """
    bounds = _bounds(session, relation, wanted, blocks)
    ends = [None, *bounds, None]
    rows = relation.rows_estimate
    for number, (after, to) in enumerate(pairwise(ends), 1):
        share = None if rows is None else rows // (len(ends) - 1)
        yield Slice(f"range {number}", {"key": list(relation.order), "after": after, "to": to}, share)


def _bounds(session: Session, relation: Relation, wanted: int, blocks: int) -> list[list[str]]:
    """Return the keys that divide the rows into ``wanted`` parts, from a sample of the rows."""
    percent = min(100.0, 100.0 * _BLOCKS_PER_SLICE * wanted / max(blocks, 1))
    while True:
        statement = _statement(relation, wanted, percent)
        with session.query(relation.description, None) as connection:
            parts = connection.cursor(row_factory=tuple_row).execute(statement).fetchall()
        sampled = parts[0][0] if parts else 0
        if sampled >= _ROWS_PER_SLICE * wanted or percent == 100.0:
            return [list(key) for _, *key in parts[:-1]]
        # A condition selects only few of the rows.
        percent = min(100.0, percent * 10)


def _statement(relation: Relation, wanted: int, percent: float) -> sql.Composed:
    """Return the statement that yields the last key of each part of the sample."""
    columns = [relation.column(name) for name in relation.order]
    values = [sql.Identifier(f"value{n}") for n in range(len(columns))]
    texts = [sql.Identifier(f"text{n}") for n in range(len(columns))]
    key = [expand("{c}", column) for column in columns]
    return _BOUNDS.format(
        texts=_list(texts),
        values=_list(_named(key, values)),
        exact=_list(_named([exact_text(column) for column in columns], texts)),
        wanted=sql.Literal(wanted),
        key=_list(key),
        rows=relation.rows_where((), _SAMPLING.format(sql.Literal(percent))),
        descending=_list([sql.SQL("{} DESC").format(value) for value in values]),
    )


def _named(expressions: Sequence[sql.Composable], names: Sequence[sql.Identifier]) -> list[sql.Composable]:
    return [sql.SQL("{} AS {}").format(*pair) for pair in zip(expressions, names, strict=True)]


def _list(items: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(items)
