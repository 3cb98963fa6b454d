"""Preflight rules: all faults of a plan are reported at once, each with its path and fixes."""

from dataclasses import replace

import pyarrow as pa
import pytest

from migrations_app.engine.faults import Fix
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey
from migrations_app.engine.model.types import TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.preflight import check_collection
from tests.engine.preflight.preflights import ID, LITE, OLD, T, faults_of, field, place, schema, the_fault
from tests.kit.memory_target import EVERYTHING

# ---------------------------------------------------------------- misplaced options and plans without faults


MISPLACED = [
    ({"keep_source_key": True}, "keep_source_key"),
    ({"keep_source_key": True, "key": ["id", "t"]}, "keep_source_key"),
    ({"fields": [{"source": "t", "dynamic": True, "target": "title"}]}, "fields[2].target"),
    ({"fields": [{"source": "t", "dynamic": True, "nullable": True}]}, "fields[2].nullable"),
]


@pytest.mark.parametrize(("plan", "path"), MISPLACED, ids=range(len(MISPLACED)))
def test_an_option_that_would_be_ignored_is_refused(plan, path):
    title = field("t", TypeSpec(T.VARCHAR, max_length=9), can_be_key=True)
    found = the_fault(plan, title)
    assert (found.code, found.path) == ("option_misplaced", path)
    assert found.advice


@pytest.mark.parametrize(
    "written",
    [{"type": "TEXT"}, {"type": "ARRAY"}, {"type": "ARRAY", "element_type": "FOO"}, {"type": "INT64"}],
)
def test_a_type_in_the_dynamic_field_that_does_not_suit_the_column_is_refused(written):
    found = the_fault({"fields": [{"source": "t", "dynamic": True} | written]}, field("t", T.VARCHAR))
    assert (found.code, found.path) == ("type_unsuitable", "fields[2].type")


@pytest.mark.parametrize("capabilities", [EVERYTHING, OLD, LITE])
def test_a_default_plan_for_ordinary_columns_has_no_fault(capabilities):
    tags = field("tags", TypeSpec(T.ARRAY, element_type=T.VARCHAR), longest_items=3)
    raw = SourceField("raw", "bytea", left_out="Milvus has no type for raw bytes")
    assert (
        faults_of({}, field("title", T.VARCHAR), field("meta", T.JSON), tags, raw, capabilities=capabilities)
        == ()
    )


# ---------------------------------------------------------------- names


def test_an_illegal_collection_name_is_refused_with_a_suggestion():
    fault = the_fault({"target": "my-books"})
    assert place(fault) == ("name_illegal", "target", "", "collection_target")
    assert fault.fixes == (Fix("Use my_books", "target", "my_books"),)


@pytest.mark.parametrize(
    ("name", "capabilities", "code", "instead"),
    [
        ("like", EVERYTHING, "name_reserved", "like_"),
        ("a b", EVERYTHING, "name_illegal", "a_b"),
        ("interval", LITE, "name_reserved", "interval_"),
        ("9", LITE, "name_illegal", "_9"),
    ],
)
def test_an_illegal_field_name_is_refused_with_a_suggestion(name, capabilities, code, instead):
    fault = the_fault({}, field(name, T.INT32, nullable=False), capabilities=capabilities)
    assert place(fault) == (code, "fields[2].target", name, "target")
    assert fault.fixes == (Fix(f"Use {instead}", "target", instead),)


def test_a_suggestion_avoids_the_other_fields():
    fault = the_fault({}, field("like", T.INT32), field("like_", T.INT32))
    assert fault.fixes[0].value == "like__2"


def test_two_fields_with_the_same_name_are_a_fault_of_the_second():
    fault = the_fault({"fields": [{"source": "n", "target": "v"}]}, field("n", T.INT32))
    assert place(fault) == ("name_duplicate", "fields[2].target", "n", "target")
    assert fault.fixes[0].value == "v_2"


