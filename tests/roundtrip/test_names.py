"""Names that try to be more than names, all the way: tables, columns, types and databases of any name."""

import pytest
from psycopg import sql

HOSTILE = [
    '"; DROP TABLE witness; --',
    "'); DROP TABLE witness; --",
    "%s %(x)s %%",
    "{c} {} {0}",
    "$$ $1 ${HOME} $${HOME}",
    "a\\b\\",
    "line\nbreak\ttab",
    "\u200bzero\u202eright to left",
    "x" * 63,
    "漢字かな",
    "ελληνικά",
    "اسم",
    "e\u0301",
    "\u00e9",
    "\U0001f600\U0001f1e9\U0001f1ea",
    "CamelCase",
    "camelcase",
    "CAMELCASE",
    " lead",
    "trail ",
    "a b",
    "a.b",
    "a-b",
    "a_b",
    'a"b',
    "a'b",
    "a`b",
    "a[0]",
    "a->b",
    "a/b",
    "a,b",
    "9lives",
    "١",
    "_",
    "__",
    "-",
    ".",
    '"',
    "'",
    "*",
    "count(*)",
    "null",
    "~",
    "#",
    ": ",
    "yes",
]
RESERVED = [
    *("$meta", "RowID", "Timestamp", "rowid", "timestamp", "meta", "_meta"),
    *("like", "LIKE", "exists", "and", "or", "not", "in", "true", "FALSE", "Null", "json_contains"),
    *("array_length", "text_match", "random_sample", "interval", "ISO", "_seq", "_partition"),
    *("select", "from", "table", "user", "order", "group", "end", "left", "default", "current_date"),
    *("class", "def", "None", "pk", "_id", "distance", "score", "entity", "count", "data", "type", "dim"),
    *("ctid_", "oid", "t", "c0", "v2", "row", "rows", "c"),
]


def columns(names):
    return sql.SQL(", ").join(sql.SQL("{} text NOT NULL").format(sql.Identifier(name)) for name in names)


def literals(names, number):
    return sql.SQL(", ").join(sql.Literal(f"{number} {name}") for name in names)


@pytest.fixture
def watched(swept):
    """One that finds the table that the names would drop, still there in the end."""
    swept.postgres("CREATE TABLE witness (n integer)")
    yield swept
    assert swept.postgres("SELECT count(*) FROM witness") == [(0,)]


@pytest.mark.parametrize("names", [HOSTILE, RESERVED], ids=["hostile", "reserved"])
def test_columns_of_any_name_arrive_under_the_names_suggested(watched, names):
    watched.postgres(
        sql.SQL("CREATE TABLE odd (id bigint PRIMARY KEY, v vector(2), {})").format(columns(names))
    )
    for number in (1, 2):
        watched.postgres(
            sql.SQL("INSERT INTO odd VALUES ({}, '[1,2]', {})").format(number, literals(names, number))
        )
    faults = watched.refused("public.odd")
    assert {fault["code"] for fault in faults} <= {"name_illegal", "name_reserved"}
    instead = {fault["field"]: fault["fixes"][0]["value"] for fault in faults}
    fields = [{"source": name, "target": instead.get(name, name)} for name in ("id", "v", *names)]
    moved = watched.move("public.odd", fields=fields)
    assert moved.report["status"] == "Successful", moved.log
    assert moved.rows() == {
        number: {"id": number, "v": [1.0, 2.0]}
        | {instead.get(name, name): f"{number} {name}" for name in names}
        for number in (1, 2)
    }
