"""Mapping of a batch: unchanged values, nothing that Milvus would refuse, and every row counted."""

import json
from dataclasses import replace

import numpy as np
import orjson
import pyarrow as pa
import pytest

from migrations_app.engine.mapping import ServerChecks
from migrations_app.engine.mapping.values.cast import cast_values
from migrations_app.engine.model.batch import Batch
from tests.engine.mapping.mappings import (
    KEY,
    VECTOR,
    applied,
    array,
    batch_of,
    codes,
    dynamic,
    mapping_of,
    text,
)

# ---------------------------------------------------------------- target schema and read plan


def test_a_completed_plan_gives_the_read_plan_and_the_target_schema():
    mapping = mapping_of(
        text("title", 64, target="name", nullable=True, default="none", description="what it is called"),
        {"source": "note", "dynamic": True, "as": "remark", "type": "VARCHAR"},
        description="books",
        shards=2,
        partition_key="name",
    )
    assert [c.path for c in mapping.read_plan.columns] == ["id", "v", "title", "note"]
    assert mapping.read_plan.key == ("id",)
    assert mapping.upsert
    target = mapping.target
    assert (target.name, target.description, target.shards, target.dynamic) == ("t", "books", 2, True)
    assert [f.name for f in target.fields] == ["id", "v", "name"]
    assert target.key.name == "id"
    name = target.fields[2]
    assert (name.nullable, name.default, name.is_partition_key) == (True, "none", True)
    assert name.description == "what it is called"


def test_an_auto_id_key_comes_first_and_is_never_sent():
    mapping = mapping_of(key="auto", key_name="auto_id")
    assert not mapping.upsert
    assert [(f.name, f.auto_id) for f in mapping.target.fields][:2] == [("auto_id", True), ("id", False)]
    assert applied(mapping, id=[7, 7]).rows.schema.names == ["id", "v", "$meta"]


def test_rows_arrive_unchanged_in_order_and_in_the_target_schema():
    mapping = mapping_of(text(), array())
    mapped = applied(mapping, id=[3, 1, 2], t=["a", "ü", ""], a=[[1], [], [2, 3]])
    assert mapped.rows.schema == mapping.target.arrow_schema()
    assert mapped.rows.to_pylist() == [
        {"id": 3, "v": [1.0, 2.0], "t": "a", "a": [1], "$meta": "{}"},
        {"id": 1, "v": [1.0, 2.0], "t": "ü", "a": [], "$meta": "{}"},
        {"id": 2, "v": [1.0, 2.0], "t": "", "a": [2, 3], "$meta": "{}"},
    ]
    assert mapped.locators.to_pylist() == ["row 0", "row 1", "row 2"]
    assert (mapped.rejected, mapped.skipped, mapped.collapsed) == ((), 0, 0)


def test_clean_vectors_are_not_copied():
    mapping = mapping_of()
    batch = batch_of(mapping, id=[1, 2])
    given = batch.rows.column("v").flatten().to_numpy()
    sent = mapping.apply(batch).rows.column("v").flatten().to_numpy()
    assert np.shares_memory(given, sent)


def test_a_slice_of_a_larger_batch_is_checked_only_in_its_rows():
    mapping = mapping_of({"source": "h", "target": "h", "type": "FLOAT16_VECTOR", "dim": 2})
    one, nan = np.array([1, 1], "<f2").tobytes(), np.array([1, np.nan], "<f2").tobytes()
    batch = batch_of(mapping, v=[[np.nan, 1], [1, 1], [1, 1], [1, np.inf]], h=[one, nan, one, one])
    inner = Batch(batch.rows.slice(1, 2), 0, batch.locators.slice(1, 2))
    assert codes(mapping.apply(inner)) == [("row 1", "h", "not_finite")]


# ---------------------------------------------------------------- values that Milvus would refuse


