"""Hostile names on the whole way: tables, columns, types and databases of any name are moved."""

import re

import psycopg
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
def watched(isolated):
    """A mover that checks at the end that no name has dropped the table ``witness``."""
    isolated.postgres("CREATE TABLE witness (n integer)")
    yield isolated
    assert isolated.postgres("SELECT count(*) FROM witness") == [(0,)]


@pytest.mark.parametrize("names", [HOSTILE, RESERVED], ids=["hostile", "reserved"])
def test_columns_of_any_name_arrive_under_the_suggested_names(watched, names):
    watched.postgres(
        sql.SQL("CREATE TABLE odd (id bigint PRIMARY KEY, v vector(2), {})").format(columns(names))
    )
    for number in (1, 2):
        watched.postgres(
            sql.SQL("INSERT INTO odd VALUES ({}, '[1,2]', {})").format(number, literals(names, number))
        )
    faults = watched.refused("public.odd")
    assert {fault["code"] for fault in faults} <= {"name_illegal", "name_reserved"}
    suggested = {fault["field"]: fault["fixes"][0]["value"] for fault in faults}
    fields = [{"source": name, "target": suggested.get(name, name)} for name in ("id", "v", *names)]
    moved = watched.move("public.odd", fields=fields)
    assert moved.report["status"] == "Successful", moved.log
    assert moved.rows() == {
        number: {"id": number, "v": [1.0, 2.0]}
        | {suggested.get(name, name): f"{number} {name}" for name in names}
        for number in (1, 2)
    }


def test_columns_of_any_name_become_keys_of_the_dynamic_field_unchanged(watched):
    names = [*HOSTILE, *RESERVED]
    watched.postgres(
        sql.SQL("CREATE TABLE odd (id bigint PRIMARY KEY, v vector(2), {})").format(columns(names))
    )
    watched.postgres(sql.SQL("INSERT INTO odd VALUES (1, '[1,2]', {})").format(literals(names, 1)))
    fields = [{"source": "id"}, {"source": "v"}, *({"source": name, "dynamic": True} for name in names)]
    hidden = {"_seq", "_partition"} if watched.is_lite else set()
    faults = watched.refused("public.odd", fields=fields)
    assert {fault["code"] for fault in faults} == {"dynamic_name_illegal"}
    suggested = {fault["field"]: fault["fixes"][0]["value"] for fault in faults}
    assert suggested.keys() == {"$meta"} | hidden
    for field in fields:
        if field["source"] in suggested:
            field["as"] = suggested[field["source"]]
    moved = watched.move("public.odd", fields=fields)
    assert moved.report["status"] == "Successful", moved.log
    wanted = {suggested.get(name, name): f"1 {name}" for name in names}
    assert moved.rows() == {1: {"id": 1, "v": [1.0, 2.0]} | wanted}


def test_keys_of_an_opened_column_that_a_target_hides_are_not_lost(watched):
    watched.postgres("CREATE TABLE odd (id bigint PRIMARY KEY, v vector(2), meta jsonb NOT NULL)")
    watched.postgres(
        # The last row is not in the sample.
        "INSERT INTO odd SELECT g, '[1,2]', jsonb_build_object(CASE g WHEN 400 THEN '_seq' ELSE 'x' END, 1)"
        " FROM generate_series(1, 400) g"
    )
    moved = watched.move("public.odd", open=["meta"])
    assert moved.report["status"] == "Successful", moved.log
    rows = moved.rows()
    assert rows[1]["x"] == 1
    if watched.is_lite:
        assert 400 not in rows
        assert [(row["locator"], row["code"]) for row in moved.rejected] == [("400", "dynamic_key_taken")]
    else:
        assert rows[400]["_seq"] == 1


def quoted(name):
    """A part of a table name in quotes, which a plan always accepts."""
    return '"' + name.replace('"', '""') + '"'


def make_odd_table(mover, name):
    """A table whose schema, columns, types, labels and comments are all called ``name``."""
    parts = {
        "n": sql.Identifier(name),
        "v": sql.Identifier(f"{name[:60]}v"),
        "mood": sql.Identifier(name, f"{name[:60]}e"),
        "label": sql.Literal(name),
    }
    for statement in (
        "CREATE SCHEMA {n}",
        "CREATE TYPE {mood} AS ENUM ({label})",
        "CREATE DOMAIN {n}.{v} AS vector(2)",
        "CREATE TYPE {n}.pair AS ({n} text, {v} {mood})",
        "CREATE TABLE {n}.{n} ({n} text PRIMARY KEY, {v} {n}.{v}, label {mood}, labels {mood}[],"
        " pair {n}.pair)",
        "COMMENT ON COLUMN {n}.{n}.{v} IS {label}",
        "INSERT INTO {n}.{n} VALUES ({label}, '[1,2]', {label}, ARRAY[{label}, {label}]::{mood}[],"
        " ROW({label}, {label}))",
    ):
        mover.postgres(sql.SQL(statement).format(**parts))


