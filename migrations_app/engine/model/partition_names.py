"""One partition for each value of a source field: what they are called, and which rows go into which."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.model.names import MAX_BYTES, name_problem, suggest
from migrations_app.engine.model.types import MilvusType, TypeSpec

DEFAULT_PARTITION = "_default"
"""The one that every collection has: rows without a value go there."""

VALUE = TypeSpec(MilvusType.VARCHAR)
"""How the value that decides is read: its exact text."""

MAX_VALUE_BYTES = 1024
"""Longer texts are no names of anything: such a field is refused."""


def partition_names(values: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """A partition for each of ``values``, no two of them the same; those in ``known`` keep theirs.

    A legal value is its own name. Any other is made legal and given a tail of its own (“en-GB” becomes
    “en_GB_fb1d”): whoever adds rows later finds the same names, whatever other values there are.
    """
    names = dict(known)
    taken = {DEFAULT_PARTITION, *names.values()}
    for value in sorted(set(values) - set(names)):
        is_free = value not in taken and name_problem(value, "partition") is None
        names[value] = value if is_free else suggest(_with_tail(value), taken, "partition")
        taken.add(names[value])
    return names


def _with_tail(value: str) -> str:
    """``value``, cut so that its tail stays within the length of a name."""
    tail = f"_{hashlib.blake2b(value.encode(), digest_size=2).hexdigest()}"
    return value[: MAX_BYTES - len(tail) - 1] + tail


def groups(places: pa.Array) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Each partition that occurs in ``places`` (``dictionary<int32, string>``, one a row), with its rows."""
    codes = places.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    found, starts = np.unique(codes[order], return_index=True)
    ends = [*starts[1:].tolist(), len(codes)]
    for code, start, end in zip(found.tolist(), starts.tolist(), ends, strict=False):
        yield places.dictionary[code].as_py(), order[start:end]
