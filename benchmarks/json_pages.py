"""JSON pages: the conversion of JSON documents to batches, compared with orjson.loads of the same page.

It runs on one core in this process, without an engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from benchmarks.measuring import wait_until_idle
from benchmarks.report import Table
from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources.json_rows import (
    JsonRows,
    Place,
    columns_of,
    read_answer,
    read_exactly,
    rows_of_documents,
    rows_of_texts,
)

HEADINGS = ("page", "what", "documents/s", "µs/document", "of orjson", "MB/s", "rejected")
T = MilvusType
KEYS = {
    "id": T.INT64,
    "title": T.VARCHAR,
    "category": T.VARCHAR,
    "brand": T.VARCHAR,
    "url": T.VARCHAR,
    "price": T.DOUBLE,
    "rating": T.FLOAT,
    "stock": T.INT32,
    "is_new": T.BOOL,
    "updated_at": T.INT64,
}
DIM = 768
REPETITIONS = 5


@dataclass(frozen=True)
class Page:
    """Documents with ``KEYS``. ``dim``: with a vector; ``rest``: all keys also go into one JSON column;
    ``bad``: one value in the middle of the page does not fit."""

    name: str
    documents: int
    dim: int = 0
    rest: bool = False
    bad: bool = False

    @property
    def plan(self) -> ReadPlan:
        columns = [ReadColumn(name, TypeSpec(type_)) for name, type_ in KEYS.items()]
        if self.dim:
            columns.append(ReadColumn("vector", TypeSpec(T.FLOAT_VECTOR, dim=self.dim)))
        if self.rest:
            columns.append(ReadColumn("rest", TypeSpec(T.JSON)))
        return ReadPlan(tuple(columns))

    @property
    def places(self) -> dict[str, Place]:
        return {"rest": ()}

    def texts(self) -> list[bytes]:
        random = np.random.default_rng(7)
        documents = [_document(number) for number in range(self.documents)]
        if self.dim:
            vectors = random.standard_normal((self.documents, self.dim), np.float32)
            for document, vector in zip(documents, vectors, strict=True):
                document["vector"] = vector
        if self.bad:
            bad = documents[self.documents // 2]
            bad["stock"], bad["vector" if self.dim else "price"] = 1.5, "none"
        return [orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY) for document in documents]


PAGES = (
    Page("10 keys", 20_000),
    Page("10 keys, one bad", 20_000, bad=True),
    Page("10 keys + JSON", 20_000, rest=True),
    Page("768 dim", 600, dim=DIM),
    Page("768 dim, one bad", 600, dim=DIM, bad=True),
)


def _document(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "title": f"Item {number:08} and some words about it",
        "category": f"category-{number % 50:03}",
        "brand": f"brand {number % 997}",
        "url": f"https://example.org/items/{number}",
        "price": round(1 + number * 0.37 % 1000, 2),
        "rating": number % 50 / 10,
        "stock": number % 1000,
        "is_new": number % 3 == 0,
        "updated_at": 1_700_000_000_000 + number,
    }


def measure_pages(table: Table, turns: int) -> None:
    """Add a line for each way to read each page: the fastest of the runs counts."""
    wait_until_idle()
    for page in PAGES:
        texts = page.texts()
        answer = b"[" + b",".join(texts) + b"]"
        columns, names = columns_of(page.plan, page.places), [str(number) for number in range(len(texts))]

        def of_texts(columns: Any = columns, texts: Any = texts, names: Any = names) -> JsonRows:
            return rows_of_texts(columns, texts, names)

        def of_answer(columns: Any = columns, answer: bytes = answer, names: Any = names) -> JsonRows:
            return rows_of_documents(columns, read_answer(answer), names, lambda: read_exactly(answer))

        def loads(texts: Any = texts) -> list[Any]:
            return list(map(orjson.loads, texts))

        ways = {
            "orjson.loads": seconds_of(loads, turns),
            "texts": seconds_of(of_texts, turns),
            "answer": seconds_of(of_answer, turns),
        }
        rejected = {"texts": len(of_texts().rejected), "answer": len(of_answer().rejected)}
        for what, seconds in ways.items():
            table.add(
                *(page.name, what, round(page.documents / seconds), seconds / page.documents * 1e6),
                *(ways["orjson.loads"] / seconds, len(answer) / seconds / 1e6, rejected.get(what)),
            )


def seconds_of(work: Callable[[], object], turns: int) -> float:
    """Return the processor seconds of the fastest run."""
    best = float("inf")
    for _ in range(REPETITIONS * turns):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best
