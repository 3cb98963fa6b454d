"""Overrides: a plan that lists only its changes to the defaults."""

from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.preflight import check_collection
from tests.engine.planning.test_defaults import ID, NEW, TITLE, VECTOR, field, schema
from tests.engine.preflight.preflights import T

STOCK = field("stock", T.INT32)
RAW = field("raw", T.VARCHAR)
SCHEMA = schema(ID, VECTOR, TITLE, STOCK, RAW)


def completed(**written):
    plan = CollectionPlan.model_validate({"source": "public.books"} | written)
    return complete(plan, SCHEMA, NEW)


def test_a_plan_with_override_lists_only_its_changes():
    found = completed(
        override=True,
        fields=[
            {"source": "title", "target": "name", "max_length": 99},
            {"source": "raw", "include": False},
            {"added": True, "target": "batch", "type": "INT64", "default": 1},
        ],
    )
    assert [f.target for f in found.fields] == ["id", "v", "name", "stock", "batch"]
    assert (found.fields[2].max_length, found.fields[2].nullable) == (99, True)
    assert not found.override
    assert complete(found, SCHEMA, NEW) == found


def test_a_listed_field_can_be_left_out():
    found = completed(fields=[{"source": "v"}, {"source": "raw", "include": False}])
    assert [f.source for f in found.fields] == ["id", "v"]


def test_mistakes_of_an_override_are_reported():
    found = completed(
        override=True,
        fields=[
            {"source": "titel", "include": False},
            {"source": "stock"},
            {"source": "stock", "type": "INT64"},
            {"source": "id", "include": False},
        ],
    )
    codes = {fault.code for fault in check_collection(found, SCHEMA, NEW)}
    assert {"field_unknown", "source_twice", "key_not_a_field"} <= codes