@pytest.mark.parametrize(
    ("field", "good", "bad", "code", "words"),
    [
        (
            text(max_length=4),
            ["éé", "abcd", ""],
            ["ééé", "abcde"],
            "too_long",
            "6 bytes long; the field takes at most 4",
        ),
        (
            {"source": "j", "target": "j", "type": "JSON"},
            ['{"a": 1}', ' [1, {"b": null}]', "null"],
            ['{"a": "' + "x" * 65_536 + '"}'],
            "json_too_large",
            "65,545 bytes of JSON",
        ),
        (
            {"source": "j", "target": "j", "type": "JSON"},
            ["{}"],
            ["3", '"null"', "true", "nullx"],
            "json_not_object",
            "the JSON value 3",
        ),
        (array(), [[1, 2], []], [[1, 2, 3]], "too_many_items", "3 elements; the field takes at most 2"),
        (array(), [[1]], [[None], [1, None]], "null_item", "an element that is NULL"),
        (array("VARCHAR", max_length=3), [["abc"], []], [["a", "éé"]], "item_too_long", "of 4 bytes"),
        (
            {"source": "w", "target": "w", "type": "FLOAT_VECTOR", "dim": 2},
            [[3e38, 3e38], [0.0, -0.0], [1e-45, 0]],
            [[np.nan, 1], [1, np.inf], [-np.inf, 1], [1, None]],
            "not_finite",
            "NaN or infinity",
        ),
        (
            {"source": "b", "target": "b", "type": "BFLOAT16_VECTOR", "dim": 2},
            [bytes.fromhex("803f7f7f")],
            [bytes.fromhex("803f807f"), bytes.fromhex("c0ff0000")],
            "not_finite",
            "NaN or infinity",
        ),
        (
            {"source": "p", "target": "p", "type": "SPARSE_FLOAT_VECTOR"},
            [[{"index": 1, "value": 0.5}], []],
            [[{"index": 1, "value": np.inf}]],
            "not_finite",
            "not a finite number",
        ),
        (
            {"source": "p", "target": "p", "type": "SPARSE_FLOAT_VECTOR"},
            [[{"index": 1, "value": -0.0}]],
            [[{"index": 0, "value": 1.0}, {"index": 1, "value": -1e-45}]],
            "negative_value",
            "a negative value",
        ),
        (
            {"source": "p", "target": "p", "type": "SPARSE_FLOAT_VECTOR"},
            [[{"index": 2**32 - 2, "value": 1.0}]],
            [[{"index": 2**32 - 1, "value": 1.0}]],
            "index_too_large",
            "4,294,967,295",
        ),
    ],
)
def test_a_value_that_milvus_would_refuse_is_rejected_with_its_size(field, good, bad, code, words):
    name = field["source"]
    mapped = applied(mapping_of(field), **{name: [*good, *bad, good[0]]})
    assert codes(mapped) == [(f"row {len(good) + n}", name, code) for n in range(len(bad))]
    assert words in mapped.rejected[0].reason
    assert mapped.rows.column("id").to_pylist() == [*range(len(good)), len(good) + len(bad)]
    clean = applied(mapping_of(field), **{name: good})
    assert clean.rejected == ()
    assert str(clean.rows.column(name).to_pylist()) == str(
        pa.array(good, clean.rows.schema.field(name).type).to_pylist()
    )


def test_vectors_without_a_declared_dimension_are_checked_row_by_row():
    mapping = mapping_of()
    batch = batch_of(mapping, id=[0, 1, 2])
    lists = pa.array([[1, 2], [1, 2, 3], [3, 4]], pa.list_(pa.float32()))
    mapped = mapping.apply(Batch(batch.rows.set_column(1, "v", lists), 0, batch.locators))
    assert codes(mapped) == [("row 1", "v", "wrong_dimension")]
    assert mapped.rejected[0].reason == "“v” has 3 dimensions; the field takes 2."
    assert mapped.rows.column("v").to_pylist() == [[1, 2], [3, 4]]
    assert mapped.rows.schema == mapping.target.arrow_schema()


def test_an_integer_wider_than_its_field_is_rejected():
    mapping = mapping_of({"source": "n", "target": "n", "type": "INT8"})
    batch = batch_of(mapping, n=[1, None, 3])
    wide = pa.array([127, 128, -128], pa.int64())
    mapped = mapping.apply(Batch(batch.rows.set_column(2, "n", wide), 0, batch.locators))
    assert codes(mapped) == [("row 1", "n", "misfit")]
    assert mapped.rejected[0].reason == "“n” is 128, which is not a valid int8."
    assert mapped.rows.column("n").to_pylist() == [127, -128]


