"""Edge values of Qdrant as fields and vectors of Milvus: read back as Qdrant's own client reads them, or
rejected with the reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from qdrant_client import models
from qdrant_client.models import Datatype, Distance, VectorParams

from tests.roundtrip.point_mover import PointMover

LONGEST = 65_535


@dataclass(frozen=True)
class Key:
    """A payload key that becomes a field: the values that fit it, those that do not, and what replaces them
    where the target has no NULL."""

    name: str
    type: str
    fit: list[Any]
    misfit: list[Any]
    fill: Any
    element: str = ""

    def field(self, misfit: str, *, can_be_null: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"source": f"payload.{self.name}", "type": self.type, "misfit": misfit}
        if self.element:
            found["element_type"] = self.element
        return found | ({"nullable": True} if can_be_null else {"nullable": False, "fill_null": self.fill})


KEYS = [
    Key("int", "INT64", [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)], [1.5, "1", True, 2**63, [1], {"a": 1}], 0),
    Key(
        "double",
        "DOUBLE",
        [0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 0.1, 1.0, 7, 2**53],
        [2**53 + 1, "1.5", False, [], {}],
        0.0,
    ),
    Key("bool", "BOOL", [True, False], [1, 0.0, "true", []], False),
    Key(
        "text",
        "VARCHAR",
        ["", "a\x00\x1f\"'\\/\n\u2028", '{"a": 1}', "null", "12", "日本\U0001f600é", "x" * LONGEST],
        [1, 1.0, True, ["a"], {"a": "b"}],
        "",
    ),
    Key("ints", "ARRAY", [[], [1], [2**63 - 1, -(2**63), 0]], [[1, 1.5], [None], 1, "x", [[1]]], [], "INT64"),
    Key("doubles", "ARRAY", [[0.1, -0.0, 1e308], [], [1.0]], [["1"], [2**53 + 1]], [], "DOUBLE"),
    Key("bools", "ARRAY", [[True, False], []], [[1]], [], "BOOL"),
    Key("texts", "ARRAY", [["", "é\x00", "[1]"], [], ["x" * LONGEST]], [[1], ["a", None]], [], "VARCHAR"),
    Key(
        "json",
        "JSON",
        [{}, {"a.b $c": {"d": [None, 1.0, {}]}, "": ""}, {"n": 2**53 + 1, "s": "[]"}],
        [1, "a", True],
        {},
    ),
]
GOOD = [
    {key.name: key.fit[min(number, len(key.fit) - 1)] for key in KEYS}
    for number in range(max(len(key.fit) for key in KEYS))
]
BAD = [(key, value) for key in KEYS for value in key.misfit]


def fill(points: PointMover, payloads: list[dict[str, Any]], name: str = "docs") -> None:
    assert points.server is not None
    with points.server.client() as client:
        client.create_collection(name, vectors_config=VectorParams(size=2, distance=Distance.DOT))
        client.upsert(
            name,
            [models.PointStruct(id=n, vector=[n, 1], payload=payload) for n, payload in enumerate(payloads)],
        )


def read(points: PointMover) -> dict[str, models.Record]:
    assert points.server is not None
    with points.server.client() as client:
        return {str(each.id): each for each in client.scroll("docs", limit=10_000, with_vectors=True)[0]}


def same(found: Any, expected: Any) -> bool:
    """Whether two values are equal, with their types and signs."""
    return json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_edge_values_of_keys_arrive_in_their_fields_or_are_rejected(
    points: PointMover, protocol: str
) -> None:
    fill(points, GOOD + [{**GOOD[0], key.name: value} for key, value in BAD])
    fields = [key.field("reject", can_be_null=points.is_lite) for key in KEYS]
    moved = points.move(
        "docs", {"max_rejected": None}, settings={"protocol": protocol}, override=True, fields=fields
    )
    assert moved.report["status"] == "Successful", moved.log
    rows = moved.rows()
    assert len(rows) == len(GOOD)
    for key, record in read(points).items():
        for name, value in (record.payload or {}).items() if int(key) < len(GOOD) else ():
            is_double = next(k.type for k in KEYS if k.name == name) == "DOUBLE"
            assert same(rows[key][name], float(value) if is_double else value), (name, value)
    assert [(row["locator"], row["field"]) for row in moved.rejected] == [
        (str(len(GOOD) + n), f"payload.{key.name}") for n, (key, _) in enumerate(BAD)
    ]
    assert all(row["reason"] for row in moved.rejected)


def test_values_that_do_not_fit_stay_in_the_dynamic_field(points: PointMover) -> None:
    fill(points, [GOOD[0], *({**GOOD[0], key.name: value} for key, value in BAD)])
    fields = [key.field("dynamic", can_be_null=points.is_lite) for key in KEYS]
    moved = points.move("docs", override=True, fields=fields)
    assert moved.report["status"] == "Successful", moved.log
    assert not moved.rejected
    assert moved.counts["values_mismatched"] == len(BAD)
    rows = moved.rows()
    for number, (key, value) in enumerate(BAD, 1):
        row = rows[str(number)]
        assert same(row[f"{key.name}_misfit"], value), (key.name, value, row)
        assert row[key.name] == (None if points.is_lite else key.fill)


TINY, LARGEST = 2.0**-149, 3.4028234663852886e38
SPARSE = [
    ([7, 0, 2**32 - 2], [0.5, 1e-30, LARGEST], ""),
    ([2**32 - 1], [1.0], "index_too_large"),
    ([1, 2], [0.5, -0.5], "negative_value"),
    ([], [], "empty_sparse_vector"),
]


def test_vectors_of_each_kind_arrive_or_are_rejected(points: PointMover) -> None:
    """Milvus 2.3.5 has only one vector, and no sparse ones."""
    assert points.server is not None
    with points.server.client() as client:
        client.create_collection(
            "docs",
            vectors_config={
                "edges": VectorParams(size=3, distance=Distance.EUCLID),
                "half-size": VectorParams(size=2, distance=Distance.DOT, datatype=Datatype.FLOAT16),
                "byte": VectorParams(size=2, distance=Distance.COSINE, datatype=Datatype.UINT8),
            },
            sparse_vectors_config={"words": models.SparseVectorParams()},
        )
        vectors = [
            {
                "edges": [-0.0, TINY, LARGEST if number else -LARGEST],
                "half-size": [0.1, 65504],
                "byte": [0, 255],
                "words": models.SparseVector(indices=indices, values=values),
            }
            for number, (indices, values, _) in enumerate(SPARSE)
        ]
        client.upsert("docs", [models.PointStruct(id=n, vector=each) for n, each in enumerate(vectors)])
    moved = points.move("docs", {"max_rejected": None})
    assert moved.report["status"] == "Successful", moved.log
    codes = {row["locator"]: row["code"] for row in moved.rejected}
    assert codes == (
        {str(n): code for n, (_, _, code) in enumerate(SPARSE) if code} if points.is_lite else {}
    )
    names = ["edges", "half-size", "byte", "words"] if points.is_lite else ["edges"]
    records = read(points)
    rows = moved.rows()
    assert rows.keys() == records.keys() - codes.keys()
    for key, row in rows.items():
        for name in names:
            expected = (records[key].vector or {})[name]  # type: ignore[call-overload, index]
            found = row[name.replace("-", "_")]
            if name == "words":
                assert found == dict(zip(expected.indices, np.float32(expected.values), strict=True))
            else:
                assert np.float32(found).tobytes() == np.float32(expected).tobytes()


def test_keys_with_the_names_of_fields_keep_them(points: PointMover) -> None:
    """Only a key with the name of the dynamic field needs another name."""
    payload = {"id": 5, "vector": [1.5], "payload": {"a": None}, "a.b": 1, "$x y": ""}
    fill(points, [payload])
    fill(points, [{"$meta": {"a": 1}, "b": 2}], "meta")
    (fault,) = points.refused("meta")
    assert "$meta" in fault["message"]
    renamed = {"source": 'payload."$meta"', "dynamic": True, "as": "meta"}
    docs, meta = points.move_all(
        [{"source": "docs"}, {"source": "meta", "override": True, "fields": [renamed]}]
    )
    assert docs.report["status"] == "Successful", docs.log
    assert docs.rows() == {"0": {"id_2": "0", "vector_2": [0.0, 1.0], **payload}}
    assert meta.rows() == {"0": {"id": "0", "vector": [0.0, 1.0], "meta": {"a": 1}, "b": 2}}
