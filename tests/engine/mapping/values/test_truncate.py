"""Truncate (``too_long: truncate``): texts are cut after a whole character to fit the field, and counted."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.mapping.values.truncate import truncate
from migrations_app.engine.model.batch import Batch
from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engine.mapping.mappings import applied, array, batch_of, codes, mapping_of, text

T = MilvusType
TEXTS = st.text(max_size=8) | st.text("aé€😀", max_size=8)


def test_a_text_is_cut_at_the_last_whole_character_that_fits():
    mapped = applied(
        mapping_of(text(max_length=4, too_long="truncate")),
        t=["abcd", "abcde", "abcé", "aé€", "😀😀", "a😀", "", "éé\x00"],
    )
    assert mapped.rejected == ()
    assert mapped.rows.column("t").to_pylist() == ["abcd", "abcd", "abc", "aé", "😀", "a", "", "éé"]
    assert mapped.cut == 6


def test_elements_of_an_array_are_cut_and_each_field_of_a_row_counts_once():
    tags = array("VARCHAR", max_capacity=4, max_length=3, too_long="truncate", nullable=True)
    mapped = applied(
        mapping_of(tags, text(max_length=1, too_long="truncate")),
        a=[["abcd", "", "é€"], None, [], ["ok"], ["ééé"]],
        t=["aa", "a", "a", "a", "é"],
    )
    assert mapped.rows.column("a").to_pylist() == [["abc", "", "é"], None, [], ["ok"], ["é"]]
    assert mapped.rows.column("t").to_pylist() == ["a", "a", "a", "a", ""]
    assert mapped.cut == 4


def test_rows_with_other_faults_are_still_rejected():
    tags = array("VARCHAR", max_capacity=1, max_length=1, too_long="truncate")
    mapped = applied(mapping_of(tags), a=[["aa"], ["aa", "b"], ["aa", None], [None]])
    assert [code for _, _, code in codes(mapped)] == ["too_many_items", "too_many_items", "null_item"]
    assert (mapped.rows.column("a").to_pylist(), mapped.cut) == ([["a"]], 1)


def test_only_values_that_are_written_are_counted():
    mapping = mapping_of(text(max_length=1, too_long="truncate"), text("u", 1))
    mapped = applied(mapping, id=[1, 2, 3, 3], t=["aa"] * 4, u=["a", "bb", "c", "d"])
    assert (mapped.rows.num_rows, len(mapped.rejected), mapped.collapsed, mapped.cut) == (2, 1, 1, 2)


def test_a_column_without_long_texts_is_not_copied():
    batch = batch_of(mapping := mapping_of(text(too_long="truncate")), t=["abc", "d"])
    assert (
        mapping.apply(batch).rows.column("t").buffers()[2].address
        == batch.rows.column("t").buffers()[2].address
    )


@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_slice_of_a_larger_batch_is_cut_only_in_its_rows(start):
    tags = array("VARCHAR", max_capacity=4, max_length=1, too_long="truncate", nullable=True)
    mapping = mapping_of(tags, text(max_length=1, too_long="truncate", nullable=True))
    batch = batch_of(mapping, a=[["xx"], ["a", "bb"], None, ["cc", ""]], t=["xx", None, "b", "cc"])
    mapped = mapping.apply(Batch(batch.rows.slice(start), 0, batch.locators.slice(start)))
    assert mapped.rows.column("a").to_pylist() == [["x"], ["a", "b"], None, ["c", ""]][start:]
    assert mapped.rows.column("t").to_pylist() == ["x", None, "b", "c"][start:]


@given(st.lists(st.none() | TEXTS, max_size=6), st.integers(1, 9))
def test_a_text_is_cut_to_the_longest_prefix_that_fits(values, limit):
    texts, rows = truncate(pa.array(values, pa.string()), TypeSpec(T.VARCHAR, max_length=limit))
    texts.validate(full=True)
    for number, (before, after) in enumerate(zip(values, texts.to_pylist(), strict=True)):
        if before is None or len(before.encode()) <= limit:
            assert after == before
            assert number not in rows
        else:
            longer = before[: len(after) + 1]
            assert before.startswith(after)
            assert len(after.encode()) <= limit < len(longer.encode())
            assert number in rows


@given(st.lists(st.none() | st.lists(st.none() | TEXTS, max_size=3), max_size=6), st.integers(1, 9))
def test_the_texts_of_a_list_are_cut_like_single_texts(values, limit):
    spec = TypeSpec(T.ARRAY, element_type=T.VARCHAR, max_length=limit, max_capacity=3)
    lists, rows = truncate(pa.array(values, pa.list_(pa.string())), spec)
    lists.validate(full=True)
    for number, (before, after) in enumerate(zip(values, lists.to_pylist(), strict=True)):
        alone = [truncate(pa.array([item], pa.string()), spec)[0][0].as_py() for item in before or []]
        assert after == (None if before is None else alone)
        assert (number in rows) == (before != after)