def test_nan_in_a_scalar_is_left_unchanged():
    mapped = applied(mapping_of({"source": "d", "target": "d", "type": "DOUBLE"}), d=[np.nan, -np.inf])
    assert str(mapped.rows.column("d").to_pylist()) == "[nan, -inf]"


def test_values_that_this_server_refuses_are_rejected_before_they_are_sent():
    """Milvus accepts NaN in scalars up to 2.3, lists as JSON since 2.4, empty sparse vectors since 2.4.12."""
    fields = [
        {"source": "d", "target": "d", "type": "DOUBLE", "nullable": True},
        {"source": "s", "target": "s", "type": "SPARSE_FLOAT_VECTOR"},
        {"source": "j", "target": "j", "type": "JSON"},
    ]
    entry = [{"index": 1, "value": 1.0}]
    rows = {"d": [1.0, np.nan, None, np.inf, 0.0, 0.0], "s": [entry, entry, [], entry, entry, entry]}
    rows["j"] = ["{}", "{}", "{}", "{}", " [1]", " null"]
    mapping = mapping_of(*fields)
    assert applied(mapping, **rows).rejected == ()

    strict = ServerChecks(keeps_not_finite=False, empty_sparse=False, json_objects_only=True)
    mapped = applied(replace(mapping, server=strict), **rows)

    assert codes(mapped) == [
        ("row 1", "d", "not_finite"),
        ("row 2", "s", "empty_sparse_vector"),
        ("row 3", "d", "not_finite"),
        ("row 4", "j", "json_list"),
    ]
    lite = replace(mapping, server=ServerChecks(json_null=False))
    assert codes(applied(lite, **rows)) == [("row 5", "j", "json_null")]
    assert mapped.rejected[0].reason == "“d” is NaN or infinite, which this server does not take as DOUBLE."


def test_half_vectors_are_cast_to_float_vectors_and_back():
    """A preview needs this: the sample holds the first type that a field may have."""
    halves = pa.array([np.array([1, -0.5], "<f2").tobytes(), None], pa.binary(4))
    floats, found = cast_values(halves, pa.list_(pa.float32(), 2), "v")
    assert (floats.to_pylist(), found) == ([[1.0, -0.5], None], ())
    assert cast_values(halves[1:], floats.type, "v")[0].to_pylist() == [None]
    lists = pa.array([[1, -0.5], None, [1, 2, 3]], pa.list_(pa.float32()))
    again, (finding,) = cast_values(lists, halves.type, "v")
    assert again.to_pylist() == [*halves.to_pylist(), None]
    assert (finding.code, finding.rows.tolist()) == ("wrong_dimension", [2])


def test_a_float_keeps_its_short_form_in_the_dynamic_field():
    numbers = dynamic("l", "ARRAY", element_type="FLOAT")
    mapped = applied(mapping_of(dynamic("r", "FLOAT"), numbers), r=[0.1, None], l=[[0.1, 3.4028235e38], None])
    assert mapped.rows.column("$meta").to_pylist() == [
        '{"r":0.1,"l":[0.1,3.4028235e+38]}',
        '{"r":null,"l":null}',
    ]


def test_a_row_with_several_faults_is_rejected_for_the_first():
    mapped = applied(mapping_of(text("t", 1), text("u", 1)), t=["aa", "a"], u=["bb", "bb"])
    assert codes(mapped) == [("row 0", "t", "too_long"), ("row 1", "u", "too_long")]


# ---------------------------------------------------------------- NULL


def test_null_is_moved_into_a_nullable_field_and_rejected_otherwise():
    mapped = applied(mapping_of(text("t", nullable=True), text("u")), t=[None, "a"], u=["b", None])
    assert mapped.rows.column("t").to_pylist() == [None]
    assert codes(mapped) == [("row 1", "u", "null")]
    assert mapped.rejected[0].reason == "“u” is NULL; the field does not take NULL."


