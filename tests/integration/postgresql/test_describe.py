"""Description of a table in a real PostgreSQL: types, notes, key, metric and samples for the mapping page."""

import pytest

from migrations_app.engine.errors import SourceDataError
from migrations_app.engine.model.batch import CollectionRef, ReadColumn, ReadPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceKey
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.document_keys import describe_with_keys
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MeasureRequest, Measures
from migrations_app.engine.sources.postgresql.source import PostgresSource
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened

OFFERED = {
    "vector(3)": ["FLOAT_VECTOR · 3"],
    "vector": ["FLOAT_VECTOR"],
    "text": ["VARCHAR"],
    "varchar(5)": ["VARCHAR"],
    "char(5)": ["VARCHAR"],
    "bigint": ["INT64"],
    "integer": ["INT32"],
    "smallint": ["INT16"],
    "double precision": ["DOUBLE"],
    "real": ["FLOAT"],
    "boolean": ["BOOL"],
    "date": ["VARCHAR"],
    "time": ["VARCHAR"],
    "json": ["JSON"],
    "jsonb": ["JSON"],
    "numeric(9,2)": ["VARCHAR", "DOUBLE"],
    "timestamp": ["VARCHAR", "INT64"],
    "timestamptz": ["VARCHAR", "INT64"],
    "uuid": ["VARCHAR"],
    "own_enum": ["VARCHAR"],
    "text[]": ["ARRAY<VARCHAR>", "JSON"],
    "integer[]": ["ARRAY<INT32>", "JSON"],
    "numeric[]": ["ARRAY<VARCHAR>", "JSON"],
    "halfvec(3)": ["FLOAT16_VECTOR · 3", "FLOAT_VECTOR · 3"],
    "halfvec": ["FLOAT16_VECTOR", "FLOAT_VECTOR"],
    "sparsevec(3)": ["SPARSE_FLOAT_VECTOR"],
    "sparsevec": ["SPARSE_FLOAT_VECTOR"],
    "bit(8)": ["VARCHAR", "BINARY_VECTOR · 8"],
    "bit(12)": ["VARCHAR"],
    "varbit": ["VARCHAR"],
    "timetz": ["VARCHAR"],
    "interval": ["VARCHAR"],
    "inet": ["VARCHAR"],
    "cidr": ["VARCHAR"],
    "macaddr": ["VARCHAR"],
    "macaddr8": ["VARCHAR"],
    "xml": ["VARCHAR"],
    "name": ["VARCHAR"],
    "oid": ["INT64"],
    "point": ["JSON"],
    "circle": ["JSON"],
    "int4range": ["JSON"],
    "own_range": ["JSON"],
    "datemultirange": ["JSON"],
    '"Odd".text': ["JSON"],
    "every_row": ["JSON"],
    **{
        f"{name}[]": ["ARRAY<VARCHAR>", "JSON"] for name in ("date", "timestamptz", "own_enum", "inet", "xml")
    },
    **{f"{name}[]": ["JSON"] for name in ("jsonb", "point", "int4range", "every_row")},
    "whole": ["INT32"],
    "wholer": ["INT32"],
    "wholer[]": ["ARRAY<INT32>", "JSON"],
    "wholes": ["ARRAY<INT32>", "JSON"],
    "wholes[]": ["JSON"],
    "short": ["VARCHAR"],
    "colour": ["VARCHAR"],
    "embedding": ["FLOAT_VECTOR · 4"],
    "half_embedding": ["FLOAT16_VECTOR · 5", "FLOAT_VECTOR · 5"],
    "flags": ["VARCHAR", "BINARY_VECTOR · 16"],
    "span": ["JSON"],
    "member": ["JSON"],
    "bytea": ["VARCHAR", "VARCHAR"],
    "blob": ["VARCHAR", "VARCHAR"],
}
LEFT_OUT = {
    "bytea[]": "no type for raw bytes",
    "vector(3)[]": "no arrays of vectors",
    "halfvec[]": "no arrays of vectors",
    "embedding[]": "no arrays of vectors",
    "tsvector": "full-text search",
    "money": "casts it to numeric",
    "pg_lsn": "no type for pg_lsn",
    "int2vector": "no type for int2vector",
}
TYPES = """
    CREATE TYPE own_enum AS ENUM ('a');
    CREATE TYPE own_range AS RANGE (subtype = text);
    CREATE SCHEMA "Odd"; CREATE TYPE "Odd".text AS (b integer);
    CREATE TABLE every_row (a integer, b text[]);
    CREATE DOMAIN whole AS integer CHECK (VALUE > 0); CREATE DOMAIN wholer AS whole NOT NULL;
    CREATE DOMAIN wholes AS integer[]; CREATE DOMAIN short AS varchar(5); CREATE DOMAIN colour AS own_enum;
    CREATE DOMAIN embedding AS vector(4); CREATE DOMAIN half_embedding AS halfvec(5);
    CREATE DOMAIN flags AS bit(16); CREATE DOMAIN span AS int4range; CREATE DOMAIN member AS every_row;
    CREATE DOMAIN blob AS bytea
"""
MAY_BE_KEY = {
    *("text", "varchar(5)", "char(5)", "bigint", "integer", "smallint", "numeric(9,2)"),
    *("date", "time", "timestamp", "uuid", "own_enum"),
    *("whole", "wholer", "short", "colour"),
    *("bytea", "blob"),
}


