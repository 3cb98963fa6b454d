"""Exact copy of a Milvus collection: it gives the defaults of the plan, and contradictions are refused."""

from dataclasses import replace

import pytest

from migrations_app.engine.faults import Fix
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.milvus.capabilities import capabilities_of
from migrations_app.engine.milvus.server import Server
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.target_schema import Function, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.preflight import check_collection
from tests.kit.exact_collection import EXACT, TEXT, exact_collection, with_auto_id
from tests.kit.memory_target import EVERYTHING

FIELDS = [{"source": field.name} for field in EXACT.sent_fields]


def described(exact, **facts):
    found = exact_collection(exact, 5)
    return CollectionSchema("articles", found.fields, found.key, found.rows, exact=exact, **facts)


def checked(plan, exact=EXACT, capabilities=EVERYTHING, **facts):
    """Return the completed plan and its faults."""
    schema = described(exact, **facts)
    done = complete(CollectionPlan.model_validate({"source": "articles"} | plan), schema, capabilities)
    return done, check_collection(done, schema, capabilities)


def without(name):
    return [field for field in FIELDS if field["source"] != name]


def with_field(name, **options):
    """Return a plan in which one field, the last one, has these options."""
    return {"fields": [*without(name), {"source": name, **options}]}


@pytest.mark.parametrize("exact", [EXACT, with_auto_id(EXACT), replace(EXACT, dynamic=True)])
def test_a_minimal_plan_is_completed_to_an_exact_copy_without_faults(exact):
    done, faults = checked({}, exact)

    assert faults == ()
    assert compile_mapping(done).target == exact
    assert checked(done.model_dump(by_alias=True), exact) == (done, ())
    assert {index.field: index.metric for index in done.indexes} == {"v": "IP", "words": "BM25"}


def test_name_description_and_additional_full_text_search_can_be_changed():
    search = {"field": "text", "output": "text_words", "analyzer": "standard"}
    done, faults = checked({"target": "copy", "description": "Mine", "full_text": [search]})

    assert faults == ()
    copy = compile_mapping(done).target
    assert (copy.name, copy.description) == ("copy", "Mine")
    assert copy.functions == (*EXACT.functions, Function("text_words", ("text",), ("text_words",)))
    assert replace(copy.fields[3], analyzer="") == EXACT.fields[3]
    assert [f for f in copy.fields[:-1] if f.name != "text"] == [f for f in EXACT.fields if f.name != "text"]


def test_a_cleared_description_stays_empty():
    done, faults = checked({"description": ""})
    assert (done.description, faults) == ("", ())


ADDED = {"added": True, "target": "batch", "type": "INT64", "default": 1}
CONTRADICTIONS = {
    "another type": (with_field("stock", type="INT64"), "fields[7].type"),
    "another length": (with_field("text", max_length=9), "fields[7].max_length"),
    "another name": (with_field("text", target="body"), "fields[7].target"),
    "not nullable": (with_field("price", nullable=False), "fields[7].nullable"),
    "another default": (with_field("stock", default=8), "fields[7].default"),
    "another description": (with_field("title", description="x"), "fields[7].description"),
    "a field in the dynamic field": (with_field("tags", dynamic=True), "fields"),
    "a field left out": ({"fields": without("tags")}, "fields"),
    "an added field": ({"fields": [*FIELDS, ADDED]}, "fields[8].target"),
    "Auto ID": ({"key": "auto"}, "key"),
    "a dynamic field": ({"dynamic_field": True}, "dynamic_field"),
    "one shard": ({"shards": 1}, "shards"),
    "another partition key": ({"partition_key": "title"}, "partition_key"),
    "partitions by value": ({"partition_by": "title"}, "partition_by"),
    "another analyzer": (
        {"full_text": [{"field": "title", "output": "words", "analyzer": "standard"}]},
        "full_text[0]",
    ),
}


