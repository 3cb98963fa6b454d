"""Sample: rows drawn from all parts of a table, the longest values in them, unusual arrays, and texts to
show."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, LiteralString

import numpy as np
import pyarrow as pa
from psycopg import sql
from psycopg.rows import tuple_row

from migrations_app.engine.errors import SourceError
from migrations_app.engine.log import shortened
from migrations_app.engine.model.types import TEXT_TYPES, MilvusType
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.connect.read_errors import is_timeout
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.draws import Draw, Draws, Reach
from migrations_app.engine.sources.postgresql.read.select import expand
from migrations_app.engine.sources.postgresql.types import readings_of
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn

SAMPLE_ROWS = 10_000
# If the pages that are read contain fewer rows that meet the condition, other rows are looked at too.
_FEW_ROWS = 100
# All arrays of a table with up to this many pages (160 MB) are looked at, if it takes no longer than this.
WHOLE_PAGES = 20_000
WHOLE_SECONDS = 3
_SHOWN = 3
_SHOWN_CHARACTERS = 60
_SHOWN_NUMBERS = 2


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of one column in the sample.

    ``longest_bytes`` is the size of the longest text or array element, ``longest_items`` the largest number
    of array elements, ``odd_arrays`` the number of arrays with a NULL element or more than one dimension.
    ``is_complete``: the last two are those of all rows.
    """

    longest_bytes: int | None = None
    longest_items: int | None = None
    odd_arrays: int = 0
    is_complete: bool = False


def _bytes(text: LiteralString) -> LiteralString:
    """The SQL for the size of a text in UTF-8. A SQL_ASCII database sends its bytes unchanged."""
    return (
        "CASE WHEN getdatabaseencoding() IN ('UTF8', 'SQL_ASCII') THEN octet_length(" + text + ")"
        " ELSE octet_length(convert_to(" + text + ", 'UTF8')) END"
    )


_ELEMENT: LiteralString = "max((SELECT max(" + _bytes("e::text") + ") FROM unnest({c}) e))"
_ARRAY: tuple[LiteralString, ...] = (
    "max(cardinality({c}))",
    "count(*) FILTER (WHERE CASE WHEN array_ndims({c}) > 1 THEN TRUE"
    " ELSE array_position({c}::text[], NULL) IS NOT NULL END)",
)


def measure_lengths(
    session: Session, relation: Relation, draws: Draws
) -> tuple[dict[str, Lengths], tuple[str, ...]]:
    """Return the lengths by column, from up to ``SAMPLE_ROWS`` rows, and a note if that took too long or only
    the first rows were looked at. The arrays of a small table are looked at in all rows."""
    aggregates = {column.name: parts for column in relation.columns if (parts := length_aggregates(column))}
    if not aggregates:
        return {}, ()

    def measured(draw: Draw) -> tuple[int, list[Any]]:
        rows, *row = _row(session, relation, _statement(relation, aggregates, draw.rows), draw)
        return rows, row

    try:
        row, rows, reach = draws.ask(aggregates, SAMPLE_ROWS, _FEW_ROWS, measured)
    except SourceError as error:
        if not is_timeout(error):
            raise
        return {}, (f"Measuring the longest values of the {relation} took too long.",)
    values = iter(row)
    lengths = {name: Lengths(*islice(values, len(parts))) for name, parts in aggregates.items()}
    if reach is not Reach.SOME_PAGES and rows < SAMPLE_ROWS:
        return {name: replace(found, is_complete=True) for name, found in lengths.items()}, ()
    notes = (_FIRST_ROWS.format(SAMPLE_ROWS, relation),) if reach is Reach.FIRST_ROWS else ()
    return lengths | _whole_arrays(session, relation, lengths), notes


_FIRST_ROWS = (
    "The sample has only the first {:,} rows of the {}: looking at all rows took too long. Other rows may "
    "have longer values than those shown."
)