def odd_collection(name):
    targets = {name: "key", f"{name[:60]}v": "v", "label": "label", "labels": "labels", "pair": "pair"}
    fields = [{"source": source, "target": target} for source, target in targets.items()]
    fields[3] |= {"type": "ARRAY", "element_type": "VARCHAR"}
    return {"source": f"{quoted(name)}.{quoted(name)}", "fields": fields}


def test_a_table_of_any_name_is_moved_with_types_of_any_name(watched):
    """The target never sees these names: ten are enough on Milvus 2.3.5, where a move takes seconds."""
    for names in batched(HOSTILE if watched.is_lite else HOSTILE[:10], 10):
        for name in names:
            make_odd_table(watched, name)
        options = {"verify": "counts" if watched.is_lite else "none"}
        all_moved = watched.move_all([odd_collection(name) for name in names], options)
        for name, moved in zip(names, all_moved, strict=True):
            assert moved.report["status"] == "Successful", moved.log
            row = {"key": name, "v": [1.0, 2.0], "label": name, "labels": [name, name]}
            assert moved.rows() == {name: row | {"pair": {name: name, f"{name[:60]}v": name}}}


def batched(items, size):
    return (items[first : first + size] for first in range(0, len(items), size))


def test_each_table_with_an_illegal_name_gets_a_different_suggestion(watched):
    names = ["a b", "a.b", "a-b", "A-B", "漢字", "かな", "9", "x" * 63]
    for name in names:
        table = sql.Identifier(name)
        watched.postgres(sql.SQL("CREATE TABLE {} (id bigint PRIMARY KEY, v vector(2))").format(table))
        watched.postgres(sql.SQL("INSERT INTO {} VALUES ({}, '[1,2]')").format(table, len(name)))
    collections = [{"source": f"public.{quoted(name)}", "target": name} for name in names]
    faults = watched.refused_all(collections)
    assert {fault["code"] for fault in faults} == {"name_illegal"}
    for fault in faults:
        [place] = re.findall(r"\d+", fault["path"])
        collections[int(place)]["target"] = fault["fixes"][0]["value"]
    assert len({collection["target"] for collection in collections}) == len(names)
    for name, moved in zip(names, watched.move_all(collections, {"verify": "none"}), strict=True):
        assert moved.rows().keys() == {len(name)}


@pytest.mark.parametrize("milvus_uri", ["milvus-lite"], indirect=True, scope="session")
@pytest.mark.parametrize(
    "name",
    [
        '"; DROP DATABASE postgres; --',
        "'); DROP DATABASE postgres; --",
        "a'b\\ c\\",
        "%s %(x)s ${HOME} $$ {c}",
        "host=nowhere user=nobody",
        "postgresql://nobody@nowhere/none?x=y",
        "漢字 \U0001f600 é",
        "x" * 63,
    ],
)
def test_a_database_a_user_and_a_password_of_any_name_can_connect(watched, name):
    parts = {"name": sql.Identifier(name), "password": sql.Literal(name)}
    watched.postgres(sql.SQL("CREATE ROLE {name} LOGIN PASSWORD {password}").format(**parts))
    watched.postgres(sql.SQL("CREATE DATABASE {name}").format(**parts))
    try:
        with psycopg.connect(watched.source.url, dbname=name, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
            connection.execute("CREATE TABLE items (id bigint PRIMARY KEY, v vector(2))")
            connection.execute("INSERT INTO items VALUES (1, '[1,2]')")
            connection.execute(sql.SQL("GRANT SELECT ON items TO {name}").format(**parts))
        settings = {"database": name, "user": name, "password": name}
        assert watched.refused("public.items", settings=settings) == []
        moved = watched.move("public.items", {"verify": "none"}, settings)
        assert (moved.report["status"], moved.counts["rows_written"]) == ("Successful", 1)
    finally:
        watched.postgres(sql.SQL("DROP DATABASE {name}").format(**parts))
        watched.postgres(sql.SQL("DROP ROLE {name}").format(**parts))
