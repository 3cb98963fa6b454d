"""Sparse vectors of pgvector, from their binary form.

``sparsevec_send`` writes an int32 dimension, an int32 count, an int32 that is 0, the ascending indices as
int32 counted from 0 (the text form counts from 1), then the values as float32, all big-endian (pgvector,
src/sparsevec.c).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from migrations_app.engine.model.types import SPARSE, MilvusType, TypeSpec
from migrations_app.engine.sources.postgresql.types.arrow_buffers import (
    Converted,
    bytes_of,
    offsets_of,
    storage_of,
)
from migrations_app.engine.sources.postgresql.types.family import Family, Reading

_HEADER_BYTES = 12
_WORD = np.dtype(">u4")


def sparsevec(array: pa.Array, spec: TypeSpec) -> Converted:
    """Convert ``sparsevec`` to ``list<struct<index: uint32, value: float32>>``. Milvus needs no dimension."""
    wire = storage_of(array)
    offsets = offsets_of(wire)
    counts = np.maximum(np.diff(offsets) - _HEADER_BYTES, 0) // 8
    ends = np.concatenate([[0], np.cumsum(counts)])
    words = bytes_of(wire).view(_WORD)
    # The position of each index: the first index of its vector, plus the entries of that vector before it.
    firsts = (offsets[:-1] - offsets[0] + _HEADER_BYTES) // 4
    places = np.repeat(firsts - ends[:-1], counts) + np.arange(ends[-1])
    indices = words[places].astype(np.uint32)
    values = words[places + np.repeat(counts, counts)].astype(np.uint32).view(np.float32)
    entries = pa.StructArray.from_arrays(
        [pa.array(indices), pa.array(values)], fields=list(SPARSE.value_type.fields)
    )
    ends = pa.array(ends.astype(np.int32))
    return Converted(pa.ListArray.from_arrays(ends, entries, type=SPARSE, mask=wire.is_null()))


_NOTE = "Milvus compares sparse vectors by inner product (IP); a row with a negative value is rejected."

SPARSES: dict[str, Family] = {
    "sparsevec": Family(
        (Reading(MilvusType.SPARSE_FLOAT_VECTOR, convert=sparsevec, note=_NOTE),),
        metrics={
            "sparsevec_cosine_ops": "COSINE",
            "sparsevec_l2_ops": "L2",
            "sparsevec_ip_ops": "IP",
            "sparsevec_l1_ops": "L1",
        },
        dims="split_part({c}::text, '/', 2)::integer",
    )
}
