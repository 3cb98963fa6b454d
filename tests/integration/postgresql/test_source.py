"""PostgreSQL source: it fulfils the contract of all sources on a real server."""

import pytest

from migrations_app.engine.errors import AuthRefused, ConnectionRefused, DatabaseMissing, HostUnknown
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.sources.postgresql import PostgresSource
from tests.engines.postgres import Database
from tests.kit import BadSettings, SourceCase, SourceContract

ROWS = 400

EVERY_TYPE = """
    CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'glad');
    CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
    CREATE TYPE person AS (age integer, name text);
    CREATE TABLE every_type (
        id bigint PRIMARY KEY, v vector(8), loose vector, t text, vc varchar(20), c char(5),
        i2 smallint, i4 integer, f4 real, f8 double precision, b boolean,
        d date, tm time, ts timestamp, tz timestamptz,
        n numeric, u uuid, m mood, j json, jb jsonb,
        ta text[], va varchar(9)[], ia integer[], la bigint[], fa double precision[], na numeric[],
        ba boolean[], raw bytea, h halfvec(3), sparse sparsevec, bits bit(16), flag varbit,
        span interval, ip inet, mac macaddr, ids uuid[], times timestamptz[], moods mood[], small positive,
        smalls positive[], who person, people person[], days daterange, gaps int4multirange, p point,
        area polygon
    );
    INSERT INTO every_type
    SELECT g, ('[' || g || ',1,2,3,4,5,6,-0.5]')::vector, ('[' || g || ',0.25]')::vector,
        'text ' || g, 'vc ' || g, 'c',
        g, g, g / 2.0, g / 4.0, g % 2 = 0,
        date '2024-01-01' + g, time '00:00' + g * interval '1 min',
        timestamp '2024-01-01' + g * interval '1.000001 s',
        timestamptz '2024-01-01 00:00+02' + g * interval '1 h',
        g / 8.0, md5(g::text)::uuid, 'glad', '{"a":  1}', '{"a":  1}',
        ARRAY['a', g::text], ARRAY['v'], ARRAY[g, -g], ARRAY[g], ARRAY[g / 2.0], ARRAY[g / 8.0],
        ARRAY[true, false], '\\x00', '[1,2,3]', ('{1:' || g || ',9:-1}/' || 8 + g)::sparsevec, g::bit(16),
        g::bit(9)::varbit, g * interval '1 h', inet '10.0.0.1' + g, '08:00:2b:01:02:03',
        ARRAY[md5(g::text)::uuid], ARRAY[timestamptz '2024-01-01 00:00+02'], ARRAY['sad', 'glad']::mood[], g,
        ARRAY[g], ROW(g, 'a')::person, ARRAY[ROW(g, 'a')::person], daterange('2024-01-01', NULL),
        '{[1,2),[5,)}', '(1,2)', '((0,0),(1,1),(1,0))'
    FROM generate_series(1, 399) g;
    INSERT INTO every_type (id) VALUES (-9223372036854775808);
    UPDATE every_type SET
        t = E'\\u0001 ''"\\\\ é 漢 \\U0001F600 \\U0010FFFF' || repeat('x', 50), m = 'it''s "ok"', c = 'ab',
        ta = ARRAY['a,b', '"', '\\', '', 'NULL', '{}'], ia = '[5:6]={1,2}', fa = '{NaN,Infinity,-0}'
    WHERE id = 1;
"""
KEYS = """
    CREATE TABLE composite (
        tenant text COLLATE "C.utf8", id uuid, v vector(4) NOT NULL, note text, PRIMARY KEY (tenant, id));
    INSERT INTO composite
    SELECT (ARRAY['a/b', 'a%', 'O''Neil', E'back\\\\slash'])[1 + g % 4], md5(g::text)::uuid,
        ('[' || g || ',1,2,3]')::vector, 'note ' || g FROM generate_series(1, 400) g;
    CREATE TABLE "Odd ""Schema"."t'q" (
        k varchar(40) NOT NULL UNIQUE, "a.b" text, "select" integer, v vector(2));
    INSERT INTO "Odd ""Schema"."t'q"
    SELECT (ARRAY['ä', 'Z', 'a', '_', ' b'])[1 + g % 5] || g, 'x' || g, g, ('[' || g || ',1]')::vector
    FROM generate_series(1, 400) g;
"""
OTHERS = """
    CREATE TABLE empty_one (id integer PRIMARY KEY, v vector(8));
    CREATE TABLE no_vector (id integer PRIMARY KEY);
    INSERT INTO no_vector VALUES (1);
"""


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    pg.execute('CREATE SCHEMA "Odd ""Schema"')
    for statements in (EVERY_TYPE, KEYS, OTHERS):
        pg.execute(statements)
    return pg


