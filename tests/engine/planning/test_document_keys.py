"""Document keys: keys of opened columns in the sample, in completed plans, and in plans that are refused."""

from dataclasses import replace

import pyarrow as pa
import pytest

from migrations_app.engine.faults import Fix
from migrations_app.engine.model.key_paths import parse_path
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.planning.document_keys import MAX_KEYS, with_document_keys
from migrations_app.engine.preflight import check_collection
from tests.kit.memory_target import EVERYTHING
from tests.kit.metrics import usual_metric

T = MilvusType
OLD = replace(EVERYTHING, version="2.3.5", nullable=False, default_values=False, null_vectors=False)
DOCUMENTS = (
    '{"price": 9.5, "lang": "de", "stock": 3, "is_new": true, "tags": ["a", "bcd"], "size": {"w": 1}, '
    '"odd": 1}',
    '{"price": 10, "lang": "english", "stock": 4, "tags": [], "none": null, "a.b": 1.0, "odd": "x", '
    '"mix": [1, "a"]}',
    None,
    '{"price": 1, "long": 12345678901234567890123, "dates": ["a", null], "empty": []}',
)


def column(name, *types, **facts):
    choices = tuple(TypeChoice(t if isinstance(t, TypeSpec) else TypeSpec(t)) for t in types)
    return SourceField(name, "native", choices, **({"metric": usual_metric(choices)} | facts))


def schema(*fields, documents=DOCUMENTS, open=("m",)):
    """Return a collection ``s`` with an id, a vector, and the opened column ``m``."""
    sample = pa.record_batch({"m": pa.array(documents, pa.string())})
    base = (
        column("id", T.INT64, nullable=False, can_be_key=True),
        column("v", TypeSpec(T.FLOAT_VECTOR, dim=4), nullable=False),
        column("m", T.JSON, can_open=True),
    )
    found = CollectionSchema("s", (*base, *fields), SourceKey(("id",)), sample, label="s")
    return with_document_keys(found, open)


# ---------------------------------------------------------------- the keys in the sample


def key_field(name):
    found = schema().field(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "native", "types", "share"),
    [
        ("m.price", "number", ["DOUBLE"], 0.75),
        ("m.lang", "text", ["VARCHAR"], 0.5),
        ("m.stock", "whole number", ["INT64", "DOUBLE"], 0.5),
        ("m.is_new", "true or false", ["BOOL"], 0.25),
        ("m.tags", "list of text", ["JSON", "ARRAY<VARCHAR>"], 0.5),
        ("m.size", "object", ["JSON"], 0.25),
        ("m.odd", "mixed", ["INT64", "DOUBLE", "VARCHAR", "JSON"], 0.5),
        ("m.none", "unknown: always null", ["VARCHAR", "INT64", "DOUBLE", "BOOL", "JSON"], 0.25),
        ('m."a.b"', "number", ["DOUBLE"], 0.25),
        ("m.mix", "list", ["JSON"], 0.25),
        ("m.dates", "list", ["JSON"], 0.25),
        ("m.empty", "list", ["JSON"], 0.25),
        ("m.long", "whole number beyond INT64", ["JSON"], 0.25),
        ("m.size.w", "whole number", ["INT64", "DOUBLE"], 0.25),
    ],
)
def test_each_key_of_the_sample_is_a_field_with_its_types_and_share(name, native, types, share):
    found = key_field(name)
    assert (found.native_type, [str(choice.spec) for choice in found.choices]) == (native, types)
    assert (found.opened_from, found.share, found.nullable) == ("m", share, True)


def test_a_document_key_has_samples_and_the_length_of_its_values():
    assert (key_field("m.lang").samples, key_field("m.lang").longest_bytes) == (("de", "english"), 7)
    tags = key_field("m.tags")
    assert (tags.samples, tags.longest_bytes, tags.longest_items) == (('["a","bcd"]', "[]"), 3, 2)
    assert key_field("m.long").samples == ("12345678901234567890123",)


