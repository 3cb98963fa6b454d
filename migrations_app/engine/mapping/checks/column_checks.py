"""Column checks: find values that Milvus would refuse or silently change, before they are sent.

Each check is one pass over the column; single rows are examined only if that pass finds a problem. Limits:
milvus.io/docs/limitations.md, confirmed on Milvus 2.3.5 and Lite 3.2. Lite stores texts that are too long and
NaN in vectors without an error, and it changes a JSON value that is just a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.log import shortened
from migrations_app.engine.mapping.checks.findings import Finding
from migrations_app.engine.mapping.checks.json_checks import check_json_text
from migrations_app.engine.model.limits import MAX_JSON_BYTES
from migrations_app.engine.model.types import MilvusType, TypeSpec

_JSON_STORED = r"^\s*([{\[]|null\s*$)"

Check = Callable[[pa.Array, TypeSpec, str], Iterator[Finding]]
"""``check(column, spec, name)`` yields findings. It ignores NULLs."""


def rows_where(mask: pa.Array) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows where a boolean array is true. NULL counts as false."""
    return np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False))


def check_text(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    assert spec.max_length is not None
    limit, sizes = spec.max_length, pc.binary_length(column)
    if (pc.max(sizes).as_py() or 0) > limit:
        yield Finding(
            rows_where(pc.greater(sizes, limit)),
            "too_long",
            lambda row: f"“{name}” is {sizes[row].as_py():,} bytes long; the field takes at most {limit:,}.",
        )


def check_json(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    sizes = pc.binary_length(column)
    if (pc.max(sizes).as_py() or 0) > MAX_JSON_BYTES:
        yield Finding(
            rows_where(pc.greater(sizes, MAX_JSON_BYTES)),
            "json_too_large",
            lambda row: (
                f"“{name}” is {sizes[row].as_py():,} bytes of JSON; Milvus takes at most {MAX_JSON_BYTES:,}."
            ),
        )
    is_stored = pc.match_substring_regex(column, _JSON_STORED)
    if pc.min(is_stored).as_py() is False:
        yield Finding(
            rows_where(pc.invert(is_stored)),
            "json_not_object",
            lambda row: (
                f"“{name}” is the JSON value {shortened(column[row].as_py())}; Milvus stores only objects "
                "and lists."
            ),
        )
    yield from check_json_text(column, name)


def check_array(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    assert spec.max_capacity is not None
    limit, counts = spec.max_capacity, pc.list_value_length(column)
    if (pc.max(counts).as_py() or 0) > limit:
        yield Finding(
            rows_where(pc.greater(counts, limit)),
            "too_many_items",
            lambda row: f"“{name}” has {counts[row].as_py():,} elements; the field takes at most {limit:,}.",
        )
    items = pc.list_flatten(column)
    if items.null_count:
        yield Finding(
            rows_of_items(column, pc.is_null(items)),
            "null_item",
            lambda row: f"“{name}” has an element that is NULL; an ARRAY cannot hold NULL.",
        )
    if spec.element_type is MilvusType.VARCHAR:
        yield from _check_array_texts(column, items, spec, name)


def _check_array_texts(column: pa.Array, items: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    assert spec.max_length is not None
    limit, sizes = spec.max_length, pc.binary_length(items)
    if (pc.max(sizes).as_py() or 0) > limit:
        yield Finding(
            rows_of_items(column, pc.greater(sizes, limit)),
            "item_too_long",
            lambda row: (
                f"“{name}” has an element of {pc.max(pc.binary_length(column[row].values)).as_py():,} bytes; "
                f"the field takes at most {limit:,}."
            ),
        )


def rows_of_items(column: pa.Array, mask: pa.Array) -> npt.NDArray[np.int64]:
    """Return the rows of a list column with an element for which ``mask`` (over all elements) is true."""
    parents = pc.list_parent_indices(column).to_numpy()
    return np.unique(parents[rows_where(mask)]).astype(np.int64)


def check_float_vector(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    # The flattened column has no floats for NULL rows. A NULL float becomes NaN.
    floats = column.flatten().to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore", invalid="ignore"):
        # A sum with NaN or infinity is never finite, so a finite sum proves that all floats are finite. This
        # is as fast as reading the floats once.
        if floats.size == 0 or np.isfinite(floats.sum()):
            return
    is_bad = ~np.isfinite(floats.reshape(-1, spec.dim or 1)).all(axis=1)
    yield from _not_finite(column, is_bad, name)


def check_half_vector(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    """Check float16 and bfloat16 vectors: in NaN and infinity, all exponent bits are set."""
    exponent = 0x7C00 if spec.type is MilvusType.FLOAT16_VECTOR else 0x7F80
    data = column.drop_null()
    if len(data) == 0:
        return
    size = data.type.byte_width
    raw = np.frombuffer(data.buffers()[1], np.uint8)[data.offset * size : (data.offset + len(data)) * size]
    is_bad = ((raw.view("<u2") & exponent) == exponent).reshape(len(data), -1).any(axis=1)
    yield from _not_finite(column, is_bad, name)


# The same rules as Milvus 2.4 to 2.6 (typeutil.ValidateSparseFloatRows) and Lite 3.2.
_NO_INDEX = 2**32 - 1


def check_sparse_vector(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    entries = pc.list_flatten(column)
    values, indices = pc.struct_field(entries, "value"), pc.struct_field(entries, "index")
    problems = (
        (
            "not_finite",
            pc.invert(pc.is_finite(values)).fill_null(True),
            "a value that is not a finite number",
        ),
        (
            "negative_value",
            pc.less(values, 0),
            "a negative value, which Milvus does not take in a sparse vector",
        ),
        (
            "index_too_large",
            pc.equal(indices, _NO_INDEX),
            f"the index {_NO_INDEX:,}, one more than the largest that Milvus takes",
        ),
    )
    for code, is_bad, problem in problems:
        rows = rows_of_items(column, is_bad)
        if rows.size:
            yield Finding(rows, code, partial(_reason, name, problem))


def _reason(name: str, problem: str, row: int) -> str:
    return f"“{name}” holds {problem}."


def _not_finite(column: pa.Array, is_bad: npt.NDArray[np.bool_], name: str) -> Iterator[Finding]:
    """Yield a finding for the bad rows. ``is_bad`` has an entry for each row that is not NULL."""
    if is_bad.any():
        present = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        yield Finding(
            present[is_bad],
            "not_finite",
            lambda row: f"“{name}” holds NaN or infinity; Milvus takes only finite numbers in a vector.",
        )


CHECKS: dict[MilvusType, Check] = {
    MilvusType.VARCHAR: check_text,
    MilvusType.JSON: check_json,
    MilvusType.ARRAY: check_array,
    MilvusType.FLOAT_VECTOR: check_float_vector,
    MilvusType.FLOAT16_VECTOR: check_half_vector,
    MilvusType.BFLOAT16_VECTOR: check_half_vector,
    MilvusType.SPARSE_FLOAT_VECTOR: check_sparse_vector,
}
