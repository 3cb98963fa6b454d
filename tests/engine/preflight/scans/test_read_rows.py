"""The check that reads rows: values that do not fit, vectors that are not read, and how far it looked."""

from dataclasses import replace
from typing import Any

import orjson
import pyarrow as pa
import pytest

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.batch import ReadPlan
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.types import TypeSpec, arrow_type
from migrations_app.engine.preflight import Preflight, check_plan
from migrations_app.engine.preflight.scans import read_rows
from migrations_app.engine.preflight.scans.all_rows import ScanBudget
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading import measure
from tests.engine.preflight.preflights import T
from tests.kit import (
    JsonSource,
    MemoryCollection,
    MemoryDatabase,
    MemoryStore,
    MemoryTarget,
    memory_collection,
    memory_database,
    memory_store,
)
from tests.kit.memory_target import EVERYTHING

SPECS = {
    "id": TypeSpec(T.INT64),
    "v": TypeSpec(T.FLOAT_VECTOR, dim=2),
    "s": TypeSpec(T.SPARSE_FLOAT_VECTOR),
    "payload": TypeSpec(T.JSON),
}
ENTRY = [{"index": 1, "value": 0.5}]


def points(payloads: list[Any], sparse: list[Any] | None = None, absent: int = 0) -> MemoryCollection:
    """Points with these payloads; the last ``absent`` of them lack the dense vector."""
    number = len(payloads)
    dense = [[1.0, 2.0]] * (number - absent) + [None] * absent
    rows = pa.record_batch(
        {
            "id": pa.array(range(number), pa.int64()),
            "v": pa.array(dense, pa.list_(pa.float32(), 2)),
            "s": pa.array(sparse or [ENTRY] * number, arrow_type(SPECS["s"])),
            "payload": pa.array([orjson.dumps(payload).decode() for payload in payloads]),
        }
    )
    return memory_collection(rows, SPECS, "id", rest="payload")


class LightSource(JsonSource):
    """A source that can leave vectors out, and remembers which columns were read."""

    reads_without_vectors = True
    read_plans: list[ReadPlan] = []

    def read(self, ref, part, after, plan, ctx):
        self.read_plans.append(plan)
        return super().read(ref, part, after, plan, ctx)


def checked(
    collection: MemoryCollection,
    *fields: dict[str, Any],
    kind: type[JsonSource] = JsonSource,
    budget: ScanBudget | None = None,
    capabilities: Capabilities = EVERYTHING,
) -> Preflight:
    own = [{"source": "id"}, {"source": "v"}, {"source": "s"}]
    plan = {
        "version": 1,
        "source": {"kind": "memory"},
        "target": {"kind": "memory"},
        "collections": [{"source": "a", "fields": [*own, *fields]}],
        "options": {"max_skipped": 1.0},
    }
    with (
        memory_store(MemoryStore({"a": collection})) as source_settings,
        memory_database(MemoryDatabase(capabilities=capabilities)) as target_settings,
        kind(source_settings) as source,
        MemoryTarget(target_settings, "default") as target,
    ):
        return check_plan(Plan.model_validate(plan), source, target, ReadContext(), budget=budget)


def lost(found: Preflight) -> list[str]:
    return [fault.message for fault in found.faults if fault.code == "rows_lost"]


PRICES = [{"price": 9}] * 190 + [{"price": "9"}] * 6 + [{"price": 2**63}] * 3 + [{}]


def test_values_of_a_document_key_that_do_not_fit_are_counted_in_all_rows():
    price = {"source": "payload.price", "type": "INT64"}
    found = checked(points(PRICES), price | {"misfit": "reject"})
    assert lost(found) == ["9 of 200 rows would be rejected: “payload.price” does not fit its type."]
    (fault,) = [fault for fault in found.faults if fault.code == "rows_lost"]
    assert [fix.label for fix in fault.fixes] == ["Keep such values in the dynamic field", "Leave it out"]
    found = checked(points(PRICES), price)  # the default
    assert lost(found) == []
    (one,) = found.collections
    assert (
        "“payload.price” does not fit as INT64 in 9 of 200 rows: these values go into the dynamic field."
    ) in one.notes
    assert (one.losses.rejected, one.looked) == (
        0,
        "All 200 rows were checked for NULL, lengths and sizes.",
    )


