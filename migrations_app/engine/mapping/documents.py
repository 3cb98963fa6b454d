"""Documents: reads a column of JSON documents once, and takes some keys out of each.

Most documents are read by orjson alone: numbers that look ordinary in the text stay exact. Where the text has
other numbers (many digits, an exponent, closing zeros) or deep nesting, the document is written again and
compared. Documents that orjson changes or cannot read are read with each number as its text
(``model.json.documents``): this takes longer and keeps every digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.column_checks import rows_where
from migrations_app.engine.mapping.checks.findings import Finding, Rows, finding_of
from migrations_app.engine.mapping.checks.json_checks import check_json_text
from migrations_app.engine.model.json.documents import (
    MAX_DEPTH,
    Members,
    TooDeep,
    copied,
    find,
    members,
    remove,
    to_json,
)

Path = tuple[str, ...]
Wanted = tuple[Path, Any]
"""A path, and the value of the documents that lack it."""
_KINDS = {"[": "a list", '"': "text", "t": "true", "f": "false"}
# So few documents are decoded at a time that they stay in the processor's cache.
_CHUNK = 256
# An RE2 pattern of numbers that orjson may not write as they were: an integer of 19 digits or more, -0, a
# fraction of perhaps more than 15 digits or with closing zeros, a very small one, and any exponent. The value
# of a key comes after a colon; in texts the pattern rarely occurs.
_UNUSUAL_NUMBER = (
    r"[:,\[][ \t\r\n]*-?[0-9]*(?:[0-9]{18}|\.[0-9]{9}|[0-9]{8}\.|\.[0-9]+0[^0-9]|0\.0000|(?:\.[0-9]+)?[eE])"
    r"|-0[^.0-9]"
)


@dataclass(slots=True)
class TakenKeys:
    """The documents of a batch without some of their keys.

    ``values`` has the values of each path by row. ``rest`` are the JSON texts of the documents without these
    keys, and ``names`` all keys that occur in them; both are empty if the rest is not kept.
    """

    values: list[list[Any]]
    rest: list[bytes] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    findings: tuple[Finding, ...] = ()


def take_keys(column: pa.Array, name: str, wanted: Sequence[Wanted], *, keeps_rest: bool) -> TakenKeys:
    """Take some keys out of the documents of a column, together with objects that become empty.

    A document that is NULL, null or cannot be read has no keys.
    """
    taken = TakenKeys([[] for _ in wanted])
    findings: list[Finding] = []
    take = _take_copies if _overlap([path for path, _ in wanted]) else _take
    for documents, chunk_findings in _chunks(column, name):
        findings += chunk_findings
        for values, more in zip(taken.values, take(documents, wanted), strict=True):
            values += more
        if keeps_rest:
            taken.names.update(*documents)
            taken.rest += map(to_json, documents)
    taken.findings = tuple(findings)
    return taken


def _overlap(paths: Sequence[Path]) -> bool:
    """True if one of the paths leads to a part of another's value."""
    return any(a[: len(b)] == b[: len(a)] for a, b in combinations(paths, 2))


def _take(documents: Sequence[Members], wanted: Sequence[Wanted]) -> list[list[Any]]:
    """Return the values at each path, and remove them from the documents."""
    return [_take_one(documents, path, missing) for path, missing in wanted]


def _take_one(documents: Sequence[Members], path: Path, missing: Any) -> list[Any]:
    if len(path) == 1:
        (part,) = path
        return [document.pop(part, missing) for document in documents]
    values = [find(document, path, missing) for document in documents]
    for document in documents:
        remove(document, path)
    return values


def _take_copies(documents: Sequence[Members], wanted: Sequence[Wanted]) -> list[list[Any]]:
    """Like ``_take``, for values that are parts of each other."""
    values = [[copied(find(document, path, missing)) for document in documents] for path, missing in wanted]
    for path, _ in wanted:
        for document in documents:
            remove(document, path)
    return values


