"""Dedup within a batch: of several rows with equal keys the last one wins, as it would across batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def last_of_each(keys: pa.Array, partitions: pa.Array | None = None) -> npt.NDArray[np.int64] | None:
    """Return the rows to send, in order: the last row of each key. None if all keys differ.

    With ``partitions`` (a dictionary array, one value for each row), keys are equal only within the same
    partition. This is needed because Milvus stores both rows if one request holds two equal keys.
    """
    encoded = keys.dictionary_encode()
    distinct = len(encoded.dictionary)
    if distinct == len(keys):
        return None
    codes = encoded.indices.to_numpy()
    if partitions is not None:
        pairs = codes.astype(np.int64) * len(partitions.dictionary) + partitions.indices.to_numpy()
        distinct_pairs, codes = np.unique(pairs, return_inverse=True)
        distinct = len(distinct_pairs)
        if distinct == len(keys):
            return None
    last = np.empty(distinct, np.int64)
    # If several values are assigned to the same index, numpy keeps the last one.
    last[codes] = np.arange(len(keys))
    return np.sort(last)
