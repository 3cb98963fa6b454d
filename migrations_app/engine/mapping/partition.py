"""Which partition each row of a batch goes into."""

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
    """One partition for each value of the source field ``by``: ``names`` by value, NULL into the default one.

    ``is_in_key``: the target keeps rows of equal keys apart that are in different partitions.
    """

    by: str
    names: Mapping[str, str]
    is_in_key: bool = True

    @property
    def read(self) -> ReadColumn:
        return ReadColumn(self.by, VALUE)

    def places(self, values: pa.Array) -> tuple[pa.Array, tuple[Finding, ...]]:
        """The partition of each of ``values`` (``string``) as ``dictionary<int32, string>``; a value that has
        none is found."""
        known = pa.array(list(self.names), pa.string())
        index = pc.index_in(values, known).cast(pa.int32())
        # The last is the default one.
        places = pa.DictionaryArray.from_arrays(
            index.fill_null(len(known)), pa.array([*self.names.values(), DEFAULT_PARTITION], pa.string())
        )
        is_strange = pc.and_(index.is_null(), values.is_valid())
        if not pc.any(is_strange).as_py():
            return places, ()
        finding = Finding(rows_where(is_strange), "partition_unknown", self._is_strange(values), self.by)
        return places, (finding,)

    def _is_strange(self, values: pa.Array) -> Callable[[int], str]:
        return lambda row: (
            f"“{self.by}” is “{shortened(values[row].as_py())}”, which no row had when the partitions "
            "were made."
        )
