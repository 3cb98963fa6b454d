"""Feature table: each row is checked by experiment against Milvus Lite 3.2.2 and Milvus 2.3.5.

Each row states what the server does if plain pymilvus requests the feature, and which fault a plan gets that
requests it. A server KEEPS a feature that it describes (and returns) again, FORGETS a feature that it accepts
silently but does not store, and REFUSES the others. Milvus Lite has no limits of its own; a plan for it must
respect the limits of Milvus.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from pymilvus import DataType, Function, FunctionType, MilvusClient, MilvusException

from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.preflight import check_collection
from migrations_app.engine.targets.milvus.target import MilvusTarget
from tests.engines.milvus_client import plain_client

KEEPS, FORGETS, REFUSES = "keeps", "forgets", "refuses"
T = MilvusType
NEEDS_2_4, NEEDS_2_5 = "needs Milvus 2.4 or later", "needs Milvus 2.5 or later"
NEEDS_2_6, NEEDS_MILVUS = "needs Milvus 2.6 or later", "needs a Milvus server"
LITE_2_4 = "needs a server (Milvus 2.4 or later)"
LITE_2_6 = "needs a server (Milvus 2.6 or later)"


@dataclass(frozen=True)
class Row:
    """One feature to request.

    ``add`` adds it to a pymilvus schema that has a key, and ``look`` checks if the created collection has it.
    ``plan`` and ``columns`` request it in a plan, next to a key and a vector (except rows with ``vectors``,
    which bring their own vectors). ``lite`` and ``old`` state what Milvus Lite and Milvus 2.3.5 do, and the
    sentence with which a plan is refused there ("" if it is accepted).
    """

    name: str
    lite: tuple[str, str]
    old: tuple[str, str]
    add: Callable[[Any], object] = lambda schema: None
    look: Callable[[MilvusClient, str], object] = lambda client, name: True
    plan: dict[str, Any] = field(default_factory=dict)
    columns: tuple[SourceField, ...] = ()
    vectors: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def column(name: str, kind: MilvusType, **more: Any) -> SourceField:
    return SourceField(name, "native", (TypeChoice(TypeSpec(kind, **more)),), nullable=False)


def described(client: MilvusClient, name: str, of: str = "f") -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in client.describe_collection(name)["fields"] if f["name"] == of)
    return found


def vector_type(kind: MilvusType, lite: tuple[str, str], old: tuple[str, str]) -> Row:
    """A field of a vector type, which the server must describe with the same type."""
    dim = {} if kind is T.SPARSE_FLOAT_VECTOR else {"dim": 8}
    return Row(
        f"type {kind}",
        lite,
        old,
        add=lambda schema: schema.add_field("f", DataType[kind], **dim),
        look=lambda client, name: (
            described(client, name)["type"].name == kind and _accepts_a_row(client, name, kind)
        ),
        columns=(column("f", kind, **dim),),
        plan={"fields": [{"source": "id"}, {"source": "f"}]},
        vectors=True,
    )


VALUES = {T.FLOAT_VECTOR: [0.5] * 8, T.BINARY_VECTOR: b"\xa5", T.SPARSE_FLOAT_VECTOR: {3: 0.5}}


def _accepts_a_row(client: MilvusClient, name: str, kind: MilvusType) -> bool:
    """Send a row, except for types that no server here supports: the result would be unknown."""
    has_sparse = client.get_server_version().startswith("milvus_lite")
    if kind not in VALUES or (kind is T.SPARSE_FLOAT_VECTOR and not has_sparse):
        return False
    return bool(client.insert(name, [{"id": 1, "f": VALUES[kind]}])["insert_count"])


SCALARS = [t for t in T if not t.is_vector]
PARAMS: dict[MilvusType, dict[str, Any]] = {
    T.VARCHAR: {"max_length": 9},
    T.ARRAY: {"element_type": DataType.INT64, "max_capacity": 4},
}
SPECS: dict[MilvusType, dict[str, Any]] = {
    T.VARCHAR: {"max_length": 9},
    T.ARRAY: {"element_type": T.INT64, "max_capacity": 4},
}
DEFAULTS = {T.BOOL: True, T.FLOAT: 0.5, T.DOUBLE: 0.5, T.VARCHAR: "x", T.INT64: 7}


def nullable(kind: MilvusType) -> Row:
    return Row(
        f"nullable {kind}",
        lite=(KEEPS, ""),
        old=(FORGETS, NEEDS_2_5),
        add=lambda schema: schema.add_field("f", DataType[kind], nullable=True, **PARAMS.get(kind, {})),
        look=lambda client, name: described(client, name).get("nullable", False),
        columns=(column("f", kind, **SPECS.get(kind, {})),),
        plan={"fields": [{"source": "id"}, {"source": "v"}, {"source": "f", "nullable": True}]},
    )


def default(kind: MilvusType) -> Row:
    """Milvus 2.3.5 uses the default only if no row of a request has a value."""
    return Row(
        f"default {kind}",
        lite=(KEEPS, ""),
        old=(FORGETS, NEEDS_2_5),
        add=lambda schema: schema.add_field(
            "f", DataType[kind], default_value=DEFAULTS[kind], **PARAMS.get(kind, {})
        ),
        look=_uses_the_default,
        columns=(column("f", kind, **SPECS.get(kind, {})),),
        plan={"fields": [{"source": "id"}, {"source": "v"}, {"source": "f", "default": DEFAULTS[kind]}]},
    )


def _uses_the_default(client: MilvusClient, name: str) -> bool:
    (created,) = client.describe_collection(name)["fields"][2:]
    value = getattr(created["default_value"], created["default_value"].WhichOneof("data"))
    rows = [{"id": 1, "v": [0.5] * 8}, {"id": 2, "v": [0.5] * 8, "f": value}]
    with suppress(MilvusException):
        return bool(client.insert(name, rows)["insert_count"] == 2)
    return False


def number_of_fields(number: int, lite: tuple[str, str], old: tuple[str, str]) -> Row:
    names = [f"n{n}" for n in range(number - 2)]
    return Row(
        f"{number} fields",
        lite,
        old,
        add=lambda schema: [schema.add_field(name, DataType.INT8) for name in names],
        columns=tuple(column(name, T.INT8) for name in names),
    )


def number_of_vectors(number: int, lite: tuple[str, str], old: tuple[str, str]) -> Row:
    names = [f"w{n}" for n in range(number)]
    return Row(
        f"{number} vector fields",
        lite,
        old,
        add=lambda schema: [schema.add_field(name, DataType.FLOAT_VECTOR, dim=4) for name in names],
        columns=tuple(column(name, T.FLOAT_VECTOR, dim=4) for name in names),
        plan={"fields": [{"source": name} for name in ("id", *names)]},
        vectors=True,
    )


def dimension(dim: int, kind: MilvusType, lite: tuple[str, str], old: tuple[str, str]) -> Row:
    return Row(
        f"dimension {dim} of {kind}",
        lite,
        old,
        add=lambda schema: schema.add_field("f", DataType[kind], dim=dim),
        columns=(column("f", kind, dim=dim),),
        plan={"fields": [{"source": "id"}, {"source": "f"}]},
        vectors=True,
    )


def length(most: int, lite: tuple[str, str], old: tuple[str, str]) -> Row:
    return Row(
        f"VARCHAR of {most} bytes",
        lite,
        old,
        add=lambda schema: schema.add_field("f", DataType.VARCHAR, max_length=most),
        columns=(column("f", T.VARCHAR),),
        plan={"fields": [{"source": "id"}, {"source": "v"}, {"source": "f", "max_length": most}]},
    )


def capacity(most: int, lite: tuple[str, str], old: tuple[str, str]) -> Row:
    return Row(
        f"ARRAY of {most} elements",
        lite,
        old,
        add=lambda schema: schema.add_field(
            "f", DataType.ARRAY, element_type=DataType.INT64, max_capacity=most
        ),
        columns=(column("f", T.ARRAY, element_type=T.INT64),),
        plan={"fields": [{"source": "id"}, {"source": "v"}, {"source": "f", "max_capacity": most}]},
    )


def shards(number: int, lite: tuple[str, str], old: tuple[str, str]) -> Row:
    return Row(
        f"{number} shards",
        lite,
        old,
        look=lambda client, name: client.describe_collection(name)["num_shards"] == number,
        plan={"shards": number},
        options={"num_shards": number},
    )


def partition_key(kind: MilvusType, lite: tuple[str, str], old: tuple[str, str], **more: Any) -> Row:
    suffix = "".join(f" {name}" for name in more)
    written = {"source": "f"} | more
    return Row(
        f"partition key {kind}{suffix}",
        lite,
        old,
        add=lambda schema: schema.add_field(
            "f", DataType[kind], is_partition_key=True, **PARAMS.get(kind, {}), **more
        ),
        look=lambda client, name: (
            described(client, name).get("is_partition_key", False)
            and (not more or described(client, name).get("nullable", False))
        ),
        columns=(column("f", kind, **SPECS.get(kind, {})),),
        plan={"partition_key": "f", "fields": [{"source": "id"}, {"source": "v"}, written]},
    )


def index(kind: str, lite: tuple[str, str], old: tuple[str, str], **params: Any) -> Row:
    """Milvus Lite accepts an index of any name and reports it as finished."""
    return Row(
        f"index {kind}",
        lite,
        old,
        look=lambda client, name: _indexed(client, name, "v", kind, "L2", params),
        plan={"indexes": [{"field": "v", "type": kind, "metric": "L2", "params": params}]},
    )


def bit_index(kind: str, metric: str, old: tuple[str, str], **params: Any) -> Row:
    return Row(
        f"index {kind} by {metric}",
        (REFUSES, NEEDS_MILVUS),
        old,
        add=lambda schema: schema.add_field("f", DataType.BINARY_VECTOR, dim=8),
        look=lambda client, name: _indexed(client, name, "f", kind, metric, params),
        columns=(column("f", T.BINARY_VECTOR, dim=8),),
        plan={
            "fields": [{"source": "id"}, {"source": "f"}],
            "indexes": [{"field": "f", "type": kind, "metric": metric, "params": params}],
        },
        vectors=True,
    )


def _indexed(
    client: MilvusClient, name: str, of: str, kind: str, metric: str, params: dict[str, Any]
) -> bool:
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index(of, index_type=kind, metric_type=metric, params=params)
    client.create_index(name, indexes)
    return bool(client.describe_index(name, of)["index_type"] == kind)


def full_text(label: str, analyzer: str, lite: tuple[str, str], old: tuple[str, str], **more: Any) -> Row:
    def add(schema: Any) -> None:
        params = {"type": analyzer}
        schema.add_field(
            "f", DataType.VARCHAR, max_length=9, enable_analyzer=True, analyzer_params=params, **more
        )
        schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(Function("words", FunctionType.BM25, ["f"], ["words"]))

    return Row(
        f"full text {label}",
        lite,
        old,
        add=add,
        look=lambda client, name: bool(client.describe_collection(name).get("functions")),
        columns=(column("f", T.VARCHAR),),
        plan={
            "fields": [{"source": "id"}, {"source": "v"}, {"source": "f", "max_length": 9} | more],
            "full_text": [{"field": "f", "output": "words", "analyzer": analyzer}],
        },
    )


def named(name: str, lite: tuple[str, str], old: tuple[str, str]) -> Row:
    return Row(
        f"a field called {name}",
        lite,
        old,
        add=lambda schema: schema.add_field(name, DataType.BOOL),
        columns=(column(name, T.BOOL),),
    )


TAKEN = (KEEPS, "")
ROWS = [
    vector_type(T.FLOAT_VECTOR, TAKEN, TAKEN),
    vector_type(T.BINARY_VECTOR, (REFUSES, NEEDS_MILVUS), TAKEN),
    vector_type(T.FLOAT16_VECTOR, (REFUSES, LITE_2_4), (FORGETS, NEEDS_2_4)),
    vector_type(T.BFLOAT16_VECTOR, (REFUSES, LITE_2_4), (FORGETS, NEEDS_2_4)),
    vector_type(T.INT8_VECTOR, (REFUSES, LITE_2_6), (FORGETS, NEEDS_2_6)),
    vector_type(T.SPARSE_FLOAT_VECTOR, TAKEN, (FORGETS, NEEDS_2_4)),
    *(nullable(kind) for kind in SCALARS),
    *(default(kind) for kind in DEFAULTS),
    number_of_fields(64, TAKEN, TAKEN),
    number_of_fields(65, (KEEPS, "Milvus allows 64"), (REFUSES, "Milvus 2.3.5 allows 64")),
    number_of_vectors(2, TAKEN, (REFUSES, NEEDS_2_4)),
    number_of_vectors(10, TAKEN, (REFUSES, NEEDS_2_4)),
    number_of_vectors(11, (KEEPS, "Milvus allows 10"), (REFUSES, NEEDS_2_4)),
    # Milvus 2.4 and later need two dimensions or more; a plan must respect that.
    dimension(1, T.FLOAT_VECTOR, (KEEPS, "2 to 32,768"), (KEEPS, "2 to 32,768")),
    dimension(2, T.FLOAT_VECTOR, TAKEN, TAKEN),
    dimension(32_768, T.FLOAT_VECTOR, TAKEN, TAKEN),
    dimension(32_769, T.FLOAT_VECTOR, (KEEPS, "2 to 32,768"), (REFUSES, "2 to 32,768")),
    dimension(32_776, T.BINARY_VECTOR, (REFUSES, NEEDS_MILVUS), (REFUSES, "2 to 32,768")),
    dimension(12, T.BINARY_VECTOR, (REFUSES, NEEDS_MILVUS), (REFUSES, "a multiple of 8")),
    length(1, TAKEN, TAKEN),
    length(65_535, TAKEN, TAKEN),
    length(65_536, (KEEPS, "1 to 65,535 bytes"), (REFUSES, "1 to 65,535 bytes")),
    capacity(4096, TAKEN, TAKEN),
    capacity(4097, (KEEPS, "1 to 4,096 elements"), (REFUSES, "1 to 4,096 elements")),
    shards(1, TAKEN, TAKEN),
    shards(2, (FORGETS, "allows one shard"), TAKEN),
    shards(16, (FORGETS, "allows one shard"), TAKEN),
    shards(17, (FORGETS, "allows one shard"), (REFUSES, "allows 1 to 16 shards")),
    partition_key(T.INT64, TAKEN, TAKEN),
    partition_key(T.VARCHAR, TAKEN, TAKEN),
    # Milvus allows no nullable partition key: milvus.io/docs/v2.5.x/nullable-and-default.md.
    partition_key(
        T.VARCHAR, (KEEPS, "cannot have “nullable”"), (FORGETS, "cannot have “nullable”"), nullable=True
    ),
    index("AUTOINDEX", TAKEN, TAKEN),
    index("FLAT", TAKEN, TAKEN),
    index("IVF_FLAT", TAKEN, TAKEN, nlist=4),
    index("IVF_SQ8", TAKEN, TAKEN, nlist=4),
    index("HNSW", TAKEN, TAKEN, M=8, efConstruction=16),
    index("IVF_PQ", (KEEPS, NEEDS_MILVUS), TAKEN, nlist=4, m=2, nbits=8),
    index("SCANN", (KEEPS, NEEDS_MILVUS), TAKEN, nlist=4),
    index("DISKANN", (KEEPS, NEEDS_MILVUS), TAKEN),
    index("GPU_IVF_FLAT", (KEEPS, NEEDS_MILVUS), TAKEN, nlist=4),
    index("GPU_IVF_PQ", (KEEPS, NEEDS_MILVUS), TAKEN, nlist=4, m=2, nbits=8),
    index("HNSW_SQ", TAKEN, (REFUSES, NEEDS_2_5), M=8, efConstruction=16),
    index("HNSW_PQ", (KEEPS, "needs a server"), (REFUSES, NEEDS_2_5), M=8, efConstruction=16),
    index("HNSW_PRQ", (KEEPS, "needs a server"), (REFUSES, NEEDS_2_5), M=8, efConstruction=16),
    index("GPU_CAGRA", (KEEPS, "needs a server"), (REFUSES, NEEDS_2_4)),
    index("GPU_BRUTE_FORCE", (KEEPS, "needs a server"), (REFUSES, NEEDS_2_4)),
    index("IVF_RABITQ", (KEEPS, "needs a server"), (REFUSES, NEEDS_2_6), nlist=4),
    # Before Milvus 2.5, parameters of an index have no defaults.
    index("IVF_FLAT", TAKEN, (REFUSES, "needs the parameter “nlist”")),
    index("HNSW", TAKEN, (REFUSES, "needs the parameter “efConstruction”"), M=8),
    index("HNSW", TAKEN, (REFUSES, "needs the parameter “M”"), efConstruction=8),
    index("IVF_PQ", (KEEPS, NEEDS_MILVUS), (REFUSES, "needs the parameter “m”"), nlist=4),
    # Parameters out of their range: Milvus refuses them, Lite never does.
    index("HNSW", (KEEPS, "2 to 2,048"), (REFUSES, "2 to 2,048"), M=5000, efConstruction=16),
    index("IVF_FLAT", (KEEPS, "1 to 65,536"), (REFUSES, "1 to 65,536"), nlist=0),
    index("IVF_PQ", (KEEPS, NEEDS_MILVUS), (REFUSES, "not divisible"), nlist=4, m=3),
    bit_index("BIN_FLAT", "HAMMING", TAKEN),
    bit_index("BIN_FLAT", "JACCARD", TAKEN),
    bit_index("BIN_IVF_FLAT", "HAMMING", TAKEN, nlist=4),
    bit_index("AUTOINDEX", "HAMMING", TAKEN),
    bit_index("MINHASH_LSH", "MHJACCARD", (REFUSES, NEEDS_2_6)),
    bit_index("BIN_FLAT", "MHJACCARD", (REFUSES, NEEDS_2_6)),
    full_text("by the standard analyzer", "standard", TAKEN, (FORGETS, NEEDS_2_5)),
    full_text("of what may be null", "standard", TAKEN, (FORGETS, NEEDS_2_5), nullable=True),
    full_text("by the English analyzer", "english", (REFUSES, "no analyzer “english”"), (FORGETS, NEEDS_2_5)),
    full_text("by the Chinese analyzer", "chinese", (REFUSES, "no analyzer “chinese”"), (FORGETS, NEEDS_2_5)),
    *(named(name, (REFUSES, "is reserved by Milvus Lite"), TAKEN) for name in ("_seq", "interval", "ISO")),
]


@pytest.fixture(scope="module")
def milvus(milvus_uri):
    with MilvusTarget(MilvusSettings(uri=milvus_uri)) as target:
        client = plain_client(milvus_uri)
        yield target, client
        client.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_server_does_what_the_table_says_and_a_plan_gets_its_fault(milvus, row):
    target, client = milvus
    capabilities = target.capabilities()
    reaction, sentence = row.lite if capabilities.flavour == "lite" else row.old

    messages = " ".join(fault.message for fault in errors(row, capabilities))

    assert reaction_of(client, row) == reaction
    assert sentence in messages, messages
    assert bool(messages) == bool(sentence), messages


def reaction_of(client: MilvusClient, row: Row) -> str:
    name = f"vf_{uuid.uuid4().hex[:12]}"
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    if not row.vectors:
        schema.add_field("v", DataType.FLOAT_VECTOR, dim=8)
    row.add(schema)
    try:
        client.create_collection(name, schema=schema, **row.options)
        return KEEPS if row.look(client, name) else FORGETS
    except MilvusException:
        return REFUSES
    finally:
        with suppress(MilvusException):
            client.drop_collection(name)


def errors(row: Row, capabilities: Any) -> list[Any]:
    """The errors of a plan that requests ``row``."""
    key = SourceField("id", "bigint", (TypeChoice(TypeSpec(T.INT64)),), nullable=False, can_be_key=True)
    vector = column("v", T.FLOAT_VECTOR, dim=8)
    source = CollectionSchema("s", (key, vector, *row.columns), SourceKey(("id",)), label="s")
    plan = complete(CollectionPlan.model_validate({"source": "s"} | row.plan), source, capabilities)
    return [fault for fault in check_collection(plan, source, capabilities) if fault.severity == "error"]


def test_milvus_235_refuses_more_partitions_than_it_allows(milvus_235_uri):
    """The limit is 4,096 with the default partition; partitions of a partition key count, too."""
    client = plain_client(milvus_235_uri)
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=8)
    schema.add_field("f", DataType.INT64, is_partition_key=True)

    with MilvusTarget(MilvusSettings(uri=milvus_235_uri)) as target:
        assert target.capabilities().max_partitions == 4096
    with pytest.raises(MilvusException, match=r"4097.*exceeds max configuration \(4096\)"):
        client.create_collection(f"vf_{uuid.uuid4().hex[:12]}", schema=schema, num_partitions=4097)
    client.close()
