"""Types that the source only offers: lists of numbers as a vector, raw bytes as text."""

from console.schema import problems
from console.schema.defaults import default_table
from console.schema.table import MappingTable
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.console.schema.tables import FACTS, changed, plan_field
from tests.kit.memory_target import EVERYTHING

T = MilvusType
ID = SourceField("id", "int", (TypeChoice(TypeSpec(T.INT64)),), nullable=False, can_be_key=True)
VECTOR = TypeChoice(TypeSpec(T.FLOAT_VECTOR, 3), is_proposed=False)
LISTS = SourceField("emb", "text", (TypeChoice(TypeSpec(T.VARCHAR)), VECTOR))
RAW = SourceField(
    "raw",
    "bytea",
    tuple(
        TypeChoice(TypeSpec(T.VARCHAR), f"As {encoding}.", is_proposed=False, encoding=encoding)
        for encoding in ("hex", "base64")
    ),
    left_out="Milvus has no type for raw bytes: choose hex or base64",
)


def table() -> MappingTable:
    return default_table(CollectionSchema("t", (ID, LISTS, RAW), SourceKey(("id",))), EVERYTHING)


def test_a_text_becomes_a_vector_with_one_click_and_a_text_again() -> None:
    before = table()
    (problem,) = (p for p in problems.of_all([before], FACTS)[0] if p.code == "no_vector")
    assert [fix.label for fix in problem.fixes] == ["Use “emb” as FLOAT_VECTOR"]
    vector = changed(before, emb__type="FLOAT_VECTOR")
    field = plan_field(vector, "emb")
    assert (field.type, field.dim, field.max_length, field.nullable) == ("FLOAT_VECTOR", 3, None, False)
    assert [index.field for index in vector.plan.indexes or ()] == ["emb"]
    assert not problems.blocking(problems.of_all([vector], FACTS)[0])
    text = plan_field(changed(vector, emb__type="VARCHAR"), "emb")
    assert (text.type, text.dim, text.max_length) == ("VARCHAR", None, 65_535)


def test_raw_bytes_are_moved_in_the_chosen_encoding() -> None:
    vector = changed(table(), emb__type="FLOAT_VECTOR")
    assert plan_field(vector, "raw") is None
    ticked = changed(vector, raw__include="on")
    assert plan_field(ticked, "raw").encoding == "hex"
    chosen = changed(ticked, raw__type="VARCHAR:base64")
    assert (plan_field(chosen, "raw").type, plan_field(chosen, "raw").encoding) == ("VARCHAR", "base64")
    assert not problems.blocking(problems.of_all([chosen], FACTS)[0])
