"""Random tables: each row of random columns and values arrives unchanged or is counted as skipped."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import Jsonb

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSONS = st.dictionaries(
    TEXT.filter(bool), st.none() | st.booleans() | NUMBERS | TEXT | st.lists(TEXT), max_size=4
)
VALUES = {
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "real": FLOATS,
    "double precision": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "text": TEXT,
    "uuid": st.uuids(),
    "numeric": st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9
    ),
    "jsonb": JSONS.map(Jsonb),
    "integer[]": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5),
    "text[]": st.lists(TEXT, max_size=5),
    "boolean[]": st.lists(st.booleans(), max_size=5),
}
# The values that replace NULL on a server without NULL.
FILLS = {
    **dict.fromkeys(("smallint", "integer", "bigint"), 7),
    **dict.fromkeys(("real", "double precision"), 0.5),
    **dict.fromkeys(("text", "uuid", "numeric"), "–"),
    **{native: [] for native in ("integer[]", "text[]", "boolean[]")},
    "boolean": True,
    "jsonb": {},
}
TABLES = 4


@st.composite
def tables(draw):
    """Native types, and rows of a vector and a value of each. All may be NULL, except the first vector."""
    natives = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=8))
    vector = st.lists(FLOATS, min_size=3, max_size=3)
    values = [st.none() | VALUES[native] for native in natives]
    rows = draw(st.lists(st.tuples(vector | st.none(), *values), max_size=25))
    return natives, [draw(st.tuples(vector, *values)), *rows]


@pytest.mark.long
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(chance=st.lists(tables(), min_size=TABLES, max_size=TABLES))
def test_every_row_arrives_equal_or_is_accounted_for(mover, chance):
    for number, (natives, rows) in enumerate(chance):
        make(mover, f"chance_{number}", natives, rows)

    moved = mover.move_all(
        [plan(f"chance_{number}", natives, mover.is_lite) for number, (natives, _) in enumerate(chance)]
    )

    for one, (natives, rows) in zip(moved, chance, strict=True):
        assert one.report["status"] == "Successful", one.log
        assert not one.rejected
        expected = {n: row for n, row in enumerate(rows) if row[0] is not None}
        assert one.counts["rows_skipped"] == len(rows) - len(expected)
        found = one.rows()
        assert found.keys() == expected.keys()
        for key, row in expected.items():
            assert list(found[key]["v"]) == row[0]
            for n, native in enumerate(natives):
                is_filled = row[n + 1] is None and not mover.is_lite
                value = FILLS[native] if is_filled else arrived(native, row[n + 1])
                assert same(found[key][f"x{n}"], value), (native, row[n + 1], found[key][f"x{n}"])


def make(mover, name, natives, rows):
    columns = ", ".join(f"x{n} {native}" for n, native in enumerate(natives))
    mover.postgres(f"DROP TABLE IF EXISTS {name}")
    mover.postgres(f"CREATE TABLE {name} (id int PRIMARY KEY, v vector(3), {columns})")
    casts = sql.SQL(", ").join(sql.SQL(f"%s::{native}") for native in natives)
    insert = sql.SQL("INSERT INTO {} VALUES (%s, %s::float4[]::vector, {})")
    with mover.source.connect() as connection:
        connection.cursor().executemany(
            insert.format(sql.Identifier(name), casts), [(n, *row) for n, row in enumerate(rows)]
        )


def plan(name, natives, has_null):
    nulls = [{"nullable": True} if has_null else {"fill_null": FILLS[native]} for native in natives]
    columns = [{"source": f"x{n}", **null} for n, null in enumerate(nulls)]
    return {"source": f"public.{name}", "fields": [{"source": "id"}, {"source": "v"}, *columns]}


def arrived(native, value):
    """The value that Milvus must hold for a value of psycopg."""
    if native == "jsonb" and value is not None:
        return json.loads(json.dumps(value.obj))
    if native == "numeric" and value is not None:
        return f"{value:f}"
    return str(value) if native == "uuid" and value is not None else value


def same(found, expected):
    """True if the values are equal. Whole numbers of JSON may arrive as floats of the same value."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[k], v) for k, v in expected.items())
    return list(found) == expected if isinstance(expected, list) else found == expected
