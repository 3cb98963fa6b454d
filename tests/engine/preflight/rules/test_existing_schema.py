"""Adding rows to an existing collection: it gives the defaults of the plan, and differences are refused."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from migrations_app.engine.faults import Fix
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.milvus.capabilities import capabilities_of
from migrations_app.engine.milvus.server import Server
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.target_schema import Function, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.defaults import complete
from migrations_app.engine.preflight import check_collection
from migrations_app.engine.targets.milvus.comparing import differences
from tests.kit.memory_target import EVERYTHING
from tests.kit.metrics import usual_metric

T = MilvusType
TEXT = TypeSpec(T.VARCHAR, max_length=300)
KEY = TargetField("id", TypeSpec(T.INT64), is_key=True)
VECTOR = TargetField("v", TypeSpec(T.FLOAT_VECTOR, dim=4))
TITLE = TargetField("title", TEXT, nullable=True)
EXISTING = TargetSchema("books", (KEY, VECTOR, TITLE), dynamic=False, shards=2, description="All books")


def field(name, *specs, **facts):
    choices = tuple(TypeChoice(s if isinstance(s, TypeSpec) else TypeSpec(s)) for s in specs)
    return SourceField(name, "native", choices, **({"metric": usual_metric(choices)} | facts))


SOURCE = (
    field("id", T.INT64, nullable=False, can_be_key=True),
    field("v", TypeSpec(T.FLOAT_VECTOR, dim=4), nullable=False),
    field("title", T.VARCHAR, longest_bytes=20),
)


def described(*fields):
    return CollectionSchema("public.books", fields or SOURCE, SourceKey(("id",)), label="books")


def completed(existing, *fields, **plan):
    given = CollectionPlan.model_validate({"source": "public.books", "if_exists": "append"} | plan)
    return complete(given, described(*fields), EVERYTHING, existing=existing)


def faults_of(existing, *fields, **plan):
    done = completed(existing, *fields, **plan)
    return check_collection(done, described(*fields), EVERYTHING, existing)


def changed(*fields, **changes):
    """Return the existing collection with these fields replaced or added."""
    kept = {f.name: f for f in (*EXISTING.fields, *fields)}
    return replace(EXISTING, fields=tuple(kept.values()), **changes)


TABLE = {
    "unchanged": EXISTING,
    "with a dynamic field": replace(EXISTING, dynamic=True),
    "Auto ID": TargetSchema("books", (replace(KEY, name="auto", auto_id=True), VECTOR, TITLE)),
    "a text key": changed(replace(KEY, spec=TypeSpec(T.VARCHAR, max_length=99))),
    "a title without NULL": changed(replace(TITLE, nullable=False)),
    "a title with a default": changed(replace(TITLE, default="none", nullable=False)),
    "a partition key": changed(replace(TITLE, nullable=False, is_partition_key=True)),
    "more fields that may be left out": changed(
        TargetField("stock", TypeSpec(T.INT32), nullable=True),
        TargetField("price", TypeSpec(T.FLOAT), default=0.10000000149011612),
        TargetField("tags", TypeSpec(T.ARRAY, None, 20, T.VARCHAR, 5), nullable=True),
        TargetField("both", TypeSpec(T.INT64), nullable=True, default=7),
    ),
    "full-text search": changed(
        replace(TITLE, analyzer="english"),
        TargetField("words", TypeSpec(T.SPARSE_FLOAT_VECTOR)),
        functions=(Function("words", ("title",), ("words",)),),
    ),
    "another key name": replace(EXISTING, fields=(replace(KEY, name="number"), VECTOR, TITLE)),
}


@pytest.mark.parametrize("name", [name for name in TABLE if name != "a text key"])
def test_a_plan_without_fields_is_completed_from_the_existing_collection(name):
    existing = TABLE[name]
    assert [f for f in faults_of(existing) if f.severity == "error"] == []
    done = completed(existing)
    assert differences(existing, compile_mapping(done).target) == ()
    again = complete(done, described(), EVERYTHING, existing=existing)
    assert again == done


def test_a_column_without_an_existing_field_goes_into_the_dynamic_field_or_is_left_out():
    extra = field("note", T.VARCHAR)
    second = field("w", TypeSpec(T.FLOAT_VECTOR, dim=2))
    dynamic = completed(replace(EXISTING, dynamic=True), *SOURCE, extra, second)
    assert [(f.source, f.dynamic, f.as_) for f in dynamic.fields] == [
        ("id", False, None),
        ("v", False, None),
        ("title", False, None),
        ("note", True, "note"),
    ]
    fixed = completed(EXISTING, *SOURCE, extra, second)
    assert [f.source for f in fixed.fields] == ["id", "v", "title"]


def test_if_the_collection_has_auto_id_the_source_key_is_moved_only_if_it_has_a_field():
    existing = TABLE["Auto ID"]
    assert [f.source for f in completed(existing).fields] == ["v", "title"]
    kept = replace(existing, fields=(*existing.fields, TargetField("id", TypeSpec(T.INT64))))
    assert [f.source for f in completed(kept).fields] == ["id", "v", "title"]


def test_a_joined_key_of_an_existing_collection_is_joined_again():
    parts = (field("tenant", T.VARCHAR, nullable=False, can_be_key=True), *SOURCE)
    schema = CollectionSchema("public.books", parts, SourceKey(("tenant", "id")), label="books")
    key = TargetField("whole", TypeSpec(T.VARCHAR, max_length=77), is_key=True)
    existing = TargetSchema("books", (key, VECTOR, TITLE, TargetField("id", TypeSpec(T.INT64))))
    done = complete(CollectionPlan(source="public.books"), schema, EVERYTHING, existing=existing)
    assert (done.key, done.key_name, done.key_max_length) == (["tenant", "id"], "whole", 77)
    assert differences(existing, compile_mapping(done).target) == ()
    assert check_collection(done, schema, EVERYTHING, existing) == ()
    longer = done.model_copy(update={"key_max_length": 99})
    [fault] = check_collection(longer, schema, EVERYTHING, existing)
    assert (fault.code, fault.path) == ("limit_differs", "key_max_length")


def test_options_in_the_plan_are_kept_and_the_others_come_from_the_collection():
    done = completed(
        EXISTING, fields=[{"source": "id"}, {"source": "v"}, {"source": "title", "max_length": 9}]
    )
    title = done.fields[2]
    assert (title.type, title.max_length, title.nullable) == ("VARCHAR", 9, True)


LISTED = [{"source": "id"}, {"source": "v"}, {"source": "title"}]
EXTRA = field("note", T.VARCHAR)


def listed(**changes):
    return [*LISTED[:2], LISTED[2] | changes]


REFUSED = [
    # existing, plan -> code, path, first fix
    ("a longer limit", EXISTING, {"fields": listed(max_length=400)},
     "limit_differs", "fields[2].max_length", Fix("Use 300", "max_length", "300")),
    ("NULL not taken", EXISTING, {"fields": listed(nullable=False)},
     "nullable_differs", "fields[2].nullable", Fix("Turn it on", "nullable", "true")),
    ("a default of its own", EXISTING, {"fields": listed(default="x")},
     "default_differs", "fields[2].default", Fix("Remove it", "default", "")),
    ("another default", TABLE["a title with a default"], {"fields": listed(default="x")},
     "default_differs", "fields[2].default", Fix("Use none", "default", "none")),
    ("an unknown field", EXISTING, {"fields": [*LISTED[:2], {"source": "title", "target": "name"}]},
     "field_not_there", "fields[2].target", Fix("Leave it out", "include", "false")),
    ("one that the dynamic field could hold", replace(EXISTING, dynamic=True),
     {"fields": [*LISTED[:2], {"source": "title", "target": "name"}]},
     "field_not_there", "fields[2].target", Fix("Put it into the dynamic field", "dynamic", "true")),
    ("another dynamic field", EXISTING, {"dynamic_field": True, "fields": LISTED},
     "dynamic_field_differs", "dynamic_field", Fix("Turn the dynamic field off", "dynamic_field", "false")),
    ("Auto ID for kept keys", EXISTING, {"key": "auto", "fields": LISTED[1:]},
     "key_differs", "key", Fix("Use “id”", "key", "id")),
    ("kept keys for Auto ID", TABLE["Auto ID"], {"key": "id", "fields": LISTED},
     "key_differs", "key", Fix("Use Auto ID", "key", "auto")),
    ("a field that the collection lacks, and kept keys for Auto ID", TABLE["Auto ID"],
     {"key": "id", "fields": [{"source": "id", "target": "key"}, *LISTED[1:]]},
     "field_not_there", "fields[0].target", None),
    ("another partition key", EXISTING, {"partition_key": "title", "fields": listed(nullable=True)},
     "partition_key_differs", "partition_key", Fix("Use none", "partition_key", "")),
    ("another dimension", changed(replace(VECTOR, spec=TypeSpec(T.FLOAT_VECTOR, dim=8))), {},
     "dim_differs", "fields[1].dim", Fix("Leave it out", "include", "false")),
    ("another type", changed(replace(TITLE, spec=TypeSpec(T.JSON))), {},
     "type_differs", "fields[2].type", Fix("Leave it out", "include", "false")),
    ("a field that must be filled", changed(TargetField("isbn", TEXT)), {},
     "field_not_mapped", "fields", None),
    ("a text key", TABLE["a text key"], {}, "type_differs", "fields[0].type", None),
    ("full text of its own", EXISTING, {"full_text": [{"field": "title", "output": "words"}]},
     "full_text_differs", "full_text", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("existing", "plan", "code", "path", "fix"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_each_difference_is_refused_at_its_path_with_a_fix(existing, plan, code, path, fix):
    errors = [fault for fault in faults_of(existing, **plan) if fault.severity == "error"]
    fault = next((f for f in errors if f.code == code), None)
    assert fault is not None, errors
    assert fault.path == path
    assert fault.message.endswith(".")
    assert (fault.fixes[0] if fault.fixes else None) == fix


def test_another_description_is_a_warning_because_the_existing_one_stays():
    (fault,) = faults_of(EXISTING, description="Mine")
    assert (fault.code, fault.severity, fault.path) == ("description_differs", "warning", "description")
    assert fault.message == "The description of “books” is “All books”. It cannot be changed here."
    assert faults_of(EXISTING) == ()


def test_a_warning_says_that_auto_id_adds_existing_rows_again():
    (fault,) = faults_of(TABLE["Auto ID"])
    assert (fault.code, fault.severity, fault.path) == ("auto_id_adds", "warning", "key")
    assert "rows that are already in the collection are added again" in fault.message


LONG = (*SOURCE[:2], field("title", T.VARCHAR, longest_bytes=900))
RAISE = Fix("Raise it to 65,535 in the collection", "raise_limit", "true", (("max_length", "65535"),))


def raising(existing, *fields, capabilities=EVERYTHING, **changes):
    """Return the faults if the limits of the title are those in ``changes``."""
    plan = {"source": "public.books", "if_exists": "append", "fields": listed(**changes)}
    schema = described(*(fields or SOURCE))
    done = complete(CollectionPlan.model_validate(plan), schema, capabilities, existing=existing)
    return done, check_collection(done, schema, capabilities, existing)


def test_a_limit_that_is_too_small_for_the_sample_can_be_raised():
    (fault,) = faults_of(EXISTING, *LONG)
    assert (fault.code, fault.severity, fault.fixes) == ("limit_too_small", "warning", (RAISE,))
    done, faults = raising(EXISTING, *LONG, raise_limit=True)
    assert (done.fields[2].max_length, faults) == (65_535, ())


def test_a_higher_limit_is_refused_with_the_offer_to_raise_it_and_a_lower_one_without():
    _, (fault,) = raising(EXISTING, max_length=400)
    offer = Fix("Raise it to 400 in the collection", "raise_limit", "true")
    assert fault.fixes == (Fix("Use 300", "max_length", "300"), offer)
    assert raising(EXISTING, max_length=400, raise_limit=True)[1] == ()
    _, (fault,) = raising(EXISTING, max_length=200, raise_limit=True)
    assert fault.fixes == (Fix("Use 300", "max_length", "300"),)


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (Server("milvus", (2, 5, 1)), "needs Milvus 2.5.2 or later; this is Milvus 2.5.1."),
        (Server("lite", (3, 2, 2)), "needs a server (Milvus 2.5.2 or later); this is Milvus Lite."),
    ],
)
def test_a_target_that_cannot_raise_limits_says_so(server, sentence):
    _, faults = raising(EXISTING, max_length=400, raise_limit=True, capabilities=capabilities_of(server))
    (fault,) = [fault for fault in faults if fault.code == "limit_differs"]
    assert fault.hint == f"To raise it in the collection {sentence}"
    assert len(fault.fixes) == 1


def test_the_limit_of_a_key_is_never_raised():
    key = replace(KEY, spec=TypeSpec(T.VARCHAR, max_length=99))
    source = (field("id", T.VARCHAR, nullable=False, can_be_key=True), *SOURCE[1:])
    plan = [{"source": "id", "max_length": 200, "raise_limit": True}, *LISTED[1:]]
    (fault,) = faults_of(changed(key), *source, fields=plan)
    assert (fault.code, fault.hint) == ("limit_differs", "The limit of a key cannot be raised.")


def test_the_capacity_of_an_array_can_be_raised():
    spec = TypeSpec(T.ARRAY, element_type=T.INT32, max_capacity=4)
    existing = changed(TargetField("tags", spec, nullable=True))
    tags = field("tags", TypeSpec(T.ARRAY, element_type=T.INT32), longest_items=9)
    (fault,) = faults_of(existing, *SOURCE, tags)
    assert [fix.label for fix in fault.fixes] == ["Raise it to 4,096 in the collection"]
    plan = [*LISTED, {"source": "tags", "max_capacity": 9, "raise_limit": True}]
    assert faults_of(existing, *SOURCE, tags, fields=plan) == ()


def test_a_required_field_may_be_added_with_a_value():
    existing = changed(TargetField("isbn", TEXT))
    added = {"added": True, "target": "isbn", "type": "VARCHAR", "max_length": 300, "fill_null": "unknown"}
    assert faults_of(existing, fields=[*LISTED, added]) == ()


def test_the_text_length_of_an_array_is_not_compared_if_the_target_stores_none():
    spec = TypeSpec(T.ARRAY, element_type=T.VARCHAR, max_capacity=8)
    existing = changed(TargetField("tags", spec, nullable=True))
    tags = field("tags", TypeSpec(T.ARRAY, element_type=T.VARCHAR), longest_items=3)
    done = completed(existing, *SOURCE, tags)
    assert check_collection(done, described(*SOURCE, tags), EVERYTHING, existing) == ()
    assert done.fields[3].max_capacity == 8


# ---------------------------------------------------------------- repeated migrations

KINDS = (
    TypeSpec(T.VARCHAR),
    TypeSpec(T.VARCHAR, max_length=40),
    TypeSpec(T.INT32),
    TypeSpec(T.FLOAT),
    TypeSpec(T.JSON),
    TypeSpec(T.ARRAY, element_type=T.VARCHAR),
    TypeSpec(T.ARRAY, element_type=T.INT64),
    TypeSpec(T.FLOAT_VECTOR, dim=8),
    TypeSpec(T.SPARSE_FLOAT_VECTOR),
)
OLD = replace(
    EVERYTHING,
    version="2.3.5",
    types=frozenset(T) - {T.FLOAT16_VECTOR, T.SPARSE_FLOAT_VECTOR},
    nullable=False,
    default_values=False,
    full_text=False,
    null_vectors=False,
    max_vector_fields=1,
    json_objects_only=True,
)
LITE = replace(EVERYTHING, flavour="lite", version="3.2.2", max_shards=1, null_vectors=False)


@st.composite
def sources(draw):
    """A source with id, v and some more columns, and a key of one column, two columns, or none."""
    names = draw(
        st.lists(st.sampled_from(("a", "b", "c", "d", "e f", "auto", "like")), unique=True, max_size=5)
    )
    fields = [*SOURCE[:2]]
    for name in names:
        spec = draw(st.sampled_from(KINDS))
        facts = {"nullable": draw(st.booleans()), "longest_bytes": draw(st.sampled_from((None, 3, 9000)))}
        fields.append(field(name, spec, can_be_key=spec.type is T.VARCHAR, **facts))
    second = [f.name for f in fields if f.can_be_key and f.name != "id"]
    keys = [("id",), (), *([("id", second[0])] if second else ())]
    columns = draw(st.sampled_from(keys))
    return CollectionSchema(
        "public.books", tuple(fields), SourceKey(columns) if columns else None, label="books"
    )


@given(
    sources(),
    st.sampled_from((EVERYTHING, OLD, LITE)),
    st.booleans(),
    st.sampled_from((None, "auto", "joined")),
)
def test_a_default_plan_agrees_with_the_collection_that_it_created(schema, capabilities, dynamic, key):
    columns = schema.key.columns if schema.key else ()
    given_plan = {"source": "public.books", "target": "books", "dynamic_field": dynamic}
    if key == "auto" or (key == "joined" and len(columns) > 1):
        given_plan["key"] = list(columns) if key == "joined" else "auto"
    first = complete(CollectionPlan.model_validate(given_plan), schema, capabilities)
    assume(not any(f.severity == "error" for f in check_collection(first, schema, capabilities)))
    existing = compile_mapping(first).target
    again = complete(
        CollectionPlan(source="public.books", target="books"), schema, capabilities, existing=existing
    )
    assert [f for f in check_collection(again, schema, capabilities, existing) if f.severity == "error"] == []
    assert differences(existing, compile_mapping(again).target) == ()
    # The plan that created the collection also agrees if it is downloaded and run again.
    same = complete(first.model_copy(update={"if_exists": "append"}), schema, capabilities, existing=existing)
    assert [f for f in check_collection(same, schema, capabilities, existing) if f.severity == "error"] == []


WORDS = TargetField("words", TypeSpec(T.SPARSE_FLOAT_VECTOR))
ANALYZED = replace(TITLE, nullable=False, analyzer="standard")
BY_WORDS = replace(
    EXISTING, fields=(KEY, VECTOR, ANALYZED, WORDS), functions=(Function("f", ("title",), ("words",)),)
)


@pytest.mark.parametrize(
    ("existing", "plan", "code"),
    [
        (
            BY_WORDS,
            {"full_text": [{"field": "title", "output": "words", "analyzer": "english"}]},
            "full_text_differs",
        ),
        (EXISTING, {"shards": 4}, "shards_differ"),
    ],
)
def test_full_text_search_and_shards_are_compared(existing, plan, code):
    assert not faults_of(existing)
    assert code in {fault.code for fault in faults_of(existing, **plan)}


def test_the_text_length_of_an_array_is_compared_if_the_target_stores_it():
    tags = TypeSpec(T.ARRAY, element_type=T.VARCHAR, max_length=8, max_capacity=4)
    source = (*SOURCE, field("tags", TypeSpec(T.ARRAY, element_type=T.VARCHAR)))
    written = {
        "source": "tags",
        "type": "ARRAY",
        "element_type": "VARCHAR",
        "max_length": 64,
        "max_capacity": 4,
    }
    plan = {"fields": [{"source": "id"}, {"source": "v"}, {"source": "title"}, written]}
    kept = replace(EXISTING, fields=(*EXISTING.fields, TargetField("tags", tags, nullable=True)))
    forgotten = replace(
        EXISTING,
        fields=(*EXISTING.fields, TargetField("tags", replace(tags, max_length=None), nullable=True)),
    )
    assert [fault.path for fault in faults_of(kept, *source, **plan)] == ["fields[3].max_length"]
    assert not faults_of(forgotten, *source, **plan)


def test_a_field_can_be_added_to_under_another_name():
    (first, *_) = (field for field in SOURCE if field.name == "title")
    given = {"override": True, "fields": [{"source": "heading", "target": "title"}]}
    done = completed(EXISTING, *(f for f in SOURCE if f != first), replace(first, name="heading"), **given)
    assert {f.source: f.target for f in done.fields or ()}["heading"] == "title"