@pytest.fixture(scope="module")
def database(pg: Database) -> Database:
    """The table `every`, with a column for each type, named after the type."""
    pg.execute(TYPES)
    columns = ", ".join(f'''"{native.replace('"', '""')}" {native}''' for native in (*OFFERED, *LEFT_OUT))
    pg.execute(f"CREATE TABLE every ({columns})")  # type: ignore[arg-type]
    return pg


def measured(
    source: PostgresSource, name: str, dims: tuple[str, ...], nulls: tuple[str, ...] = ()
) -> Measures:
    return source.measure(CollectionRef(f"public.{name}"), MeasureRequest(dims, nulls), ReadContext())


def describe(database: Database, name: str) -> CollectionSchema:
    with opened(database) as source:
        return source.describe(CollectionRef(name), 100, ReadContext())


def test_every_type_has_choices_or_a_reason_why_it_has_none(database: Database) -> None:
    fields = {f.name: f for f in describe(database, "public.every").fields}
    assert {name: [str(c.spec) for c in fields[name].choices] for name in OFFERED} == OFFERED
    for name, reason in LEFT_OUT.items():
        assert fields[name].choices == ()
        assert reason in fields[name].left_out
    for name in ("bytea", "blob"):
        assert [choice.encoding for choice in fields[name].choices] == ["hex", "base64"]
        assert not any(choice.is_proposed for choice in fields[name].choices)
        assert "hex or base64" in fields[name].left_out
    assert [name for name in fields if fields[name].can_be_key] == [n for n in OFFERED if n in MAY_BE_KEY]


def test_notes_explain_how_a_choice_changes_the_values(database: Database) -> None:
    fields = {f.name: f for f in describe(database, "public.every").fields}
    assert fields["varchar(5)"].choices[0].note == "Declared for 5 characters: at most 20 bytes."
    assert "blanks" in fields["char(5)"].choices[0].note
    assert "rounded down" in fields["timestamp"].choices[1].note
    assert "Read as UTC" in fields["timestamp"].choices[1].note
    assert "Rounded" in fields["numeric(9,2)"].choices[1].note


@pytest.mark.parametrize(
    ("index", "field", "metric"),
    [
        ("USING hnsw (v vector_cosine_ops)", "v", "COSINE"),
        ("USING hnsw (v vector_l2_ops)", "v", "L2"),
        ("USING ivfflat (v vector_ip_ops)", "v", "IP"),
        ("USING hnsw (v vector_l1_ops)", "v", "L1"),
        ("USING hnsw (h halfvec_cosine_ops)", "h", "COSINE"),
        ("USING ivfflat (h halfvec_l2_ops)", "h", "L2"),
        ("USING hnsw (h halfvec_ip_ops)", "h", "IP"),
        ("USING hnsw (s sparsevec_l2_ops)", "s", "L2"),
        ("USING hnsw (s sparsevec_ip_ops)", "s", "IP"),
        ("USING hnsw (b bit_hamming_ops)", "b", "HAMMING"),
        ("USING hnsw (b bit_jaccard_ops)", "b", "JACCARD"),
        ("USING hnsw ((v::halfvec(3)) halfvec_l2_ops) WHERE id > 0", "v", "L2"),
        ("USING hnsw ((binary_quantize(v)::bit(3)) bit_hamming_ops)", "v", None),
        ("(id)", "v", None),
    ],
)
def test_the_metric_is_taken_from_the_vector_index(
    database: Database, index: str, field: str, metric: str | None
) -> None:
    database.execute(
        "DROP TABLE IF EXISTS indexed;"
        "CREATE TABLE indexed (id integer, v vector(3), h halfvec(3), s sparsevec(3), b bit(8))"
    )
    database.execute(f"CREATE INDEX ON indexed {index}")  # type: ignore[arg-type]
    metrics = {f.name: f.metric for f in describe(database, "public.indexed").fields if f.metric}
    assert metrics == ({field: metric} if metric else {})


