"""Defaults: how a plan is completed, and what the wizard proposes."""

from dataclasses import replace

import pyarrow as pa
import pytest

from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import AUTO, CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import SPARSE, MilvusType, TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.planning.target_names import default_targets
from migrations_app.engine.planning.type_choices import is_declared_unique, left_out
from migrations_app.engine.preflight import check_collection
from tests.kit.metrics import usual_metric
from tests.kit.plans import default_plan

T = MilvusType
OLD_TYPES = frozenset(T) - {
    T.FLOAT16_VECTOR,
    T.BFLOAT16_VECTOR,
    T.INT8_VECTOR,
    T.SPARSE_FLOAT_VECTOR,
}
OLD = Capabilities(
    flavour="milvus",
    version="2.3.5",
    types=OLD_TYPES,
    nullable=False,
    default_values=False,
    full_text=False,
    null_vectors=False,
    max_vector_fields=1,
    max_fields=64,
    max_shards=16,
    max_partitions=4096,
    max_bits=262_144,
    single_writer=False,
    count_needs_load=True,
    flush_before_count=True,
    databases=True,
)
NEW = replace(
    OLD, version="2.6.20", types=frozenset(T), nullable=True, default_values=True, max_vector_fields=4
)


def field(name, *types, **facts):
    choices = tuple(TypeChoice(t if isinstance(t, TypeSpec) else TypeSpec(t)) for t in types)
    return SourceField(name, "native", choices, **({"metric": usual_metric(choices)} | facts))


ID = field("id", T.INT64, nullable=False, can_be_key=True)
VECTOR = field("v", TypeSpec(T.FLOAT_VECTOR, dim=4), metric="L2")
TITLE = field("title", T.VARCHAR, longest_bytes=231)


def schema(*fields, key=("id",), **facts):
    return CollectionSchema(
        "public.books", fields, SourceKey(key) if key else None, label="books", group="public", **facts
    )


def proposed(*fields, capabilities=NEW, key=("id",), **facts):
    return default_plan(schema(*fields, key=key, **facts), capabilities)


def field_of(plan, source):
    return next(f for f in plan.fields if f.source == source)


def completed(plan, *fields, capabilities=NEW, key=("id",)):
    data = {"source": "public.books"} | plan
    return complete(CollectionPlan.model_validate(data), schema(*fields, key=key), capabilities)


# ---------------------------------------------------------------- target


def test_the_target_is_named_like_the_table_without_its_schema():
    assert proposed(ID, VECTOR).target == "books"


def test_targets_of_two_tables_with_the_same_name_include_the_schema():
    a, b = schema(ID, VECTOR), replace(schema(ID, VECTOR), name="shop.books", group="shop")
    other = replace(schema(ID, VECTOR), name="shop.items", label="items", group="shop")
    assert default_targets([a, b, other]) == {
        "public.books": "public_books",
        "shop.books": "shop_books",
        "shop.items": "items",
    }
    assert default_plan(a, NEW, taken={"books"}).target == "public_books"


def test_an_illegal_name_is_kept_so_that_the_user_can_change_it():
    strange = replace(schema(ID, VECTOR, field("a-b", T.INT32)), label="my-books")
    plan = default_plan(strange, NEW)
    assert plan.target == "my-books"
    assert field_of(plan, "a-b").target == "a-b"


# ---------------------------------------------------------------- key


NUMBERED = field("id", T.VARCHAR, T.INT64, nullable=False, can_be_key=True)


@pytest.mark.parametrize("written", [None, "VARCHAR", "INT64"])
def test_a_key_takes_each_of_its_types_and_the_first_by_default(written):
    fields = [{"source": "id", "type": written}, {"source": "v"}]
    plan = completed({"fields": fields}, NUMBERED, VECTOR)
    assert (plan.key, field_of(plan, "id").type) == ("id", written or "VARCHAR")
    read = compile_mapping(plan).read_plan.columns[0]
    assert (read.path, read.spec.type) == ("id", written or "VARCHAR")
    assert check_collection(plan, schema(NUMBERED, VECTOR), NEW) == ()