def test_null_is_replaced_by_fill_null_or_otherwise_by_the_default():
    fields = (
        text("t", fill_null="–"),
        text("u", default="d"),
        text("w", default="d", fill_null="f", nullable=True),
        array(fill_null=[]),
        {"source": "n", "target": "n", "type": "INT32", "fill_null": 0},
    )
    mapped = applied(mapping_of(*fields), t=[None], u=[None], w=[None], a=[None], n=[None])
    assert mapped.rejected == ()
    assert mapped.rows.select(["t", "u", "w", "a", "n"]).to_pylist() == [
        {"t": "–", "u": "d", "w": "f", "a": [], "n": 0}
    ]


def test_a_row_with_a_null_vector_is_skipped_or_rejected_as_the_plan_says():
    vectors = [[1, 2], None, [np.nan, 1], None]
    mapped = applied(mapping_of(), v=vectors)
    assert (mapped.skipped, codes(mapped)) == (2, [("row 2", "v", "not_finite")])
    assert mapped.rows.column("id").to_pylist() == [0]
    mapped = applied(mapping_of(absent_vectors="reject"), v=vectors)
    assert mapped.skipped == 0
    assert [r.code for r in mapped.rejected] == ["null_vector", "not_finite", "null_vector"]


SPARSE = {"source": "s", "target": "s", "type": "SPARSE_FLOAT_VECTOR"}
ENTRY = [{"index": 3, "value": 0.5}]


@pytest.mark.parametrize(
    ("v", "s", "kept", "skipped", "rejected"),
    [
        ("skip", "skip", [0], 3, []),
        ("reject", "reject", [0], 0, ["row 1", "row 2", "row 3"]),
        ("skip", "reject", [0], 2, ["row 2"]),  # a row that lacks both is skipped
        ("null", "skip", [0, 1], 2, []),
        ("reject", "empty", [0, 2], 0, ["row 1", "row 3"]),
        ("null", "empty", [0, 1, 2, 3], 0, []),
    ],
)
def test_each_vector_has_its_own_rule_for_rows_that_lack_it(v, s, kept, skipped, rejected):
    """Row 1 lacks the dense vector, row 2 the sparse one, and row 3 both."""
    fields = [KEY, VECTOR | {"absent": v, "nullable": v == "null"}, SPARSE | {"absent": s}]

    mapped = applied(mapping_of(fields=fields), v=[[1, 2], None, [1, 2], None], s=[ENTRY, ENTRY, None, None])

    assert mapped.rows.column("id").to_pylist() == kept
    assert (mapped.skipped, [row.locator for row in mapped.rejected]) == (skipped, rejected)
    assert {row.code for row in mapped.rejected} <= {"null_vector"}
    dense = {0: [1, 2], 1: None, 2: [1, 2], 3: None}
    sparse = {0: ENTRY, 1: ENTRY, 2: [], 3: []}
    assert mapped.rows.column("v").to_pylist() == [dense[row] for row in kept]
    assert mapped.rows.column("s").to_pylist() == [sparse[row] for row in kept]


def test_a_vector_of_a_nullable_field_may_still_be_required():
    fields = [KEY, VECTOR | {"absent": "reject", "nullable": True}]

    mapped = applied(mapping_of(fields=fields), v=[None, [1, 2]])

    assert codes(mapped) == [("row 0", "v", "null_vector")]
    assert mapped.rows.schema.field("v").nullable


def test_a_skipped_row_is_not_rejected_as_well():
    mapped = applied(mapping_of(text("t", 1)), v=[None, [1, 2]], t=["aa", "aa"])
    assert (mapped.skipped, codes(mapped)) == (1, [("row 1", "t", "too_long")])


def test_a_null_key_is_rejected():
    mapped = applied(mapping_of(), id=[None, 1])
    assert codes(mapped) == [("row 0", "id", "null_key")]


# ---------------------------------------------------------------- equal keys


def test_the_last_row_with_equal_keys_wins_and_the_others_are_counted():
    mapped = applied(mapping_of(text()), id=[5, 1, 5, 2, 1, 5], t=list("abcdef"))
    assert mapped.rows.select(["id", "t"]).to_pylist() == [
        {"id": 2, "t": "d"},
        {"id": 1, "t": "e"},
        {"id": 5, "t": "f"},
    ]
    assert mapped.collapsed == 3
    assert mapped.locators.to_pylist() == ["row 3", "row 4", "row 5"]