@pytest.mark.parametrize(
    ("columns", "index", "first"),
    [
        ("b bit(16), v vector(3)", "", {"b": "VARCHAR", "v": "FLOAT_VECTOR · 3"}),
        ("b bit(16), v vector(3)", "b bit_hamming_ops", {"b": "BINARY_VECTOR · 16", "v": "FLOAT_VECTOR · 3"}),
        ("b bit(16), c bit(8)", "b bit_jaccard_ops", {"b": "BINARY_VECTOR · 16", "c": "VARCHAR"}),
        ("b bit(16), t text", "", {"b": "BINARY_VECTOR · 16", "t": "VARCHAR"}),
        ("b bit(12), t text", "", {"b": "VARCHAR", "t": "VARCHAR"}),
    ],
)
def test_a_bit_string_is_a_vector_if_it_is_indexed_or_the_table_has_no_other(
    database: Database, columns: str, index: str, first: dict[str, str]
) -> None:
    database.execute("DROP TABLE IF EXISTS bits")
    database.execute(f"CREATE TABLE bits ({columns})")  # type: ignore[arg-type]
    if index:
        database.execute(f"CREATE INDEX ON bits USING hnsw ({index})")  # type: ignore[arg-type]
    fields = describe(database, "public.bits").fields
    assert {f.name: str(f.choices[0].spec) for f in fields} == first


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ("a integer PRIMARY KEY, b text NOT NULL UNIQUE", SourceKey(("a",))),
        ("a integer, b text NOT NULL UNIQUE", SourceKey(("b",))),
        ("a integer UNIQUE, b text", None),
        ("a integer NOT NULL, b text NOT NULL, UNIQUE (b, a)", SourceKey(("b", "a"))),
        ("a integer NOT NULL, b text NOT NULL, UNIQUE (b, a), UNIQUE (a)", SourceKey(("a",))),
        ("a integer, b text, PRIMARY KEY (b, a)", SourceKey(("b", "a"))),
        ("a integer, b text NOT NULL, UNIQUE (b) INCLUDE (a)", SourceKey(("b",))),
        ("a integer NOT NULL, b text, UNIQUE (a, b)", None),
    ],
)
def test_the_key_is_the_primary_key_or_else_unique_columns_without_null(
    database: Database, columns: str, key: SourceKey | None
) -> None:
    database.execute("DROP TABLE IF EXISTS keyed")
    database.execute(f"CREATE TABLE keyed ({columns}, v vector(2))")  # type: ignore[arg-type]
    schema = describe(database, "public.keyed")
    assert schema.key == key
    assert bool(schema.notes) == (key is None)


def test_a_key_that_inheriting_tables_may_repeat_is_not_unique(database: Database) -> None:
    database.execute("DROP TABLE IF EXISTS keyed; CREATE TABLE keyed (a integer PRIMARY KEY, v vector(2))")
    database.execute("CREATE TABLE heir () INHERITS (keyed)")
    schema = describe(database, "public.keyed")
    assert schema.key == SourceKey(("a",), unique=False)
    assert "inherit" in schema.notes[0]
    database.execute("DROP TABLE keyed CASCADE")


def test_a_not_null_constraint_counts_only_if_it_is_validated(database: Database) -> None:
    database.execute(
        "DROP TABLE IF EXISTS nulls; CREATE TABLE nulls (a integer NOT NULL, b integer, v vector(2))"
    )
    database.execute("INSERT INTO nulls VALUES (1, NULL, NULL)")
    database.execute("ALTER TABLE nulls ADD CONSTRAINT late NOT NULL b NOT VALID")
    assert [f.nullable for f in describe(database, "public.nulls").fields] == [False, True, True]
    database.execute("CREATE UNIQUE INDEX ON nulls (b)")
    assert describe(database, "public.nulls").key is None


