"""Rules for the collection as a whole: number of fields and vectors, shards, description, dynamic field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.log import counted
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.type_choices import lists_in_sample
from migrations_app.engine.preflight.rules.types import LEAVE_OUT
from migrations_app.engine.preflight.subject import FieldEntry, Subject
from migrations_app.engine.preflight.written import flow

# Milvus stores a schema in one etcd value of at most 1.5 MB; 2.3.5 accepted a description of 65,536 bytes.
MAX_DESCRIPTION_BYTES = 65_535
# Numbers in vectors (rows × dimensions). Zilliz Cloud's own migration advises one shard for up to 200 million
# rows with 768 dimensions, and asks users to contact Zilliz for more than a billion.
ONE_SHARD, ASK_FIRST = 200_000_000 * 768, 1_000_000_000 * 768


def check_counts(subject: Subject) -> Iterator[Fault]:
    capabilities, fixed = subject.capabilities, subject.fixed()
    outputs = len(subject.plan.full_text) + len(subject.copied_outputs)
    number = len(fixed) + outputs + subject.plan.makes_key
    if number > capabilities.max_fields:
        most = capabilities.max_fields
        message = f"The collection would have {number} fields; {capabilities.limited_by} allows {most}."
        hint = f"Leave {counted(number - most, 'field')} out, or move them into the dynamic field."
        fault = subject.fault("fields", "too_many_fields", message, hint)
        last = next((entry.name for entry in reversed(fixed) if not entry.is_vector), "")
        yield replace(fault, typed=(flow({"source": last, "dynamic": "true"}),) if last else ())
    vectors = [entry for entry in fixed if entry.is_vector]
    if not vectors and not outputs and not any(e.source and e.source.is_vector and not e.spec for e in fixed):
        message = f"“{subject.schema.name}” has no vector field to move."
        if (offered := _offered_vector(subject)) is not None:
            hint = f"“{offered.name}” can be one: choose FLOAT_VECTOR for it."
            fix = Fix(f"Use “{offered.name}” as FLOAT_VECTOR", "type", MilvusType.FLOAT_VECTOR)
            yield offered.fault("type", "no_vector", message, hint, fix)
            return
        hint = " ".join(("A Milvus collection needs at least one.", *_unavailable_vectors(subject)))
        yield subject.fault("fields", "no_vector", message, hint)
    for place, entry in enumerate(vectors, outputs + 1):
        if place > capabilities.max_vector_fields:
            yield _too_many_vectors(entry, place, capabilities)


def _offered_vector(subject: Subject) -> FieldEntry | None:
    """Return a field of another type that the source can also deliver as FLOAT_VECTOR; None if there is
    none."""
    for entry in subject.entries():
        choices = entry.source.choices if entry.source and not subject.is_key(entry) else ()
        if any(choice.spec.type is MilvusType.FLOAT_VECTOR for choice in choices):
            return entry
    return None


def _too_many_vectors(entry: FieldEntry, place: int, capabilities: Capabilities) -> Fault:
    """Return a fault, or a warning if the operator of the target may have allowed so many."""
    most = capabilities.configurable_vector_fields
    message = f"“{entry.name}” is vector field {place}; {capabilities.limited_by} allows "
    if place > most:
        message += f"{most}." if most > 1 else f"1. More than one {capabilities.missing('several_vectors')}."
        return entry.fault("type", "too_many_vectors", message, "Leave it out.", LEAVE_OUT)
    message += f"{capabilities.max_vector_fields}, unless its operator allows more (proxy.maxVectorFieldNum)."
    return entry.fault("type", "too_many_vectors", message, "Leave it out.", LEAVE_OUT, severity="warning")


def _unavailable_vectors(subject: Subject) -> Iterator[str]:
    """Yield a sentence for each vector field of which the target has none of the possible vector types."""
    for field in subject.schema.fields:
        kinds = [choice.spec.type for choice in field.choices if choice.spec.type.is_vector]
        if field.is_vector and subject.capabilities.types.isdisjoint(kinds):
            kind = kinds[0]
            yield f"“{field.name}” would be {kind}, which {subject.capabilities.missing(kind)}."


def check_shards(subject: Subject) -> Iterator[Fault]:
    most = subject.capabilities.max_shards
    if not 1 <= subject.plan.shards <= most:
        allowed = "one shard" if most == 1 else f"1 to {most} shards"
        message = f"{subject.capabilities} allows {allowed}, not {subject.plan.shards}."
        instead = min(max(subject.plan.shards, 1), most)
        yield subject.fault(
            "shards", "shards_out_of_range", message, "", Fix(f"Use {instead}", "shards", str(instead))
        )


def check_size(subject: Subject) -> Iterator[Fault]:
    """Give advice for large collections, from the estimated number of rows in the source."""
    rows, most = subject.schema.rows_estimate, subject.capabilities.max_shards
    dims = sum(entry.spec.dim or 0 for entry in subject.fixed() if entry.is_vector and entry.spec)
    if rows is None or most == 1 or not dims:
        return
    size = f"About {rows:,} rows with {dims:,} dimensions"
    if rows * dims > ASK_FIRST:
        message = f"{size} are unusually many for one collection."
        hint = "Ask the operator of the target (for Zilliz Cloud: Zilliz) how many shards it should have."
        yield replace(subject.fault("shards", "shards_ask", message, hint), severity="warning")
    elif rows * dims >= ONE_SHARD and subject.plan.shards == 1:
        message = f"{size} are written to one shard one after another: two or more shards are faster."
        fix = Fix("Use 2", "shards", "2")
        yield replace(subject.fault("shards", "shards_few", message, "", fix), severity="warning")


def check_description(subject: Subject) -> Iterator[Fault]:
    size = len(subject.plan.description.encode(errors="replace"))
    if size > MAX_DESCRIPTION_BYTES:
        message = f"The description has {size:,} bytes; at most {MAX_DESCRIPTION_BYTES:,} are allowed."
        yield subject.fault("description", "description_too_long", message, "Shorten it.")
    is_described = subject.plan.description or any(entry.plan.description for entry in subject.fixed())
    if is_described and not subject.capabilities.keeps_descriptions:
        fault = subject.fault(
            "description", "description_lost", f"{subject.capabilities} does not store descriptions."
        )
        yield replace(fault, severity="warning")


def check_dynamic_field(subject: Subject) -> Iterator[Fault]:
    for entry in subject.entries() if not subject.plan.dynamic_field else ():
        if entry.plan.dynamic:
            message = f"“{entry.name}” goes into the dynamic field, which is turned off."
            fix = Fix("Turn the dynamic field on", "dynamic_field", "true")
            yield entry.fault(
                "dynamic", "dynamic_field_off", message, "Turn it on, or make this a field.", fix
            )


def check_json_lists(subject: Subject) -> Iterator[Fault]:
    """Check JSON lists in the sample: Milvus 2.3 accepts only objects in a JSON field.

    The dynamic field is one object and may contain lists.
    """
    for entry in subject.fixed() if subject.capabilities.json_objects_only else ():
        if entry.plan.type != MilvusType.JSON or entry.source is None:
            continue
        lists, of = lists_in_sample(subject.schema.sample, entry.source)
        if lists:
            message = (
                f"{lists:,} of {of:,} sampled values of “{entry.name}” are lists, but {subject.capabilities} "
            )
            message += "accepts only JSON objects."
            yield entry.fault(
                "type",
                "json_list",
                message,
                "Put it into the dynamic field.",
                severity="error" if lists == of else "warning",
            )
