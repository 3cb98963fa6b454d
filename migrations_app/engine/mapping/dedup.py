"""Rows of one batch with equal keys: the last wins, as it would over several batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def last_of_each(keys: pa.Array, places: pa.Array | None = None) -> npt.NDArray[np.int64] | None:
    """The rows to keep, in order: of equal keys the last. None where all keys differ.

    With ``places`` (a dictionary array, one a row) keys are equal only in the same place. Milvus keeps both
    of two equal keys inside one request.
    """
    encoded = keys.dictionary_encode()
    distinct = len(encoded.dictionary)
    if distinct == len(keys):
        return None
    codes = encoded.indices.to_numpy()
    if places is not None:
        both = codes.astype(np.int64) * len(places.dictionary) + places.indices.to_numpy()
        known, codes = np.unique(both, return_inverse=True)
        distinct = len(known)
        if distinct == len(keys):
            return None
    last = np.empty(distinct, np.int64)
    # Of several writes to one place numpy keeps the last.
    last[codes] = np.arange(len(keys))
    return np.sort(last)
