"""Joined keys: two different keys never become the same text, whatever their parts contain."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.model.joined_key_text import joined, split_joined
from tests.engine.mapping.mappings import applied, codes, mapping_of, text

# Texts of the characters that escaping is about, and any other texts.
PARTS = st.text("%/25F2f", max_size=6) | st.text(max_size=6)
KEYS = st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(PARTS, min_size=n, max_size=n), max_size=12))


def join(*keys):
    return joined([pa.array(texts, pa.string()) for texts in zip(*keys, strict=True)]).to_pylist()


@given(KEYS)
def test_different_keys_stay_different_when_joined(keys):
    if keys:
        found = join(*keys)
        assert len(set(found)) == len({tuple(key) for key in keys})
        assert [split_joined(one, len(keys[0])) for one in found] == keys


def test_only_ambiguous_characters_are_escaped():
    assert join(("a", "b"), ("a/b", "c"), ("a", "b/c"), ("50%", "50%"), ("", "")) == [
        "a/b",
        "a%2Fb/c",
        "a/b/c",
        "50%25/50%",
        "/",
    ]
    assert join(("%2F", "x"), ("/", "x")) == ["%252F/x", "%2F/x"]


def test_a_joined_key_with_a_null_part_is_null():
    assert join(("a", None), (None, "b"), ("a", "b")) == [None, None, "a/b"]


def mapping_with_joined_key():
    plan = {"key": ["tenant", "code"], "key_name": "pk", "key_max_length": 8, "dynamic_field": False}
    fields = [text("tenant"), {"source": "v", "target": "v", "type": "FLOAT_VECTOR", "dim": 2}]
    return mapping_of(**plan | {"fields": fields})


def test_a_mapping_joins_the_key_and_also_moves_a_part_as_a_field():
    mapped = applied(mapping_with_joined_key(), tenant=["a/b", "c"], code=["x", "y"])
    assert mapped.rows.schema.names == ["pk", "tenant", "v"]
    assert mapped.rows.column("pk").to_pylist() == ["a%2Fb/x", "c/y"]
    assert mapped.rows.column("tenant").to_pylist() == ["a/b", "c"]
    key = mapped.rows.schema.field("pk")
    assert (key.type, key.nullable) == (pa.string(), False)


def test_equal_joined_keys_of_a_batch_are_collapsed():
    mapped = applied(
        mapping_with_joined_key(), tenant=["a", "b", "a"], code=["x"] * 3, v=[[1, 1], [2, 2], [3, 3]]
    )
    assert mapped.rows.column("pk").to_pylist() == ["b/x", "a/x"]
    assert mapped.rows.column("v").to_pylist() == [[2, 2], [3, 3]]
    assert mapped.collapsed == 1


def test_a_row_with_a_null_part_of_its_key_or_a_key_that_is_too_long_is_rejected():
    mapped = applied(
        mapping_with_joined_key(), tenant=["a", None, "b", "c"], code=[None, "x", "too long", "y"]
    )
    assert mapped.rows.column("pk").to_pylist() == ["c/y"]
    assert codes(mapped) == [
        ("row 0", "code", "null_key"),
        ("row 1", "tenant", "null_key"),
        ("row 2", "pk", "too_long"),
    ]
    assert mapped.rejected[0].reason == "“code”, a part of the key, is NULL."