@pytest.mark.parametrize(("plan", "path"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_plan_that_contradicts_the_schema_is_refused_with_its_path(plan, path):
    _, faults = checked(plan)

    assert path in {fault.path for fault in faults if fault.severity == "error"}
    losing = {"include", "dynamic"}
    assert not [fix for fault in faults for fix in fault.fixes if fix.option in losing]


def test_a_fix_restores_the_copied_value():
    _, (fault,) = checked(with_field("text", max_length=9))

    assert fault.fixes == (Fix("Use 200", "max_length", "200"),)
    assert fault.hint.startswith("The schema is copied exactly from the source.")


def test_partitions_of_the_source_are_copied():
    undivided = replace(
        EXACT,
        partitions=0,
        fields=tuple(replace(f, is_partition_key=False) for f in EXACT.fields),
    )
    facts = {"partitions": ("_default", "p1"), "keeps_partitions": True}
    done, faults = checked({}, undivided, **facts)
    assert (done.partitions, faults) == ({"_default": "_default", "p1": "p1"}, ())

    _, (fault,) = checked({"partitions": {}}, undivided, **facts)
    assert (fault.path, fault.code) == ("partitions", "partitions_differ")


OLD, LITE = capabilities_of(Server("milvus", (2, 3, 5))), capabilities_of(Server("lite", (3, 2, 2)))


def test_everything_that_the_target_lacks_is_named_before_anything_is_written():
    _, faults = checked({}, capabilities=OLD)

    errors = {(fault.code, fault.field) for fault in faults if fault.severity == "error"}
    assert errors >= {
        ("nullable_unavailable", "tags"),
        ("default_unavailable", "stock"),
        ("text_match_unavailable", "title"),
        ("clustering_key_unavailable", "price"),
        ("full_text_unavailable", ""),
    }
    assert not [fault for fault in faults if fault.fixes]
    assert {fault.hint for fault in faults if fault.severity == "error"} == {
        "An exact copy needs a target that supports this."
    }


def test_functions_that_the_target_lacks_are_named_and_others_run_again_there():
    vector = TargetField("meaning", TypeSpec(MilvusType.FLOAT_VECTOR, dim=8))
    embed = Function("embed", ("text",), ("meaning",), "TextEmbedding", params={"provider": "x"})
    exact = replace(EXACT, fields=(*EXACT.fields[:-1], vector), functions=(embed,))
    milvus_2_5 = capabilities_of(Server("milvus", (2, 5)))

    done, (warning,) = checked({}, exact)
    _, faults = checked({}, exact, milvus_2_5)

    assert (warning.severity, warning.code) == ("warning", "function_runs_again")
    assert compile_mapping(done).target == exact
    assert [index.field for index in done.indexes] == ["v", "meaning"]
    (fault,) = (fault for fault in faults if fault.code == "function_unavailable")
    assert "“embed” has the type TextEmbedding, which needs Milvus 2.6 or later" in fault.message


def test_what_belongs_to_the_cluster_or_is_not_stored_is_said():
    exact = TargetSchema(
        "articles",
        tuple(f for f in EXACT.fields if f.name in ("id", "v", "kind")),
        shards=2,
        consistency="Session",
        partitions=17,
        properties={"collection.replica.number": "2"},
    )
    done, faults = checked({}, exact, LITE)

    assert {fault.severity for fault in faults} == {"warning"}
    said = " ".join(fault.message for fault in faults)
    assert "collection.replica.number is not copied" in said
    assert "“articles” has 2 shards. Milvus Lite 3.2.2 allows 1 shard." in said
    assert "does not store the consistency level Session, the 17 partitions of the partition key or" in said
    assert done.shards == 1


def test_an_analyzer_that_the_target_does_not_have_is_a_fault_of_its_field_and_needs_another_target():
    _, faults = checked({}, EXACT, LITE)

    (fault,) = [fault for fault in faults if fault.severity == "error"]
    assert (fault.code, fault.field, fault.fixes) == ("analyzer_unavailable", "title", ())
    assert fault.message == "Milvus Lite 3.2.2 has no analyzer “english”, which “title” needs."
    assert fault.hint == "An exact copy needs a target that supports this."


def test_full_text_search_is_added_with_the_analyzer_that_the_field_has():
    exact = replace(
        EXACT, fields=(*EXACT.fields[:3], TargetField("text", TEXT, analyzer="english"), *EXACT.fields[4:])
    )

    done, faults = checked({"full_text": [{"field": "text", "output": "more"}]}, exact)

    assert faults == ()
    assert done.full_text[1].analyzer == "english"
