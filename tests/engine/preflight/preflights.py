"""Preflight helpers: short ways to get the faults of a plan for one collection."""

from dataclasses import replace

from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.preflight import check_collection
from tests.kit.memory_target import EVERYTHING
from tests.kit.metrics import usual_metric

T = MilvusType
OLD = replace(
    EVERYTHING,
    version="2.3.5",
    types=frozenset(T) - {T.FLOAT16_VECTOR, T.SPARSE_FLOAT_VECTOR},
    nullable=False,
    default_values=False,
    null_vectors=False,
    max_vector_fields=1,
    json_objects_only=True,
)

LITE = replace(OLD, flavour="lite", version="3.2.2", max_shards=1, reserved_names=frozenset({"interval"}))


def field(name, *types, **facts):
    choices = tuple(TypeChoice(t if isinstance(t, TypeSpec) else TypeSpec(t)) for t in types)
    return SourceField(name, "native", choices, **({"metric": usual_metric(choices)} | facts))


ID = field("id", T.INT64, nullable=False, can_be_key=True)
VECTOR = field("v", TypeSpec(T.FLOAT_VECTOR, dim=4))


def schema(*fields, key=("id",), **facts):
    return CollectionSchema("public.books", (ID, VECTOR, *fields), SourceKey(key), label="books", **facts)


def faults_of(plan, *fields, capabilities=EVERYTHING, **facts):
    """Return the faults of a plan, completed as in a job. The plan's ``fields`` come after id and v."""
    data = {"source": "public.books"} | plan
    if "fields" in plan:
        data["fields"] = [{"source": "id"}, {"source": "v"}, *plan["fields"]]
    described = schema(*fields, **facts)
    completed = complete(CollectionPlan.model_validate(data), described, capabilities)
    return check_collection(completed, described, capabilities)


def the_fault(plan, *fields, capabilities=EVERYTHING, **facts):
    found = faults_of(plan, *fields, capabilities=capabilities, **facts)
    assert len(found) == 1, found
    assert found[0].message.endswith("."), found[0].message
    assert found[0].collection == "public.books"
    return found[0]


def place(fault):
    return fault.code, fault.path, fault.field, fault.option
