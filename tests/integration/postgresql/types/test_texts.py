"""Texts and types that are read as text: edge values are read exactly, invalid text is reported."""

import json
from collections.abc import Iterator

import pytest

from migrations_app.engine.errors import SourceDataError
from migrations_app.engine.model.batch import CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened
from tests.integration.postgresql.types.edges import Edge, assert_arrives, same, varchar

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
EVERY_PLANE = "".join(chr(plane << 16 | 0x0041) for plane in range(17)) + "\x01\x7f\u0085\u2028\ufffd"
TEXTS = ["", " ", "\t\r\n", "\\N", "NULL", "'; DROP TABLE x; --", '"', "e\u0301", EVERY_PLANE, "x" * 10**6,
         "\U0010ffff" * 250_000]  # fmt: skip

EDGES = [
    varchar("text", same(*TEXTS)),
    varchar("varchar", same(*TEXTS)),
    varchar("varchar(3)", same("", "漢字\U0001f600", "a  ")),
    varchar("char(4)", {"": "", "ab": "ab", "  a ": "  a", "漢": "漢"}, lambda text: text.rstrip(" ")),
    varchar('text COLLATE "C"', same("ä", "A")),
    varchar("name", same("", "a b", "漢" * 21)),
    varchar("uuid", {UUID.upper(): UUID, "0" * 32: "00000000-0000-0000-0000-000000000000"}),
    varchar("odd_enum", same("", "a b", "it's", 'say "hi"', "漢")),
    varchar(
        "inet",
        same("0.0.0.0", "255.255.255.255", "10.0.0.1", "10.0.0.1/8", "10.0.0.0/24", "0.0.0.0/0", "::", "::1",
             "fe80::1/64", "::ffff:10.0.0.1", "2001:db8::ff00:42:8329"),
    ),
    varchar("cidr", same("0.0.0.0/0", "10.0.0.0/8", "10.0.0.1/32", "::/0", "2001:db8::/32", "::1/128")),
    varchar("macaddr", {"08002B:010203": "08:00:2b:01:02:03", **same("00:00:00:00:00:00")}),
    varchar("macaddr8", same("00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff")),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute("""CREATE TYPE odd_enum AS ENUM ('', 'a b', 'it''s', 'say "hi"', '漢')""")
    return pg


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_texts_arrive_exactly(database: Database, edge: Edge) -> None:
    assert_arrives(database, edge)


@pytest.fixture(scope="module")
def unchecked(database: Database) -> Iterator[Database]:
    """A database that accepts any bytes as text."""
    with database.connect() as connection:
        connection.execute("CREATE DATABASE unchecked ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        yield Database(f"{database.url.rsplit('/', 1)[0]}/unchecked")
        connection.execute("DROP DATABASE unchecked WITH (FORCE)")


BROKEN, FINE = r"E'a\377b'", r"E'\303\251\346\274\242'"


@pytest.mark.parametrize(
    ("native", "spec", "value"),
    [
        ("text", TypeSpec(MilvusType.VARCHAR), BROKEN),
        ("text[]", TypeSpec(MilvusType.ARRAY, element_type=MilvusType.VARCHAR), f"ARRAY['fine', {BROKEN}]"),
        ("jsonb", TypeSpec(MilvusType.JSON), f"to_jsonb({BROKEN}::text)"),
    ],
    ids=["text", "text[]", "jsonb"],
)
def test_only_the_row_with_invalid_utf8_is_rejected(unchecked, native, spec, value) -> None:
    unchecked.execute(f"DROP TABLE IF EXISTS edge; CREATE TABLE edge (id int PRIMARY KEY, v {native})")
    fine = value.replace(BROKEN, FINE)
    unchecked.execute(f"INSERT INTO edge VALUES (1, {fine}), (2, {value}), (3, NULL)")
    plan = ReadPlan((ReadColumn("id", TypeSpec(MilvusType.INT32)), ReadColumn("v", spec)), key=("id",))

    with opened(unchecked) as source:
        assert (
            source.describe(CollectionRef("public.edge"), 100, ReadContext()).field("v").choices[0].spec.type
            is spec.type
        )
        (part,) = source.slices(CollectionRef("public.edge"), 1, ReadContext())
        (batch,) = source.read(CollectionRef("public.edge"), part, None, plan, ReadContext())

    assert batch.rows.column("id").to_pylist() == [1, 3]
    assert "é漢" in str(batch.rows.column("v")[0].as_py())
    (row,) = batch.rejected
    assert (row.locator, row.field, row.code) == ("2", "v", "text_invalid")
    assert row.reason == "“v” is not valid UTF-8."
    assert r"\xff" in json.loads(row.row)["v"]


def test_a_key_with_invalid_utf8_ends_the_read_with_the_reason(unchecked) -> None:
    unchecked.execute("DROP TABLE IF EXISTS edge; CREATE TABLE edge (k text PRIMARY KEY, id int)")
    unchecked.execute(f"INSERT INTO edge VALUES ('a', 1), ({BROKEN}, 2)")
    plan = ReadPlan((ReadColumn("id", TypeSpec(MilvusType.INT32)),), key=("k",))

    with opened(unchecked) as source:
        (part,) = source.slices(CollectionRef("public.edge"), 1, ReadContext())
        with pytest.raises(SourceDataError) as caught:
            list(source.read(CollectionRef("public.edge"), part, None, plan, ReadContext()))

    assert caught.value.code == "text_invalid"
    assert r"a\xffb" in caught.value.message
    assert "condition" in caught.value.hint


def test_a_byte_without_a_unicode_character_fails_with_the_reason(database: Database) -> None:
    """The byte 0x81 has no character in Windows code page 1252."""
    with database.connect() as connection:
        connection.execute("CREATE DATABASE western ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0")
        western = Database(f"{database.url.rsplit('/', 1)[0]}/western")
        try:
            western.execute("CREATE TABLE edge (id int PRIMARY KEY, v text)")
            western.execute("INSERT INTO edge VALUES (1, 'é'), (2, chr(129))")
            with opened(western) as source, pytest.raises(SourceDataError) as caught:
                source.describe(CollectionRef("public.edge"), 100, ReadContext())
            assert caught.value.code == "text_invalid"
            assert "condition" in caught.value.hint
        finally:
            connection.execute("DROP DATABASE western WITH (FORCE)")
