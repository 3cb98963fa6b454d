"""Milvus schema: the request that creates a collection, and the schema read from a description."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus import DataType, FunctionType, MilvusClient
from pymilvus import Function as PymilvusFunction
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen.milvus_pb2 import DescribeCollectionResponse
from pymilvus.grpc_gen.schema_pb2 import FieldSchema, ValueField

from migrations_app.engine.errors import TargetError
from migrations_app.engine.milvus.schema import NUMBERS, create_request, from_message, pairs, to_message
from migrations_app.engine.model.target_schema import Function, TargetField, TargetSchema
from migrations_app.engine.model.types import ELEMENT_TYPES, MilvusType, TypeSpec
from migrations_app.engine.targets.milvus.comparing import differences

KEY = TargetField("id", TypeSpec(MilvusType.INT64), is_key=True)
VECTOR = TargetField("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=8))
DEFAULTS = {
    MilvusType.BOOL: st.booleans(),
    MilvusType.INT8: st.integers(-128, 127),
    MilvusType.INT16: st.integers(-(2**15), 2**15 - 1),
    MilvusType.INT32: st.integers(-(2**31), 2**31 - 1),
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
        dim=draw(st.integers(1, 99)) * 8
        if kind.is_vector and kind is not MilvusType.SPARSE_FLOAT_VECTOR
        else None,
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
def test_a_schema_is_read_back_unchanged(schema):
    assert from_message(as_described(schema)) == schema
    assert differences(from_message(as_described(schema)), schema) == ()


SMALL = (MilvusType.INT8, MilvusType.INT16, MilvusType.INT32)


def pymilvus_schema(ours):
    """Return the same collection as a schema of pymilvus."""
    theirs = MilvusClient.create_schema(
        auto_id=ours.key.auto_id, enable_dynamic_field=ours.dynamic, description=ours.description
    )
    for field in ours.fields:
        spec = field.spec
        more = {"dim": spec.dim, "max_length": spec.max_length, "max_capacity": spec.max_capacity}
        more["element_type"] = DataType[spec.element_type] if spec.element_type else None
        more |= {"is_primary": field.is_key or None, "auto_id": field.auto_id or None}
        more |= {"nullable": field.nullable or None, "is_partition_key": field.is_partition_key or None}
        more |= {"enable_match": field.match or None, "enable_analyzer": bool(field.analyzer) or None}
        more["analyzer_params"] = {"type": field.analyzer} if field.analyzer else None
        if field.default is not None:
            # pymilvus 3.0.2 would send a small integer as a 64-bit one, and Milvus refuses that.
            small = spec.type in SMALL
            more["default_value"] = ValueField(int_data=field.default) if small else field.default
        known = {name: value for name, value in more.items() if value is not None}
        theirs.add_field(field.name, DataType[spec.type], description=field.description, **known)
    for made in ours.functions:
        kind = FunctionType[made.type]
        theirs.add_function(
            PymilvusFunction(made.name, kind, list(made.inputs), list(made.outputs), made.description)
        )
    return theirs


def assert_same_as_pymilvus(schema):
    theirs = Prepare.create_collection_request(
        schema.name, pymilvus_schema(schema), num_shards=schema.shards, consistency_level="Bounded"
    )
    assert create_request(schema).SerializeToString() == theirs.SerializeToString()


@settings(deadline=None)
@given(schemas)
def test_the_request_is_the_same_as_that_of_pymilvus(schema):
    assert_same_as_pymilvus(schema)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("analyzer", ["standard", "english", "chinese"])
@pytest.mark.parametrize("match", [False, True])
def test_the_request_with_a_function_is_the_same_as_that_of_pymilvus(analyzer, match, shards):
    text = TypeSpec(MilvusType.VARCHAR, max_length=9)
    schema = TargetSchema(
        "items",
        (
            TargetField("id", TypeSpec(MilvusType.INT64), is_key=True, auto_id=True),
            VECTOR,
            TargetField("title", text, nullable=True, analyzer=analyzer, match=match),
            TargetField("kind", text, is_partition_key=True),
            TargetField("words", TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR)),
        ),
        shards=shards,
        functions=(Function("words", ("title",), ("words",), description="by its words"),),
    )

    assert_same_as_pymilvus(schema)
    assert from_message(as_described(schema)) == schema
    assert [field.name for field in schema.sent_fields] == ["v", "title", "kind"]


def test_a_custom_analyzer_is_read_as_its_json():
    custom = '{"tokenizer":"standard","filter":["lowercase"]}'
    title = TargetField("title", TypeSpec(MilvusType.VARCHAR, max_length=9), analyzer=custom)
    schema = TargetSchema("items", (KEY, VECTOR, title))

    assert from_message(as_described(schema)) == schema


@pytest.mark.parametrize("params", [None, "{}", '{"type": "standard"}'])
def test_an_analyzer_without_a_name_is_the_standard_analyzer(params):
    message = as_described(TargetSchema("items", (KEY, VECTOR)))
    options = {"enable_analyzer": "true"} | ({"analyzer_params": params} if params else {})
    message.schema.fields.append(
        FieldSchema(name="title", data_type=DataType.VARCHAR, type_params=pairs({"max_length": 9} | options))
    )

    assert from_message(message).fields[2].analyzer == "standard"


def test_the_default_of_a_small_integer_is_sent_as_int_data():
    """pymilvus 3.0.2 sends it as a 64-bit integer, and Milvus refuses that."""
    stock = TargetField("stock", TypeSpec(MilvusType.INT8), default=7)

    message = to_message(TargetSchema("items", (KEY, VECTOR, stock))).fields[2]

    assert message.default_value.WhichOneof("data") == "int_data"


def test_auto_id_is_read_from_the_field_or_the_collection():
    auto = TargetSchema("items", (replace(KEY, auto_id=True), VECTOR))
    message = to_message(auto)
    message.fields[0].autoID = False

    assert from_message(DescribeCollectionResponse(schema=message)).key.auto_id
    assert to_message(auto).autoID


def test_the_dynamic_field_is_not_listed_as_a_field():
    message = to_message(TargetSchema("items", (KEY, VECTOR), dynamic=True))
    message.fields.append(FieldSchema(name="$meta", data_type=NUMBERS[MilvusType.JSON], is_dynamic=True))

    found = from_message(DescribeCollectionResponse(schema=message))

    assert [field.name for field in found.fields] == ["id", "v"]
    assert found.dynamic


def test_an_unknown_type_is_named_in_the_error():
    message = to_message(TargetSchema("items", (KEY, VECTOR)))
    message.fields.append(FieldSchema(name="place", data_type=24))

    with pytest.raises(TargetError, match=r"place.*Geometry"):
        from_message(DescribeCollectionResponse(schema=message))


BASE = TargetSchema("items", (KEY, VECTOR), description="Things", shards=2)


TITLE = TargetField("title", TypeSpec(MilvusType.VARCHAR, max_length=9), analyzer="english")
WORDS = TargetField("words", TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR))
SEARCHED = replace(
    BASE, fields=(KEY, VECTOR, TITLE, WORDS), functions=(Function("words", ("title",), ("words",)),)
)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (replace(SEARCHED, functions=(Function("bm25", ("title",), ("words",), description="x"),)), ()),
        (replace(SEARCHED, fields=(KEY, VECTOR, replace(TITLE, match=True), WORDS)), ()),
        (replace(SEARCHED, functions=()), ("words",)),
        (replace(SEARCHED, functions=(Function("words", ("other",), ("words",)),)), ("words",)),
        (replace(SEARCHED, fields=(KEY, VECTOR, replace(TITLE, analyzer="standard"), WORDS)), ("words",)),
    ],
)
def test_a_function_is_compared_by_its_inputs_and_outputs(found, names):
    assert differences(found, SEARCHED) == names


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
def test_differences_are_named_except_in_properties_that_some_servers_do_not_return(found, names):
    assert differences(found, BASE) == names


def test_a_default_is_compared_with_the_precision_that_milvus_stores():
    """A FLOAT default of 0.1 comes back as the nearest 32-bit number."""
    price = TargetField("price", TypeSpec(MilvusType.FLOAT), default=0.1)
    wanted = TargetSchema("items", (KEY, VECTOR, price))

    assert differences(from_message(as_described(wanted)), wanted) == ()


def test_the_maximum_text_length_of_an_array_is_ignored_if_it_is_not_returned():
    tags = TypeSpec(MilvusType.ARRAY, None, 9, MilvusType.VARCHAR, 3)
    wanted = replace(BASE, fields=(KEY, VECTOR, TargetField("tags", tags)))
    found = replace(wanted, fields=(KEY, VECTOR, TargetField("tags", replace(tags, max_length=None))))

    assert differences(found, wanted) == ()
