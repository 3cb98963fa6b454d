"""Points by REST: requests for a page, and the documents of its answer."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.json_rows import JsonRows, read_answer
from migrations_app.engine.sources.qdrant.collection import UNNAMED, Vector
from migrations_app.engine.sources.qdrant.wanted import Wanted

Document = dict[str, Any]
# What follows the points in an answer fits in these bytes.
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class RestPage:
    """Points with “id”, “payload” and “vectors” by name, and the id of the first point of the next page."""

    points: list[Document]
    next_id: int | str | None = None


def scroll_request(
    wanted: Wanted, limit: int, offset: int | str | None, part: tuple[int, int] | None
) -> Document:
    """Return the body of ``POST …/points/scroll``."""
    request: Document = {"limit": limit, **_selected(wanted)}
    if offset is not None:
        request["offset"] = offset
    if part is not None:
        request["filter"] = slice_filter(*part)
    return request


def slice_filter(total: int, index: int) -> Document:
    """Return the filter for one of ``total`` slices."""
    return {"must": [{"slice": {"total": total, "index": index}}]}


def get_request(wanted: Wanted, ids: Sequence[int | str]) -> Document:
    """Return the body of ``POST …/points``."""
    return {"ids": list(ids), **_selected(wanted)}


def _selected(wanted: Wanted) -> Document:
    chosen: Document = {"with_payload": wanted.payload, "with_vector": wanted.vectors}
    if wanted.shard_key is not None:
        chosen["shard_key"] = wanted.shard_key
    return chosen


def page_of(answer: bytes, vectors: Sequence[Vector]) -> RestPage:
    """Read an answer. Its dense vectors become numpy arrays one by one, so that never more than one of them
    is a list of Python floats. Raises ``ValueError`` if it is not JSON, ``KeyError`` if not of Qdrant."""
    return _page_without_vectors(answer, vectors) or _page(read_answer(answer), None)


def next_id_of(answer: bytes) -> int | str | None:
    """Return the first id of the next page without reading the answer: a guess, None if there is none."""
    key = b'"next_page_offset":'
    at = answer.rfind(key, max(0, len(answer) - _TAIL_BYTES))
    value = re.match(rb'\s*(\d+|"[0-9a-f-]{36}")', answer[at + len(key) :][:64]) if at >= 0 else None
    found: int | str | None = orjson.loads(value[1]) if value else None
    return found


def rows_of(page: RestPage, wanted: Wanted) -> JsonRows:
    """Return the rows of a page; those whose values do not fit are rejected."""
    return _with_payloads_at_once(page, wanted) or wanted.rows(
        [{**point, "payload": _ordered(point["payload"])} for point in page.points]
    )


def _with_payloads_at_once(page: RestPage, wanted: Wanted) -> JsonRows | None:
    """Return the rows, or None if a value may not fit."""
    columns = wanted.plan.columns
    payloads = [column for column in columns if wanted.is_payload(column)]
    others = tuple(column for column in columns if not wanted.is_payload(column))
    if not others or any(column.spec.type is not MilvusType.JSON for column in payloads):
        return None
    found = replace(wanted, plan=replace(wanted.plan, columns=others)).rows(page.points)
    if found.rejected:
        return None
    arrays = dict(zip(found.rows.schema.names, found.rows.columns, strict=True))
    for column in payloads:
        try:
            # In alphabetical order, as by gRPC.
            texts = [orjson.dumps(point["payload"], option=orjson.OPT_SORT_KEYS) for point in page.points]
        except TypeError:  # half a surrogate pair, or too deeply nested
            return None
        arrays[column.path] = pa.array(texts, pa.binary()).cast(pa.string())
    schema = wanted.plan.schema
    rows = pa.RecordBatch.from_arrays([arrays[name] for name in schema.names], schema=schema)
    return JsonRows(rows, found.locators)


def _page(decoded: Any, cut: Sequence[Any] | None) -> RestPage:
    result = decoded["result"]
    # The answer to a request by ids is the list of points itself; the answer to a query has no next page.
    points = result if isinstance(result, list) else result["points"]
    next_id = None if isinstance(result, list) else result.get("next_page_offset")
    return RestPage([_document(point, cut) for point in points], next_id)


def _document(point: Mapping[str, Any], cut: Sequence[Any] | None) -> Document:
    vectors = point.get("vector")
    if not isinstance(vectors, dict):
        vectors = {} if vectors is None else {UNNAMED: vectors}
    if cut is not None:
        vectors = {name: cut[vector] if type(vector) is int else vector for name, vector in vectors.items()}
    return {"id": point["id"], "payload": point.get("payload") or {}, "vectors": vectors}


def _ordered(value: Any) -> Any:
    """Return a value with the keys of its objects in the order in which they are read by gRPC."""
    if type(value) is dict:
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if type(value) is list else value


# ---------------------------------------------------------------- cutting out the vectors


def _page_without_vectors(answer: bytes, vectors: Sequence[Vector]) -> RestPage | None:
    """Read an answer whose lists of numbers were cut out, and put them back. None if one of them was not a
    vector, or has another dimension."""
    text = memoryview(answer)
    cut: list[Any] = []
    kept: list[bytes | memoryview] = []
    at = 0
    try:
        for start, end, packed in _lists(answer, vectors):
            numbers = packed.pack(*orjson.loads(text[start:end]))
            kept += [text[at:start], b"%d" % len(cut)]
            cut.append(np.frombuffer(numbers, "<f4"))
            at = end
        if not cut:
            return None
        page = _page(orjson.loads(b"".join([*kept, text[at:]])), cut)
    except (ValueError, TypeError, IndexError, OverflowError, struct.error):
        return None
    used = sum(type(vector) is np.ndarray for point in page.points for vector in point["vectors"].values())
    return page if used == len(cut) else None


def _lists(answer: bytes, vectors: Sequence[Vector]) -> list[tuple[int, int, struct.Struct]]:
    """Return where the lists are that follow the name of a vector, and how to pack each.

    ``"name":[`` outside of a text has its quotes around the name. Inside of one, the quotes would be escaped;
    or the first ends a text and the second begins one, but then a colon or a comma is between them. So no
    name with one of these is looked for.
    """
    found: list[tuple[int, int, struct.Struct]] = []
    for vector in vectors:
        if vector.is_sparse or vector.is_multi or set(vector.name) & set('\\":,'):
            continue
        packed = struct.Struct(f"<{vector.dim}f")
        for name in {vector.name, vector.name or "vector"}:
            head = b'"' + name.encode() + b'":['
            at = answer.find(head)
            while at >= 0:
                start = at + len(head) - 1
                end = answer.find(b"]", start) + 1
                found.append((start, end, packed))
                at = answer.find(head, max(start, end))
    return sorted(found, key=lambda each: each[0])
