"""Capability table: what it states about Milvus Lite and Milvus 2.3.5 is true."""

import threading
import uuid
from dataclasses import replace

import numpy as np
import pytest
from pymilvus import DataType, MilvusException

from migrations_app.engine.errors import TargetChanged, TargetError
from migrations_app.engine.milvus.schema import as_stored
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.model.target_schema import Function, IndexSpec, TargetField, TargetSchema
from migrations_app.engine.model.types import ELEMENT_TYPES, MilvusType, TypeSpec
from migrations_app.engine.targets.milvus.comparing import differences
from migrations_app.engine.targets.milvus.target import MilvusTarget
from tests.engine.milvus.rows import batch_of
from tests.engines.milvus_client import plain_client

T = MilvusType
KEY = TargetField("id", TypeSpec(MilvusType.INT64), is_key=True)
VECTOR = TargetField("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=8))
SPECS = {
    MilvusType.VARCHAR: TypeSpec(MilvusType.VARCHAR, max_length=20),
    MilvusType.ARRAY: TypeSpec(MilvusType.ARRAY, None, None, MilvusType.INT64, 4),
    MilvusType.SPARSE_FLOAT_VECTOR: TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR),
}
VALUES = {
    MilvusType.BOOL: True,
    MilvusType.FLOAT: 0.5,
    MilvusType.DOUBLE: 0.1,
    MilvusType.VARCHAR: "ü",
    MilvusType.JSON: {"a": [1, None]},
    MilvusType.ARRAY: [1, 2],
}
SCALARS = [t for t in MilvusType if not t.is_vector]
LITE_LACKS = ["FLOAT16_VECTOR", "BFLOAT16_VECTOR", "INT8_VECTOR", "BINARY_VECTOR"]


@pytest.fixture
def milvus(milvus_uri):
    with MilvusTarget(MilvusSettings(uri=milvus_uri)) as target:
        yield target


@pytest.fixture
def lite(milvus_lite_uri):
    with MilvusTarget(MilvusSettings(uri=milvus_lite_uri)) as target:
        yield target


@pytest.fixture
def milvus_235(milvus_235_uri):
    with MilvusTarget(MilvusSettings(uri=milvus_235_uri)) as target:
        yield target


def field(kind, **more):
    dim = 8 if kind.is_vector else None
    return TargetField("f", SPECS.get(kind, TypeSpec(kind, dim=dim)), **more)


def round_trip(target, fields, rows):
    """Write ``rows`` and read them back with pymilvus."""
    schema = TargetSchema(f"vf_{uuid.uuid4().hex[:12]}", (KEY, *fields), dynamic=False)
    client = plain_client(str(target.settings.uri))
    target.create(schema)
    try:
        channel = target.channel(schema, upsert=True)
        channel.send(channel.encode(batch_of(schema, rows)), 20)
        for vector in schema.vector_fields:
            metric = {"BINARY_VECTOR": "HAMMING", "SPARSE_FLOAT_VECTOR": "IP"}.get(vector.spec.type, "L2")
            target.create_index(schema.name, IndexSpec(vector.name, metric=metric))
        target.load(schema.name)
        while not target.load_state(schema.name).is_loaded:
            threading.Event().wait(0.1)
        names = [f.name for f in schema.fields]
        found = client.query(schema.name, "id >= 0", output_fields=names, consistency_level="Strong")
        return sorted(found, key=lambda row: row["id"])
    finally:
        client.close()
        target.drop(schema.name)


def plain(value):
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, (str, dict, bytes)) else value


@pytest.mark.parametrize("kind", [t for t in MilvusType if t.is_vector])
def test_each_offered_vector_type_is_stored_unchanged(milvus, kind):
    if kind not in milvus.capabilities().types:
        return
    value = {
        MilvusType.FLOAT_VECTOR: [0.5, -1, 2, 3, 4, 5, 6, 7],
        MilvusType.BINARY_VECTOR: b"\xa5",
        MilvusType.SPARSE_FLOAT_VECTOR: {3: 0.5, 2**32 - 2: 1.5},
    }[kind]

    (found,) = round_trip(milvus, [field(kind)], [{"id": 1, "f": value}])

    read = found["f"]
    if kind is MilvusType.BINARY_VECTOR:
        assert b"".join(read) == value
    else:
        assert (dict(read) if isinstance(value, dict) else plain(read)) == value


