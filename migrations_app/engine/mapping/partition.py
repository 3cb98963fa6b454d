"""Partitioning: the partition that each row of a batch goes into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.log import shortened
from migrations_app.engine.mapping.checks.column_checks import rows_where
from migrations_app.engine.mapping.checks.findings import Finding
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION, VALUE


@dataclass(frozen=True, slots=True)
class Partitioning:
    """One partition for each value of the source field ``by``; rows with NULL go into the default partition.

    ``names`` has the partition name of each value. ``is_in_key``: in the target, rows with equal keys in
    different partitions are different rows.
    """

    by: str
    names: Mapping[str, str]
    is_in_key: bool = True

    @property
    def read(self) -> ReadColumn:
        return ReadColumn(self.by, VALUE)

    def partitions_of(self, values: pa.Array) -> tuple[pa.Array, tuple[Finding, ...]]:
        """Return the partition of each of ``values`` (``string``) as ``dictionary<int32, string>``, and a
        finding for the values that have no partition."""
        known = pa.array(list(self.names), pa.string())
        index = pc.index_in(values, known).cast(pa.int32())
        # The last entry of the dictionary is the default partition.
        partitions = pa.DictionaryArray.from_arrays(
            index.fill_null(len(known)), pa.array([*self.names.values(), DEFAULT_PARTITION], pa.string())
        )
        is_unknown = pc.and_(index.is_null(), values.is_valid())
        if not pc.any(is_unknown).as_py():
            return partitions, ()
        finding = Finding(rows_where(is_unknown), "partition_unknown", self._reason(values), self.by)
        return partitions, (finding,)

    def _reason(self, values: pa.Array) -> Callable[[int], str]:
        return lambda row: (
            f"“{self.by}” is “{shortened(values[row].as_py())}”. No row had this value when the partitions "
            "were created."
        )
