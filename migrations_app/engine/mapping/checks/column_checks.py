"""What Milvus would refuse or quietly change in a column, looked for before it is sent.

Each check is one pass over the column; only where it finds something are rows looked at. Limits:
milvus.io/docs/limitations.md, seen on Milvus 2.3.5 and Lite 3.2 (Lite stores too long texts and NaN in
vectors without a word, and JSON that is a bare text changed).
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

JSON_KEPT = r"^\s*([{\[]|null\s*$)"

Check = Callable[[pa.Array, TypeSpec, str], Iterator[Finding]]
"""``check(column, spec, name)``: NULLs are not its business."""


def rows_where(mask: pa.Array) -> npt.NDArray[np.int64]:
    """The numbers of the rows where a boolean array is true (NULL is not)."""
    return np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False))


def check_text(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    assert spec.max_length is not None
    limit, sizes = spec.max_length, pc.binary_length(column)
    if (pc.max(sizes).as_py() or 0) > limit:
        yield Finding(
            rows_where(pc.greater(sizes, limit)),
            "too_long",
            lambda row: f"“{name}” is {sizes[row].as_py():,} bytes long; the field takes {limit:,}.",
        )


def check_json(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    sizes = pc.binary_length(column)
    if (pc.max(sizes).as_py() or 0) > MAX_JSON_BYTES:
        yield Finding(
            rows_where(pc.greater(sizes, MAX_JSON_BYTES)),
            "json_too_large",
            lambda row: f"“{name}” is {sizes[row].as_py():,} bytes of JSON; Milvus takes {MAX_JSON_BYTES:,}.",
        )
    kept = pc.match_substring_regex(column, JSON_KEPT)
    if pc.min(kept).as_py() is False:
        yield Finding(
            rows_where(pc.invert(kept)),
            "json_not_object",
            lambda row: f"“{name}” is the JSON value {shortened(column[row].as_py())}; Milvus keeps objects.",
        )
    yield from check_json_text(column, name)


def check_array(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    assert spec.max_capacity is not None
    limit, counts = spec.max_capacity, pc.list_value_length(column)
    if (pc.max(counts).as_py() or 0) > limit:
        yield Finding(
            rows_where(pc.greater(counts, limit)),
            "too_many_items",
            lambda row: f"“{name}” has {counts[row].as_py():,} elements; the field takes {limit:,}.",
        )
    items = pc.list_flatten(column)
    if items.null_count:
        yield Finding(
            rows_of_items(column, pc.is_null(items)),
            "null_item",
            lambda row: f"“{name}” has an element that is NULL; an ARRAY takes none.",
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
                f"the field takes {limit:,}."
            ),
        )


def rows_of_items(column: pa.Array, mask: pa.Array) -> npt.NDArray[np.int64]:
    """The rows of a list column that have an element where ``mask``, over the flattened column, is true."""
    parents = pc.list_parent_indices(column).to_numpy()
    return np.unique(parents[rows_where(mask)]).astype(np.int64)


def check_float_vector(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    # NULL rows have no floats here, and a NULL float becomes NaN.
    floats = column.flatten().to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore", invalid="ignore"):
        # NaN and infinity survive a sum; a finite one proves all, at the speed of reading the floats.
        if floats.size == 0 or np.isfinite(floats.sum()):
            return
    is_bad = ~np.isfinite(floats.reshape(-1, spec.dim or 1)).all(axis=1)
    yield from _not_finite(column, is_bad, name)


def check_half_vector(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    """float16 and bfloat16: NaN and infinity have every exponent bit set."""
    exponent = 0x7C00 if spec.type is MilvusType.FLOAT16_VECTOR else 0x7F80
    data = column.drop_null()
    if len(data) == 0:
        return
    size = data.type.byte_width
    raw = np.frombuffer(data.buffers()[1], np.uint8)[data.offset * size : (data.offset + len(data)) * size]
    is_bad = ((raw.view("<u2") & exponent) == exponent).reshape(len(data), -1).any(axis=1)
    yield from _not_finite(column, is_bad, name)


# As Milvus checks a request (typeutil.ValidateSparseFloatRows, 2.4 to 2.6), and Lite 3.2 likewise.
_NO_INDEX = 2**32 - 1


def check_sparse_vector(column: pa.Array, spec: TypeSpec, name: str) -> Iterator[Finding]:
    entries = pc.list_flatten(column)
    values, indices = pc.struct_field(entries, "value"), pc.struct_field(entries, "index")
    faults = (
        ("not_finite", pc.invert(pc.is_finite(values)).fill_null(True), "a value that is no finite number"),
        ("negative_value", pc.less(values, 0), "a negative value; Milvus takes none in a sparse vector"),
        (
            "index_too_large",
            pc.equal(indices, _NO_INDEX),
            f"the index {_NO_INDEX:,}, one more than Milvus takes",
        ),
    )
    for code, is_bad, what in faults:
        rows = rows_of_items(column, is_bad)
        if rows.size:
            yield Finding(rows, code, partial(_holds, name, what))


def _holds(name: str, what: str, row: int) -> str:
    return f"“{name}” holds {what}."


def _not_finite(column: pa.Array, is_bad: npt.NDArray[np.bool_], name: str) -> Iterator[Finding]:
    """``is_bad`` has an entry for each row that is not NULL."""
    if is_bad.any():
        present = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        yield Finding(
            present[is_bad],
            "not_finite",
            lambda row: f"“{name}” holds NaN or infinity; Milvus takes finite numbers in a vector.",
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