def test_a_key_with_values_of_several_kinds_gets_the_types_that_hold_most_of_them():
    documents = ['{"n": 1}'] * 95 + ['{"n": "x"}'] * 3 + ['{"n": null}', '{"n": 2.5}', "{}", None]
    found = schema(documents=documents).field("m.n")
    assert (found.native_type, found.kinds) == ("mixed", (("number", 96), ("text", 3)))
    assert (found.share, found.null_share, found.is_sampled) == (100 / 102, 1 / 102, True)
    assert [str(choice.spec) for choice in found.choices] == ["DOUBLE", "JSON"]


def test_keys_inside_objects_are_listed_below_the_object():
    documents = ['{"b": 1, "a": {"x.y": {"deep": [1]}, "k": "t"}}', '{"a": {"k": null}, "b": 2}', '{"b": 3}']
    found = schema(documents=documents)
    listed = {f.name: (f.native_type, f.share) for f in found.fields if f.opened_from}
    assert list(listed) == ["m.b", "m.a", "m.a.k", 'm.a."x.y"', 'm.a."x.y".deep']
    assert (listed["m.a"], listed["m.a.k"]) == (("object", 2 / 3), ("text", 2 / 3))
    assert found.sample.column('m.a."x.y".deep').to_pylist() == ["[1]", None, None]
    nested = '{"a":' * 9 + "1" + "}" * 9
    assert [f.name for f in schema(documents=[nested]).fields if f.opened_from][-1] == "m.a.a.a.a.a"


def test_the_sample_has_a_column_for_each_key_in_its_first_type():
    sample = schema().sample
    assert sample.column("m.price").to_pylist() == [9.5, 10.0, None, 1.0]
    assert sample.column("m.tags").to_pylist() == ['["a","bcd"]', "[]", None, None]


def test_the_most_frequent_keys_come_first_and_the_list_is_limited_with_a_note():
    names = [f.name for f in schema().fields if f.opened_from]
    assert names[:3] == ["m.price", "m.lang", "m.odd"]
    many = "{" + ",".join(f'"k{n:03}": 1' for n in range(MAX_KEYS + 5)) + "}"
    found = schema(documents=[many, '{"k504": 1}'])
    listed = [f.name for f in found.fields if f.opened_from]
    assert (len(listed), listed[0]) == (MAX_KEYS, "m.k504")
    assert found.notes == (
        "“m” has 505 keys in the sample: the 500 most frequent are listed. A plan file can make any other "
        "key a field.",
    )


def test_a_column_has_priority_over_a_document_key_of_the_same_name():
    found = schema(column("m.price", T.INT32))
    assert [f.opened_from for f in found.fields if f.name == "m.price"] == [""]
    plan = completed({"fields": [{"source": "m.price"}]}, found)
    assert (plan.fields[-1].column, plan.fields[-1].type, plan.fields[-1].target) == (
        True,
        "INT32",
        "m.price",
    )


def test_a_column_that_is_not_opened_or_holds_no_objects_has_no_keys():
    assert [f.name for f in schema(open=()).fields] == ["id", "v", "m"]
    assert [f.name for f in schema(documents=["[1]", "3", None]).fields] == ["id", "v", "m"]


def test_keys_that_look_alike_are_told_apart():
    documents = ['{"a": {"b": 1}, "a.b": 2, "a b": 3, "a  b": 4, " a": 5, "$a": 6, "": 7, "\\"a": 8}']
    names = {f.name: f.samples for f in schema(documents=documents).fields if f.opened_from}
    assert names == {
        "m.a": ('{"b":1}',),
        "m.a.b": ("1",),
        'm."a.b"': ("2",),
        "m.a b": ("3",),
        "m.a  b": ("4",),
        'm." a"': ("5",),
        "m.$a": ("6",),
        'm.""': ("7",),
        'm."""a"': ("8",),
    }
    for path, samples in names.items():
        assert parse_path(path), samples


def test_integers_that_int64_cannot_hold_are_a_kind_of_their_own():
    documents = [f'{{"n": {n}, "safe": {2**53 + 1}}}' for n in (1, 2, 3, 2**63 + 1, -(2**63))]
    found = schema(documents=documents)
    n, safe = found.field("m.n"), found.field("m.safe")
    assert n.kinds == (("whole number", 4), ("whole number beyond INT64", 1))
    assert str(n.choices[0].spec) == "INT64"
    assert (safe.native_type, [str(choice.spec) for choice in safe.choices]) == ("whole number", ["INT64"])
    assert found.sample.column("m.safe").to_pylist() == [2**53 + 1] * 5


