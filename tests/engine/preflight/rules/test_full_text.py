"""Full-text search: how a plan is completed, the target schema, and options that are refused."""

from dataclasses import replace

import pytest

from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.milvus.capabilities import capabilities_of
from migrations_app.engine.milvus.server import Server
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.target_schema import Function
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.preflight import check_collection
from tests.engine.preflight.preflights import VECTOR, T, faults_of, field, schema, the_fault
from tests.kit.memory_target import EVERYTHING

TITLE = field("title", T.VARCHAR, longest_bytes=20)
STOCK = field("stock", T.INT32)
SEARCHED = {"full_text": [{"field": "title", "output": "words", "analyzer": "english"}]}
WITHOUT_NULL_TEXTS = replace(EVERYTHING, version="2.5.4", full_text_null=False)


def completed(plan, *fields, capabilities=EVERYTHING):
    data = CollectionPlan.model_validate({"source": "public.books"} | plan)
    return complete(data, schema(*fields), capabilities)


def test_the_text_is_analyzed_and_its_output_field_is_not_sent():
    target = compile_mapping(completed(SEARCHED, TITLE)).target

    assert [f.name for f in target.fields] == ["id", "v", "title", "words"]
    assert target.fields[2].analyzer == "english"
    assert target.fields[3].spec.type is MilvusType.SPARSE_FLOAT_VECTOR
    assert target.functions == (Function("words", ("title",), ("words",)),)
    assert target.arrow_schema().names == ["id", "v", "title", "$meta"]


def test_the_output_field_gets_its_own_index():
    indexes = completed(SEARCHED, TITLE).indexes

    assert [(i.field, i.type, i.metric) for i in indexes] == [
        ("v", "AUTOINDEX", "COSINE"),
        ("words", "SPARSE_INVERTED_INDEX", "BM25"),
    ]


def test_on_zilliz_cloud_the_output_field_gets_autoindex():
    zilliz = capabilities_of(Server("zilliz", (2, 6)))

    assert [i.type for i in completed(SEARCHED, TITLE, capabilities=zilliz).indexes] == ["AUTOINDEX"] * 2


def test_an_index_of_the_output_field_in_the_plan_gets_the_metric_bm25():
    plan = SEARCHED | {"indexes": [{"field": "words"}]}

    assert completed(plan, TITLE).indexes[0].metric == "BM25"
    assert faults_of(plan, TITLE) == ()


def test_another_metric_than_bm25_on_the_output_field_is_refused():
    plan = SEARCHED | {"indexes": [{"field": "words", "metric": "IP"}]}

    assert the_fault(plan, TITLE).path == "indexes[0].metric"


@pytest.mark.parametrize(("capabilities", "nullable"), [(EVERYTHING, True), (WITHOUT_NULL_TEXTS, False)])
def test_the_text_is_nullable_if_the_target_allows_it(capabilities, nullable):
    plan = completed(SEARCHED, TITLE, capabilities=capabilities)

    assert plan.fields[2].nullable is nullable


def test_a_nullable_text_is_refused_if_the_target_does_not_allow_it():
    plan = SEARCHED | {"fields": [{"source": "title", "nullable": True}]}

    fault = the_fault(plan, TITLE, capabilities=WITHOUT_NULL_TEXTS)

    assert (fault.code, fault.path) == ("full_text_nullable", "fields[2].nullable")
    assert "2.6.3" in fault.message


def searched(**changes):
    return {"full_text": [{"field": "title", "output": "words"} | changes]}


@pytest.mark.parametrize(
    ("plan", "code", "path"),
    [
        (searched(field="nope"), "full_text_field_unknown", "full_text[0].field"),
        (searched(field="stock"), "full_text_field_type", "full_text[0].field"),
        (searched(output="title"), "name_duplicate", "full_text[0].output"),
        (searched(output="stock"), "name_duplicate", "full_text[0].output"),
        (searched(output="a b"), "name_illegal", "full_text[0].output"),
        (searched(output="like"), "name_reserved", "full_text[0].output"),
        (searched(output=""), "name_empty", "full_text[0].output"),
        (searched(analyzer="klingon"), "analyzer_unknown", "full_text[0].analyzer"),
    ],
)
def test_an_impossible_full_text_option_is_refused_at_its_path(plan, code, path):
    fault = the_fault(plan, TITLE, STOCK)

    assert (fault.code, fault.path) == (code, path)


def test_a_text_with_two_output_fields_is_refused():
    twice = [{"field": "title", "output": "words"}, {"field": "title", "output": "more"}]

    assert the_fault({"full_text": twice}, TITLE).path == "full_text[1].field"


def test_the_output_field_must_not_have_the_name_of_the_key():
    plan = searched(output="key") | {"key": "auto", "key_name": "key"}

    assert the_fault(plan, TITLE).path == "full_text[0].output"


def test_a_key_of_the_dynamic_field_must_not_have_the_name_of_the_output_field():
    note = {"source": "stock", "dynamic": True, "as": "words"}

    fault = the_fault(SEARCHED | {"fields": [{"source": "title"}, note]}, TITLE, STOCK)

    assert fault.code == "dynamic_name_taken"


def test_an_analyzer_that_the_target_lacks_is_refused_with_the_available_ones():
    lite = capabilities_of(Server("lite", (3, 2, 2)))

    fault = the_fault(SEARCHED, TITLE, capabilities=lite)

    assert fault.message == "Milvus Lite 3.2.2 has no analyzer “english”."
    assert fault.hint == "Use standard."


def test_a_custom_analyzer_is_accepted_only_if_rows_are_added_to_an_existing_collection():
    custom = searched(analyzer='{"tokenizer":"standard"}')

    assert the_fault(custom, TITLE).code == "analyzer_unknown"
    assert faults_of(custom | {"if_exists": "append"}, TITLE) == ()


def test_a_target_without_full_text_search_is_refused_with_the_version_that_introduced_it():
    old = capabilities_of(Server("milvus", (2, 4, 9)))

    fault = the_fault(SEARCHED, field("title", T.VARCHAR, nullable=False), capabilities=old)

    assert (fault.code, fault.path) == ("full_text_unavailable", "full_text")
    assert fault.message == "Full-text search needs Milvus 2.5 or later; this is Milvus 2.4.9."


def test_the_output_field_counts_as_a_vector_field():
    vectors = [field(f"v{n}", replace(VECTOR.choices[0].spec)) for n in range(3)]
    plan = completed(SEARCHED, TITLE, *vectors)
    assert [f.source for f in plan.fields] == ["id", "v", "title", "v0", "v1"]

    all_of_them = [{"source": "title"}, *({"source": f"v{n}"} for n in range(3))]
    fault = the_fault(SEARCHED | {"fields": all_of_them}, TITLE, *vectors)

    assert (fault.code, fault.field, fault.severity) == ("too_many_vectors", "v2", "warning")
    assert "vector field 5" in fault.message


def test_the_output_field_alone_is_enough_vectors():
    plan = completed(SEARCHED | {"fields": [{"source": "id"}, {"source": "title"}]}, TITLE)

    assert check_collection(plan, schema(TITLE), EVERYTHING) == ()
