"""Limits of the mapping: Milvus stores the rows that it accepts, and the others are rejected with a code."""

import json
import uuid

import pyarrow as pa
import pytest

from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.model.batch import Batch, CollectionRef
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.target_schema import IndexSpec
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.preflight import check_plan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.targets.milvus.target import MilvusTarget
from tests.engines.milvus_client import plain_client
from tests.kit import MemorySource, MemoryStore, memory_collection, memory_store

T = MilvusType
INF = float("inf")
LONGEST_NAME = "n" * 255
SPECS = {
    "id": TypeSpec(T.INT64),
    "v": TypeSpec(T.FLOAT_VECTOR, dim=2),
    "t": TypeSpec(T.VARCHAR, max_length=4),
    "j": TypeSpec(T.JSON),
    "a": TypeSpec(T.ARRAY, element_type=T.VARCHAR, max_capacity=2, max_length=4),
    "note": TypeSpec(T.VARCHAR, max_length=65_535),
    "big": TypeSpec(T.INT64),
    LONGEST_NAME: TypeSpec(T.INT8),
}
LARGEST_JSON = json.dumps({"x": "y" * (65_536 - 9)})
GOOD = [
    {"id": -(2**63) + 1, "v": [3e38, -0.0], "t": "éé", "j": "{}", "a": [], "note": None, "big": 2**63 - 1},
    {"id": 1, "v": [0.0, 0.0], "t": "", "j": LARGEST_JSON, "a": ["", "äö"], "note": '"\\\n', "big": -(2**63)},
    {
        "id": 2,
        "v": [1e-45, 1],
        "t": "𝕏",
        "j": '{"a":{"b":[null]}}',
        "a": ["x"],
        "note": "y" * 65_000,
        "big": 0,
    },
]
PLAIN = {"v": [1, 2], "t": "a", "j": "{}", "a": ["a"], "note": "n", "big": 1}
BAD = [
    ({"v": [float("nan"), 1]}, "not_finite"),
    ({"v": [INF, 1]}, "not_finite"),
    ({"t": "ééa"}, "too_long"),
    ({"j": json.dumps({"x": "y" * (65_537 - 9)})}, "json_too_large"),
    ({"j": "3"}, "json_not_object"),
    ({"a": ["a", "b", "c"]}, "too_many_items"),
    ({"a": ["ééa"]}, "item_too_long"),
    ({"note": "y" * 65_530}, "dynamic_too_large"),
]
FIELDS = [
    *({"source": name, "target": name} for name in ("id", "v", "t", "j", "a", LONGEST_NAME)),
    {"source": "note", "dynamic": True, "as": "the note"},
    {"source": "big", "dynamic": True},
]


@pytest.fixture
def target(milvus_uri):
    with MilvusTarget(MilvusSettings(uri=milvus_uri)) as target:
        yield target


@pytest.fixture
def name(target):
    name = f"vf_{uuid.uuid4().hex[:12]}"
    yield name
    target.drop(name)


def rows_of(values):
    columns = {name: [row.get(name, 7) for row in values] for name in SPECS}
    types = {"v": pa.list_(pa.float32(), 2), "a": pa.list_(pa.string()), LONGEST_NAME: pa.int8()}
    return pa.RecordBatch.from_pydict({n: pa.array(v, types.get(n)) for n, v in columns.items()})


def mapped_rows(target, name, values):
    """``values`` after preflight and the mapping, as a job sends them."""
    plan = {
        "version": 1,
        "source": {},
        "target": {},
        "collections": [{"source": "s", "target": name, "fields": FIELDS}],
    }
    store = MemoryStore({"s": memory_collection(rows_of(values), SPECS, key="id")})
    with memory_store(store) as settings, MemorySource(settings) as source:
        checked = check_plan(Plan.model_validate(plan), source, target, ReadContext())
        checked.raise_if_faults()
        mapping = compile_mapping(checked.collections[0].plan)
        (part,) = source.slices(CollectionRef("s"), 1, ReadContext())
        batches = list(source.read(CollectionRef("s"), part, None, mapping.read_plan, ReadContext()))
    whole = pa.concat_batches([batch.rows for batch in batches])
    locators = pa.concat_arrays([batch.locators for batch in batches])
    return mapping, mapping.apply(Batch(whole, None, locators))


def test_accepted_rows_are_stored_and_read_back_unchanged(target, name, milvus_uri):
    mapping, mapped = mapped_rows(target, name, GOOD)
    assert mapped.rejected == ()
    target.create(mapping.target)
    channel = target.channel(mapping.target, upsert=True)
    assert channel.send(channel.encode(mapped.rows), 30) == len(GOOD)
    target.create_index(name, IndexSpec("v", metric="L2"))
    target.load(name)
    client = plain_client(milvus_uri)
    found = client.query(
        name,
        filter="id != 0",
        output_fields=["*"],
        consistency_level="Strong",
    )
    client.close()
    arrived = {row["id"]: row for row in found}
    assert len(arrived) == len(GOOD)
    for row in GOOD:
        got = arrived[row["id"]]
        assert (got["t"], list(got["a"]), got["the note"]) == (row["t"], row["a"], row["note"])
        assert got["big"] == row["big"]
        assert (json.loads(got["j"]) if isinstance(got["j"], str) else got["j"]) == json.loads(row["j"])


def test_rejected_rows_have_a_code_and_the_other_rows_are_stored(target, name):
    values = [PLAIN | {"id": 10 + n} | change for n, (change, _) in enumerate(BAD)]
    mapping, mapped = mapped_rows(target, name, [PLAIN | {"id": 0}, *values, PLAIN | {"id": 99}])
    assert [r.code for r in mapped.rejected] == [code for _, code in BAD]
    target.create(mapping.target)
    channel = target.channel(mapping.target, upsert=True)
    assert channel.send(channel.encode(mapped.rows), 30) == 2
