import pytest

from migrations_app.engine.batch import CollectionRef
from migrations_app.engine.errors import SourceDataError
from migrations_app.engine.schema import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgres import opened
from tests.integration.postgres_types.edges import Edge, assert_arrives, column_of, read, same, varchar

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


def test_a_text_that_is_none_in_utf8_is_said_to_be(database: Database) -> None:
    """SQL_ASCII databases take any bytes; others hold characters that Unicode lacks."""
    with database.connect() as connection:
        connection.execute("CREATE DATABASE unchecked ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        unchecked = Database(f"{database.url.rsplit('/', 1)[0]}/unchecked")
        try:
            batches = read(unchecked, "text", TypeSpec(MilvusType.VARCHAR), ["é"])
            assert column_of(batches) == ["é"]
            unchecked.execute("INSERT INTO edge VALUES (1, E'a\\377b')")
            with opened(unchecked) as source, pytest.raises(SourceDataError) as caught:
                source.describe(CollectionRef("public.edge"))
            assert caught.value.code == "text_invalid"
            assert "condition" in (caught.value.hint or "")
        finally:
            connection.execute("DROP DATABASE unchecked WITH (FORCE)")