IPV6 = ":".join(["ffff"] * 8)
# A type, its longest values, and the limit of its texts.
DECLARED = [
    ("varchar(5)", ["€€€€€"], 20),
    ("char(5)", ["€€€€€"], 20),
    ("varchar(5)[]", ["{€€€€€}"], 20),
    ("varchar(20000)", ["x"], None),
    ("text", ["x"], None),
    ("numeric(9,2)", ["-1234567.89"], None),
    ("uuid", ["00000000-0000-0000-0000-000000000000"], 36),
    ("date", ["4713-01-01 BC", "5874897-12-31"], 13),
    ("time", ["23:59:59.999999"], 15),
    ("timetz", ["23:59:59.999999-15:59:59"], 24),
    ("timestamp", ["4714-11-24 00:00:00.999999 BC", "294276-12-31 23:59:59.999999", "2024-01-01"], 32),
    (
        "timestamptz",
        ["4714-11-24 00:00:00.999999+00 BC", "294276-12-31 23:59:59.999999+00", "2024-01-01"],
        32,
    ),
    ("inet", [f"{IPV6}/127"], 43),
    ("cidr", [f"{IPV6}/128"], 43),
    ("macaddr", ["ff:ff:ff:ff:ff:ff"], 17),
    ("macaddr8", ["ff:ff:ff:ff:ff:ff:ff:ff"], 23),
    ("varbit(9)", ["101010101"], 9),
    ("name", ["x" * 63], 252),
]


def test_a_limit_is_declared_by_the_type_only_if_no_value_can_be_longer(database: Database) -> None:
    columns = ", ".join(f"c{number} {native}" for number, (native, *_) in enumerate(DECLARED))
    database.execute(f"CREATE TABLE declared ({columns}, v vector(2))")  # type: ignore[arg-type]
    for number, (_, values, _) in enumerate(DECLARED):
        for value in values:
            database.execute(f"INSERT INTO declared (c{number}) VALUES (%s)", (value,))  # type: ignore[arg-type]
    fields = describe(database, "public.declared").fields[:-1]
    for found, (native, _, limit) in zip(fields, DECLARED, strict=True):
        assert found.choices[0].spec.max_length == limit, native
        assert found.longest_bytes is not None
        assert limit is None or found.longest_bytes <= limit, native


def test_the_longest_values_are_measured_in_bytes_and_elements(database: Database) -> None:
    database.execute(
        "DROP TABLE IF EXISTS lengths; CREATE TABLE lengths (id integer PRIMARY KEY, t text, c char(9),"
        " n numeric, ts timestamptz, ta text[], ia integer[], j jsonb, v vector(2), none text)"
    )
    database.execute(
        "INSERT INTO lengths VALUES (1, '漢字', 'ab', 1.25, now(), '{a,漢}', '{1,2,3}', '{}', '[1,2]'),"
        " (2, 'abc', 'a', -1.5, now(), '{}', NULL, '{\"a\":1}', '[1,2]')"
    )
    fields = {f.name: (f.longest_bytes, f.longest_items) for f in describe(database, "public.lengths").fields}
    assert fields == {
        "id": (None, None),
        "t": (6, None),
        "c": (2, None),
        "n": (4, None),
        "ts": (32, None),
        "ta": (3, 2),
        "ia": (None, 3),
        "j": (8, None),
        "v": (None, None),
        "none": (None, None),
    }


@pytest.mark.parametrize(
    ("value", "first"),
    [
        ("'{a,b}'", "ARRAY<VARCHAR>"),
        ("'{}'", "ARRAY<VARCHAR>"),
        ("NULL", "ARRAY<VARCHAR>"),
        ("'{a,NULL}'", "JSON"),
        ("'{{a},{b}}'", "JSON"),
        ("array_fill('a'::text, ARRAY[4097])", "JSON"),
    ],
)
def test_the_type_proposed_for_an_array_depends_on_the_sample(
    database: Database, value: str, first: str
) -> None:
    database.execute("DROP TABLE IF EXISTS arrays; CREATE TABLE arrays (a text[], v vector(2))")
    database.execute(f"INSERT INTO arrays VALUES ({value}, '[1,2]')")  # type: ignore[arg-type]
    field = describe(database, "public.arrays").fields[0]
    assert str(field.choices[0].spec) == first
    (array,) = (choice for choice in field.choices if choice.spec.type is MilvusType.ARRAY)
    assert bool(array.note) == (first == "JSON")