def test_a_bare_value_of_a_key_of_json_stays_in_the_dynamic_field():
    assert completed_field({"source": "m.size"})["misfit"] == "dynamic"


# ---------------------------------------------------------------- defaults


def completed(plan, found=None, capabilities=EVERYTHING):
    found = found or schema()
    data = {"source": "s", "open": ["m"]} | plan
    if "fields" in plan:
        data["fields"] = [{"source": "id"}, {"source": "v"}, *plan["fields"]]
    once = complete(CollectionPlan.model_validate(data), found, capabilities)
    assert complete(once, found, capabilities) == once
    again = CollectionPlan.model_validate(once.model_dump(mode="json", by_alias=True))
    assert complete(again, found, capabilities) == once
    return once


def completed_field(field, capabilities=EVERYTHING, **plan):
    """Return one completed field, as a plan file writes it."""
    last = completed({"fields": [field]} | plan, capabilities=capabilities).fields[-1]
    return last.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def test_the_keys_of_an_opened_column_are_not_fields_unless_the_plan_lists_them():
    assert [f.source for f in completed({}).fields] == ["id", "v"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"source": "m.price"}, {"target": "price", "type": "DOUBLE", "nullable": True}),
        ({"source": "m.lang"}, {"target": "lang", "type": "VARCHAR", "max_length": 65_535, "nullable": True}),
        ({"source": "m.stock", "type": "DOUBLE"}, {"target": "stock", "nullable": True}),
        ({"source": 'm."a.b"'}, {"target": "a.b", "type": "DOUBLE", "nullable": True}),
        ({"source": "m.x.y", "type": "VARCHAR"}, {"target": "y", "max_length": 65_535, "nullable": True}),
        (
            {"source": "m.x", "type": "ARRAY", "element_type": "VARCHAR"},
            {"target": "x", "max_length": 65_535, "max_capacity": 4096, "nullable": True},
        ),
        ({"source": "m.lang", "dynamic": True}, {"as": "lang"}),
        ({"source": "m.x.y", "dynamic": True, "as": "z"}, {}),
    ],
)
def test_a_path_without_options_is_completed_from_the_sample(field, expected):
    if "target" in expected:
        expected |= {"misfit": "dynamic"}
    if expected.get("target") not in (None, "y"):  # a value of m.x.y that does not fit stays there
        expected |= {"as": f"{expected['target']}_misfit"}
    assert completed_field(field) == field | expected


@pytest.mark.parametrize(
    ("options", "plan"),
    [
        ({"misfit": "reject"}, {}),
        ({"nullable": False}, {}),
        ({"fill_null": 0.0}, {}),
        ({}, {"dynamic_field": False, "rest": "drop"}),
        ({}, {"partition_key": "price"}),
    ],
)
def test_no_type_mismatches_are_kept_if_they_cannot_leave_null_behind(options, plan):
    found = completed_field({"source": "m.price"} | options, **plan)
    assert (found.get("misfit"), found.get("as")) == (options.get("misfit"), None)


def test_type_mismatches_get_another_name_if_a_field_has_the_name_of_the_key():
    price = {"source": "m.price", "misfit": "dynamic"}
    assert completed_field(price)["as"] == "price_misfit"
    assert "as" not in completed_field(price | {"target": "cost"})
    assert completed_field(price | {"as": "odd"})["as"] == "odd"


def test_a_new_key_does_not_get_the_name_of_a_document_key():
    found = schema(documents=['{"id": 1}'])
    assert completed({"key": "auto"}, found).key_name == "auto_id"
    assert completed({"key": "auto", "rest": "drop"}, found).key_name == "id"
    assert faults({"key": "auto"}, found) == ()


def test_without_null_in_the_target_a_document_key_stays_dynamic_unless_the_plan_fills_null():
    assert completed_field({"source": "m.price"}, OLD) == {
        "source": "m.price",
        "dynamic": True,
        "as": "price",
    }
    assert completed_field({"source": "m.price", "fill_null": 0}, OLD)["type"] == "DOUBLE"


ADDED = {"added": True, "target": "b"}


