"""Default indexes: the proposed index and metric of each vector field."""

from __future__ import annotations

from typing import Any

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.milvus.index_params import DEFAULTS, PARAMS
from migrations_app.engine.milvus.metrics import (
    FULL_TEXT_INDEX,
    FULL_TEXT_METRICS,
    METRICS_OF_INDEX,
    METRICS_OF_TYPE,
)
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan, IndexPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType


def default_metric(type_: MilvusType, source: SourceField | None) -> str | None:
    """Return the metric of the source's index, or the usual metric of the type if the source has no index.
    None if Milvus lacks the metric of the source for this type: the user has to choose one."""
    metric = METRICS_OF_TYPE[type_][0] if source is None or source.metric is None else source.metric
    return metric if metric in METRICS_OF_TYPE[type_] else None


def is_guess(type_: MilvusType, source: SourceField | None) -> bool:
    """True if several metrics are possible for a vector and the source does not say which one it has."""
    if source is None or source.is_metric_known or len(METRICS_OF_TYPE[type_]) == 1:
        return False
    return any(choice.spec.type.is_vector for choice in source.choices)


def default_params(kind: str, source: SourceField | None, capabilities: Capabilities) -> dict[str, Any]:
    """Return the parameters that an index of this kind gets at first: those of the source's own index if it
    is of this kind, else Milvus's defaults, as far as the target does not know them itself."""
    hint = source.index_hint if source else None
    if hint is not None and hint.type == kind:
        return dict(hint.params)
    needed = {} if capabilities.index_defaults else DEFAULTS
    return {name: value for name, value in needed.items() if name in PARAMS.get(kind, {})}


def copied_outputs(collection: CollectionPlan, copied: TargetSchema | None) -> tuple[TargetField, ...]:
    """Return the fields of an exact copy that its functions fill, without those of full-text search."""
    if copied is None:
        return ()
    others = copied.outputs - {full_text.output for full_text in collection.full_text}
    return tuple(field for field in copied.fields if field.name in others)


def default_indexes(
    collection: CollectionPlan, fields: list[FieldPlan], schema: CollectionSchema, capabilities: Capabilities
) -> list[IndexPlan]:
    """Return one index for each vector field that has a metric, including those that full-text search
    creates. If the plan lists indexes, return these, with their metric filled in. A metric that only the
    defaults gave and the source does not tell is marked as a guess."""
    vectors = {
        field.target: (MilvusType(field.type), schema.field(field.source or ""))
        for field in fields
        if field.target and not field.dynamic and field.type in set(METRICS_OF_TYPE)
    }
    metrics = {target: default_metric(type_, source) for target, (type_, source) in vectors.items()}
    guesses = {target for target, (type_, source) in vectors.items() if is_guess(type_, source)}
    outputs = {full_text.output: FULL_TEXT_METRICS[0] for full_text in collection.full_text}
    metrics |= {
        field.name: default_metric(field.spec.type, schema.field(field.name))
        for field in copied_outputs(collection, schema.exact if collection.exact is not None else None)
    }
    if collection.indexes is None:
        dense = [
            IndexPlan(field=target, metric=metric, guessed=target in guesses)
            for target, metric in metrics.items()
            if metric
        ]
        kind = FULL_TEXT_INDEX if FULL_TEXT_INDEX in capabilities.index_types else "AUTOINDEX"
        return dense + [IndexPlan(field=name, type=kind, metric=metric) for name, metric in outputs.items()]
    usual = metrics | outputs
    return [
        index if index.metric else _with_metric(index, usual.get(index.field), index.field in guesses)
        for index in collection.indexes
    ]


def _with_metric(index: IndexPlan, usual: str | None, is_guessed: bool) -> IndexPlan:
    suits = METRICS_OF_INDEX.get(index.type)
    metric = suits[0] if suits and usual not in suits else usual
    guessed = is_guessed and metric is not None and (suits is None or len(suits) > 1)
    return index.model_copy(update={"metric": metric, "guessed": guessed})