def _whole_arrays(session: Session, relation: Relation, sampled: dict[str, Lengths]) -> dict[str, Lengths]:
    """Return the lengths of the array columns with what all rows of a small table show about them; nothing if
    the table is large or has no such column."""
    arrays = {
        c.name: _ARRAY for c in relation.columns if (r := readings_of(c)) and r[0].type is MilvusType.ARRAY
    }
    if not arrays or not 0 < relation.pages <= WHOLE_PAGES:
        return {}
    everything = Draw(relation.rows, Reach.ALL_ROWS, WHOLE_SECONDS)
    try:
        _, *row = _row(session, relation, _statement(relation, arrays, relation.rows), everything)
    except SourceError as error:
        if not is_timeout(error):
            raise
        return {}
    return {
        name: Lengths(sampled[name].longest_bytes, most_items, odd_arrays, is_complete=True)
        for name, most_items, odd_arrays in zip(arrays, row[::2], row[1::2], strict=True)
    }


def _row(session: Session, relation: Relation, statement: sql.Composed, draw: Draw) -> tuple[Any, ...]:
    """Return the only row of a statement about a draw."""
    with session.query(str(relation), draw.seconds, draw.planner) as connection:
        (row,) = connection.cursor(row_factory=tuple_row).execute(statement).fetchall()
    return tuple(row)


def length_aggregates(column: PostgresColumn) -> tuple[LiteralString, ...]:
    """The SQL aggregates for a column, one per number in ``Lengths``. Empty for values of a fixed size."""
    readings = readings_of(column)
    if not readings:
        return ()
    first = readings[0]
    if first.type is MilvusType.ARRAY:
        return (_ELEMENT if first.element is MilvusType.VARCHAR else "NULL", *_ARRAY)
    if first.type not in TEXT_TYPES:
        return ()
    return ("max(" + (first.bytes or _bytes("(" + first.sql + ")::text")) + ")",)


def _statement(
    relation: Relation, aggregates: dict[str, tuple[LiteralString, ...]], rows: sql.Composable
) -> sql.Composed:
    expressions = [
        expand(part, relation.column(name)) for name, parts in aggregates.items() for part in parts
    ]
    return sql.SQL("SELECT count(*), {} FROM {}").format(sql.SQL(", ").join(expressions), rows)


# ---------------------------------------------------------------- texts to show


def sample_texts(column: pa.Array, kind: MilvusType) -> tuple[str, ...]:
    """Return the first few different values of a column that is read as ``kind``, shortened for a page."""
    texts: dict[str, None] = {}
    for value in column.drop_null():
        texts[_text(value.as_py(), kind)] = None
        if len(texts) == _SHOWN:
            break
    return tuple(texts)


def _text(value: Any, kind: MilvusType) -> str:
    if kind is MilvusType.SPARSE_FLOAT_VECTOR:
        entries = [f"{entry['index']}: {_number(entry['value'])}" for entry in value[:_SHOWN_NUMBERS]]
        return _some(entries, len(value), "{}")
    if kind is MilvusType.BINARY_VECTOR:
        bits = "".join(f"{byte:08b}" for byte in value[: _SHOWN_CHARACTERS // 8])
        return shortened(bits + "…" * (8 * len(value) > len(bits)), _SHOWN_CHARACTERS)
    if kind is MilvusType.FLOAT16_VECTOR and isinstance(value, bytes):
        value = np.frombuffer(value, "<f2").tolist()
    if isinstance(value, list) and value and all(isinstance(item, float) for item in value):
        return _some([_number(item) for item in value[:_SHOWN_NUMBERS]], len(value), "[]")
    return shortened(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _SHOWN_CHARACTERS
    )


def _number(number: float) -> str:
    return f"{number:.3f}".replace("-", "−")


def _some(items: list[str], of: int, brackets: str) -> str:
    return f"{brackets[0]}{', '.join(items)}{', …' if of > len(items) else ''}{brackets[1]}"