def _chunks(column: pa.Array, name: str) -> Iterator[tuple[list[Members], tuple[Finding, ...]]]:
    """Yield the documents in parts, with findings for those that cannot be read."""
    unusual = rows_where(_is_unusual(column))
    texts = column.cast(pa.binary()).to_pylist()
    for row in rows_where(column.is_null()).tolist() if column.null_count else ():
        texts[row] = b"{}"
    bounds = [*range(0, len(texts), _CHUNK), len(texts)]
    places = np.searchsorted(unusual, bounds).tolist()
    for (start, end), (first, last) in zip(pairwise(bounds), pairwise(places), strict=True):
        found = _decoded(texts[start:end])
        odd = _changed(texts, found, start, unusual[first:last].tolist())
        if not set(map(type, found)) <= {dict}:
            odd |= {start + number for number, value in enumerate(found) if type(value) is not dict}
        if not odd:
            yield found, ()
            continue
        rows = np.array(sorted(odd), np.int64)
        exact, findings = read_documents(column.take(pa.array(rows)), name)
        for row, document in zip(rows.tolist(), exact, strict=True):
            found[row - start] = document
        yield found, tuple(_placed(finding, rows) for finding in findings)


def _decoded(texts: Sequence[bytes]) -> list[Any]:
    """Return the values of some texts; None for a text that orjson cannot read."""
    try:
        return list(map(orjson.loads, texts))
    except orjson.JSONDecodeError:
        return [_decoded([text])[0] for text in texts] if len(texts) > 1 else [None]


def _changed(texts: Sequence[bytes], found: Sequence[Any], start: int, rows: list[int]) -> set[int]:
    """Return those of ``rows`` whose value, written again, is not the text that was read (except for
    blanks)."""
    try:
        written = [orjson.dumps(found[row - start]) for row in rows]
        if _bare(b"\n".join(written)) == _bare(b"\n".join([texts[row] for row in rows])):
            return set()
    except TypeError:  # nested too deeply
        return set(rows)
    return {row for row, text in zip(rows, written, strict=True) if _bare(text) != _bare(texts[row])}


def _bare(text: bytes) -> bytes:
    return text.replace(b" ", b"")


def _is_unusual(column: pa.Array) -> pa.Array:
    """True for the texts that may have a number that orjson changes, or that may be nested too deeply."""
    is_unusual = pc.match_substring_regex(column, _UNUSUAL_NUMBER)
    if (pc.max(pc.binary_length(column)).as_py() or 0) > 2 * MAX_DEPTH:
        openings = pc.add(pc.count_substring(column, "["), pc.count_substring(column, "{"))
        is_unusual = pc.or_(is_unusual, pc.greater(openings, MAX_DEPTH))
    return is_unusual.fill_null(False)


def _placed(finding: Finding, rows: Rows) -> Finding:
    """Return a finding about some rows with the numbers that these rows have in the batch."""
    places = dict(zip(rows[finding.rows].tolist(), finding.rows.tolist(), strict=True))
    return replace(finding, rows=rows[finding.rows], reason=lambda row: finding.reason(places[row]))


def read_documents(column: pa.Array, name: str) -> tuple[list[Members], tuple[Finding, ...]]:
    """Return the keys of each document, and findings for the documents that cannot be read.

    A document that is NULL, null or cannot be read has no keys.
    """
    findings = tuple(check_json_text(column, name, max_bytes=None))
    bad_rows = {row for finding in findings for row in finding.rows.tolist()}
    reasons_by_code: dict[str, dict[int, str]] = {"opened_not_object": {}, "json_too_deep": {}}
    documents: list[Members] = [{} for _ in range(len(column))]
    for row, text in enumerate(column.cast(pa.binary()).to_pylist()):
        if text is None or row in bad_rows or text.strip() == b"null":
            continue
        try:
            documents[row] = members(text)
        except TooDeep:
            reason = f"“{name}” is nested more than {MAX_DEPTH} levels deep."
            reasons_by_code["json_too_deep"][row] = reason
        except ValueError:
            reason = f"“{name}” is {_kind(text)}; only the keys of an object can be opened."
            reasons_by_code["opened_not_object"][row] = reason
    unreadable = (finding_of(reasons, code, name) for code, reasons in reasons_by_code.items() if reasons)
    return documents, (*findings, *unreadable)


def _kind(text: bytes) -> str:
    start = text.lstrip()[:1].decode(errors="replace")
    return _KINDS.get(start, "a number" if start.isdigit() or start == "-" else "not JSON")
