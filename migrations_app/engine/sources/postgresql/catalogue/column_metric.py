"""Column metric: the metric and the index of a vector column, from the vector indexes on it."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app.engine.model.source_schema import IndexHint
from migrations_app.engine.sources.postgresql.catalogue.vector_indexes import ColumnIndexes, VectorIndex
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn
from migrations_app.engine.sources.postgresql.types.families import metrics_of

# The index types of pgvector: the one of Milvus, and its parameters with the names that they have there and
# the defaults that they have in pgvector.
_TYPES: dict[str, tuple[str, dict[str, tuple[str, int]]]] = {
    "hnsw": ("HNSW", {"m": ("M", 16), "ef_construction": ("efConstruction", 64)}),
    "ivfflat": ("IVF_FLAT", {"lists": ("nlist", 100)}),
}


@dataclass(frozen=True, slots=True)
class ColumnMetric:
    """What the fields of the same names in ``SourceField`` say."""

    metric: str | None = None
    metric_note: str = ""
    index_hint: IndexHint | None = None


def column_metric(column: PostgresColumn, found: ColumnIndexes, kind: str) -> ColumnMetric:
    """Return the metric of ``column`` of a relation of this ``kind``. If its indexes have different metrics,
    it is that of the first index whose metric Milvus has."""
    by_metric = [(metric, i) for i in found.indexes for metric in metrics_of(column, i.operator_class)]
    if not by_metric:
        return ColumnMetric(
            metric_note=f"is computed by the {kind}" if found.is_computed else "has no vector index"
        )
    metrics = list(dict.fromkeys(metric for metric, _ in by_metric))
    # Milvus has no L1.
    metric, index = next(((metric, index) for metric, index in by_metric if metric != "L1"), by_metric[0])
    note = f"has indexes with different metrics, {' and '.join(sorted(metrics))}" if len(metrics) > 1 else ""
    return ColumnMetric(metric, note, _hint(index))


def _hint(index: VectorIndex) -> IndexHint | None:
    if index.method not in _TYPES:
        return None
    type_, names = _TYPES[index.method]
    given = dict(index.options)
    params = tuple(
        (name, int(value) if (value := given.get(own, "")).isdigit() else default)
        for own, (name, default) in names.items()
    )
    return IndexHint(type_, params)
