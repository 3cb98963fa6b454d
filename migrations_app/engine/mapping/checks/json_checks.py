"""JSON checks: find valid JSON that Milvus, or a client that reads it from Milvus, cannot hold.

Seen on Milvus 2.3.5, Lite 3.2 and pymilvus 3.0:

- Half a surrogate pair (``"\\ud800"``) is not valid Unicode: Lite fails on it, and pymilvus cannot read it.
- A number that is too large for a double: Lite turns it into ``Infinity``, 2.3.5 refuses it.
- Nesting: the limit is about 900 levels in Lite and 1,023 in pymilvus.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.findings import Finding
from migrations_app.engine.model.limits import MAX_JSON_BYTES

MAX_JSON_DEPTH = 800
# RE2 patterns of texts that need a closer look. jsonb writes 1e400 as 401 digits. With an exponent of at most
# two digits, only a number of 210 digits or more can be too large for a double.
_SURROGATE = r"\\u[dD][89a-fA-F]"
_LARGE = r"(^|[\[:,\s-])([0-9]+(\.[0-9]+)?[eE]\+?[0-9]{3}|[0-9]{210})"
_OPENING = r"[\[{]"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|-?\d[\d.eE+-]*', re.S)
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.S)


def check_json_text(
    column: pa.Array, name: str, *, max_bytes: int | None = MAX_JSON_BYTES
) -> Iterator[Finding]:
    """Check a column of valid JSON texts or NULLs. Texts larger than ``max_bytes`` (by default the limit of
    Milvus) are not checked."""
    faults = {row: fault for row in _suspects(column, max_bytes) if (fault := _fault_of(column[row].as_py()))}
    for code, sentence in _REASONS.items():
        rows = [row for row, fault in faults.items() if fault == code]
        if rows:
            yield Finding(np.array(rows, np.int64), code, _reason(f"“{name}” {sentence}"), name)


def _reason(sentence: str) -> Callable[[int], str]:
    return lambda row: sentence


_REASONS = {
    "json_surrogate": "holds half a surrogate pair (\\ud800 to \\udfff alone), which is not valid Unicode.",
    "json_number": "holds a number that is too large for a double; Milvus stores JSON numbers as doubles.",
    "json_too_deep": f"is nested more than {MAX_JSON_DEPTH:,} levels deep.",
}


def _suspects(column: pa.Array, max_bytes: int | None) -> list[int]:
    """Return the rows whose text may have one of these problems."""
    is_suspect = pc.or_(
        pc.match_substring_regex(column, _SURROGATE), pc.match_substring_regex(column, _LARGE)
    )
    sizes = pc.binary_length(column)
    if (pc.max(sizes).as_py() or 0) > 2 * MAX_JSON_DEPTH:
        is_deep = pc.greater(pc.count_substring_regex(column, _OPENING), MAX_JSON_DEPTH)
        is_suspect = pc.or_(is_suspect, is_deep)
    if max_bytes is not None:
        is_suspect = pc.and_(is_suspect, pc.less_equal(sizes, max_bytes))
    rows: list[int] = np.flatnonzero(is_suspect.fill_null(False).to_numpy(zero_copy_only=False)).tolist()
    return rows


def _fault_of(text: str) -> str:
    """Return the error code for one text, or an empty string if nothing is wrong with it."""
    depth = 0
    for token in _TOKEN.findall(text):
        if token[0] == '"':
            if any(escape[1] for escape in _ESCAPE.finditer(token)):
                return "json_surrogate"
        elif token in "[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                return "json_too_deep"
        elif token in "]}":
            depth -= 1
        elif math.isinf(float(token)):
            return "json_number"
    return ""