def test_samples_are_short_distinct_and_never_null(database: Database) -> None:
    database.execute(
        "DROP TABLE IF EXISTS samples; CREATE TABLE samples (t text, v vector(3), b boolean, j jsonb);"
        "INSERT INTO samples VALUES (NULL, NULL, NULL, NULL), ('a', '[0.1184,-0.042,3]', true, '{\"é\":1}'),"
        " ('a', '[1,2,3]', true, '[]'), (repeat('漢', 99), NULL, false, '1'), ('c', NULL, NULL, '2');"
        "ALTER TABLE samples ADD h halfvec(3), ADD u halfvec, ADD s sparsevec, ADD w bit(80), ADD n bit(8);"
        "UPDATE samples SET h = v, u = v, s = v, w = repeat('01', 40)::bit(80), n = b'00000001';"
        "CREATE INDEX ON samples USING hnsw (w bit_hamming_ops); CREATE INDEX ON samples USING hnsw"
        " (n bit_hamming_ops)"
    )
    samples = {f.name: f.samples for f in describe(database, "public.samples").fields}
    assert samples["t"] == ("a", "漢" * 59 + "…", "c")
    assert samples["v"] == ("[0.118, −0.042, …]", "[1.000, 2.000, …]")
    assert samples["h"] == samples["u"] == ("[0.118, −0.042, …]", "[1.000, 2.000, …]")
    assert samples["s"] == ("{0: 0.118, 1: −0.042, …}", "{0: 1.000, 1: 2.000, …}")
    assert samples["w"] == ("01" * 28 + "…",)
    assert samples["n"] == ("00000001",)
    assert samples["b"] == ("true", "false")
    assert samples["j"] == ('{"é": 1}', "[]", "1")


def test_the_sample_has_the_requested_number_of_rows(database: Database) -> None:
    database.execute("DROP TABLE IF EXISTS many; CREATE TABLE many (id integer, v vector(2))")
    database.execute("INSERT INTO many SELECT g, '[1,2]' FROM generate_series(1, 300) g")
    with opened(database) as source:
        for rows in (0, 5, 100):
            sample = source.describe(CollectionRef("public.many"), rows, ReadContext()).sample
            assert sample is not None
            assert sample.num_rows == rows


def test_column_comments_become_descriptions(database: Database) -> None:
    database.execute("DROP TABLE IF EXISTS noted; CREATE TABLE noted (id integer, v vector(2))")
    database.execute("COMMENT ON COLUMN noted.v IS 'made by \"model 1\"'")
    assert [f.description for f in describe(database, "public.noted").fields] == ["", 'made by "model 1"']


def test_measures_over_all_rows_count_dimensions_and_nulls(database: Database) -> None:
    database.execute("DROP TABLE IF EXISTS mixed; CREATE TABLE mixed (t text, v vector, w vector(2))")
    database.execute(
        "INSERT INTO mixed VALUES ('a', '[1]', '[1,2]'), (NULL, '[1,2]', NULL), ('b', '[3]', NULL),"
        " (NULL, NULL, NULL)"
    )
    with opened(database) as source:
        found = measured(source, "mixed", ("v", "w"), ("t", "v", "w"))
    assert found.dims == {"v": {1: 2, 2: 1}, "w": {2: 1}}
    assert found.nulls == {"t": 2, "v": 1, "w": 3}


def test_dimensions_of_every_kind_of_vector_are_measured(database: Database) -> None:
    database.execute(
        "DROP TABLE IF EXISTS dims; DROP DOMAIN IF EXISTS any_vector; CREATE DOMAIN any_vector AS vector;"
        "CREATE TABLE dims (h halfvec, s sparsevec, b bit(16), d any_vector);"
        "INSERT INTO dims VALUES ('[1,2]', '{1:1}/7', repeat('0', 16)::bit(16), '[1,2,3,4]'),"
        " ('[1,2,3]', '{}/1000000000', NULL, NULL), (NULL, NULL, NULL, '[1]')"
    )
    with opened(database) as source:
        found = measured(source, "dims", ("h", "s", "b", "d"))
    assert found.dims == {"h": {2: 1, 3: 1}, "s": {7: 1, 1_000_000_000: 1}, "b": {16: 1}, "d": {4: 1, 1: 1}}


def test_pgvector_in_a_separate_schema_is_found(pg: Database) -> None:
    pg.execute("CREATE SCHEMA extensions; ALTER EXTENSION vector SET SCHEMA extensions")
    pg.execute("CREATE TABLE apart (id integer PRIMARY KEY, v extensions.vector)")
    pg.execute("INSERT INTO apart VALUES (1, '[1,2]')")
    try:
        with opened(pg) as source:
            assert source.check(ReadContext()).details
            schema = source.describe(CollectionRef("public.apart"), 100, ReadContext())
            assert str(schema.fields[1].choices[0].spec) == "FLOAT_VECTOR"
            assert measured(source, "apart", ("v",)).dims == {"v": {2: 1}}
    finally:
        pg.execute("ALTER EXTENSION vector SET SCHEMA public")


