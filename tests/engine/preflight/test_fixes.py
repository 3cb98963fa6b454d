"""Fixes: a default plan is refused only for names, and one fix solves each fault."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import ELEMENT_TYPES, KEY_TYPES, MilvusType, TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.planning.type_choices import left_out
from migrations_app.engine.preflight import check_collection
from tests.kit.memory_target import EVERYTHING
from tests.kit.plans import default_plan

T = MilvusType
OLD = replace(
    EVERYTHING,
    version="2.3.5",
    types=frozenset(T) - {T.FLOAT16_VECTOR, T.SPARSE_FLOAT_VECTOR, T.INT8_VECTOR},
    nullable=False,
    default_values=False,
    max_vector_fields=1,
    json_objects_only=True,
)
LITE = replace(EVERYTHING, flavour="lite", reserved_names=frozenset({"interval", "_seq"}))
NAMES = st.text(max_size=6) | st.sampled_from(
    ["like", "LIKE", "id", "auto_id", "interval", "_seq", "$meta", "a" * 300]
)
SPECS = (
    st.sampled_from([t for t in T if t is not T.ARRAY and not t.is_vector]).map(TypeSpec)
    | st.sampled_from(sorted(ELEMENT_TYPES)).map(lambda t: TypeSpec(T.ARRAY, element_type=t))
    | st.sampled_from([T.FLOAT_VECTOR, T.FLOAT16_VECTOR, T.INT8_VECTOR]).map(lambda t: TypeSpec(t, dim=4))
)


@st.composite
def schemas(draw):
    names = draw(st.lists(NAMES.filter(bool), min_size=1, max_size=7, unique=True))
    sizes = st.none() | st.integers(0, 100_000)
    fields = []
    for name in names:
        choices = tuple(map(TypeChoice, draw(st.lists(SPECS, max_size=2))))
        can_be_key = bool(choices) and choices[0].spec.type in KEY_TYPES | {T.INT32} and draw(st.booleans())
        fields.append(
            SourceField(
                name,
                "native",
                choices,
                left_out="" if choices else "there is no type for it",
                nullable=draw(st.booleans()),
                can_be_key=can_be_key,
                longest_bytes=draw(sizes),
                longest_items=draw(sizes),
            )
        )
    fields.append(SourceField("embedding", "vector", (TypeChoice(TypeSpec(T.FLOAT_VECTOR, dim=4)),)))
    key = draw(st.none() | st.sampled_from(names).map(lambda name: SourceKey((name,))))
    return CollectionSchema("s", tuple(fields), key, label=draw(NAMES))


CAPS = st.sampled_from([EVERYTHING, OLD, LITE])


def errors(plan, schema, capabilities):
    return [f for f in check_collection(plan, schema, capabilities) if f.severity == "error"]


@given(schemas(), CAPS)
def test_every_source_field_is_in_the_default_plan_or_left_out_with_a_reason(schema, capabilities):
    plan = default_plan(schema, capabilities)
    dropped = {schema.key.columns[0]} if plan.is_auto_id and schema.key else set()
    proposed = {f.source for f in plan.fields}
    reasons = left_out(schema, capabilities)
    assert proposed | set(reasons) | dropped == {f.name for f in schema.fields}
    assert all(reasons.values())


@given(schemas(), CAPS)
def test_a_default_plan_is_refused_only_for_its_names(schema, capabilities):
    found = errors(default_plan(schema, capabilities), schema, capabilities)
    assert {f.option for f in found} <= {"collection_target", "target", "as", "key_name"}


@given(schemas(), CAPS)
def test_completing_a_default_plan_again_changes_nothing(schema, capabilities):
    plan = default_plan(schema, capabilities)
    again = CollectionPlan.model_validate(plan.model_dump(mode="json", by_alias=True))
    assert complete(again, schema, capabilities) == plan


@given(schemas(), CAPS)
def test_applying_one_fix_after_another_leaves_no_fault(schema, capabilities):
    plan = default_plan(schema, capabilities)
    for _ in range(40):
        found = errors(plan, schema, capabilities)
        if not found:
            break
        plan = complete(with_fix(plan, found[0]), schema, capabilities)
    assert errors(plan, schema, capabilities) == []


def with_fix(plan, fault):
    """Return the plan with the first fix of a fault, as a form would send it."""
    (fix, *_) = fault.fixes
    if not fault.field:
        return plan.model_copy(update={fix.option: fix.value})
    option = "as_" if fix.option == "as" else fix.option
    fields = [f.model_copy(update={option: fix.value}) if f.source == fault.field else f for f in plan.fields]
    return plan.model_copy(update={"fields": fields, "indexes": None})


@given(schemas(), CAPS)
def test_all_fixes_of_names_can_be_applied_at_once(schema, capabilities):
    plan = default_plan(schema, capabilities)
    once = plan
    for fault in errors(plan, schema, capabilities):
        once = with_fix(once, fault)
    again = errors(complete(once, schema, capabilities), schema, capabilities)
    # Keys of the dynamic field that conflict with a field name are found only after that name is fixed.
    assert {fault.option for fault in again} <= {"as"}