@pytest.mark.parametrize(
    ("field", "capabilities", "expected"),
    [
        ({"type": "INT64", "default": 1}, EVERYTHING, {"nullable": False}),
        ({"type": "INT64"}, EVERYTHING, {"nullable": True}),
        ({"type": "INT64"}, OLD, {"nullable": False}),
        ({"type": "INT64", "default": 1}, OLD, {"nullable": False, "default": None, "fill_null": 1}),
        ({"type": "JSON", "default": {"a": 1}}, EVERYTHING, {"default": None, "fill_null": {"a": 1}}),
        ({"type": "VARCHAR", "default": "x" * 2000}, EVERYTHING, {"max_length": 65_535}),
        (
            {"type": "ARRAY", "element_type": "VARCHAR", "default": ["a"]},
            EVERYTHING,
            {"max_capacity": 4096, "max_length": 65_535, "fill_null": ["a"], "default": None},
        ),
    ],
)
def test_an_added_field_gets_its_sizes_and_a_default_or_a_fill_value(field, capabilities, expected):
    found = completed({"fields": [ADDED | field]}, capabilities=capabilities).fields[-1]
    assert {name: getattr(found, name) for name in expected} == expected


# ---------------------------------------------------------------- refused plans


def faults(plan, found=None, capabilities=EVERYTHING):
    found = found or schema()
    return check_collection(completed(plan, found, capabilities), found, capabilities)


def the_fault(plan, found=None, capabilities=EVERYTHING):
    [fault] = faults(plan, found, capabilities)
    assert fault.message.endswith(".")
    assert fault.collection == "s"
    return fault


def fields(*listed, **plan):
    return {"fields": list(listed)} | plan


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"rest": "drop"},
        {"rest": "drop", "dynamic_field": False},
        fields({"source": "m"}, rest="drop"),
        fields(
            {"source": "m.price"},
            {"source": "m.size"},
            {"source": "m.tags", "type": "ARRAY", "too_long": "truncate"},
        ),
        fields({"source": "m.x.y", "type": "INT8", "misfit": "dynamic"}),
        fields({"source": "m.price", "dynamic": True, "as": "cost"}, {"source": "m.lang", "target": "price"}),
        fields(ADDED | {"type": "INT64", "default": 1}, partition_key="b"),
        fields({"source": "m.lang", "fill_null": ""}, partition_key="lang"),
    ],
)
def test_valid_plans_have_no_fault(plan):
    assert faults(plan) == ()


PRICE = {"source": "m.price"}
ODD = {"source": "m.odd"}