class PostgresContract(SourceContract):
    """The settings that all cases below share."""

    def case_of(self, database: Database, full: str, expected: dict, batch_bytes: int = 4096) -> SourceCase:
        settings = database.settings
        return SourceCase(
            PostgresSource,
            settings,
            full=CollectionRef(full),
            rows=ROWS,
            empty=CollectionRef("public.empty_one"),
            missing=CollectionRef("public.not_there"),
            bad=(
                BadSettings({"password": "wrong secret"}, AuthRefused, "password"),
                BadSettings({"user": "nobody_here"}, AuthRefused, "password"),
                BadSettings({"database": "not_there"}, DatabaseMissing, "database"),
                BadSettings({"host": "no-such-host.invalid"}, HostUnknown, "host"),
                BadSettings({"port": 1}, ConnectionRefused, "port"),
            ),
            expected=expected,
            secrets=(settings["password"], "wrong secret"),
            batch_bytes=batch_bytes,
            not_selectable=frozenset({"public.empty_one", "public.no_vector"}),
        )


class TestEveryType(PostgresContract):
    @pytest.fixture
    def case(self, database: Database) -> SourceCase:
        nothing = dict.fromkeys(("v", "loose", "t", "c", "i2", "b", "ts", "n", "m", "jb", "ta", "fa"))
        return self.case_of(
            database,
            "public.every_type",
            batch_bytes=16384,
            expected={
                "-9223372036854775808": {"id": -(2**63), **nothing},
                "1": {
                    "t": "\x01 '\"\\ é 漢 \U0001f600 \U0010ffff" + "x" * 50,
                    "v": [1, 1, 2, 3, 4, 5, 6, -0.5],
                    "loose": [1, 0.25],
                    "vc": "vc 1",
                    "c": "ab",
                    "i2": 1,
                    "i4": 1,
                    "f4": 0.5,
                    "f8": 0.25,
                    "b": False,
                    "d": "2024-01-02",
                    "tm": "00:01:00",
                    "ts": "2024-01-01T00:00:01.000001",
                    "tz": "2023-12-31T23:00:00.000000+00:00",
                    "n": "0.12500000000000000000",
                    "u": "c4ca4238-a0b9-2382-0dcc-509a6f75849b",
                    "m": 'it\'s "ok"',
                    "j": '{"a":  1}',
                    "jb": '{"a": 1}',
                    "ta": ["a,b", '"', "\\", "", "NULL", "{}"],
                    "va": ["v"],
                    "ia": [1, 2],
                    "la": [1],
                    "na": ["0.12500000000000000000"],
                    "ba": [True, False],
                },
            },
        )


class TestCompositeKey(PostgresContract):
    @pytest.fixture
    def case(self, database: Database) -> SourceCase:
        return self.case_of(
            database,
            "public.composite",
            {
                "a%2Fb/a87ff679-a2f3-e71d-9181-a67b7542122c": {
                    "tenant": "a/b",
                    "note": "note 4",
                    "v": [4, 1, 2, 3],
                },
            },
        )


class TestOddNames(PostgresContract):
    @pytest.fixture
    def case(self, database: Database) -> SourceCase:
        return self.case_of(
            database, """"Odd ""Schema".t'q""", {"ä5": {"k": "ä5", "a.b": "x5", "select": 5, "v": [5, 1]}}
        )
