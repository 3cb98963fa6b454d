"""Duplicate keys: how many missing rows the count of the source explains."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.mapping.dedup import last_of_each
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.model.joined_key_text import PART
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.verification.duplicate_keys import Replaced, key_rows, replaced

T = MilvusType
# A row: its key, and True if it is rejected.
ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9).map(lambda n: n == 0)), max_size=40)


def duplicates_of(keys):
    return len(keys) - len(set(keys))


def moved(rows, batch_rows):
    """Return the counters and the number of rows in the target after ``rows`` were moved in batches."""
    counters, target = Counters(), set()
    for start in range(0, len(rows), batch_rows):
        batch = rows[start : start + batch_rows]
        good = pa.array([key for key, is_rejected in batch if not is_rejected], pa.int64())
        kept = last_of_each(good)
        sent = good if kept is None else good.take(pa.array(kept))
        rejected, collapsed = len(batch) - len(good), len(good) - len(sent)
        counters += Counters(len(batch), len(sent), rejected, collapsed=collapsed)
        target.update(sent.to_pylist())
    return counters, len(target)


@given(ROWS, st.integers(1, 9))
def test_the_rows_missing_in_the_target_are_always_explained(rows, batch_rows):
    counters, stored = moved(rows, batch_rows)
    duplicates = duplicates_of([key for key, _ in rows])
    assert replaced(counters, [duplicates], len(rows)).explains(counters.written - stored)


@given(ROWS, st.integers(1, 9))
def test_without_rejected_rows_the_number_is_exact(rows, batch_rows):
    rows = [(key, False) for key, _ in rows]
    counters, stored = moved(rows, batch_rows)
    found = replaced(counters, [duplicates_of([key for key, _ in rows])], len(rows))
    assert found == Replaced(counters.written - stored, counters.written - stored)


@given(ROWS, st.integers(1, 9), st.integers(0, 40))
def test_rows_beyond_the_limit_are_taken_into_account(rows, batch_rows, limit):
    counters, stored = moved(rows[:limit], batch_rows)
    duplicates = duplicates_of([key for key, _ in rows])
    assert replaced(counters, [duplicates], len(rows)).explains(counters.written - stored)


@given(ROWS, ROWS, st.integers(1, 9))
def test_rows_added_to_the_source_in_the_meantime_are_taken_into_account(rows, new, batch_rows):
    counters, stored = moved(rows + new, batch_rows)
    duplicates = duplicates_of([key for key, _ in rows])
    assert replaced(counters, [duplicates], len(rows)).explains(counters.written - stored)


@pytest.mark.parametrize(
    ("counters", "duplicates"),
    [(Counters(read=10, written=10), 50), (Counters(read=1000, written=500, rejected=500), 900)],
)
def test_duplicate_keys_never_explain_a_target_without_rows(counters, duplicates):
    """One row of each key stays in the target."""
    explained = replaced(counters, [duplicates], 100)
    assert not explained.explains(counters.written)
    assert explained.explains(counters.written - 1)


def test_two_counts_explain_every_number_between_them():
    assert replaced(Counters(read=100, written=95, collapsed=5), (10, 20), 100) == Replaced(5, 15)
    assert str(Replaced(5, 1500)) == "5 to 1,500"
    assert str(Replaced(5, 5)) == "5"


# ---------------------------------------------------------------- the keys to count


def plan_of(**options):
    fields = [
        {"source": "sku", "target": "k", "type": "VARCHAR", "max_length": 9},
        {"source": "v", "target": "v", "type": "FLOAT_VECTOR", "dim": 2},
        {"source": "w", "target": "w", "type": "FLOAT_VECTOR", "dim": 2, "nullable": True},
        {"source": "note", "dynamic": True, "as": "note", "type": "VARCHAR"},
    ]
    return CollectionPlan.model_validate(
        {"source": "s", "target": "t", "key": "sku", "fields": fields} | options
    )


def test_keys_are_counted_in_their_target_type_and_only_in_rows_that_are_not_skipped():
    found = key_rows(plan_of())
    assert found.columns == (ReadColumn("sku", TypeSpec(T.VARCHAR, max_length=9)),)
    assert found.present == ("sku", "v")
    assert key_rows(plan_of(absent_vectors="reject")).present == ("sku",)


@pytest.mark.parametrize("key", [["a", "sku"], ["sku", "a", "b"]])
def test_parts_of_a_joined_key_are_counted_as_texts(key):
    found = key_rows(plan_of(key=key))
    assert found.columns == tuple(ReadColumn(part, PART) for part in key)
    assert found.present == (*key, "v")