def test_a_key_cannot_have_a_type_in_which_different_values_become_equal():
    milliseconds = TypeChoice(TypeSpec(T.INT64), "Rounded down.", is_distinct=False)
    choices = (TypeChoice(TypeSpec(T.VARCHAR)), milliseconds)
    created = SourceField("created", "timestamp", choices, can_be_key=True, nullable=False)
    fields = [{"source": "created", "type": "INT64"}, {"source": "v"}]
    plan = completed({"key": "created", "fields": fields}, created, VECTOR)
    (fault,) = check_collection(plan, schema(created, VECTOR), NEW)
    assert (fault.code, fault.path) == ("type_unsuitable", "fields[0].type")


NAMESPACE = field("namespace", T.VARCHAR, nullable=False)


@pytest.mark.parametrize("unique", [True, False])
def test_a_key_of_several_columns_is_joined_if_the_source_says_so(unique):
    key = SourceKey(("namespace", "id"), unique, is_joined=True)
    described = replace(schema(NAMESPACE, NUMBERED, VECTOR), key=key)
    plan = default_plan(described, NEW)
    assert (plan.key, plan.key_name, plan.key_max_length) == (["namespace", "id"], "key", 65_535)
    assert [f.source for f in plan.fields] == ["namespace", "id", "v"]
    assert check_collection(plan, described, NEW) == ()
    assert is_declared_unique(described, plan.key_columns) is unique


def test_a_key_is_not_joined_if_a_column_of_it_has_no_exact_text():
    key = SourceKey(("half", "id"), is_joined=True)
    described = replace(schema(field("half", T.DOUBLE), NUMBERED, VECTOR), key=key)
    assert default_plan(described, NEW).key == AUTO


def offered(name, *types, note=""):
    return SourceField(name, "native", tuple(TypeChoice(TypeSpec(t), note, is_proposed=False) for t in types))


MATRIX = offered("matrix", T.JSON, note="Milvus cannot search it.")


def test_a_field_that_the_source_only_offers_is_left_out_unless_the_plan_lists_it():
    assert [f.source for f in proposed(ID, VECTOR, MATRIX).fields] == ["id", "v"]
    assert left_out(schema(ID, VECTOR, MATRIX), NEW) == {"matrix": "Milvus cannot search it."}
    plan = completed({"fields": [{"source": "v"}, {"source": "matrix"}]}, ID, VECTOR, MATRIX)
    assert field_of(plan, "matrix").type == "JSON"
    assert check_collection(plan, schema(ID, VECTOR, MATRIX), NEW) == ()


def test_a_type_that_the_source_only_offers_is_not_proposed_in_place_of_one_that_the_target_lacks():
    bytes_or_floats = (
        TypeChoice(TypeSpec(T.INT8_VECTOR, dim=4)),
        TypeChoice(TypeSpec(T.FLOAT_VECTOR, dim=4), "Four times as large.", is_proposed=False),
    )
    small = SourceField("small", "byte", bytes_or_floats)
    assert field_of(proposed(ID, small), "small").type == "INT8_VECTOR"
    assert left_out(schema(ID, VECTOR, small), OLD) == {"small": "Four times as large."}
    plan = completed({"fields": [{"source": "small"}]}, ID, small, capabilities=OLD)
    assert field_of(plan, "small").type == "FLOAT_VECTOR"


def test_a_key_of_one_column_is_kept():
    plan = proposed(ID, VECTOR)
    assert plan.key == "id"
    assert plan.key_name is None
    assert field_of(plan, "id").nullable is False


@pytest.mark.parametrize("narrow", [T.INT16, T.INT32])
def test_a_small_integer_key_becomes_int64_and_an_ordinary_field_does_not(narrow):
    plan = proposed(field("id", narrow, can_be_key=True), VECTOR, field("n", narrow, can_be_key=True))
    assert plan.key == "id"
    assert (field_of(plan, "id").type, field_of(plan, "n").type) == ("INT64", narrow)


@pytest.mark.parametrize(
    ("fields", "key", "kept"),
    [
        ((ID, TITLE, VECTOR), None, ["id", "title", "v"]),
        ((ID, TITLE, VECTOR), ("id", "title"), ["id", "title", "v"]),
        ((field("id", T.DOUBLE), TITLE, VECTOR), ("id",), ["id", "title", "v"]),
    ],
)
def test_other_source_keys_become_ordinary_fields_and_the_key_is_auto_id(fields, key, kept):
    plan = proposed(*fields, key=key)
    assert plan.key == AUTO
    assert [f.source for f in plan.fields] == kept
    assert plan.key_name == ("auto_id" if "id" in kept else "id")