def test_the_name_of_an_auto_id_key_is_checked_like_any_other():
    assert place(the_fault({"key": "auto", "key_name": "v"}))[:2] == ("name_duplicate", "fields[0].target")
    assert place(the_fault({"key": "auto", "key_name": "not"}))[:2] == ("name_reserved", "key_name")


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ([{"source": "n", "dynamic": True, "as": "v"}], "dynamic_name_taken"),
        ([{"source": "n", "dynamic": True, "as": "$meta"}], "dynamic_name_illegal"),
        ([{"source": "m", "dynamic": True}, {"source": "n", "dynamic": True, "as": "m"}], "name_duplicate"),
    ],
)
def test_a_key_of_the_dynamic_field_must_not_hide_another_name(plan, code):
    fault = the_fault({"fields": plan}, field("n", T.INT32), field("m", T.INT32))
    assert place(fault) == (code, f"fields[{1 + len(plan)}].as", "n", "as")
    assert fault.fixes[0].value not in ("v", "$meta", "m")


def test_a_key_of_the_dynamic_field_may_be_any_other_text():
    assert (
        faults_of({"fields": [{"source": "n", "dynamic": True, "as": "9 like"}]}, field("n", T.INT32)) == ()
    )


# ---------------------------------------------------------------- fields and types


def test_an_unknown_source_field_is_refused_with_the_most_similar_name():
    fault = the_fault({"fields": [{"source": "titel"}]}, field("title", T.VARCHAR))
    assert place(fault) == ("field_unknown", "fields[2].source", "titel", "source")
    assert fault.hint == "Did you mean “title”?"


def test_a_source_field_that_is_listed_twice_is_refused():
    fault = the_fault({"fields": [{"source": "n"}, {"source": "n", "target": "m"}]}, field("n", T.INT32))
    assert place(fault) == ("source_twice", "fields[3].source", "n", "source")


def test_a_field_without_any_type_is_refused_with_the_reason():
    raw = SourceField("raw", "bytea", left_out="Milvus has no type for raw bytes")
    fault = the_fault({"fields": [{"source": "raw", "target": "raw"}]}, raw)
    assert fault.message == "“raw” cannot be moved: Milvus has no type for raw bytes."
    assert fault.fixes == (Fix("Leave it out", "include", "false"),)


@pytest.mark.parametrize(
    ("written", "offered"), [("INT8", "DOUBLE"), ("ARRAY", "DOUBLE"), ("NUMBER", "DOUBLE")]
)
def test_an_unsuitable_type_is_refused_with_the_suitable_ones(written, offered):
    number = field("n", T.VARCHAR, T.DOUBLE)
    found = faults_of({"fields": [{"source": "n", "type": written}]}, number)
    assert [place(f) for f in found] == [("type_unsuitable", "fields[2].type", "n", "type")]
    assert found[0].hint == "It can become VARCHAR or DOUBLE."
    assert Fix(f"Use {offered}", "type", offered) in found[0].fixes


def test_a_type_that_the_target_lacks_is_refused_with_the_version_that_introduced_it():
    half = field("h", TypeSpec(T.FLOAT16_VECTOR, dim=4), TypeSpec(T.FLOAT_VECTOR, dim=4))
    written = {"fields": [{"source": "h", "type": "FLOAT16_VECTOR"}]}
    fault = the_fault(written, half, capabilities=replace(OLD, max_vector_fields=4))
    assert place(fault)[0] == "type_unavailable"
    assert fault.message == "FLOAT16_VECTOR needs Milvus 2.4 or later; this is Milvus 2.3.5."
    assert Fix("Use FLOAT_VECTOR · 4", "type", "FLOAT_VECTOR") in fault.fixes


def test_a_listed_field_is_refused_if_the_target_lacks_its_only_type():
    sparse = field("s", T.SPARSE_FLOAT_VECTOR)
    fault = the_fault({"fields": [{"source": "s", "target": "s"}]}, sparse, capabilities=OLD)
    assert place(fault) == ("type_unavailable", "fields[2].type", "s", "type")