@pytest.mark.parametrize(
    ("plan", "code", "path"),
    [
        ({"open": ["x"]}, "open_unknown", "open[0]"),
        ({"open": ["m", "id"]}, "open_type", "open[1]"),
        ({"open": [], "rest": "drop"}, "option_misplaced", "rest"),
        ({"dynamic_field": False}, "dynamic_field_off", "rest"),
        (fields({"source": "n.x", "type": "INT64"}), "field_unknown", "fields[2].source"),
        (fields(PRICE, PRICE | {"target": "q"}), "source_twice", "fields[3].source"),
        (fields({"source": "m.x"}), "type_missing", "fields[2].type"),
        (fields({"source": "m.x", "type": "INT"}), "type_unsuitable", "fields[2].type"),
        (fields({"source": "m.x", "type": "ARRAY"}), "type_unsuitable", "fields[2].type"),
        (
            fields({"source": "m.x", "type": "INT8", "element_type": "INT8"}),
            "type_unsuitable",
            "fields[2].type",
        ),
        (fields({"source": "m.x", "type": "FLOAT_VECTOR", "dim": 4}), "type_unsuitable", "fields[2].type"),
        (fields(PRICE | {"max_length": 5}), "option_misplaced", "fields[2].max_length"),
        (fields({"source": "m.lang", "max_length": 70_000}), "value_out_of_range", "fields[2].max_length"),
        (fields(PRICE | {"too_long": "truncate"}), "option_misplaced", "fields[2].too_long"),
        (fields(PRICE | {"fill_null": "x"}), "value_invalid", "fields[2].fill_null"),
        (fields(PRICE | {"misfit": "reject", "as": "x"}), "option_misplaced", "fields[2].as"),
        (fields(PRICE | {"dynamic": True, "type": "INT64"}), "option_misplaced", "fields[2].type"),
        (fields(PRICE | {"dynamic": True, "fill_null": 1}), "option_misplaced", "fields[2].fill_null"),
        (
            fields({"source": "m.x", "dynamic": True, "max_length": 4}),
            "option_misplaced",
            "fields[2].max_length",
        ),
        (
            fields({"source": "m.x", "dynamic": True, "element_type": "INT8"}),
            "option_misplaced",
            "fields[2].element_type",
        ),
        (fields(PRICE | {"column": True}), "field_unknown", "fields[2].column"),
        (fields(PRICE | {"dynamic": True, "misfit": "dynamic"}), "option_misplaced", "fields[2].misfit"),
        (fields(PRICE | {"misfit": "dynamic", "nullable": False}), "misfit_needs_null", "fields[2].misfit"),
        (
            fields(PRICE | {"misfit": "dynamic"}, rest="drop", dynamic_field=False),
            "dynamic_field_off",
            "fields[2].misfit",
        ),
        (fields(PRICE | {"misfit": "dynamic", "as": "id"}), "dynamic_name_taken", "fields[2].as"),
        (fields({"source": "m.x", "dynamic": True, "as": "$meta"}), "dynamic_name_illegal", "fields[2].as"),
        (fields({"source": "m.lang", "target": "price"}), "dynamic_name_taken", "rest"),
        (fields({"source": "m.lang", "dynamic": True, "as": "price"}), "dynamic_name_taken", "rest"),
        ({"key": "m.stock"}, "key_type", "key"),
        (fields({"source": "id", "misfit": "dynamic"}), "source_twice", "fields[2].source"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_with_the_path_of_the_fault(plan, code, path):
    found = faults(plan)
    assert (code, path) in [(fault.code, fault.path) for fault in found], found


def test_a_column_that_is_opened_twice_is_one_kind_of_fault():
    assert {fault.code for fault in faults({"open": ["m", "m"]})} == {"open_twice"}


def test_misfit_of_an_ordinary_column_is_refused_with_its_fix():
    fault = the_fault(fields({"source": "n", "misfit": "dynamic"}), schema(column("n", T.INT32)))
    assert (fault.code, fault.path, fault.field) == ("option_misplaced", "fields[2].misfit", "n")
    assert fault.fixes == (Fix("Reject the row", "misfit", "reject"),)


def test_a_document_key_that_would_hide_a_field_is_refused_with_a_fix():
    fault = the_fault(fields({"source": "title", "target": "lang"}), schema(column("title", T.VARCHAR)))
    assert (fault.code, fault.path, fault.field, fault.option) == (
        "dynamic_name_taken",
        "rest",
        "m.lang",
        "rest",
    )
    assert fault.fixes == (
        Fix("Move it as “lang_2”", "as", "lang_2", (("include", "true"), ("dynamic", "true"))),
        Fix("Make it a field “lang_2”", "target", "lang_2", (("include", "true"),)),
    )
    assert fault.hint == (
        "Move it under another name ({source: m.lang, dynamic: true, as: lang_2}), or make it a field "
        "({source: m.lang, target: lang_2})."
    )


def test_a_document_key_whose_parts_are_all_moved_hides_no_field():
    found = schema(documents=['{"owner": {"id": 1}}', "{}"])
    owner = {"source": "m.owner.id", "target": "owner", "type": "INT64"}
    assert faults(fields(owner), found) == ()
    found = schema(documents=['{"owner": {"id": 1, "name": "Ida"}}'])
    assert the_fault(fields(owner), found).field == "m.owner"


def test_long_texts_in_the_sample_are_reported_once():
    lang = {"source": "m.lang", "max_length": 3}
    assert the_fault(fields(lang)).code == "limit_too_small"
    assert the_fault(fields(lang | {"too_long": "truncate"})).code == "limit_too_small"


def test_two_opened_columns_with_one_key_are_refused():
    other = column("n", T.JSON, can_open=True)
    found = schema(other, documents=['{"a": 1, "b": 1}'], open=())
    sample = found.sample.append_column("n", pa.array(['{"b": 2}'], pa.string()))
    both = with_document_keys(replace(found, sample=sample), ["m", "n"])
    fault = the_fault({"open": ["m", "n"]}, both)
    assert (fault.code, fault.field) == ("dynamic_name_taken", "n.b")


def test_a_rest_field_is_always_opened():
    rest = column("$meta", T.JSON, can_open=True, is_rest=True)
    found = CollectionSchema(
        "s",
        (*schema(open=()).fields[:2], rest),
        SourceKey(("id",)),
        pa.record_batch({"$meta": pa.array(['{"a": 1, "b": {"c": 1}}'], pa.string())}),
    )
    found = with_document_keys(found, ())
    assert [f.name for f in found.fields if f.opened_from] == ["$meta.a", "$meta.b", "$meta.b.c"]
    plan = completed({"open": []}, found)
    assert (plan.open, [f.source for f in plan.fields]) == (["$meta"], ["id", "v"])
    assert faults({"open": []}, found) == ()
    inner = fields({"source": "$meta.b.c", "type": "INT64"})
    dropped = completed({"open": [], "rest": "drop"} | inner, found)
    assert (dropped.rest, dropped.fields[-1].target) == ("drop", "c")


def test_the_hint_names_the_column_that_must_be_opened():
    fault = the_fault({"open": []} | fields({"source": "m.price"}), schema(open=()))
    assert fault.hint == "To use keys of “m” as fields, open the column: “open: [m]”."


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (
            ODD | {"type": "INT64", "misfit": "reject"},
            (
                "The value of “m.odd” does not fit in 1 of 4 sampled rows. Such rows are rejected. "
                '“m.odd” is "x", which'
            ),
        ),
        (
            ODD | {"type": "INT64", "misfit": "dynamic", "target": "o"},
            "Such values stay in the dynamic field",
        ),
        (ODD | {"type": "JSON"}, "2 of 4 sampled rows"),
    ],
)
def test_type_mismatches_in_the_sample_are_a_warning(field, words):
    fault = the_fault(fields(field))
    assert (fault.code, fault.severity, fault.path) == ("sample_misfit", "warning", "fields[2].type")
    assert words in fault.message


@pytest.mark.parametrize(
    ("field", "code", "option"),
    [
        (ADDED | {"source": "m.x", "type": "INT64", "default": 1}, "option_misplaced", "source"),
        (ADDED | {"type": "INT64", "default": 1, "dynamic": True}, "option_misplaced", "dynamic"),
        (ADDED | {"type": "INT64", "default": 1, "as": "x"}, "option_misplaced", "as"),
        (ADDED | {"type": "VARCHAR", "default": "x", "too_long": "truncate"}, "option_misplaced", "too_long"),
        (ADDED | {"type": "INT64", "nullable": False}, "added_needs_value", "default"),
        (ADDED | {"default": 1}, "type_missing", "type"),
        (ADDED | {"type": "FLOAT_VECTOR", "dim": 4}, "added_vector", "type"),
        (ADDED | {"type": "INT", "default": 1}, "type_unsuitable", "type"),
        (ADDED | {"type": "ARRAY", "default": [1]}, "type_unsuitable", "type"),
        (ADDED | {"type": "INT8", "default": 300}, "value_invalid", "default"),
        (ADDED | {"type": "JSON", "default": 3}, "value_invalid", "fill_null"),
        (ADDED | {"target": "id", "type": "INT64", "default": 1}, "name_duplicate", "target"),
        ({"added": True, "type": "INT64", "default": 1}, "name_empty", "target"),
    ],
)
def test_an_impossible_added_field_is_refused(field, code, option):
    fault = the_fault(fields(field))
    assert (fault.code, fault.path) == (code, f"fields[2].{option}")


def test_a_list_may_replace_null_only_if_the_target_accepts_lists_as_json():
    field = ADDED | {"type": "JSON", "fill_null": [1]}
    assert faults(fields(field)) == ()
    assert the_fault(fields(field), capabilities=replace(OLD, json_objects_only=True)).code == "json_list"


def test_an_added_field_of_a_type_that_the_target_lacks_is_refused():
    capabilities = replace(OLD, types=OLD.types - {T.ARRAY})
    field = ADDED | {"type": "ARRAY", "element_type": "INT64", "default": [1]}
    assert the_fault(fields(field), capabilities=capabilities).code == "type_unavailable"
    assert the_fault(fields(ADDED | {"type": "INT64"}), capabilities=OLD).code == "added_needs_value"
