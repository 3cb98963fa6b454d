"""Partition names: one partition of the target for each partition of the source, or for each value of a
field, with its name and its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from migrations_app.engine.log import shortened
from migrations_app.engine.model.names import MAX_BYTES, name_problem, suggest, with_legal_characters
from migrations_app.engine.model.types import MilvusType, TypeSpec

DEFAULT_PARTITION = "_default"
"""The partition that every collection has. Rows without a value go there."""

VALUE = TypeSpec(MilvusType.VARCHAR)
"""The type in which the partition value is read: its exact text."""

MAX_VALUE_BYTES = 1024
"""A field with longer texts is refused: they cannot serve as names."""


def names_of_source_partitions(partitions: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return a different partition name for each partition of a source, in their order. Those in ``known``
    keep their names.

    The source's own default partition, which may have an empty name, becomes the default partition.
    """
    kept = {name: known[name] for name in partitions if name in known}
    defaults = [name for name in (DEFAULT_PARTITION, "") if name in partitions]
    if defaults and defaults[0] not in kept and DEFAULT_PARTITION not in kept.values():
        kept[defaults[0]] = DEFAULT_PARTITION
    names = partition_names(partitions, kept)
    return {name: names[name] for name in partitions}


def partition_names(values: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return a different partition name for each of ``values``. Values in ``known`` keep their names.

    A value that is a valid name is used unchanged. Any other value is made valid and gets a suffix from its
    hash (“en-GB” becomes “en_GB_fb1d”). So a later job that adds rows finds the same names, even if there are
    other values then.
    """
    names = dict(known)
    taken = {DEFAULT_PARTITION, *names.values()}
    for value in sorted(set(values) - set(names)):
        is_free = value not in taken and name_problem(value, "partition") is None
        names[value] = value if is_free else suggest(_with_hash(value), taken, "partition")
        taken.add(names[value])
    return names


def partition_label(name: str) -> str:
    """Return a partition of the source, for use in a sentence."""
    return f"the partition “{shortened(name)}”" if name else "the partition without a name"


def _with_hash(value: str) -> str:
    """Return ``value`` with a hash suffix, cut to the length of a name."""
    suffix = f"_{hashlib.blake2b(value.encode(), digest_size=2).hexdigest()}"
    return with_legal_characters(value)[: MAX_BYTES - len(suffix) - 1] + suffix


def groups(places: pa.Array) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Yield each partition in ``places`` (``dictionary<int32, string>``, one per row) and its rows."""
    codes = places.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    used, starts = np.unique(codes[order], return_index=True)
    ends = [*starts[1:].tolist(), len(codes)]
    for code, start, end in zip(used.tolist(), starts.tolist(), ends, strict=False):
        yield places.dictionary[code].as_py(), order[start:end]