@pytest.mark.parametrize("kind", LITE_LACKS)
def test_lite_refuses_the_types_that_the_table_says_it_lacks(milvus_lite_uri, lite, kind):
    assert MilvusType(kind) not in lite.capabilities().types
    client = plain_client(milvus_lite_uri)
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("f", DataType[kind], dim=8)

    with pytest.raises(MilvusException, match="does not support"):
        client.create_collection("vf_lacking", schema=schema)
    client.close()


@pytest.mark.parametrize("kind", SCALARS)
def test_lite_stores_null_in_every_scalar_type(lite, kind):
    assert lite.capabilities().nullable
    value = VALUES.get(kind, 7)
    rows = [{"id": 0, "v": [0] * 8, "f": None}, {"id": 1, "v": [1] * 8, "f": value}]

    null, filled = round_trip(lite, [VECTOR, field(kind, nullable=True)], rows)

    assert null["f"] is None
    assert plain(filled["f"]) == value


@pytest.mark.parametrize("kind", [t for t in SCALARS if t not in (MilvusType.JSON, MilvusType.ARRAY)])
def test_lite_replaces_null_by_the_default(lite, kind):
    assert lite.capabilities().default_values
    default = VALUES.get(kind, 7)

    (found,) = round_trip(lite, [VECTOR, field(kind, default=default)], [{"id": 0, "v": [0] * 8, "f": None}])

    assert found["f"] == default


def test_lite_stores_several_vector_fields(lite):
    assert lite.capabilities().max_vector_fields == 10
    vectors = [TargetField(f"v{i}", TypeSpec(MilvusType.FLOAT_VECTOR, dim=2)) for i in range(4)]
    row = {"id": 0} | {f"v{i}": [i, i + 0.5] for i in range(4)}

    (found,) = round_trip(lite, vectors, [row])

    assert {name: plain(value) for name, value in found.items()} == row


INTEGERS = {T.INT8: 2**7, T.INT16: 2**15, T.INT32: 2**31, T.INT64: 2**63}
ELEMENTS = {
    T.BOOL: [True, False, True],
    **{kind: [-end, 0, end - 1] for kind, end in INTEGERS.items()},
    T.FLOAT: [-0.0, 1.401298464324817e-45, 3.4028234663852886e38],
    T.DOUBLE: [-0.0, 5e-324, -1.7976931348623157e308],
    T.VARCHAR: ["", "żółć 🦆", 'a"b\\c\n\t'],
}


def array_of(element, **more):
    text = 40 if element is T.VARCHAR else None
    return TargetField("f", TypeSpec(T.ARRAY, None, text, element, 5), **more)


@pytest.mark.parametrize("element", sorted(ELEMENT_TYPES))
def test_arrays_of_every_element_type_keep_their_values(milvus, element):
    values = ELEMENTS[element]
    arrays = [values, [], values[:1], values[::-1] + values[:2]]
    rows = [{"id": number, "v": [0] * 8, "f": array} for number, array in enumerate(arrays)]

    found = round_trip(milvus, [VECTOR, array_of(element)], rows)

    assert [repr(plain(row["f"])) for row in found] == [repr(array) for array in arrays]


@pytest.mark.parametrize("element", sorted(ELEMENT_TYPES))
def test_lite_distinguishes_a_null_array_from_an_empty_one(lite, element):
    arrays = [ELEMENTS[element], None, [], None]
    rows = [{"id": number, "v": [0] * 8, "f": array} for number, array in enumerate(arrays)]

    found = round_trip(lite, [VECTOR, array_of(element, nullable=True)], rows)

    assert [row["f"] if row["f"] is None else plain(row["f"]) for row in found] == arrays


