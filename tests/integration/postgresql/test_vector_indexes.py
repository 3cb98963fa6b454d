"""The metric and the index of a vector in a real PostgreSQL, also through views and partitions."""

from collections.abc import Iterator

import pytest

from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.source_schema import SourceField
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql.source import PostgresSource
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened

NO_INDEX = "has no vector index"
COMPUTED = "is computed by the view"

# The views stack up: each line may use those above it. ``d`` has a dropped column before the vector.
SCHEMA = """
    CREATE TABLE d (gone text, id integer PRIMARY KEY, e vector(3), h halfvec(3), b bit(16), plain vector(3));
    ALTER TABLE d DROP COLUMN gone;
    CREATE INDEX ON d USING hnsw (e vector_l2_ops) WITH (m = 8, ef_construction = 32);
    CREATE INDEX ON d USING ivfflat (h halfvec_ip_ops) WITH (lists = 7);
    CREATE INDEX ON d USING hnsw (b bit_jaccard_ops);
    CREATE TABLE other (id integer PRIMARY KEY, e vector(3));
    CREATE INDEX ON other USING hnsw (e vector_ip_ops);

    CREATE VIEW v AS SELECT id, e AS "e (:targetList {1})", h, b, plain FROM d WHERE id > 0;
    CREATE VIEW nested AS SELECT v."e (:targetList {1})" AS again, v.h, v.id FROM v JOIN other USING (id);
    CREATE MATERIALIZED VIEW m AS SELECT id, again, h FROM nested;
    CREATE VIEW over_m AS WITH x AS (SELECT again AS y, id FROM m)
        SELECT x.y, o.e FROM x JOIN other o USING (id)
        WHERE EXISTS (SELECT FROM d WHERE d.id = x.id) ORDER BY x.id LIMIT 10;
    CREATE MATERIALIZED VIEW own AS SELECT id, e FROM d;
    CREATE INDEX ON own USING hnsw (e vector_cosine_ops);
    CREATE VIEW grouped AS SELECT e, count(*) FROM d GROUP BY e;
    CREATE VIEW computed AS SELECT id, (e + e)::vector(3) AS e, COALESCE(plain, e) AS p FROM d;
    CREATE VIEW united AS SELECT id, e FROM d UNION ALL SELECT id, e FROM other;

    CREATE TABLE parts (id integer, e vector(3)) PARTITION BY RANGE (id);
    CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE part_2 (e vector(3), id integer);
    ALTER TABLE parts ATTACH PARTITION part_2 FOR VALUES FROM (10) TO (20);
    CREATE INDEX ON part_2 USING hnsw (e vector_ip_ops);
    CREATE VIEW of_parts AS SELECT e FROM parts;
    CREATE TABLE parent (id integer, e vector(3));
    CREATE TABLE child (more text) INHERITS (parent);
    CREATE INDEX ON child USING hnsw (e vector_l2_ops);
    CREATE VIEW of_parent AS SELECT e FROM parent;

    CREATE TABLE two (id integer, e vector(3), l vector(3), one vector(3));
    CREATE INDEX ON two USING hnsw (e vector_l2_ops);
    CREATE INDEX ON two USING ivfflat (e vector_cosine_ops);
    CREATE INDEX ON two USING hnsw (l vector_l1_ops);
    CREATE INDEX ON two USING hnsw (l vector_ip_ops);
    CREATE INDEX ON two USING hnsw (one vector_l1_ops);
    CREATE VIEW of_two AS SELECT * FROM two;
"""


@pytest.fixture(scope="module")
def source(pg: Database) -> Iterator[PostgresSource]:
    pg.execute(SCHEMA)
    with opened(pg) as source:
        yield source


def fields_of(source: PostgresSource, name: str) -> dict[str, SourceField]:
    return {f.name: f for f in source.describe(CollectionRef(f"public.{name}"), 1, ReadContext()).fields}


@pytest.mark.parametrize(
    ("relation", "metrics"),
    [
        ("d", {"e": "L2", "h": "IP", "b": "JACCARD", "plain": NO_INDEX}),
        ("v", {"e (:targetList {1})": "L2", "h": "IP", "b": "JACCARD", "plain": NO_INDEX}),
        ("nested", {"again": "L2", "h": "IP"}),
        ("m", {"again": "L2", "h": "IP"}),
        ("over_m", {"y": "L2", "e": "IP"}),
        ("own", {"e": "COSINE"}),
        ("grouped", {"e": "L2"}),
        ("computed", {"e": COMPUTED, "p": COMPUTED}),
        ("united", {"e": COMPUTED}),
        ("parts", {"e": "IP"}),
        ("of_parts", {"e": "IP"}),
        ("parent", {"e": "L2"}),
        ("of_parent", {"e": "L2"}),
        ("of_two", {"e": "has indexes with different metrics, COSINE and L2"}),
    ],
)
def test_the_metric_is_followed_to_the_column_of_the_table(
    source: PostgresSource, relation: str, metrics: dict[str, str]
) -> None:
    fields = fields_of(source, relation)
    assert {name: fields[name].metric_note or fields[name].metric for name in metrics} == metrics


def test_one_metric_of_several_that_milvus_has_is_proposed(source: PostgresSource) -> None:
    """Milvus has no L1."""
    fields = fields_of(source, "of_two")
    assert [fields[name].metric for name in ("e", "l", "one")] == ["L2", "IP", "L1"]
    assert [fields[name].is_metric_known for name in ("e", "l", "one")] == [False, False, True]
    assert fields["l"].metric_note == "has indexes with different metrics, IP and L1"


def test_the_index_of_the_source_is_described_with_milvus_names(source: PostgresSource) -> None:
    fields = fields_of(source, "v")
    hints = [str(fields[name].index_hint) for name in ("e (:targetList {1})", "h", "b", "plain")]
    assert hints == [
        "HNSW, M 8, efConstruction 32",
        "IVF_FLAT, nlist 7",
        "HNSW, M 16, efConstruction 64",
        "None",
    ]


def test_bits_with_an_index_are_a_vector_in_a_view_too(source: PostgresSource) -> None:
    for relation in ("d", "v"):
        assert fields_of(source, relation)["b"].is_vector
