"""Indexes: on a vector field, of a kind and with a metric that suit it, with parameters that are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrations_app.engine.errors import Fault
from migrations_app.engine.indexes import FULL_TEXT_METRICS, INDEX_TYPES, METRICS
from migrations_app.engine.milvus.index_params import EVERYWHERE, PARAMS
from migrations_app.engine.plan import IndexPlan
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.schema import MilvusType


def check_indexes(subject: Subject) -> Iterator[Fault]:
    outputs = {made.output for made in subject.plan.full_text}
    for number, index in enumerate(subject.plan.indexes or ()):
        path = f"indexes[{number}]"
        entry = subject.named(index.field)
        if index.field in outputs:
            yield from _check_metric(subject, path, index, FULL_TEXT_METRICS)
            yield from _check_type(subject, path, index, MilvusType.SPARSE_FLOAT_VECTOR)
            yield from _check_params(subject, path, index, None)
        elif entry is None or entry.spec is None:
            message = f"There is no field “{index.field}” to be indexed."
            yield subject.fault(
                f"{path}.field", "index_field_unknown", message, "Name a field of the target."
            )
        elif entry.spec.type not in METRICS:
            message = f"“{index.field}” is {entry.spec.type}; only vector fields are indexed here."
            yield subject.fault(f"{path}.field", "index_field_type", message, "Remove the index.")
        else:
            yield from _check_metric(subject, path, index, METRICS[entry.spec.type])
            yield from _check_type(subject, path, index, entry.spec.type)
            yield from _check_params(subject, path, index, entry.spec.dim)


def _check_metric(subject: Subject, path: str, index: IndexPlan, known: tuple[str, ...]) -> Iterator[Fault]:
    if index.metric not in known:
        message = f"“{index.metric}” is no metric for “{index.field}”."
        hint = f"One of: {', '.join(known)}." if len(known) > 1 else f"Use {known[0]}."
        yield subject.fault(f"{path}.metric", "metric_unsuitable", message, hint)


def _check_type(subject: Subject, path: str, index: IndexPlan, kind: MilvusType) -> Iterator[Fault]:
    has = [name for name in INDEX_TYPES[kind] if name in subject.caps.index_types]
    hint = f"One of: {', '.join(has)}."
    if index.type not in INDEX_TYPES[kind]:
        message = f"“{index.type}” is no index for {kind}."
        yield subject.fault(f"{path}.type", "index_type_unsuitable", message, hint)
    elif index.type not in has:
        message = f"The index {index.type} {subject.caps.missing(index.type)}."
        yield subject.fault(f"{path}.type", "index_type_unavailable", message, hint)


def _check_params(subject: Subject, path: str, index: IndexPlan, dim: int | None) -> Iterator[Fault]:
    """What is documented is checked; what is not may be known to a later Milvus."""
    known = PARAMS.get(index.type, {}) | EVERYWHERE
    for name, value in index.params.items():
        place = f"{path}.params.{name}"
        param = known.get(name)
        if param is None:
            message = f"“{name}” is no known parameter of {index.type}: the target may refuse it."
            hint = f"Known are: {', '.join(known)}."
            warning = subject.fault(place, "index_param_unknown", message, hint)
            yield replace(warning, severity="warning")
        elif not param.takes(value):
            message = f"“{name}” of {index.type} is {param}, not {value}."
            yield subject.fault(place, "index_param_invalid", message, "Type another value.")
        elif param.divides_dim and dim and dim % int(value):
            message = f"“{name}” of {index.type} is {value}, which does not divide the dimension {dim:,}."
            yield subject.fault(place, "index_param_invalid", message, "Use a divisor of it.")