def test_a_key_that_cannot_be_kept_is_dropped_if_the_plan_says_so():
    plan = completed({"keep_source_key": False}, field("id", T.DOUBLE), VECTOR)
    assert (plan.key, [f.source for f in plan.fields]) == (AUTO, ["v"])


def test_a_key_that_the_source_does_not_declare_unique_is_not_kept():
    assert default_plan(replace(schema(ID, VECTOR), key=SourceKey(("id",), unique=False)), NEW).key == AUTO


def test_with_auto_id_the_source_key_stays_only_if_requested():
    assert [f.source for f in completed({"key": "auto"}, ID, VECTOR).fields] == ["v"]
    kept = completed({"key": "auto", "keep_source_key": True}, ID, VECTOR)
    assert [f.source for f in kept.fields] == ["id", "v"]
    assert kept.key_name == "auto_id"


def test_a_requested_source_key_is_added_to_the_listed_fields():
    asked = {"key": "auto", "keep_source_key": True, "fields": [{"source": "v"}]}
    assert [f.source for f in completed(asked, ID, VECTOR).fields] == ["id", "v"]


def test_a_key_column_may_be_named_auto():
    auto = field("auto", T.INT64, can_be_key=True)
    plan = proposed(auto, VECTOR, key=("auto",))
    assert (plan.key, plan.is_auto_id, plan.key_columns) == (["auto"], False, ("auto",))
    assert field_of(plan, "auto").target == "auto"


def test_a_joined_key_has_a_name_and_a_length_and_its_parts_stay_fields():
    tenant = field("tenant", T.VARCHAR, can_be_key=True, longest_bytes=40, nullable=False)
    plan = completed({"key": ["tenant", "id"]}, replace(ID, longest_bytes=3), tenant, VECTOR)
    assert [f.source for f in plan.fields] == ["id", "tenant", "v"]
    assert (plan.key_name, plan.key_max_length) == ("key", 65_535)
    assert field_of(plan, "tenant").nullable


def test_the_options_of_a_joined_key_in_a_plan_are_kept():
    asked = {"key": ["tenant", "id"], "key_name": "pk", "key_max_length": 99, "fields": [{"source": "v"}]}
    plan = completed(asked, ID, field("tenant", T.VARCHAR), VECTOR)
    assert (plan.key_name, plan.key_max_length) == ("pk", 99)
    assert [f.source for f in plan.fields] == ["v"]


def test_an_auto_id_name_avoids_taken_names():
    names = [field(name, T.INT32) for name in ("id", "auto_id")]
    assert proposed(*names, VECTOR, key=None).key_name == "auto_id_2"


def test_a_key_that_the_listed_fields_leave_out_is_put_first():
    plan = completed({"fields": [{"source": "v"}]}, ID, VECTOR)
    assert [f.source for f in plan.fields] == ["id", "v"]


# ---------------------------------------------------------------- types and parameters


def test_the_type_is_the_first_choice_that_the_target_supports():
    half = field("h", TypeSpec(T.FLOAT16_VECTOR, dim=4), TypeSpec(T.FLOAT_VECTOR, dim=4))
    assert field_of(proposed(ID, half), "h").type == "FLOAT16_VECTOR"
    assert field_of(proposed(ID, half, capabilities=OLD), "h").type == "FLOAT_VECTOR"


@pytest.mark.parametrize("seen", [None, 0, 1, 231, 70_000])
@pytest.mark.parametrize("use", [{}, {"key": "t"}, {"partition_key": "t"}])
def test_the_sample_decides_no_limit_of_a_text(seen, use):
    text = field("t", T.VARCHAR, longest_bytes=seen, nullable=False, can_be_key=True)
    assert field_of(completed(use, ID, VECTOR, text), "t").max_length == 65_535


def test_a_length_declared_by_the_type_is_kept():
    plan = proposed(ID, VECTOR, field("u", TypeSpec(T.VARCHAR, max_length=36), longest_bytes=36))
    assert field_of(plan, "u").max_length == 36


