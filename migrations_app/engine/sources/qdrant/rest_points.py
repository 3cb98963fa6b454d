"""Points by REST: requests for a page, and the documents of its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from migrations_app.engine.sources.json_rows import JsonRows, read_answer
from migrations_app.engine.sources.qdrant.collection import UNNAMED, Vector
from migrations_app.engine.sources.qdrant.wanted import Wanted

Document = dict[str, Any]


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
        request["filter"] = {"must": [{"slice": {"total": part[0], "index": part[1]}}]}
    return request


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
    names = [vector.name for vector in vectors if not vector.is_sparse and not vector.is_multi]
    page = _page_without_vectors(answer, names)
    return page or _page(read_answer(answer), None)


def rows_of(page: RestPage, wanted: Wanted) -> JsonRows:
    """Return the rows of a page; those whose values do not fit are rejected."""
    return wanted.rows(page.points)


def _page(decoded: Any, cut: Sequence[Any] | None) -> RestPage:
    result = decoded["result"]
    # The answer to a request by ids is the list of points itself; the one of a query has no next page.
    points = result if isinstance(result, list) else result["points"]
    next_id = None if isinstance(result, list) else result.get("next_page_offset")
    return RestPage([_document(point, cut) for point in points], next_id)


def _document(point: Mapping[str, Any], cut: Sequence[Any] | None) -> Document:
    vectors = point.get("vector")
    if not isinstance(vectors, dict):
        vectors = {} if vectors is None else {UNNAMED: vectors}
    if cut is not None:
        vectors = {name: cut[vector] if type(vector) is int else vector for name, vector in vectors.items()}
    return {"id": point["id"], "payload": _ordered(point.get("payload") or {}), "vectors": vectors}


def _ordered(value: Any) -> Any:
    """Return a value with the keys of its objects in the order in which they are read by gRPC."""
    if type(value) is dict:
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if type(value) is list else value


# ---------------------------------------------------------------- cutting out the vectors


def _page_without_vectors(answer: bytes, names: Sequence[str]) -> RestPage | None:
    """Read an answer whose lists of numbers were cut out, and put them back. None if one of them was
    not a vector."""
    cut: list[Any] = []
    kept: list[bytes] = []
    at = 0
    for start, end in _lists(answer, names):
        try:
            cut.append(np.array(orjson.loads(answer[start:end]), np.float32))
        except (ValueError, TypeError, OverflowError):
            return None
        kept += [answer[at:start], b"%d" % (len(cut) - 1)]
        at = end
    if not cut:
        return None
    page = _page(orjson.loads(b"".join([*kept, answer[at:]])), cut)
    used = sum(type(vector) is np.ndarray for point in page.points for vector in point["vectors"].values())
    return page if used == len(cut) else None


def _lists(answer: bytes, names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where the lists of numbers are that follow the name of a vector.

    ``"name":[`` outside of a text has its quotes around the name. Inside of one, the quotes would be escaped;
    or the first ends a text and the second begins one, but then a colon or a comma is between them. So no
    name with one of these is looked for.
    """
    heads = [b'"vector":[']
    heads += [b'"' + name.encode() + b'":[' for name in names if not set(name) & set('\\":,') and name]
    if UNNAMED in names:
        heads.append(b'"":[')
    found: list[tuple[int, int]] = []
    for head in set(heads):
        at = answer.find(head)
        while at >= 0:
            start = at + len(head) - 1
            end = answer.find(b"]", start) + 1
            if end and _is_flat(answer, start + 1, end):
                found.append((start, end))
            at = answer.find(head, max(end, start + 1))
    yield from sorted(found)


def _is_flat(answer: bytes, start: int, end: int) -> bool:
    return not any(answer.find(byte, start, end) >= 0 for byte in (b'"', b"[", b"{"))