# ---------------------------------------------------------------- opened columns


def test_the_keys_of_opened_columns_are_described_after_the_columns(pg):
    pg.execute(
        "CREATE TABLE kept (id int PRIMARY KEY, v vector(2), j jsonb, k json, t text, n int[]);"
        """INSERT INTO kept SELECT g, '[1,2]', json_build_object('price', g * 1.5, 'k "q".x', g),"""
        """ '{"a": 1, "a": "x"}', 'a', '{1}' FROM generate_series(1, 4) g"""
    )
    with opened(pg) as source:
        plain = source.describe(CollectionRef("public.kept"), 100, ReadContext())
        keys = describe_with_keys(source, CollectionRef("public.kept"), ["j", "k"], ReadContext())
    assert [f.name for f in plain.fields if f.can_open] == ["j", "k"]
    found = keys.fields[len(plain.fields) :]
    assert [(f.name, f.native_type, f.opened_from, f.share) for f in found] == [
        ('j."k ""q"".x"', "whole number", "j", 1.0),
        ("j.price", "number", "j", 1.0),
        ("k.a", "text", "k", 1.0),
    ]
    assert keys.sample.column("j.price").to_pylist() == [1.5, 3.0, 4.5, 6.0]


def test_lengths_are_measured_in_utf8_for_any_database_encoding(database: Database) -> None:
    """A Thai letter is one byte in WIN874 and three in UTF-8."""
    with database.connect() as connection:
        connection.execute("CREATE DATABASE thai ENCODING 'WIN874' LOCALE 'C' TEMPLATE template0")
        thai = Database(f"{database.url.rsplit('/', 1)[0]}/thai")
        try:
            thai.execute("CREATE TABLE words (id int PRIMARY KEY, t text, a text[], j json)")
            thai.execute("INSERT INTO words SELECT 1, t, ARRAY[t], to_json(t) FROM repeat('ก', 500) t")
            with opened(thai) as source:
                found = source.describe(CollectionRef("public.words"), 100, ReadContext())
        finally:
            connection.execute("DROP DATABASE thai WITH (FORCE)")
    assert {field.name: field.longest_bytes for field in found.fields if field.longest_bytes} == {
        "t": 1500,
        "a": 1500,
        "j": 1502,
    }


@pytest.mark.parametrize("setting", ["quote_all_identifiers = on", "array_nulls = off"])
def test_settings_of_a_database_do_not_change_the_values(pg: Database, setting: str) -> None:
    pg.execute("DROP TABLE IF EXISTS odd; CREATE TABLE odd (id int PRIMARY KEY, v vector(2), a inet[])")
    pg.execute("INSERT INTO odd VALUES (1, '[1,2]', ARRAY['::1'::inet, NULL])")
    name = pg.url.rsplit("/", 1)[1]
    pg.execute(f"ALTER DATABASE {name} SET {setting}")
    texts = TypeSpec(MilvusType.ARRAY, element_type=MilvusType.VARCHAR)
    plan = ReadPlan((ReadColumn("id", TypeSpec(MilvusType.INT32)), ReadColumn("a", texts)), ("id",))
    try:
        with opened(pg) as source:
            assert (
                source.describe(CollectionRef("public.odd"), 100, ReadContext())
                .field("a")
                .choices[0]
                .spec.type
                == "JSON"
            )
            (part,) = source.slices(CollectionRef("public.odd"), 1, ReadContext())
            (batch,) = source.read(CollectionRef("public.odd"), part, None, plan, ReadContext())
    finally:
        pg.execute(f"ALTER DATABASE {name} RESET ALL")
    assert batch.rows.column("a").to_pylist() == [["::1", None]]


def test_a_missing_function_in_a_view_is_not_taken_for_missing_pgvector(pg: Database) -> None:
    pg.execute(
        "CREATE FUNCTION lacking(x int) RETURNS int LANGUAGE plpgsql STABLE AS"
        " $$BEGIN PERFORM nope(1); RETURN 1; END$$;"
        "CREATE TABLE lacks (id int, v vector(2)); INSERT INTO lacks VALUES (1, '[1,2]');"
        "CREATE VIEW broken AS SELECT id, v, lacking(id) AS z FROM lacks"
    )
    with opened(pg) as source, pytest.raises(SourceDataError, match="function nope"):
        source.describe(CollectionRef("public.broken"), 100, ReadContext())
