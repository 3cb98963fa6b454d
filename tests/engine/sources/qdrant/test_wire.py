"""The wire format of points: read in parallel, it is what protobuf and one point after another give."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import grpc
from qdrant_client.conversions.conversion import json_to_value

from migrations_app.engine.sources.qdrant.wire.fields import MOST_FIELDS, Malformed
from migrations_app.engine.sources.qdrant.wire.page import GOT, Page

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
IDS = st.integers(0, 2**64 - 1) | st.uuids().map(str)
DENSE = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3)
SPARSE = st.dictionaries(st.integers(0, 2**32 - 1), st.floats(width=32, allow_nan=False), max_size=4)
POINTS = st.lists(
    st.tuples(IDS, st.dictionaries(TEXTS, VALUES, max_size=5), st.none() | DENSE, st.none() | SPARSE),
    max_size=8,
)


def vector(dense: list[float] | None, sparse: dict[int, float] | None, typed: bool) -> Any:
    if dense is not None:
        return grpc.VectorOutput(dense={"data": dense}) if typed else grpc.VectorOutput(data=dense)
    assert sparse is not None
    values, indices = list(sparse.values()), list(sparse)
    if typed:
        return grpc.VectorOutput(sparse={"values": values, "indices": indices})
    return grpc.VectorOutput(data=values, indices={"data": indices})


def point(each: tuple[Any, ...], typed: bool) -> grpc.RetrievedPoint:
    own_id, payload, dense, sparse = each
    found = grpc.RetrievedPoint(id={"uuid" if isinstance(own_id, str) else "num": own_id})
    for key, value in payload.items():
        found.payload[key].CopyFrom(json_to_value(value))
    found.vectors.vectors.SetInParent()
    if dense is not None:
        found.vectors.vectors.vectors["d"].CopyFrom(vector(dense, None, typed))
    if sparse is not None:
        found.vectors.vectors.vectors["s"].CopyFrom(vector(None, sparse, typed))
    return found


def answer(points: list[grpc.RetrievedPoint], next_id: Any = None) -> bytes:
    return grpc.ScrollResponse(result=points, next_page_offset=next_id, time=0.5).SerializeToString()


@given(POINTS, st.booleans())
def test_a_page_is_what_was_sent(points: list[tuple[Any, ...]], typed: bool) -> None:
    page = Page(answer([point(each, typed) for each in points], {"num": 7}))
    assert page.next_id == 7
    assert page.id_list() == [each[0] for each in points]
    payloads = page.payloads
    assert not len(payloads.odd)
    documents = [page.document(row) for row in range(len(page))]
    assert payloads.texts.to_pylist() == [orjson.dumps(each["payload"]) for each in documents]
    assert [repr(each["payload"]) for each in documents] == [repr(_sorted(each[1])) for each in points]
    dense = page.dense("d")
    assert dense.rows.tolist() == [row for row, each in enumerate(points) if each[2] is not None]
    assert dense.floats.tolist() == [number for each in points for number in each[2] or ()]
    sparse = page.sparse("s")
    assert sparse.rows.tolist() == [row for row, each in enumerate(points) if each[3] is not None]
    assert sparse.indices.tolist() == [index for each in points for index in each[3] or ()]
    assert repr(sparse.values.tolist()) == repr(
        [number for each in points for number in (each[3] or {}).values()]
    )
    assert [sorted(each["vectors"]) for each in documents] == [
        sorted(name for name, value in (("d", each[2]), ("s", each[3])) if value is not None)
        for each in points
    ]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def test_an_unnamed_vector_has_an_empty_name() -> None:
    found = grpc.RetrievedPoint(id={"num": 0}, vectors={"vector": {"dense": {"data": [1, 2]}}})
    page = Page(grpc.GetResponse(result=[found]).SerializeToString(), GOT)
    assert page.dense("").floats.tolist() == [1, 2]
    assert page.document(0)["vectors"][""].tolist() == [1, 2]
    assert page.next_id is None
    assert len(page.dense("other").rows) == 0


def test_what_would_slow_down_the_page_is_left_to_the_point_itself() -> None:
    long, deep = list(range(2 * MOST_FIELDS)), orjson.loads("[" * 30 + "]" * 30)
    payloads: list[dict[str, Any]] = [
        {"a": 1},
        {"long": long},
        {"deep": deep},
        {str(n): n for n in range(400)},
    ]
    page = Page(answer([point((n, each, None, None), True) for n, each in enumerate(payloads)]))
    assert page.payloads.odd.tolist() == [1, 2, 3]
    assert [page.document(row)["payload"] for row in range(4)] == [_sorted(each) for each in payloads]


@pytest.mark.parametrize("value", [2.0**63, float(2**64 - 2**11), -0.0, 1e30, -(2.0**63), 2.0**62])
def test_doubles_that_may_be_integers_are_noticed(value: float) -> None:
    page = Page(answer([point((1, {"a": [{"b": value}]}, None, None), True)]))
    assert page.has_rounded_integers is (2**63 <= value < 2**64)


def test_numbers_that_are_not_finite_are_not_written_as_null() -> None:
    page = Page(answer([point((n, {"a": n / 2}, None, None), True) for n in range(3)]))
    found = point((4, {"a": 0.5}, None, None), True)
    found.payload["a"].double_value = float("nan")
    page = Page(answer([point((1, {"a": 0.5}, None, None), True), found]))
    assert page.payloads.odd.tolist() == [1]


@given(st.binary(max_size=60), st.integers(0, 200))
def test_broken_answers_are_refused_or_read(noise: bytes, at: int) -> None:
    """Never another exception, and never an endless loop."""
    whole = answer([point((1, {"a": [1, "b"]}, [1, 2, 3], {4: 0.5}), True)])
    broken = whole[: at % len(whole)] + noise + whole[at % len(whole) + len(noise) :]
    try:
        page = Page(broken)
        page.id_list()
        page.payloads.texts.to_pylist()
        page.dense("d")
        page.sparse("s")
    except (Malformed, IndexError, TypeError, ValueError):  # what a read reports as an unknown form
        return
    assert isinstance(page.dense("d").floats, np.ndarray)