def everything(capabilities):
    """A collection with every type and option that a target supports."""
    length = {T.VARCHAR: {"max_length": 30}}
    scalars = [kind for kind in SCALARS if kind is not T.ARRAY]
    specs = {f"plain_{kind}": TypeSpec(kind, **length.get(kind, {})) for kind in scalars}
    specs |= {f"array_{kind}": replace(array_of(kind).spec) for kind in ELEMENT_TYPES}
    vectors = [kind for kind in capabilities.types if kind.is_vector][
        : capabilities.max_vector_fields - capabilities.full_text
    ]
    specs |= {f"vector_{kind}": field(kind).spec for kind in vectors}
    fields = [TargetField(name, spec, description=f"what {name} is") for name, spec in specs.items()]
    fields.append(TargetField("shelf", TypeSpec(T.VARCHAR, max_length=9), is_partition_key=True))
    if capabilities.nullable:
        fields += [
            replace(f, name=f"null_{f.name}", nullable=True)
            for f in fields
            if f.name in specs and not f.spec.type.is_vector
        ]
    if capabilities.default_values:
        fields += [
            TargetField(f"default_{kind}", specs[f"plain_{kind}"], default=ELEMENTS[kind][-1])
            for kind in sorted(ELEMENT_TYPES)
        ]
    functions = ()
    if capabilities.full_text:
        text = TypeSpec(T.VARCHAR, max_length=90)
        fields += [TargetField("text", text, nullable=True, analyzer="standard")]
        fields += [TargetField("words", TypeSpec(T.SPARSE_FLOAT_VECTOR))]
        functions = (Function("words", ("text",), ("words",)),)
    name = f"vf_{uuid.uuid4().hex[:12]}"
    created = (KEY, *fields[: capabilities.max_fields - 1])
    return TargetSchema(
        name, created, "All at once, “in quotes”", shards=capabilities.max_shards, functions=functions
    )


def test_a_collection_with_every_option_is_described_as_it_was_created(milvus):
    schema = everything(milvus.capabilities())
    milvus.create(schema)
    try:
        found = milvus.describe(schema.name)
    finally:
        milvus.drop(schema.name)

    assert differences(found, schema) == ()
    assert found.functions == schema.functions
    # The server chooses what the schema leaves open.
    schema = replace(schema, partitions=found.partitions, consistency=found.consistency)
    if milvus.capabilities().flavour != "lite":
        assert found == schema
    else:  # Lite stores no description of a field and no maximum length of array elements
        assert found == replace(schema, description="", fields=tuple(map(as_lite_stores_it, schema.fields)))


def as_lite_stores_it(created):
    spec = replace(created.spec, max_length=None) if created.spec.type is T.ARRAY else created.spec
    return replace(as_stored(created), spec=spec, description="")


@pytest.mark.parametrize("name", ["_seq", "_partition", "interval", "ISO"])
def test_lite_refuses_the_names_that_it_reserves(lite, name):
    assert name in lite.capabilities().reserved_names
    schema = TargetSchema("vf_reserved", (KEY, VECTOR, TargetField(name, TypeSpec(MilvusType.BOOL))))

    with pytest.raises(TargetError, match="reserved"):
        lite.create(schema)


def test_milvus_235_accepts_a_nullable_field_but_does_not_store_the_option(milvus_235):
    """That is why the version is checked, and the new collection is compared before rows are sent."""
    capabilities = milvus_235.capabilities()
    options = (
        capabilities.nullable,
        capabilities.default_values,
        capabilities.full_text,
        capabilities.null_vectors,
    )
    assert options == (False, False, False, False)

    with pytest.raises(TargetChanged, match="f differ"):
        round_trip(milvus_235, [VECTOR, field(MilvusType.INT64, nullable=True)], [])


def test_milvus_235_allows_one_vector_field(milvus_235):
    assert milvus_235.capabilities().max_vector_fields == 1
    second = TargetField("w", TypeSpec(MilvusType.FLOAT_VECTOR, dim=8))

    with pytest.raises(TargetError, match="multiple vector fields is not supported"):
        round_trip(milvus_235, [VECTOR, second], [])


@pytest.mark.parametrize("fields", [64, 65])
def test_milvus_235_allows_64_fields(milvus_235, fields):
    assert milvus_235.capabilities().max_fields == 64
    more = [TargetField(f"n{i}", TypeSpec(MilvusType.INT8)) for i in range(fields - 2)]
    row = {"id": 0, "v": [0] * 8} | {f.name: 1 for f in more}
    if fields == 64:
        assert len(round_trip(milvus_235, [VECTOR, *more], [row])) == 1
    else:
        with pytest.raises(TargetError, match="64"):
            round_trip(milvus_235, [VECTOR, *more], [row])


def test_float_vectors_keep_every_bit(milvus):
    numbers = np.array([1e-45, -0.0, 3.4028235e38, 1 / 3, -1e-30, 0, 1, 2], dtype=np.float32)

    (found,) = round_trip(milvus, [VECTOR], [{"id": 0, "v": numbers}])

    assert np.array(plain(found["v"]), dtype=np.float32).tobytes() == numbers.tobytes()