def test_all_rows_are_read_without_dense_vectors_if_the_source_can_leave_them_out(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(read_rows, "FEW_ROWS", 50)
    monkeypatch.setattr(LightSource, "read_plans", [])
    price = {"source": "payload.price", "type": "INT64", "misfit": "reject"}
    found = checked(points(PRICES, absent=4), price, kind=LightSource)
    assert lost(found)[0] == (
        "9 of 200 rows would be rejected or skipped: “payload.price” does not fit its type."
    )
    (one,) = found.collections
    assert one.looked == (
        "All 200 rows were checked for NULL, lengths and sizes, without the numbers in “v”."
    )
    (plan,) = [plan for plan in LightSource.read_plans if len(plan.columns) > 2]
    assert [column.path for column in plan.columns] == ["id", "s", "payload"]
    # Three of the rows that lack a vector also have a price that does not fit.
    assert (one.losses.skipped, one.losses.rejected, one.losses.is_exact) == (4, 5, False)
    assert "4 of 200 rows lack “v” and will be skipped." in one.notes


def test_the_first_rows_of_a_large_collection_are_checked_and_the_check_says_so(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(read_rows, "FEW_ROWS", 195)
    price = {"source": "payload.price", "type": "INT64", "misfit": "reject"}
    found = checked(points(PRICES), price)
    assert lost(found) == [
        "5 of the first 195 rows would be rejected: “payload.price” does not fit its type."
    ]
    (one,) = found.collections
    assert one.looked == (
        "Only the first 195 of about 200 rows were checked for NULL, lengths and sizes. The job checks the "
        "others while it moves them."
    )
    monkeypatch.setattr(read_rows, "FEW_ROWS", 1)
    (one,) = checked(points(PRICES), price).collections
    assert one.looked.startswith("Only the first of about 200 rows was checked for NULL")


def test_when_time_is_up_the_check_says_how_many_rows_it_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_rows, "FEW_ROWS", 50)
    read = JsonSource.read

    def slow(self, ref, part, after, plan, ctx):
        """One row at a time; the tenth one never arrives."""
        for batch in read(self, ref, part, after, replace(plan, batch_bytes=1), ctx):
            if batch.after == 10:
                ctx.stop.wait(60)
            yield batch

    monkeypatch.setattr(JsonSource, "read", slow)
    monkeypatch.setattr(measure, "SECONDS", 0.1)
    (one,) = checked(points(PRICES), kind=LightSource, budget=ScanBudget(0.6)).collections
    assert one.looked.startswith("Only the first 9 of about 200 rows were checked")
    assert (one.losses.rows, one.losses.is_complete) == (9, False)


def test_without_time_nothing_is_called_checked():
    (one,) = checked(points(PRICES), budget=ScanBudget(0.0)).collections
    assert one.losses is None
    assert one.looked.startswith("The source cannot check all rows")


@pytest.mark.parametrize("is_large", [False, True])
def test_sparse_vectors_that_milvus_refuses_are_counted_before_the_move(
    monkeypatch: pytest.MonkeyPatch, is_large: bool
):
    if is_large:
        monkeypatch.setattr(read_rows, "FEW_ROWS", 5)
    entries = [
        *[[{"index": 1, "value": -0.5}]] * 2,
        *[[{"index": 2**32 - 1, "value": 0.5}]] * 3,
        *[ENTRY] * 5,
    ]
    found = checked(points([{}] * 10, entries), kind=LightSource)
    assert lost(found) == [
        "3 of 10 rows would be rejected: “s” has an index above 4,294,967,294, which Milvus does not take.",
        "2 of 10 rows would be rejected: “s” has a negative value.",
    ]


@pytest.mark.parametrize(("empty_sparse", "json_objects_only"), [(True, False), (False, True)])
def test_what_only_this_server_refuses_is_counted_by_its_field(empty_sparse: bool, json_objects_only: bool):
    old = replace(EVERYTHING, empty_sparse=empty_sparse, json_objects_only=json_objects_only)
    found = checked(
        points([{"tags": {"a": 1}}] * 190 + [{"tags": [1]}] * 10, [ENTRY] * 195 + [[]] * 5),
        {"source": "payload.tags", "type": "JSON", "target": "tags", "nullable": True},
        capabilities=old,
    )
    expected = [
        "10 of 200 rows would be rejected: “payload.tags” is a list, and this server stores only JSON "
        "objects.",
        "5 of 200 rows would be rejected: “s” is an empty sparse vector.",
    ]
    assert lost(found) == ([] if empty_sparse else expected)
