"""Milvus schema: the request that creates a collection, and the schema read from a description."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus import DataType, FunctionType, MilvusClient
from pymilvus import Function as PymilvusFunction
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen.common_pb2 import ConsistencyLevel, KeyValuePair
from pymilvus.grpc_gen.milvus_pb2 import DescribeCollectionResponse
from pymilvus.grpc_gen.schema_pb2 import CollectionSchema, FieldSchema, StructArrayFieldSchema, ValueField

from migrations_app.engine.errors import ServerError
from migrations_app.engine.milvus.schema import (
    NUMBERS,
    create_request,
    from_message,
    from_text,
    pairs,
    to_message,
    to_text,
    unpaired,
)
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
    return DescribeCollectionResponse(
        schema=to_message(schema),
        shards_num=schema.shards,
        consistency_level=ConsistencyLevel.Value(schema.consistency),
    )


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

    with pytest.raises(ServerError, match=r"place.*Geometry"):
        from_message(DescribeCollectionResponse(schema=message))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fields": [FieldSchema(name="new", data_type=999)]}, "“new”.*999"),
        ({"fields": [FieldSchema(name="a", data_type=22, element_type=24)]}, "“a”.*array of Geometry"),
        ({"struct_array_fields": [StructArrayFieldSchema(name="clips")]}, "“clips”.*array of structs"),
        ({"enable_namespace": True}, "namespaces"),
        ({"external_source": "s3://bucket/rows"}, "external collection"),
    ],
)
def test_what_cannot_be_moved_is_named_and_never_dropped(change, named):
    message = to_message(TargetSchema("items", (KEY, VECTOR)))
    message.MergeFrom(CollectionSchema(**change))

    with pytest.raises(ServerError, match=f"“items”.*{named}"):
        from_message(DescribeCollectionResponse(schema=message))


def described(request):
    """Return what a server answers about a collection that this request created: with ids of its own."""
    schema = CollectionSchema.FromString(request.schema)
    for number, field in enumerate(schema.fields, 100):
        field.fieldID = number
    for number, function in enumerate(schema.functions, 100):
        function.id = number
        function.input_field_ids.append(number)
        function.output_field_ids.append(number)
    schema.fields.append(FieldSchema(name="$meta", data_type=DataType.JSON, is_dynamic=True, fieldID=99))
    schema.version, schema.dbName = 3, "shop"
    return DescribeCollectionResponse(
        schema=schema,
        collectionID=7,
        created_timestamp=8,
        update_timestamp=9,
        shards_num=request.shards_num,
        consistency_level=request.consistency_level,
        num_partitions=request.num_partitions or 2,
        properties=request.properties,
        db_name="shop",
        aliases=["things"],
    )


def created(build, **options):
    """Return the request with which pymilvus creates this collection."""
    schema = MilvusClient.create_schema(enable_dynamic_field=options.pop("dynamic", False))
    schema.add_field("id", DataType.INT64, is_primary=True, auto_id=options.pop("auto_id", False))
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=4, description="what it means")
    build(schema)
    return Prepare.create_collection_request("items", schema, **{"num_shards": 1} | options)


def plain(schema):
    schema.add_field("n", DataType.INT64)


def searched(schema):
    analyzer = {"tokenizer": "standard", "filter": ["lowercase"]}
    schema.add_field(
        "text",
        DataType.VARCHAR,
        max_length=99,
        enable_analyzer=True,
        analyzer_params=analyzer,
        enable_match=True,
    )
    schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
    bm25 = PymilvusFunction("by_words", FunctionType.BM25, ["text"], ["words"], "x", {"bm25_k1": 1.2})
    schema.add_function(bm25)


def by_language(schema):
    analyzers = {"by_field": "lang", "analyzers": {"default": {"type": "english"}}}
    schema.add_field("lang", DataType.VARCHAR, max_length=9)
    schema.add_field(
        "text",
        DataType.VARCHAR,
        max_length=9,
        enable_analyzer=True,
        multi_analyzer_params=analyzers,
    )
    schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(PymilvusFunction("by_words", FunctionType.BM25, ["text"], ["words"]))


def embedded(schema):
    schema.add_field("text", DataType.VARCHAR, max_length=99)
    schema.add_field("meaning", DataType.FLOAT_VECTOR, dim=8)
    params = {"provider": "openai", "model_name": "text-embedding-3-small", "credential": "key1"}
    embed = PymilvusFunction("embed", FunctionType.TEXTEMBEDDING, ["text"], ["meaning"], params=params)
    schema.add_function(embed)


def divided(schema):
    schema.add_field("kind", DataType.VARCHAR, max_length=9, is_partition_key=True)
    schema.add_field("day", DataType.INT32, is_clustering_key=True, default_value=ValueField(int_data=3))
    schema.add_field("big", DataType.VARCHAR, max_length=65535, mmap_enabled=True, nullable=True)
    tags = {"element_type": DataType.VARCHAR, "max_capacity": 9, "max_length": 20}
    schema.add_field("tags", DataType.ARRAY, nullable=True, **tags)


TTL = {"collection.ttl.seconds": 60, "mmap.enabled": True, "partitionkey.isolation": True}
REQUESTS = [
    created(plain),
    created(plain, dynamic=True, auto_id=True, consistency_level="Eventually", num_shards=3),
    created(searched, consistency_level="Session"),
    created(embedded, properties={"timezone": "Asia/Shanghai"}),
    created(divided, num_partitions=48, properties=TTL, num_shards=2, consistency_level="Strong"),
]
NAMES = ["plain", "auto", "bm25", "embed", "options"]


@pytest.mark.parametrize("request_", [*REQUESTS, created(by_language)], ids=[*NAMES, "languages"])
def test_a_copy_of_a_described_collection_is_created_by_the_same_request(request_):
    schema = from_message(described(request_))

    assert create_request(schema) == request_
    assert create_request(from_text(to_text(schema))) == request_


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_the_schema_of_a_described_collection_is_complete_without_its_message(request_):
    """What ``TargetSchema`` has is enough to create these collections. The message is only for what a later
    server adds."""
    schema = replace(from_message(described(request_)), message=b"")

    assert in_order(create_request(schema)) == in_order(request_)


def in_order(request_):
    """Return the schema of a request with its parameters in a fixed order, and the rest of the request."""
    schema, rest = CollectionSchema.FromString(request_.schema), type(request_)()
    for part in (*schema.fields, *schema.functions):
        params = part.type_params if isinstance(part, FieldSchema) else part.params
        ordered = sorted(params, key=lambda pair: pair.key)
        del params[:]
        params.extend(ordered)
    rest.CopyFrom(request_)
    rest.ClearField("schema")
    return schema, rest


def test_what_only_a_later_server_knows_travels_with_the_message():
    """An unknown field of the message, an option of a field, an index parameter, and a default of JSON."""
    answer = described(REQUESTS[0])
    answer.schema.fields[1].type_params.append(KeyValuePair(key="new.option", value="7"))
    answer.schema.fields[1].index_params.append(KeyValuePair(key="index_type", value="HNSW"))
    answer.schema.fields.append(FieldSchema(name="doc", data_type=DataType.JSON))
    answer.schema.fields[-1].default_value.bytes_data = b'{"a": 1}'
    unknown = bytes([0xFA, 0x07, 2]) + b"hi"  # field 127, two bytes
    answer.schema.MergeFromString(unknown)

    sent = CollectionSchema.FromString(create_request(from_message(answer)).schema)

    assert sent.SerializeToString().endswith(unknown)
    assert sent.fields[-1].default_value.bytes_data == b'{"a": 1}'
    assert sent.fields[1].index_params == answer.schema.fields[1].index_params
    assert KeyValuePair(key="new.option", value="7") in sent.fields[1].type_params


def test_a_copy_may_have_another_name_and_description_and_more_full_text_search():
    exact = from_message(described(REQUESTS[3]))
    text = replace(exact.fields[2], analyzer="standard")
    changed = replace(
        exact,
        name="copy",
        description="A copy",
        fields=(*exact.fields[:2], text, exact.fields[3], WORDS),
        functions=(*exact.functions, Function("words", ("text",), ("words",))),
    )

    request = create_request(changed, "archive")
    sent, before = (CollectionSchema.FromString(r.schema) for r in (request, REQUESTS[3]))

    assert (request.db_name, request.collection_name) == ("archive", "copy")
    assert (sent.name, sent.description) == ("copy", "A copy")
    assert (sent.functions[0], list(sent.fields)[:2]) == (before.functions[0], list(before.fields)[:2])
    assert from_message(described(request)) == changed


def test_properties_of_the_cluster_are_not_copied():
    copied = {"collection.ttl.seconds": "60"}
    request = created(plain, properties=copied | {"collection.replica.number": 2})

    assert unpaired(create_request(from_message(described(request))).properties) == copied


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
