"""Wire format: the same bytes as pymilvus sends for the same rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus.grpc_gen import milvus_pb2

from migrations_app.engine.errors import RowsRefused
from migrations_app.engine.milvus.wire import encode
from migrations_app.engine.model.target_schema import Function, TargetField, TargetSchema
from migrations_app.engine.model.types import ELEMENT_TYPES, MilvusType, TypeSpec
from tests.engine.milvus.rows import batch_of, pymilvus_request

DIM = 8
FLOAT = st.floats(width=32, allow_nan=False)
TEXT = st.text(st.characters(codec="utf-8"), max_size=50)
JSON = st.dictionaries(
    TEXT, st.none() | st.booleans() | st.integers(-9, 9) | TEXT | st.lists(TEXT), max_size=4
)

SCALARS = {
    MilvusType.BOOL: st.booleans(),
    MilvusType.INT8: st.integers(-(2**7), 2**7 - 1),
    MilvusType.INT16: st.integers(-(2**15), 2**15 - 1),
    MilvusType.INT32: st.integers(-(2**31), 2**31 - 1),
    MilvusType.INT64: st.integers(-(2**63), 2**63 - 1),
    MilvusType.FLOAT: FLOAT,
    MilvusType.DOUBLE: st.floats(allow_nan=False),
    MilvusType.VARCHAR: TEXT,
    MilvusType.JSON: JSON,
}
VECTORS = {
    MilvusType.FLOAT_VECTOR: st.lists(FLOAT, min_size=DIM, max_size=DIM),
    MilvusType.FLOAT16_VECTOR: st.binary(min_size=2 * DIM, max_size=2 * DIM),
    MilvusType.BFLOAT16_VECTOR: st.binary(min_size=2 * DIM, max_size=2 * DIM),
    MilvusType.INT8_VECTOR: st.lists(st.integers(-128, 127), min_size=DIM, max_size=DIM).map(
        lambda numbers: np.array(numbers, dtype=np.int8)
    ),
    MilvusType.BINARY_VECTOR: st.binary(min_size=DIM // 8, max_size=DIM // 8),
    MilvusType.SPARSE_FLOAT_VECTOR: st.dictionaries(st.integers(0, 2**32 - 2), FLOAT, max_size=5),
}
few_examples = settings(max_examples=40, deadline=None)
KEY = TargetField("id", TypeSpec(MilvusType.INT64), is_key=True)


def spec_of(kind: MilvusType) -> TypeSpec:
    dim = DIM if kind.is_vector and kind is not MilvusType.SPARSE_FLOAT_VECTOR else None
    return TypeSpec(kind, dim=dim, max_length=1000 if kind is MilvusType.VARCHAR else None)


@st.composite
def collections(draw, field, values):
    """A collection with a key and ``field``, and a few rows, some of them with dynamic keys."""
    schema = TargetSchema("things", (KEY, field), dynamic=draw(st.booleans()))
    row = st.builds(lambda key, value: {"id": key, "f": value}, SCALARS[MilvusType.INT64], values)
    if schema.dynamic:
        row = st.builds(lambda row, extra: extra | row, row, st.just({}) | st.just({"é": [1, None]}))
    return schema, draw(st.lists(row, min_size=1, max_size=6))


def assert_same_as_pymilvus(schema, rows):
    for upsert in (False, True):
        wanted = pymilvus_request(schema, rows, upsert=upsert, timestamp=2**63)
        assert encode(batch_of(schema, rows), schema, timestamp=2**63) == wanted.SerializeToString()


@pytest.mark.parametrize("kind", SCALARS)
@few_examples
@given(data=st.data())
def test_scalars_are_encoded_as_pymilvus_does(kind, data):
    field = TargetField("f", spec_of(kind))
    assert_same_as_pymilvus(*data.draw(collections(field, SCALARS[kind])))


@pytest.mark.parametrize("kind", SCALARS)
@few_examples
@given(data=st.data())
def test_scalars_with_nulls_are_encoded_as_pymilvus_does(kind, data):
    field = TargetField("f", spec_of(kind), nullable=True)
    assert_same_as_pymilvus(*data.draw(collections(field, st.none() | SCALARS[kind])))


@few_examples
@given(data=st.data())
def test_a_null_in_a_field_with_a_default_is_encoded_as_pymilvus_does(data):
    field = TargetField("f", spec_of(MilvusType.INT32), default=7)
    assert_same_as_pymilvus(*data.draw(collections(field, st.none() | SCALARS[MilvusType.INT32])))


@pytest.mark.parametrize("element", sorted(ELEMENT_TYPES))
@few_examples
@given(data=st.data())
def test_arrays_are_encoded_as_pymilvus_does(element, data):
    spec = TypeSpec(MilvusType.ARRAY, max_length=1000, element_type=element, max_capacity=9)
    values = st.lists(SCALARS[element], max_size=5)
    assert_same_as_pymilvus(*data.draw(collections(TargetField("f", spec), values)))


@pytest.mark.parametrize("element", sorted(ELEMENT_TYPES))
@few_examples
@given(data=st.data())
def test_arrays_with_nulls_are_encoded_as_pymilvus_does(element, data):
    spec = TypeSpec(MilvusType.ARRAY, max_length=1000, element_type=element, max_capacity=9)
    values = st.none() | st.lists(SCALARS[element], max_size=5)
    assert_same_as_pymilvus(*data.draw(collections(TargetField("f", spec, nullable=True), values)))


@pytest.mark.parametrize("values", [[None] * 3, [[], None, []], [None, [], None], [[], [], []]])
@pytest.mark.parametrize("element", sorted(ELEMENT_TYPES))
def test_arrays_that_are_all_null_or_empty_are_encoded_as_pymilvus_does(element, values):
    spec = TypeSpec(MilvusType.ARRAY, max_length=1000, element_type=element, max_capacity=9)
    schema = TargetSchema("things", (KEY, TargetField("f", spec, nullable=True)), dynamic=False)
    assert_same_as_pymilvus(schema, [{"id": number, "f": value} for number, value in enumerate(values)])


@pytest.mark.parametrize("kind", VECTORS)
@few_examples
@given(data=st.data())
def test_vectors_are_encoded_as_pymilvus_does(kind, data):
    field = TargetField("f", spec_of(kind))
    assert_same_as_pymilvus(*data.draw(collections(field, VECTORS[kind])))


@pytest.mark.parametrize("kind", VECTORS)
@few_examples
@given(data=st.data())
def test_vectors_with_nulls_are_encoded_as_pymilvus_does(kind, data):
    field = TargetField("f", spec_of(kind), nullable=True)
    assert_same_as_pymilvus(*data.draw(collections(field, st.none() | VECTORS[kind])))


@pytest.mark.parametrize("kind", [*SCALARS, *VECTORS])
@few_examples
@given(data=st.data())
def test_a_slice_of_a_batch_contains_only_its_rows(kind, data):
    """A refused batch is bisected by slicing it."""
    field = TargetField("f", spec_of(kind), nullable=True)
    schema, rows = data.draw(collections(field, st.none() | (SCALARS | VECTORS)[kind]))
    start = data.draw(st.integers(0, len(rows) - 1))
    length = data.draw(st.integers(1, len(rows) - start))

    part = batch_of(schema, rows).slice(start, length)

    expected = pymilvus_request(schema, rows[start : start + length])
    assert encode(part, schema) == expected.SerializeToString()


@few_examples
@given(st.lists(st.lists(TEXT, max_size=4), min_size=2, max_size=6), st.data())
def test_a_slice_of_arrays_contains_only_its_elements(lists, data):
    spec = TypeSpec(MilvusType.ARRAY, max_length=1000, element_type=MilvusType.VARCHAR, max_capacity=9)
    schema = TargetSchema("things", (KEY, TargetField("f", spec)), dynamic=False)
    rows = [{"id": number, "f": texts} for number, texts in enumerate(lists)]
    start = data.draw(st.integers(1, len(rows) - 1))

    part = batch_of(schema, rows).slice(start)

    assert encode(part, schema) == pymilvus_request(schema, rows[start:]).SerializeToString()


@pytest.mark.parametrize("kind", [*SCALARS, *VECTORS])
def test_fields_that_are_null_in_every_row_are_encoded_as_pymilvus_does(kind):
    schema = TargetSchema("things", (KEY, TargetField("f", spec_of(kind), nullable=True)), dynamic=False)
    assert_same_as_pymilvus(schema, [{"id": 1, "f": None}, {"id": 2, "f": None}])


@pytest.mark.parametrize("upsert", [False, True])
def test_the_name_of_the_partition_is_sent(upsert):
    schema = TargetSchema("things", (KEY,), dynamic=False)
    rows = [{"id": 1}]

    wanted = pymilvus_request(schema, rows, upsert=upsert, partition="shoes")

    assert encode(batch_of(schema, rows), schema, partition="shoes") == wanted.SerializeToString()


def test_the_output_of_a_function_is_not_sent():
    title = TargetField("title", spec_of(MilvusType.VARCHAR), analyzer="standard")
    words = TargetField("words", spec_of(MilvusType.SPARSE_FLOAT_VECTOR))
    made = Function("words", ("title",), ("words",))
    schema = TargetSchema("things", (KEY, title, words), functions=(made,))

    assert_same_as_pymilvus(schema, [{"id": 1, "title": "red shoes"}, {"id": 2, "title": "", "x": 1}])


def test_an_auto_id_key_is_not_sent():
    key = TargetField("id", TypeSpec(MilvusType.INT64), is_key=True, auto_id=True)
    schema = TargetSchema("things", (key, TargetField("f", spec_of(MilvusType.BOOL))), dynamic=False)

    request = milvus_pb2.InsertRequest.FromString(encode(batch_of(schema, [{"f": True}]), schema))

    assert [field.field_name for field in request.fields_data] == ["f"]


def test_the_name_of_the_database_is_sent():
    schema = TargetSchema("things", (KEY,), dynamic=False)

    request = milvus_pb2.UpsertRequest.FromString(
        encode(batch_of(schema, [{"id": 1}]), schema, database="shop")
    )

    assert (request.db_name, request.collection_name, request.num_rows) == ("shop", "things", 1)


def test_a_null_in_a_field_that_is_not_nullable_is_refused_with_the_field_name():
    schema = TargetSchema("things", (KEY, TargetField("title", spec_of(MilvusType.VARCHAR))), dynamic=False)
    rows = pa.RecordBatch.from_pydict(
        {"id": pa.array([1]), "title": pa.array([None], pa.string())}, schema=schema.arrow_schema()
    )

    with pytest.raises(RowsRefused, match="title"):
        encode(rows, schema)