def test_an_array_gets_capacity_and_element_length():
    tags = field("a", TypeSpec(T.ARRAY, element_type=T.VARCHAR), longest_bytes=5, longest_items=9)
    got = field_of(proposed(ID, VECTOR, tags), "a")
    assert (got.type, got.element_type, got.max_capacity, got.max_length) == (
        "ARRAY",
        "VARCHAR",
        4096,
        65_535,
    )


def test_a_sparse_vector_gets_no_dimension_from_the_sample():
    sample = pa.record_batch({"v": pa.array([[{"index": 7, "value": 0.5}]], SPARSE)})
    sparse = field_of(proposed(ID, field("v", T.SPARSE_FLOAT_VECTOR), sample=sample, capabilities=NEW), "v")
    assert (sparse.type, sparse.dim) == ("SPARSE_FLOAT_VECTOR", None)


def test_an_undeclared_dimension_is_taken_from_the_sample():
    lists = pa.array([[1, 2, 3], None, [1, 2], [4, 5, 6]], pa.list_(pa.float32()))
    sample = pa.RecordBatch.from_arrays([lists], names=["v"])
    assert field_of(proposed(ID, field("v", T.FLOAT_VECTOR), sample=sample), "v").dim == 3
    assert field_of(proposed(ID, field("v", T.FLOAT_VECTOR)), "v").dim is None


def test_columns_without_a_type_and_too_many_vectors_are_left_out_with_the_reason():
    raw = SourceField("raw", "bytea", left_out="Milvus has no type for raw bytes")
    half = field("h", TypeSpec(T.FLOAT16_VECTOR, dim=4))
    second = field("w", TypeSpec(T.FLOAT_VECTOR, dim=4))
    described = schema(ID, VECTOR, raw, half, second)
    assert left_out(described, OLD) == {
        "raw": "Milvus has no type for raw bytes",
        "h": "FLOAT16_VECTOR needs Milvus 2.4 or later; this is Milvus 2.3.5",
        "w": "Milvus 2.3.5 allows 1 vector field",
    }
    assert [f.source for f in default_plan(described, OLD).fields] == ["id", "v"]
    assert set(left_out(described, NEW)) == {"raw"}


# ---------------------------------------------------------------- NULL


def test_fields_are_nullable_if_the_target_supports_it_even_if_the_source_says_not_null():
    plan = proposed(ID, VECTOR, TITLE, field("n", T.INT32, nullable=False))
    assert field_of(plan, "title").nullable is True
    assert field_of(plan, "n").nullable is True
    assert field_of(plan, "v").nullable is False


def test_without_nullable_fields_a_column_that_may_be_null_goes_into_the_dynamic_field():
    tags = field("a", TypeSpec(T.ARRAY, element_type=T.INT32))
    plan = proposed(ID, VECTOR, TITLE, tags, field("n", T.INT32, nullable=False), capabilities=OLD)
    title = field_of(plan, "title")
    assert (title.dynamic, title.as_, title.target, title.type) == (True, "title", None, "VARCHAR")
    assert (field_of(plan, "a").dynamic, field_of(plan, "a").element_type) == (True, "INT32")
    assert (field_of(plan, "n").dynamic, field_of(plan, "n").nullable) == (False, False)
    assert not field_of(plan, "v").dynamic


def test_without_nullable_and_dynamic_fields_it_becomes_a_field_that_accepts_no_null():
    plan = completed({"dynamic_field": False}, ID, VECTOR, TITLE, capabilities=OLD)
    assert (field_of(plan, "title").dynamic, field_of(plan, "title").nullable) == (False, False)


def test_a_partition_key_is_neither_nullable_nor_dynamic():
    for capabilities in (NEW, OLD):
        plan = completed({"partition_key": "title"}, ID, VECTOR, TITLE, capabilities=capabilities)
        assert (field_of(plan, "title").dynamic, field_of(plan, "title").nullable) == (False, False)


# ---------------------------------------------------------------- indexes


