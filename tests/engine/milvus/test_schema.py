from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus import DataType, MilvusClient
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen.milvus_pb2 import DescribeCollectionResponse
from pymilvus.grpc_gen.schema_pb2 import FieldSchema

from migrations_app.engine.errors import TargetError
from migrations_app.engine.milvus.schema import NUMBERS, differences, from_message, to_message
from migrations_app.engine.schema import ELEMENT_TYPES, MilvusType, TargetField, TargetSchema, TypeSpec

KEY = TargetField("id", TypeSpec(MilvusType.INT64), is_key=True)
VECTOR = TargetField("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=8))
DEFAULTS = {
    MilvusType.BOOL: st.booleans(),
    MilvusType.INT8: st.integers(-128, 127),
    MilvusType.INT64: st.integers(-(2**63), 2**63 - 1),
    MilvusType.FLOAT: st.floats(allow_nan=False, width=32),
    MilvusType.DOUBLE: st.floats(allow_nan=False),
    MilvusType.VARCHAR: st.text(st.characters(codec="utf-8")),
}


@st.composite
def fields(draw):
    kind = draw(st.sampled_from(sorted(MilvusType)))
    spec = TypeSpec(
        kind,
        dim=draw(st.integers(1, 99)) * 8 if kind.is_vector else None,
        max_length=draw(st.integers(1, 65535)) if kind in (MilvusType.VARCHAR, MilvusType.ARRAY) else None,
        element_type=draw(st.sampled_from(sorted(ELEMENT_TYPES))) if kind is MilvusType.ARRAY else None,
        max_capacity=draw(st.integers(1, 4096)) if kind is MilvusType.ARRAY else None,
    )
    default = draw(st.none() | DEFAULTS[kind]) if kind in DEFAULTS else None
    nullable, words = draw(st.booleans()), draw(st.text(st.characters(codec="utf-8")))
    return TargetField(draw(st.uuids()).hex, spec, nullable=nullable, default=default, description=words)


schemas = st.builds(
    TargetSchema,
    st.just("items"),
    st.lists(fields()).map(lambda more: (KEY, *more)),
    dynamic=st.booleans(),
    description=st.text(st.characters(codec="utf-8")),
)


def as_described(schema):
    return DescribeCollectionResponse(schema=to_message(schema), shards_num=schema.shards)


@settings(deadline=None)
@given(schemas)
def test_a_schema_comes_back_as_it_was_made(schema):
    assert from_message(as_described(schema)) == schema
    assert differences(from_message(as_described(schema)), schema) == ()


def test_it_is_the_message_pymilvus_makes():
    theirs = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True, description="Things")
    theirs.add_field("id", DataType.INT64, is_primary=True)
    theirs.add_field("v", DataType.FLOAT_VECTOR, dim=8, description="what it means")
    theirs.add_field("kind", DataType.VARCHAR, max_length=9, is_partition_key=True)
    theirs.add_field("n", DataType.INT64, nullable=True, default_value=7)
    theirs.add_field(
        "tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=3, max_length=9, nullable=True
    )

    tags = TypeSpec(MilvusType.ARRAY, None, 9, MilvusType.VARCHAR, 3)
    ours = TargetSchema(
        "items",
        (
            KEY,
            replace(VECTOR, description="what it means"),
            TargetField("kind", TypeSpec(MilvusType.VARCHAR, max_length=9), is_partition_key=True),
            TargetField("n", TypeSpec(MilvusType.INT64), nullable=True, default=7),
            TargetField("tags", tags, nullable=True),
        ),
        description="Things",
    )

    assert from_message(
        DescribeCollectionResponse(schema=Prepare.get_schema_from_collection_schema("items", theirs))
    ) == replace(ours, shards=1)
    assert sorted(map(str, to_message(ours).fields)) == sorted(
        map(str, Prepare.get_schema_from_collection_schema("items", theirs).fields)
    )


def test_a_default_of_a_small_integer_stands_where_the_server_looks_for_it():
    """pymilvus 3.0.2 puts it among the 64-bit ones, and Milvus refuses that."""
    stock = TargetField("stock", TypeSpec(MilvusType.INT8), default=7)

    message = to_message(TargetSchema("items", (KEY, VECTOR, stock))).fields[2]

    assert message.default_value.WhichOneof("data") == "int_data"


def test_auto_id_is_read_from_the_field_or_the_collection():
    auto = TargetSchema("items", (replace(KEY, auto_id=True), VECTOR))
    message = to_message(auto)
    message.fields[0].autoID = False

    assert from_message(DescribeCollectionResponse(schema=message)).key.auto_id
    assert to_message(auto).autoID


def test_the_dynamic_field_is_no_field_of_its_own():
    message = to_message(TargetSchema("items", (KEY, VECTOR), dynamic=True))
    message.fields.append(FieldSchema(name="$meta", data_type=NUMBERS[MilvusType.JSON], is_dynamic=True))

    found = from_message(DescribeCollectionResponse(schema=message))

    assert [field.name for field in found.fields] == ["id", "v"]
    assert found.dynamic


def test_a_type_from_the_future_is_named():
    message = to_message(TargetSchema("items", (KEY, VECTOR)))
    message.fields.append(FieldSchema(name="place", data_type=24))

    with pytest.raises(TargetError, match=r"place.*Geometry"):
        from_message(DescribeCollectionResponse(schema=message))


BASE = TargetSchema("items", (KEY, VECTOR), description="Things", shards=2)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (replace(BASE, description="", shards=1), ()),
        (replace(BASE, fields=(KEY, replace(VECTOR, description="x"))), ()),
        (replace(BASE, fields=(VECTOR, KEY)), ()),
        (replace(BASE, dynamic=False), ("$meta",)),
        (replace(BASE, fields=(KEY,)), ("v",)),
        (replace(BASE, fields=(replace(KEY, auto_id=True), VECTOR)), ("id",)),
        (replace(BASE, fields=(KEY, replace(VECTOR, spec=TypeSpec(MilvusType.FLOAT_VECTOR, dim=4)))), ("v",)),
    ],
)
def test_what_differs_is_named_and_what_some_servers_forget_does_not_count(found, names):
    assert differences(found, BASE) == names


def test_a_default_is_compared_as_milvus_keeps_it():
    """A FLOAT default of 0.1 comes back as the nearest 32-bit number."""
    price = TargetField("price", TypeSpec(MilvusType.FLOAT), default=0.1)
    wanted = TargetSchema("items", (KEY, VECTOR, price))

    assert differences(from_message(as_described(wanted)), wanted) == ()


def test_the_maximal_length_in_an_array_does_not_count():
    tags = TypeSpec(MilvusType.ARRAY, None, 9, MilvusType.VARCHAR, 3)
    wanted = replace(BASE, fields=(KEY, VECTOR, TargetField("tags", tags)))
    found = replace(wanted, fields=(KEY, VECTOR, TargetField("tags", replace(tags, max_length=None))))

    assert differences(found, wanted) == ()
