"""Rules for an exact copy of a Milvus collection: the plan matches its schema, and the target supports it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrations_app.engine.faults import Fault
from migrations_app.engine.log import counted
from migrations_app.engine.milvus.schema import CLUSTER_PROPERTIES
from migrations_app.engine.model.target_schema import BM25, Function, TargetField, TargetSchema
from migrations_app.engine.planning.defaults import kept_partitions
from migrations_app.engine.planning.from_existing import full_text_of
from migrations_app.engine.preflight.rules.existing_schema import compare
from migrations_app.engine.preflight.rules.full_text import is_analyzer_known
from migrations_app.engine.preflight.rules.partitions import NO_PARTITIONS
from migrations_app.engine.preflight.subject import Subject

# What a copy may change. A fault of any other option cannot be fixed in the plan.
CHANGEABLE = frozenset({"collection_target", "description", "if_exists", "full_text", "indexes"})
NO_FULL_TEXT = "full_text_unavailable"
# Faults that only another target can fix, in addition to those whose codes end with “_unavailable”.
OF_TARGET = frozenset(
    {*("too_many_vectors", "too_many_fields", "too_many_partitions", "full_text_nullable"), "name_reserved"}
)
NOT_SUPPORTED = "An exact copy needs a target that supports this."
LOCKED = (
    "The schema is copied exactly from the source. Only the name and the description can be changed, and "
    "full-text search can be added."
)
# Fixes that leave a field of the source out.
_LOSING = frozenset({"include", "dynamic"})


def check_exact_schema(subject: Subject) -> Iterator[Fault]:
    """Report each difference between the plan and the schema that is copied."""
    copied = subject.copied
    if copied is None:
        return
    shards = min(copied.shards, subject.capabilities.max_shards)
    for fault in (*compare(subject, copied, shards), *_check_additions(subject, copied)):
        fixes = tuple(fix for fix in fault.fixes if fix.option not in _LOSING)
        yield replace(fault, hint=LOCKED, fixes=fixes)


def _check_additions(subject: Subject, found: TargetSchema) -> Iterator[Fault]:
    """Check what only an exact copy compares: additional full-text search, partitions, descriptions."""
    plan = subject.plan
    own = {search.output: search for search in full_text_of(found)}
    analyzers = {field.name: field.analyzer for field in found.fields if field.analyzer}
    for number, wanted in enumerate(plan.full_text):
        path, kept = f"full_text[{number}]", own.get(wanted.output)
        if kept is not None and kept != wanted:
            message = f"“{kept.output}” is made from “{kept.field}” with the analyzer {kept.analyzer}."
            yield subject.fault(path, "full_text_differs", message)
        elif analyzers.get(wanted.field, wanted.analyzer) != wanted.analyzer:
            message = f"“{wanted.field}” has the analyzer {analyzers[wanted.field]}, not {wanted.analyzer}."
            yield subject.fault(f"{path}.analyzer", "full_text_differs", message)
    if plan.partition_by is not None:
        message = f"“{found.name}” is copied with its own partitions, not with one for each value."
        yield subject.fault("partition_by", "partitions_differ", message, "", NO_PARTITIONS)
    elif (plan.partitions or {}) != ({} if found.partition_key else kept_partitions(subject.schema)):
        message = f"The partitions differ from those of “{found.name}”."
        yield subject.fault("partitions", "partitions_differ", message)
    descriptions = {field.name: field.description for field in found.sent_fields}
    for entry in subject.fixed():
        described = descriptions.get(entry.plan.target or "", entry.plan.description)
        if entry.plan.description != described:
            message = f"The description of “{entry.plan.target}” is “{described}” in the source."
            yield entry.fault("description", "description_differs", message)


def is_of_schema(fault: Fault) -> bool:
    """True if a fault of an exact copy is about the copied schema, not about what a plan can change."""
    return fault.option.partition("[")[0] not in CHANGEABLE or fault.code == NO_FULL_TEXT


def without_impossible_fixes(fault: Fault) -> Fault:
    """Return a fault of an exact copy without fixes that would change the copied schema."""
    if not is_of_schema(fault):
        return fault
    is_of_target = fault.code.endswith("_unavailable") or fault.code in OF_TARGET
    return replace(fault, fixes=(), hint=NOT_SUPPORTED if is_of_target else fault.hint)


def check_support(subject: Subject) -> Iterator[Fault]:
    """Check that the target has every part of the copied schema. Warn of the parts that are not copied."""
    copied = subject.copied
    if copied is None:
        return
    for field in copied.fields:
        yield from _check_field(subject, field)
    for function in copied.functions:
        yield from _check_function(subject, function)
    for message in _left_behind(subject, copied):
        yield replace(subject.fault("", "not_copied", message), severity="warning")


def _check_field(subject: Subject, field: TargetField) -> Iterator[Fault]:
    """Check the options of a field that a plan does not have."""
    capabilities = subject.capabilities
    if field.analyzer and not is_analyzer_known(subject, field.analyzer):
        message = f"{capabilities} has no analyzer “{field.analyzer}”, which “{field.name}” needs."
        yield _of_field(subject, field, "analyzer_unavailable", message)
    if field.match and not capabilities.text_match:
        message = f"Text match of “{field.name}” {capabilities.missing('text_match')}."
        yield _of_field(subject, field, "text_match_unavailable", message)
    if field.is_clustering_key and not capabilities.clustering_key:
        message = f"“{field.name}” is a clustering key, which {capabilities.missing('clustering_key')}."
        yield _of_field(subject, field, "clustering_key_unavailable", message)


def _of_field(subject: Subject, field: TargetField, code: str, message: str) -> Fault:
    entry = subject.named(field.name)
    return entry.fault("", code, message) if entry else subject.fault("fields", code, message)


def _check_function(subject: Subject, function: Function) -> Iterator[Fault]:
    if function.type == BM25:
        return  # the rule for full-text search checks it
    if function.type not in subject.capabilities.functions:
        missing = subject.capabilities.missing(function.type)
        message = f"The function “{function.name}” has the type {function.type}, which {missing}."
        yield subject.fault("fields", "function_unavailable", message)
    elif function.type == "TextEmbedding":
        outputs = ", ".join(f"“{name}”" for name in function.outputs)
        message = (
            f"The target computes {outputs} again with the function “{function.name}”: its embedding service "
            "must also be configured there."
        )
        yield replace(subject.fault("fields", "function_runs_again", message), severity="warning")


def _left_behind(subject: Subject, copied: TargetSchema) -> Iterator[str]:
    """Yield a message for each part of the schema that is not copied."""
    capabilities = subject.capabilities
    for name in sorted(CLUSTER_PROPERTIES & copied.properties.keys()):
        yield f"The property {name} is not copied: it belongs to the cluster of the source."
    if copied.shards > capabilities.max_shards:
        allowed = counted(capabilities.max_shards, "shard")
        yield f"“{copied.name}” has {copied.shards} shards. {capabilities} allows {allowed}."
    options = {
        f"the consistency level {copied.consistency}": copied.consistency != "Strong",
        f"the {copied.partitions} partitions of the partition key": bool(copied.partitions),
        "the clustering key": any(field.is_clustering_key for field in copied.fields),
        "the options of fields": any(field.params for field in copied.fields),
    }
    lost = [option for option, is_set in options.items() if is_set]
    if lost and not capabilities.keeps_options:
        *first, last = lost
        yield f"{capabilities} does not store {', '.join(first)}{' or ' if first else ''}{last}."