def test_each_vector_field_gets_an_index_with_the_metric_of_the_source():
    bits = field("b", TypeSpec(T.BINARY_VECTOR, dim=8))
    plain = field("w", TypeSpec(T.FLOAT_VECTOR, dim=8))
    plan = proposed(ID, VECTOR, plain, bits)
    assert [(i.field, i.type, i.metric) for i in plan.indexes] == [
        ("v", "AUTOINDEX", "L2"),
        ("w", "AUTOINDEX", "COSINE"),
        ("b", "AUTOINDEX", "HAMMING"),
    ]


FAR = field("far", TypeSpec(T.FLOAT_VECTOR, dim=4), metric="Manhattan")


@pytest.mark.parametrize(
    "foreign",
    [FAR, field("far", TypeSpec(T.BINARY_VECTOR, dim=8), metric="L2")],
    ids=["unknown", "for others"],
)
def test_a_vector_whose_metric_milvus_lacks_gets_no_index_and_a_warning(foreign):
    plan = proposed(ID, VECTOR, foreign)
    assert [(i.field, i.metric) for i in plan.indexes] == [("v", "L2")]
    (warning,) = check_collection(plan, schema(ID, VECTOR, foreign), NEW)
    assert (warning.code, warning.severity, warning.field) == ("metric_unknown", "warning", "far")
    assert warning.message.startswith(f"“{foreign.metric}”, the metric of “far”, has no equivalent")


def test_the_plan_chooses_a_metric_for_a_vector_whose_metric_milvus_lacks():
    plan = completed({"indexes": [{"field": "v"}, {"field": "far", "metric": "IP"}]}, ID, VECTOR, FAR)
    assert [(i.field, i.metric) for i in plan.indexes] == [("v", "L2"), ("far", "IP")]
    assert check_collection(plan, schema(ID, VECTOR, FAR), NEW) == ()
    plan = completed({"indexes": [{"field": "far", "type": "HNSW"}]}, ID, VECTOR, FAR)
    (fault,) = check_collection(plan, schema(ID, VECTOR, FAR), NEW)
    assert (fault.code, fault.path, fault.hint) == (
        *("metric_missing", "indexes[0].metric"),
        "Use one of: COSINE, L2, IP.",
    )


def test_an_index_in_the_plan_keeps_its_type_and_gets_a_metric():
    plan = completed({"indexes": [{"field": "v", "type": "HNSW"}]}, ID, VECTOR)
    assert [(i.type, i.metric) for i in plan.indexes] == [("HNSW", "L2")]
    assert completed({"indexes": []}, ID, VECTOR).indexes == []


# ---------------------------------------------------------------- options in the plan


def test_options_in_the_plan_are_kept_even_if_they_are_wrong():
    written = {
        "target": "like",
        "key": "nowhere",
        "fields": [
            {"source": "title", "target": "9", "type": "INT8", "max_length": 0, "nullable": True},
            {"source": "gone", "target": "gone"},
        ],
        "indexes": [{"field": "x", "metric": "L3"}],
    }
    plan = completed(written, ID, VECTOR, TITLE, capabilities=OLD)
    assert (plan.target, plan.key) == ("like", "nowhere")
    assert plan.fields[0].model_dump(exclude_none=True, exclude_defaults=True) == {
        "source": "title",
        "target": "9",
        "type": "INT8",
        "max_length": 0,
        "nullable": True,
    }
    assert plan.fields[1] == FieldPlan(source="gone", target="gone")
    assert plan.indexes[0].metric == "L3"


def test_a_type_in_the_plan_gets_the_parameters_of_its_choice():
    number = field("n", T.VARCHAR, T.DOUBLE, longest_bytes=10)
    plan = completed({"fields": [{"source": "v"}, {"source": "n", "type": "DOUBLE"}]}, ID, VECTOR, number)
    assert (field_of(plan, "n").type, field_of(plan, "n").max_length) == ("DOUBLE", None)


def test_completing_twice_changes_nothing():
    for capabilities in (OLD, NEW):
        described = schema(ID, VECTOR, TITLE, field("a-b", TypeSpec(T.ARRAY, element_type=T.BOOL)))
        once = default_plan(described, capabilities)
        again = CollectionPlan.model_validate(once.model_dump(mode="json", by_alias=True))
        assert complete(again, described, capabilities) == once
