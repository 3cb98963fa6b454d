"""Rows of one batch with equal keys: the last wins, as it would over several batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def last_of_each(keys: pa.Array) -> npt.NDArray[np.int64] | None:
    """The rows to keep, in order: of equal keys the last. None where all keys differ.

    Milvus keeps both of two equal keys inside one request.
    """
    encoded = keys.dictionary_encode()
    distinct = len(encoded.dictionary)
    if distinct == len(keys):
        return None
    last = np.empty(distinct, np.int64)
    # Of several writes to one place numpy keeps the last.
    last[encoded.indices.to_numpy()] = np.arange(len(keys))
    return np.sort(last)