@pytest.mark.parametrize(
    ("source", "written", "code", "option"),
    [
        (field("t", T.VARCHAR), {"max_length": 0}, "value_out_of_range", "max_length"),
        (field("t", T.VARCHAR), {"max_length": 65_536}, "value_out_of_range", "max_length"),
        (
            field("t", TypeSpec(T.ARRAY, element_type=T.INT8)),
            {"max_capacity": 4_097},
            "value_out_of_range",
            "max_capacity",
        ),
        (field("t", T.INT32), {"max_length": 5}, "option_misplaced", "max_length"),
        (field("t", T.FLOAT_VECTOR), {"dim": 1}, "dim_out_of_range", "dim"),
        (field("t", T.FLOAT_VECTOR), {"dim": 32_769}, "dim_out_of_range", "dim"),
        (field("t", T.FLOAT_VECTOR), {}, "dim_unknown", "dim"),
        (field("t", TypeSpec(T.FLOAT_VECTOR, dim=4)), {"dim": 5}, "dim_differs", "dim"),
        (field("t", T.BINARY_VECTOR), {"dim": 12}, "dim_out_of_range", "dim"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused(source, written, code, option):
    fault = the_fault({"fields": [{"source": "t", "target": "t"} | written]}, source)
    assert place(fault) == (code, f"fields[2].{option}", "t", option)
    assert fault.fixes


@pytest.mark.parametrize(
    ("source", "written", "fixes"),
    [
        (field("t", T.VARCHAR, longest_bytes=11_302), {"max_length": 8192}, ["65535"]),
        (field("t", T.VARCHAR, longest_bytes=70_000), {"max_length": 65_535}, []),
        (
            field("t", TypeSpec(T.ARRAY, element_type=T.INT8), longest_items=9),
            {"max_capacity": 8},
            ["4096"],
        ),
    ],
)
def test_a_limit_below_the_sample_is_a_warning_and_not_an_error(source, written, fixes):
    fault = the_fault({"fields": [{"source": "t", "target": "t"} | written]}, source)
    assert (fault.code, fault.severity) == ("limit_too_small", "warning")
    assert [fix.value for fix in fault.fixes] == fixes


# ---------------------------------------------------------------- NULL and defaults


@pytest.mark.parametrize(
    ("rule", "changes", "capabilities", "code", "words"),
    [
        ("empty", {}, EVERYTHING, "absent_unsuitable", "only a sparse vector can be empty"),
        ("null", {"nullable": False}, EVERYTHING, "absent_unsuitable", "is not nullable"),
        ("null", {}, OLD, "absent_unavailable", "needs Milvus 2.6.18 or later; this is Milvus 2.3.5"),
    ],
)
def test_a_rule_for_absent_vectors_that_is_not_possible_is_refused(rule, changes, capabilities, code, words):
    written = {"fields": [{"source": "w", "absent": rule, **changes}]}
    other = field("w", TypeSpec(T.FLOAT_VECTOR, dim=2))
    several = replace(capabilities, max_vector_fields=4)

    fault = the_fault(written, other, capabilities=several)

    assert place(fault) == (code, "fields[2].absent", "w", "absent")
    assert words in fault.message
    assert fault.fixes == (Fix("Skip such rows", "absent", "skip"),)


def test_an_empty_vector_needs_a_server_that_takes_it():
    written = {"fields": [{"source": "s", "absent": "empty"}]}
    lite = replace(EVERYTHING, flavour="lite", version="3.2.2", empty_sparse=False)

    assert faults_of(written, field("s", T.SPARSE_FLOAT_VECTOR)) == ()
    fault = the_fault(written, field("s", T.SPARSE_FLOAT_VECTOR), capabilities=lite)
    assert fault.code == "absent_unavailable"
    assert "needs a server (Milvus 2.4.12 or later); this is Milvus Lite" in fault.message


def test_a_rule_for_absent_vectors_is_refused_for_other_fields():
    fault = the_fault({"fields": [{"source": "n", "absent": "skip"}]}, field("n", T.INT32))
    assert (fault.code, fault.path) == ("option_misplaced", "fields[2].absent")


def test_nullable_is_refused_if_the_target_lacks_it():
    written = {"fields": [{"source": "n", "nullable": True}]}
    fault = the_fault(written, field("n", T.INT32), capabilities=OLD)
    assert place(fault) == ("nullable_unavailable", "fields[2].nullable", "n", "nullable")
    assert "needs Milvus 2.5 or later; this is Milvus 2.3.5" in fault.message
    assert fault.fixes == (Fix("Turn it off", "nullable", "false"),)


@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        (T.INT8, 128, "128 does not fit INT8: -128 to 127."),
        (T.INT64, "5", "“5” is not a whole number."),
        (T.BOOL, 1, "1 is not a BOOL value."),
        (T.FLOAT, 1e39, "1e+39 does not fit FLOAT."),
        (T.DOUBLE, float("nan"), "nan does not fit DOUBLE."),
        (T.VARCHAR, "éé", "“éé” is 4 bytes long; the field takes at most 3."),
    ],
)
def test_a_default_must_be_a_value_of_its_type(type_, value, words):
    sizes = {"max_length": 3} if type_ is T.VARCHAR else {}
    fault = the_fault({"fields": [{"source": "n", "default": value} | sizes]}, field("n", type_))
    assert place(fault) == ("value_invalid", "fields[2].default", "n", "default")
    assert fault.message == words


@pytest.mark.parametrize(
    ("source", "value", "good"),
    [
        (field("n", T.JSON), '{"a": 1}', True),
        (field("n", T.JSON), {"a": 1}, True),
        (field("n", T.JSON), "no json", False),
        (field("n", T.FLOAT), 3.4028235e38, True),
        (field("n", T.FLOAT), 3.4028236e38, False),
        (field("n", T.JSON), 3, False),
        (field("n", TypeSpec(T.ARRAY, element_type=T.INT8)), [1, 2], True),
        (field("n", TypeSpec(T.ARRAY, element_type=T.INT8)), [1, None], False),
        (field("n", TypeSpec(T.ARRAY, element_type=T.INT8)), "1", False),
        (field("n", T.DOUBLE), 3, True),
    ],
)
def test_fill_null_must_be_a_value_of_its_type(source, value, good):
    found = faults_of({"fields": [{"source": "n", "target": "n", "fill_null": value}]}, source)
    assert [f.path for f in found] == ([] if good else ["fields[2].fill_null"])


def test_a_default_is_refused_if_milvus_cannot_store_it():
    assert the_fault(
        {"fields": [{"source": "n", "default": 1}]}, field("n", T.INT8), capabilities=OLD
    ).code == ("default_unavailable")
    for source in (field("n", T.JSON), field("n", TypeSpec(T.FLOAT_VECTOR, dim=4))):
        found = the_fault({"fields": [{"source": "n", "default": {}}]}, source)
        assert place(found) == ("default_misplaced", "fields[2].default", "n", "default")


# ---------------------------------------------------------------- key and partition key


@pytest.mark.parametrize(
    ("key", "code"), [("nowhere", "key_unknown"), ("d", "key_type"), ([], "key_missing"), ("v", "key_type")]
)
def test_a_key_must_exist_and_have_a_type_that_milvus_accepts(key, code):
    found = [f for f in faults_of({"key": key}, field("d", T.DOUBLE)) if f.option == "key"]
    assert [place(f) for f in found] == [(code, "key", "", "key")]
    assert found[0].fixes == (Fix("Use Auto ID", "key", "auto"),)


@pytest.mark.parametrize(
    ("plan", "code", "path"),
    [
        ({"key": ["id", "nowhere"]}, "key_unknown", "key"),
        ({"key": ["id", "d"]}, "key_type", "key"),
        ({"key": ["id", "v"]}, "key_type", "key"),
        ({"key": ["id", "id"]}, "key_twice", "key"),
        ({"key": ["id", "t"], "key_name": "t"}, "name_duplicate", "fields[3].target"),
        ({"key": ["id", "t"], "key_name": "not"}, "name_reserved", "key_name"),
        ({"key": ["id", "t"], "key_name": "a-b"}, "name_illegal", "key_name"),
        ({"key": ["id", "t"], "key_max_length": 0}, "value_out_of_range", "key_max_length"),
        ({"key": ["id", "t"], "key_max_length": 65_536}, "value_out_of_range", "key_max_length"),
        (
            {"key": ["id", "t"], "key_name": "pk", "partition_key": "pk"},
            "partition_key_is_key",
            "partition_key",
        ),
        ({"key": "id", "key_max_length": 64}, "option_misplaced", "key_max_length"),
        ({"key": "auto", "key_max_length": 64}, "option_misplaced", "key_max_length"),
    ],
)
def test_a_joined_key_is_checked_part_by_part(plan, code, path):
    fields = (field("d", T.DOUBLE), field("t", T.VARCHAR, nullable=False))
    assert [(f.code, f.path) for f in faults_of(plan, *fields)] == [(code, path)]


def test_a_part_of_a_joined_key_may_be_left_out_as_a_field_or_be_the_partition_key():
    t = field("t", T.VARCHAR, nullable=False)
    assert faults_of({"key": ["t", "id"], "fields": []}, t) == ()
    assert faults_of({"key": ["t", "id"], "partition_key": "t"}, t) == ()


def test_a_key_must_not_be_in_the_dynamic_field():
    plan = {"fields": [{"source": "k", "dynamic": True}], "key": "k"}
    assert the_fault(plan, field("k", T.INT64, can_be_key=True)).code == "key_not_a_field"


def test_a_nullable_key_and_a_key_with_a_default_are_refused():
    written = {"key": "k", "fields": [{"source": "k", "nullable": True, "default": 1}]}
    found = faults_of(written, field("k", T.INT64, can_be_key=True))
    assert [f.code for f in found] == ["key_nullable", "key_default"]


@pytest.mark.parametrize(
    ("partition_key", "code"),
    [
        ("nowhere", "partition_key_unknown"),
        ("id", "partition_key_is_key"),
        ("n", "partition_key_type"),
        ("v", "partition_key_type"),
        ("d", "partition_key_unknown"),
    ],
)
def test_a_partition_key_must_be_another_field_of_a_suitable_type(partition_key, code):
    written = {
        "partition_key": partition_key,
        "fields": [{"source": "n"}, {"source": "d", "dynamic": True}],
    }
    fault = the_fault(written, field("n", T.INT32), field("d", T.INT64))
    assert place(fault) == (code, "partition_key", "", "partition_key")


def test_a_nullable_partition_key_is_refused():
    written = {"partition_key": "n", "fields": [{"source": "n", "nullable": True}]}
    assert the_fault(written, field("n", T.INT64)).code == "key_nullable"


# ---------------------------------------------------------------- the collection


def test_more_fields_than_the_target_allows_are_refused():
    columns = [field(f"n{n}", T.INT32) for n in range(63)]
    assert faults_of({}, *columns[:62]) == ()
    fault = the_fault({}, *columns)
    assert place(fault)[:2] == ("too_many_fields", "fields")
    assert "65 fields" in fault.message


def test_more_listed_vectors_than_the_target_allows_are_refused():
    vectors = [field(f"w{n}", TypeSpec(T.FLOAT_VECTOR, dim=4)) for n in range(2)]
    written = {"fields": [{"source": v.name} for v in vectors]}
    found = faults_of(written, *vectors, capabilities=OLD)
    assert [f.path for f in found] == ["fields[2].type", "fields[3].type"]
    assert "More than one needs Milvus 2.4 or later" in found[0].message
    assert faults_of(written, *vectors) == ()


def test_more_vectors_than_usual_are_a_warning_and_more_than_ten_are_refused():
    vectors = [field(f"w{n}", TypeSpec(T.FLOAT_VECTOR, dim=4)) for n in range(10)]
    written = {"fields": [{"source": v.name} for v in vectors]}

    *warnings, last = faults_of(written, *vectors)

    assert [f.path for f in warnings] == [f"fields[{n}].type" for n in range(5, 11)]
    assert {f.severity for f in warnings} == {"warning"}
    assert warnings[0].message == (
        "“w3” is vector field 5; Milvus 9.9.9 allows 4, unless its operator allows more "
        "(proxy.maxVectorFieldNum)."
    )
    assert (last.path, last.severity) == ("fields[11].type", "error")
    assert last.message == "“w9” is vector field 11; Milvus 9.9.9 allows 10."


MILLION = 1_000_000


@pytest.mark.parametrize(
    ("rows", "shards", "code"),
    [
        (199 * MILLION, 1, None),
        (200 * MILLION, 1, "shards_few"),
        (200 * MILLION, 2, None),
        (1000 * MILLION, 4, None),
        (1001 * MILLION, 4, "shards_ask"),
    ],
)
def test_a_large_collection_with_few_shards_is_a_warning(rows, shards, code):
    big = field("w", TypeSpec(T.FLOAT_VECTOR, dim=768))
    plan = {"source": "public.books", "shards": shards, "fields": [{"source": "id"}, {"source": "w"}]}
    described = schema(big, rows_estimate=rows)
    completed = complete(CollectionPlan.model_validate(plan), described, EVERYTHING)

    found = check_collection(completed, described, EVERYTHING)

    assert [(f.code, f.severity) for f in found] == ([(code, "warning")] if code else [])
    assert check_collection(completed, described, replace(EVERYTHING, max_shards=1))[:1] == () or shards > 1


def test_a_collection_without_a_vector_is_refused():
    plan = CollectionPlan.model_validate({"source": "s", "fields": [{"source": "id"}]})
    found = check_collection(complete(plan, schema(), EVERYTHING), schema(), EVERYTHING)
    assert [f.code for f in found] == ["no_vector"]
    assert found[0].hint == "A Milvus collection needs at least one."


def test_a_vector_whose_vector_type_the_target_lacks_does_not_count_as_a_vector():
    bits = field("b", TypeSpec(T.BINARY_VECTOR, dim=8), T.VARCHAR)
    described = CollectionSchema("public.books", (ID, bits), SourceKey(("id",)), label="books")
    capabilities = replace(OLD, types=OLD.types - {T.BINARY_VECTOR})
    found = check_collection(
        complete(CollectionPlan(source="public.books"), described, capabilities), described, capabilities
    )
    assert [f.code for f in found] == ["no_vector"]
    assert "“b” would be BINARY_VECTOR, which needs" in found[0].hint


@pytest.mark.parametrize(
    ("capabilities", "shards", "instead"), [(EVERYTHING, 17, "16"), (EVERYTHING, 0, "1"), (LITE, 2, "1")]
)
def test_shards_out_of_range_are_refused(capabilities, shards, instead):
    fault = the_fault({"shards": shards}, capabilities=capabilities)
    assert place(fault) == ("shards_out_of_range", "shards", "", "shards")
    assert fault.fixes[0].value == instead


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ({"source": "n", "too_long": "truncate"}, "n"),
        ({"source": "tags", "type": "ARRAY", "element_type": "INT64", "too_long": "truncate"}, "tags"),
        ({"source": "t", "dynamic": True, "too_long": "truncate"}, "t"),
    ],
)
def test_truncate_is_refused_on_a_field_without_text(written, name):
    tags = field("tags", TypeSpec(T.ARRAY, element_type=T.INT64))
    fault = the_fault({"fields": [written]}, field("n", T.INT32), field("t", T.VARCHAR), tags)
    assert place(fault) == ("option_misplaced", "fields[2].too_long", name, "too_long")
    assert fault.fixes == (Fix("Reject the row", "too_long", "reject"),)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("max_length", 5), ("max_capacity", 5), ("dim", 3)),
        *(("description", "Notes"), ("nullable", True), ("nullable", False)),
    ],
)
def test_options_of_a_field_are_refused_on_a_column_in_the_dynamic_field(option, value):
    fault = the_fault({"fields": [{"source": "t", "dynamic": True, option: value}]}, field("t", T.VARCHAR))
    assert place(fault) == ("option_misplaced", f"fields[2].{option}", "t", option)


