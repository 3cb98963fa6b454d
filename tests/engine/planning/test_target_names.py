"""Target names: made legal where the source says so; synthetic names give way."""

from dataclasses import replace

import pyarrow as pa
import pytest

from migrations_app.engine.model.names import NamingRule
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.planning.document_keys import with_document_keys
from migrations_app.engine.planning.target_names import default_targets, renamed
from migrations_app.engine.preflight import check_collection
from tests.kit.memory_target import EVERYTHING

T = MilvusType
DENSE = (TypeChoice(TypeSpec(T.FLOAT_VECTOR, dim=4)),)
ID = SourceField(
    "id", "point id", (TypeChoice(TypeSpec(T.VARCHAR)),), nullable=False, can_be_key=True, is_synthetic=True
)
VECTOR = SourceField("vector", "dense", DENSE, metric="COSINE", is_synthetic=True)
PAYLOAD = SourceField("payload", "payload", (TypeChoice(TypeSpec(T.JSON)),), can_open=True, is_rest=True)


def points(*fields, documents=(), rule="legal"):
    """A collection like Qdrant's: an id, an unnamed vector, and a payload with the keys of ``documents``."""
    texts = pa.array(list(documents), pa.string())
    schema = CollectionSchema(
        "my-points",
        (ID, VECTOR, *fields, PAYLOAD),
        SourceKey(("id",)),
        pa.record_batch({"payload": texts}),
        naming_rule=NamingRule(rule, rule),
    )
    return with_document_keys(schema, ())


def names(schema, **plan):
    completed = complete(CollectionPlan(source="my-points", **plan), schema, EVERYTHING)
    assert check_collection(completed, schema, EVERYTHING) == ()
    assert complete(completed, schema, EVERYTHING) == completed
    return {field.source: field.target for field in completed.fields}


def test_names_that_milvus_refuses_are_made_legal_and_stay_different():
    vectors = [
        SourceField(name, "dense", DENSE, metric="COSINE") for name in ("fast-bge", "fast_bge", "fast.bge")
    ]
    assert names(points(*vectors[:2])) == {
        "id": "id",
        "vector": "vector",
        "fast-bge": "fast_bge_2",
        "fast_bge": "fast_bge",
    }
    assert list(names(points(vectors[0], vectors[2])).values())[2:] == ["fast_bge", "fast_bge_2"]


def test_without_the_rule_the_names_stay_and_the_user_is_asked():
    schema = points(SourceField("fast-bge", "dense", DENSE, metric="COSINE"), rule="ask")
    plan = complete(CollectionPlan(source="my-points"), schema, EVERYTHING)
    found = [(fault.code, fault.option) for fault in check_collection(plan, schema, EVERYTHING)]
    assert found == [("name_illegal", "collection_target"), ("name_illegal", "target")]


def test_a_legal_collection_name_differs_from_those_of_the_others():
    one, other = points(), replace(points(), name="my_points")
    assert default_targets([one, other]) == {"my-points": "my_points_2", "my_points": "my_points"}


def test_a_synthetic_name_gives_way_to_the_keys_of_documents():
    schema = points(documents=['{"id": 7, "vector": "x", "a": 1}'])
    assert names(schema) == {"id": "id_2", "vector": "vector_2"}
    completed = complete(CollectionPlan(source="my-points"), schema, EVERYTHING)
    assert list(renamed(completed, schema)) == [
        "“my-points” becomes the collection “my_points”: its name is not legal in Milvus.",
        "“id” becomes the field “id_2”: the documents have a key “id”.",
        "“vector” becomes the field “vector_2”: the documents have a key “vector”.",
    ]


@pytest.mark.parametrize(
    "plan",
    [
        {"rest": "drop"},
        {"fields": [{"source": "id"}, {"source": "vector"}, {"source": "payload.id", "target": "old_id"}]},
    ],
    ids=["dropped", "renamed"],
)
def test_it_stays_if_no_key_has_that_name_in_the_target(plan):
    found = names(points(documents=['{"id": 7}']), **plan)
    assert (found["id"], found["vector"]) == ("id", "vector")


def test_it_gives_way_to_a_key_that_becomes_a_field():
    fields = [{"source": name} for name in ("id", "vector", "payload.a.id")]
    schema = points(documents=['{"a": {"id": 7}}'])
    assert names(schema, rest="drop", fields=fields) == {
        "id": "id_2",
        "vector": "vector",
        "payload.a.id": "id",
    }
