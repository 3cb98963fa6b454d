"""Domains: they are read as their base types, at any depth."""

import struct

import pytest

from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.source_schema import SourceKey
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from tests.engines.postgres import Database
from tests.integration.postgresql.database import batches_of, locators_of, opened, plan_of
from tests.integration.postgresql.types.edges import Edge, array, assert_arrives, numbers_in, same, varchar

T = MilvusType
DOMAINS = """
    CREATE TYPE colour AS ENUM ('red', 'it''s');
    CREATE DOMAIN whole AS integer CHECK (VALUE > 0);
    CREATE DOMAIN wholer AS whole NOT NULL DEFAULT 1;
    CREATE DOMAIN wholes AS integer[];
    CREATE DOMAIN short AS varchar(5) COLLATE "C";
    CREATE DOMAIN shade AS colour;
    CREATE DOMAIN moment AS timestamptz(3);
    CREATE DOMAIN exact AS numeric(9,2);
    CREATE DOMAIN embedding AS vector(2);
    CREATE DOMAIN half AS halfvec(2);
    CREATE DOMAIN few AS sparsevec(5);
    CREATE DOMAIN flags AS bit(8);
    CREATE DOMAIN document AS jsonb
"""
EDGES = [
    Edge("whole", TypeSpec(T.INT32), {"1": 1, "2147483647": 2**31 - 1}),
    Edge("whole", TypeSpec(T.INT64), {"1": 1}),
    array("wholes", T.INT32, {"{1,2}": [1, 2], "[0:1]={3,NULL}": [3, None]}),
    array("whole[]", T.INT32, {"{1,2}": [1, 2], "[0:1]={3,4}": [3, 4]}, text=lambda text: [
        int(item) for item in text.split("=")[-1].strip("{}").split(",")]),
    Edge("wholes[]", TypeSpec(T.JSON), {'{"{1,2}","{}"}': "[[1,2],[]]"},
         text={'{"{1,2}","{}"}': "[[1,2],[]]"}.get),
    varchar("short", same("", "漢字")),
    array("short[]", T.VARCHAR, {"{a,漢}": ["a", "漢"]}, text=lambda text: text.strip("{}").split(",")),
    varchar("shade", same("red", "it's")),
    array("shade[]", T.VARCHAR, {"{red}": ["red"]}, text=lambda text: text.strip("{}").split(",")),
    varchar("moment", {"2024-01-01 00:00:00.0005+00": "2024-01-01T00:00:00.001000+00:00"},
            lambda text: text.replace(" ", "T").replace("+00", "000+00:00")),
    varchar("exact", {"1": "1.00"}),
    Edge("embedding", TypeSpec(T.FLOAT_VECTOR, 2), {"[1,-0]": [1.0, -0.0]}, numbers_in),
    Edge("half", TypeSpec(T.FLOAT16_VECTOR, 2), {"[1,2]": struct.pack("<2e", 1, 2)},
         lambda text: struct.pack("<2e", *numbers_in(text))),
    Edge("few", TypeSpec(T.SPARSE_FLOAT_VECTOR), {"{5:1}/5": [{"index": 4, "value": 1.0}]},
         lambda text: [{"index": int(text[1]) - 1, "value": float(text[3])}]),
    Edge("flags", TypeSpec(T.BINARY_VECTOR, 8), {"00000001": b"\1"}, lambda text: bytes([int(text, 2)])),
    Edge("document", TypeSpec(T.JSON), {'{"a":1.50}': '{"a": 1.50}'}, str),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute(DOMAINS)
    return pg


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_domains_are_read_as_their_base_types(database: Database, edge: Edge) -> None:
    assert_arrives(database, edge)


@pytest.mark.parametrize(
    ("native", "value"),
    [("wholer", "g"), ("short", "g::text"), ("exact", "g"), ("moment", "now() + g * interval '1 h'")],
)
def test_a_domain_can_be_the_key_that_gives_the_order(database: Database, native: str, value: str) -> None:
    database.execute("DROP TABLE IF EXISTS keyed")
    database.execute(f"CREATE TABLE keyed (k {native} PRIMARY KEY, v vector(8))")  # type: ignore[arg-type]
    database.execute(
        f"INSERT INTO keyed SELECT {value}, array_fill(1, ARRAY[8])::vector FROM generate_series(1, 200) g"  # type: ignore[arg-type]
    )
    with opened(database) as source:
        schema = source.describe(CollectionRef("public.keyed"), 100, ReadContext())
        assert schema.key == SourceKey(("k",))
        assert schema.fields[0].can_be_key == (native != "moment")
        plan = plan_of(source, "public.keyed")
        batches = list(batches_of(source, "public.keyed", plan))
        assert len(batches) >= 4
        rest = list(batches_of(source, "public.keyed", plan, after=batches[0].after))
        assert locators_of(rest) == locators_of(batches[1:])
