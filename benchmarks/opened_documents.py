"""Opened documents: five keys of each JSON document become fields, and the rest goes into the dynamic field.

Compared with the least that this can cost: ``orjson.loads``, ``pop`` of the five keys, and ``orjson.dumps``
of the rest, of the same documents. It runs on one core in this process, without an engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from benchmarks.json_pages import seconds_of
from benchmarks.measuring import wait_until_idle
from benchmarks.report import Table
from migrations_app.engine.mapping.apply import Mapping
from migrations_app.engine.mapping.compile import compile_mapping
from migrations_app.engine.model.batch import Batch
from migrations_app.engine.model.json.documents import MISSING
from migrations_app.engine.model.plan import CollectionPlan

HEADINGS = ("documents", "what", "documents/s", "µs/document", "× orjson")
DOCUMENTS = 20_000
KEYS = {"title": "VARCHAR", "price": "DOUBLE", "stock": "INT64", "is_new": "BOOL", "brand": "VARCHAR"}
NESTED = {path: type_ for path, type_ in KEYS.items() if path != "brand"} | {"author.name": "VARCHAR"}


@dataclass(frozen=True)
class Shape:
    """Documents, and the paths and types of the keys that become fields."""

    name: str
    keys: dict[str, str]
    document: Callable[[int], bytes]


def measure_documents(table: Table, turns: int) -> None:
    """Add lines for each kind of documents: the fastest of the runs counts."""
    wait_until_idle()
    _ways(SHAPES[0], 1)  # the first runs of a process are slower
    for shape in SHAPES:
        ways = _ways(shape, turns)
        for what, seconds in ways.items():
            per_document = seconds / DOCUMENTS * 1e6
            table.add(shape.name, what, round(DOCUMENTS / seconds), per_document, seconds / ways["orjson"])


def _ways(shape: Shape, turns: int) -> dict[str, float]:
    """Return the seconds of each way to move the documents."""
    texts = [shape.document(number) for number in range(DOCUMENTS)]
    taken, whole, batch = _mapping(shape.keys), _mapping({}), _batch(texts)
    assert not taken.apply(batch).rejected
    return {
        "orjson": seconds_of(lambda: _least(texts, shape.keys), turns),
        "vectorferry": seconds_of(lambda: taken.apply(batch), turns),
        "vectorferry, no key taken out": seconds_of(lambda: whole.apply(batch), turns),
    }


def _least(texts: Sequence[bytes], keys: dict[str, str]) -> list[bytes]:
    paths = [path.split(".") for path in keys]
    rest = []
    for text in texts:
        document = orjson.loads(text)
        for *above, last in paths:
            inner = document
            for part in above:
                inner = inner.get(part, MISSING)
            inner.pop(last, None)
        rest.append(orjson.dumps(document))
    return rest


def _mapping(keys: dict[str, str]) -> Mapping:
    fields: list[dict[str, Any]] = [
        {"source": f"m.{path}", "target": path.replace(".", "_"), "type": type_, "nullable": True}
        | ({"max_length": 256} if type_ == "VARCHAR" else {})
        for path, type_ in keys.items()
    ]
    plan = {"source": "s", "target": "t", "key": "id", "open": ["m"]}
    return compile_mapping(
        CollectionPlan.model_validate(
            {**plan, "fields": [{"source": "id", "target": "id", "type": "INT64"}, *fields]}
        )
    )


def _batch(texts: Sequence[bytes]) -> Batch:
    ids = pa.array(range(len(texts)), pa.int64())
    rows = pa.record_batch({"id": ids, "m": pa.array(texts, pa.binary()).cast(pa.string())})
    return Batch(rows, None, ids.cast(pa.string()))


def _document(number: int, **others: Any) -> bytes:
    return orjson.dumps(
        {
            "title": f"Item {number:08} and some words about it",
            "price": round(1 + number * 0.37 % 1000, 2),
            "stock": number % 1000,
            "is_new": number % 3 == 0,
            "brand": f"brand {number % 997}",
            "category": f"category-{number % 50:03}",
            "url": f"https://example.org/items/{number}",
            "rating": number % 50 / 10,
            "updated_at": 1_700_000_000_000 + number,
            "author": {"name": f"Author {number % 31}", "id": number % 31},
            "tags": ["a", "b", f"tag {number % 7}"],
        }
        | others
    )


def _with_exact_number(number: int) -> bytes:
    """A document that in one case of ten has a number that a double cannot hold."""
    total = b"12345678901234567890123.10" if number % 10 == 0 else b"1"
    return _document(number, total=orjson.Fragment(total))


def _as_jsonb(number: int) -> bytes:
    """A document in the form of PostgreSQL's jsonb, with blanks."""
    return json.dumps(orjson.loads(_document(number)), ensure_ascii=False).encode()


SHAPES = (
    Shape("five keys", KEYS, _document),
    Shape("five keys of a jsonb", KEYS, _as_jsonb),
    Shape("five keys, one inside an object", NESTED, _document),
    Shape("five keys, scores of 16 digits", KEYS, lambda number: _document(number, score=(number + 1) / 7)),
    Shape("five keys, one in ten is exact", KEYS, _with_exact_number),
)