def test_a_description_is_a_warning_if_the_target_does_not_store_it():
    capabilities = replace(LITE, keeps_descriptions=False)
    described = {"fields": [{"source": "t", "description": "Notes"}]}
    for written in ({"description": "Mine"}, described):
        fault = the_fault(written, field("t", T.VARCHAR), capabilities=capabilities)
        assert (fault.code, fault.severity) == ("description_lost", "warning")
        assert fault.message == "Milvus Lite 3.2.2 does not store descriptions."


def test_truncate_is_refused_on_a_key():
    code = field("code", T.VARCHAR, nullable=False, can_be_key=True)
    plan = {"key": "code", "fields": [{"source": "code", "too_long": "truncate"}]}
    fault = the_fault(plan, code)
    assert place(fault) == ("option_misplaced", "fields[2].too_long", "code", "too_long")


def test_a_warning_says_if_long_texts_will_be_truncated_or_rejected():
    title = field("title", T.VARCHAR, longest_bytes=100)
    for too_long, words in (("reject", "such rows are rejected"), ("truncate", "such values are truncated")):
        fault = the_fault({"fields": [{"source": "title", "max_length": 10, "too_long": too_long}]}, title)
        assert (fault.severity, words in fault.message) == ("warning", True)


def test_a_description_that_is_too_long_is_refused():
    assert the_fault({"description": "é" * 40_000}).code == "description_too_long"


