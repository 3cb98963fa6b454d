"""Type mismatches: a value that its type cannot hold is rejected with its field; the other rows are read."""

import json

import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import read

T = MilvusType
TEXTS = TypeSpec(T.ARRAY, element_type=T.VARCHAR)

# Native type, the type it is read as, a text that fits and texts that do not, the code, and how the first
# mismatch is shown.
MISMATCHES = [
    ("timestamp", TypeSpec(T.INT64), ["2024-01-01", "infinity", "-infinity"], "not_finite", "infinity"),
    ("timestamptz", TypeSpec(T.INT64), ["2024-01-01", "-infinity"], "not_finite", "-infinity"),
    ("integer[]", TypeSpec(T.ARRAY, element_type=T.INT32), ["{1}", "{{1,2},{3,4}}"], "array_dimensions",
     "{{1,2},{3,4}}"),
    ("text[]", TEXTS, ["{a}", "[2:2][3:3]={{a}}"], "array_dimensions", "[2:2][3:3]={{a}}"),
    ("timestamp[]", TEXTS, ["{}", "{{infinity}}"], "array_dimensions", "{{infinity}}"),
    ("inet[]", TEXTS, ["{::1}", "{{10.0.0.1}}"], "array_dimensions", "{{10.0.0.1}}"),
    ("vector", TypeSpec(T.FLOAT_VECTOR, 2), ["[1,2]", "[1,2,3]", "[1]"], "dimension_mismatch", "vector(3)"),
    ("halfvec", TypeSpec(T.FLOAT16_VECTOR, 2), ["[1,2]", "[1,2,3]"], "dimension_mismatch", "halfvec(3)"),
    ("halfvec", TypeSpec(T.FLOAT_VECTOR, 2), ["[1,2]", "[1]"], "dimension_mismatch", "halfvec(1)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("native", "spec", "texts", "code", "shown"),
    MISMATCHES,
    ids=[f"{row[0]} as {row[1]}: {row[3]}" for row in MISMATCHES],
)
def test_values_that_a_type_cannot_hold_are_rejected_with_their_field(
    pg: Database, native: str, spec: TypeSpec, texts: list[str], code: str, shown: str
) -> None:
    (batch,) = read(pg, native, spec, [*texts, None])
    assert batch.locators.to_pylist() == ["0", str(len(texts))]
    assert batch.rows.column("x").null_count == 1
    assert [rejected.locator for rejected in batch.rejected] == [str(n) for n in range(1, len(texts))]
    assert {(rejected.code, rejected.field) for rejected in batch.rejected} == {(code, "x")}
    assert batch.rejected[0].reason.startswith("“x” ")
    assert json.loads(batch.rejected[0].row) == {"x": shown}
    assert batch.after == [str(len(texts))]


def test_bit_strings_of_a_changed_length_are_rejected(pg: Database) -> None:
    (batch,) = read(pg, "bit(16)", TypeSpec(T.BINARY_VECTOR, 8), ["1" * 16, None])
    assert batch.locators.to_pylist() == ["1"]
    assert [rejected.code for rejected in batch.rejected] == ["dimension_mismatch"]
    assert json.loads(batch.rejected[0].row) == {"x": "bit(16)"}
