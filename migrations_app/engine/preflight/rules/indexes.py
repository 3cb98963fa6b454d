"""Rules for indexes: a vector field, an index type and a metric that suit it, and known parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.log import use_one_of
from migrations_app.engine.milvus.index_params import COMMON_PARAMS, PARAMS, WITHOUT_DEFAULT
from migrations_app.engine.milvus.metrics import (
    FULL_TEXT_METRICS,
    INDEX_TYPES,
    METRICS_OF_INDEX,
    METRICS_OF_TYPE,
)
from migrations_app.engine.model.names import duplicates
from migrations_app.engine.model.plan import IndexPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.preflight.written import flow

_FULL_TEXT_OUTPUT = TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR)


def check_indexes(subject: Subject) -> Iterator[Fault]:
    outputs = {full_text.output for full_text in subject.plan.full_text}
    copied = {field.name: field.spec for field in subject.copied_outputs}
    twice = duplicates(index.field for index in subject.plan.indexes or ())
    for number, index in enumerate(subject.plan.indexes or ()):
        path = f"indexes[{number}]"
        entry = subject.named(index.field)
        spec = entry.spec if entry is not None else copied.get(index.field)
        if index.field in twice:
            message = f"“{index.field}” has two indexes in the plan, but Milvus allows one for each field."
            yield subject.fault(f"{path}.field", "index_twice", message, "Remove one of them.")
        if index.field in outputs and not subject.capabilities.full_text:
            continue  # the rule for full-text search reports it
        if index.field in outputs:
            yield from _check_index(subject, path, index, _FULL_TEXT_OUTPUT, FULL_TEXT_METRICS)
        elif spec is None:
            message = f"The target has no field “{index.field}” to index."
            yield subject.fault(
                f"{path}.field", "index_field_unknown", message, "Choose a field of the target."
            )
        elif spec.type not in METRICS_OF_TYPE:
            message = f"“{index.field}” is {spec.type}, but only vector fields can have an index here."
            yield subject.fault(f"{path}.field", "index_field_type", message, "Remove the index.")
        else:
            yield from _check_index(subject, path, index, spec, METRICS_OF_TYPE[spec.type])


def check_source_metrics(subject: Subject) -> Iterator[Fault]:
    """Warn of vectors whose metric in the source does not exist in Milvus: no index is proposed for them."""
    indexed = {index.field for index in subject.plan.indexes or ()}
    for entry in subject.fixed():
        spec, metric = entry.spec, entry.source.metric if entry.source else None
        if spec is None or metric is None or not spec.type.is_vector or entry.plan.target in indexed:
            continue
        if metric not in METRICS_OF_TYPE[spec.type]:
            message = (
                f"“{metric}”, the metric of “{entry.name}”, has no equivalent for {spec.type} in Milvus: "
                "no index is proposed."
            )
            offered = [name for name in METRICS_OF_TYPE[spec.type] if name in subject.capabilities.metrics]
            lines = tuple(f"indexes: [{{field: {entry.plan.target}, metric: {name}}}]" for name in offered)
            hint = f"Choose a metric to create one ({', '.join(offered)})."
            hint += f" In a plan file: {lines[0]}" if lines else ""
            fixes = (Fix(f"Use {name}", "metric", name) for name in offered)
            fault = entry.fault("metric", "metric_unknown", message, hint, *fixes, severity="warning")
            yield replace(fault, typed=lines)


def check_guessed_metrics(subject: Subject) -> Iterator[Fault]:
    """Warn of metrics that nobody chose and that the source does not tell. An existing collection keeps its
    own indexes."""
    for index in subject.plan.indexes or () if subject.existing is None else ():
        entry = subject.named(index.field)
        if not index.guessed or entry is None or entry.spec is None or entry.source is None:
            continue
        known = METRICS_OF_INDEX.get(index.type, METRICS_OF_TYPE.get(entry.spec.type, ()))
        offered = [name for name in known if name in subject.capabilities.metrics]
        if not offered:
            continue  # another rule reports that the target has no such vectors
        note = f"“{entry.name}” {entry.source.metric_note}"
        if not entry.source.metric_note:
            note = f"The source names no metric for “{entry.name}”"
        message = f"{note}, so the metric {index.metric} is a guess."
        first = sorted(offered, key=lambda name: name != index.metric)
        lines = tuple(_line(subject, index, name) for name in first)
        hint = f"Choose the metric that your searches use ({', '.join(first)}). In a plan file: {lines[0]}"
        fixes = (_fix(name, index) for name in offered) if subject.copied is None else ()
        fault = entry.fault("metric", "metric_guessed", message, hint, *fixes, severity="warning")
        yield replace(fault, typed=lines)


def _line(subject: Subject, chosen: IndexPlan, metric: str) -> str:
    """Return the line of a plan file that gives ``chosen`` this metric: with all indexes of the plan."""
    entries = []
    for index in subject.plan.indexes or ():
        kind = {} if index.type == "AUTOINDEX" else {"type": index.type}
        now = metric if index is chosen else index.metric or ""
        entries.append(flow({"field": index.field} | kind | {"metric": now}))
    return f"indexes: [{', '.join(entries)}]"


def _fix(metric: str, index: IndexPlan) -> Fix:
    return Fix(f"{metric} is right" if metric == index.metric else f"Use {metric}", "metric", metric)


def _check_index(
    subject: Subject, path: str, index: IndexPlan, spec: TypeSpec, metrics: tuple[str, ...]
) -> Iterator[Fault]:
    if type_faults := tuple(_check_type(subject, path, index, spec.type)):
        yield from type_faults
        return
    yield from _check_metric(subject, path, index, METRICS_OF_INDEX.get(index.type, metrics))
    yield from _check_missing(subject, path, index)
    yield from _check_params(subject, path, index, spec.dim)


def _check_metric(subject: Subject, path: str, index: IndexPlan, known: tuple[str, ...]) -> Iterator[Fault]:
    has = [name for name in known if name in subject.capabilities.metrics]
    if known and not has:
        return  # the target has no such vectors or indexes, which another rule reports
    hint = use_one_of(has)
    if index.metric is None:
        message = f"The index on “{index.field}” has no metric: Milvus lacks the metric of the source."
        yield subject.fault(f"{path}.metric", "metric_missing", message, hint)
    elif index.metric not in known:
        message = f"“{index.metric}” is not a metric for {index.type} on “{index.field}”."
        yield subject.fault(f"{path}.metric", "metric_unsuitable", message, hint)
    elif index.metric not in has:
        message = f"The metric {index.metric} {subject.capabilities.missing(index.metric)}."
        yield subject.fault(f"{path}.metric", "metric_unavailable", message, hint)
    elif index.type.startswith("GPU_") and index.metric == "COSINE" and not subject.capabilities.gpu_cosine:
        message = f"{index.type} with the metric COSINE {subject.capabilities.missing('gpu_cosine')}."
        yield subject.fault(f"{path}.metric", "metric_unavailable", message, "Use one of: L2, IP.")


def _check_type(subject: Subject, path: str, index: IndexPlan, kind: MilvusType) -> Iterator[Fault]:
    has = [name for name in INDEX_TYPES[kind] if name in subject.capabilities.index_types]
    hint = use_one_of(has)
    if index.type not in INDEX_TYPES[kind]:
        message = f"“{index.type}” is not an index type for {kind}."
        yield subject.fault(f"{path}.type", "index_type_unsuitable", message, hint)
    elif index.type not in has:
        message = f"The index type {index.type} {subject.capabilities.missing(index.type)}."
        yield subject.fault(f"{path}.type", "index_type_unavailable", message, hint)


def _check_missing(subject: Subject, path: str, index: IndexPlan) -> Iterator[Fault]:
    """Check for parameters that have no default in this target."""
    if subject.capabilities.index_defaults or index.type not in subject.capabilities.index_types:
        return
    for name, param in PARAMS[index.type].items():
        if name in WITHOUT_DEFAULT and name not in index.params:
            message = f"The index type {index.type} needs the parameter “{name}” in {subject.capabilities}."
            yield subject.fault(f"{path}.params", "index_param_missing", message, f"It must be {param}.")


def _check_params(subject: Subject, path: str, index: IndexPlan, dim: int | None) -> Iterator[Fault]:
    """Check the documented parameters. Warn of others: a later Milvus may know them."""
    known = PARAMS.get(index.type, {}) | COMMON_PARAMS
    for name, value in index.params.items():
        place = f"{path}.params.{name}"
        param = known.get(name)
        if param is None:
            message = f"“{name}” is not a known parameter of {index.type}: the target may refuse it."
            hint = f"Known parameters: {', '.join(known)}."
            warning = subject.fault(place, "index_param_unknown", message, hint)
            yield replace(warning, severity="warning")
        elif not param.takes(value):
            message = f"“{name}” of {index.type} must be {param}, not {value}."
            yield subject.fault(place, "index_param_invalid", message, "Enter another value.")
        elif param.divides_dim and dim and dim % int(float(value)):
            message = (
                f"“{name}” of {index.type} is {value}, but the dimension {dim:,} is not divisible by it."
            )
            yield subject.fault(place, "index_param_invalid", message, "Use a divisor of the dimension.")