def test_a_column_cannot_go_into_a_dynamic_field_that_is_off():
    written = {"dynamic_field": False, "fields": [{"source": "n", "dynamic": True}]}
    fault = the_fault(written, field("n", T.INT32))
    assert fault.fixes == (Fix("Turn the dynamic field on", "dynamic_field", "true"),)


@pytest.mark.parametrize(
    ("index", "path"),
    [
        ({"field": "x"}, "indexes[0].field"),
        ({"field": "id"}, "indexes[0].field"),
        ({"field": "v", "metric": "HAMMING"}, "indexes[0].metric"),
        ({"field": "v", "type": "NOPE"}, "indexes[0].type"),
        ({"field": "v", "type": "BIN_FLAT"}, "indexes[0].type"),
    ],
)
def test_an_index_needs_a_vector_field_and_a_suitable_type_and_metric(index, path):
    assert the_fault({"indexes": [index]}).path == path


def test_json_lists_are_refused_if_the_target_accepts_only_objects():
    meta = field("j", T.JSON, nullable=False)

    def sampled(values):
        sample = pa.RecordBatch.from_arrays([pa.array(values)], names=["j"])
        return faults_of({"fields": [{"source": "j", "target": "j"}]}, meta, capabilities=OLD, sample=sample)

    assert [(f.code, f.severity) for f in sampled(["[]", None])] == [("json_list", "error")]
    assert [(f.code, f.severity) for f in sampled(["{}", " [1]"])] == [("json_list", "warning")]
    assert sampled(["{}", "null"]) == ()


def test_json_lists_go_into_the_dynamic_field_by_default_if_a_field_accepts_none():
    sample = pa.RecordBatch.from_arrays([pa.array(["[1]"])], names=["j"])
    described = schema(field("j", T.JSON, nullable=False), sample=sample)
    assert complete(CollectionPlan(source="s"), described, OLD).fields[-1].dynamic
    assert not complete(CollectionPlan(source="s"), described, EVERYTHING).fields[-1].dynamic


def test_all_faults_are_reported_at_once():
    written = {
        "target": "a-b",
        "shards": 99,
        "partition_key": "zz",
        "fields": [{"source": "like"}, {"source": "gone"}, {"source": "t", "max_length": 0}],
    }
    found = faults_of(written, field("like", T.INT8), field("t", T.VARCHAR))
    assert {f.code for f in found} == {
        "name_illegal",
        "shards_out_of_range",
        "partition_key_unknown",
        "field_unknown",
        "name_reserved",
        "value_out_of_range",
    }