def test_a_rejected_row_does_not_replace_a_good_row_with_the_same_key():
    mapped = applied(mapping_of(text("t", 1)), id=[1, 1], t=["a", "bb"])
    assert mapped.rows.column("t").to_pylist() == ["a"]
    assert (mapped.collapsed, len(mapped.rejected)) == (0, 1)


def test_text_keys_are_compared_byte_by_byte():
    keys = ["a", "A", "a ", "\u00e1", "a\u0301", "", "a"]
    mapped = applied(mapping_of(text("k", 20), key="k"), k=keys)
    assert mapped.collapsed == 1
    assert mapped.rows.column("k").to_pylist() == keys[1:]


# ---------------------------------------------------------------- the dynamic field


def test_columns_go_into_the_dynamic_field_with_exact_values():
    fields = (
        dynamic("big", "INT64"),
        dynamic("t", "VARCHAR", "the text"),
        dynamic("j", "JSON"),
        dynamic("a", "ARRAY", element_type="VARCHAR", max_capacity=5, max_length=5),
        dynamic("f", "DOUBLE"),
        dynamic("b", "BOOL"),
    )
    mapped = applied(
        mapping_of(*fields),
        big=[-(2**63), None],
        t=['"\\\n\x00', None],
        j=['{"a": 1, "a": 2, "n": 12345678901234567890123}', None],
        a=[["x", None], []],
        f=[0.1, -0.0],
        b=[True, False],
    )
    first, second = mapped.rows.column("$meta").to_pylist()
    assert '{"a": 1, "a": 2, "n": 12345678901234567890123}' in first
    assert json.loads(first) == {
        "big": -(2**63),
        "the text": '"\\\n\x00',
        "j": {"a": 2, "n": 12345678901234567890123},
        "a": ["x", None],
        "f": 0.1,
        "b": True,
    }
    assert second == '{"big":null,"the text":null,"j":null,"a":[],"f":-0.0,"b":false}'


def test_a_dynamic_field_without_columns_is_an_empty_object():
    assert applied(mapping_of(), id=[1, 2]).rows.column("$meta").to_pylist() == ["{}", "{}"]


def test_no_dynamic_field_is_sent_if_it_is_off():
    assert applied(mapping_of(dynamic_field=False), id=[1]).rows.schema.names == ["id", "v"]


def test_values_that_the_dynamic_field_cannot_store_are_rejected():
    fields = (
        dynamic("f", "FLOAT"),
        dynamic("l", "ARRAY", element_type="DOUBLE", max_capacity=9),
        dynamic("t", "VARCHAR"),
    )
    mapped = applied(
        mapping_of(*fields),
        f=[1, np.nan, 1, 1],
        l=[[1.0], [1.0], [1.0, np.inf], []],
        t=["a", "a", "a", "x" * 65_536],
    )
    assert codes(mapped) == [
        ("row 1", "f", "not_finite"),
        ("row 2", "l", "not_finite"),
        ("row 3", "$meta", "dynamic_too_large"),
    ]
    assert mapped.rows.num_rows == 1


# ---------------------------------------------------------------- stored values of a rejected row


def test_a_rejected_row_is_stored_as_json_with_every_value():
    fields = (
        text("t", 1),
        {"source": "d", "target": "d", "type": "DOUBLE"},
        {"source": "b", "target": "b", "type": "BINARY_VECTOR", "dim": 16},
    )
    mapped = applied(mapping_of(*fields), id=[2**63 - 1], t=["zu lang"], d=[np.nan], b=[b"\x01\xff"])
    assert orjson.loads(mapped.rejected[0].row) == {
        "id": 2**63 - 1,
        "v": [1.0, 2.0],
        "t": "zu lang",
        "d": "nan",
        "b": "01ff",
    }


def test_a_huge_rejected_row_is_shortened():
    mapped = applied(mapping_of(text("t", 10), text("u", 10)), t=["é" * 10**6], u=["short"])
    row = orjson.loads(mapped.rejected[0].row)
    assert row["t"].endswith("(1,000,000 characters)")
    assert row["u"] == "short"
    assert len(mapped.rejected[0].row) < 2_000
