"""Target of a stopped job: whether its collections are still those that it wrote to."""

from __future__ import annotations

from django.db.models import Q

from migrations_app.engine.errors import SettingsError
from migrations_app.engine.mapping import compile_mapping
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.targets.base import Target
from migrations_app.engine.targets.milvus.comparing import differences
from migrations_app.models import Job, JobCollection, TargetState

WRITTEN = (TargetState.CREATED, TargetState.EXISTING)
RUN_AGAIN = "Use “Run again”, which starts a new job with the same plan."


def target_refusal(job: Job, target: Target) -> SettingsError | None:
    """Return why the collections that this job has begun to fill cannot take the rest of the rows."""
    for row in job.collections.filter(target_state__in=WRITTEN).order_by("position"):
        schema = target.describe(row.target)
        if schema is None:
            return SettingsError(
                f"“{row.target}” no longer exists in the target: the rows that this job wrote are gone.",
                RUN_AGAIN,
                code="target_gone",
            )
        names = differences(schema, compile_mapping(row.completed).target)
        if names or _is_another(row, target):
            detail = f": {', '.join(names)} differ" if names else ""
            return SettingsError(
                f"“{row.target}” is no longer the collection that this job wrote to: it was dropped and "
                f"created again{detail}.",
                RUN_AGAIN,
                code="target_recreated",
            )
        if _has_lost_rows(row, target):
            return SettingsError(
                f"“{row.target}” has fewer rows than this job wrote: it was emptied, or created again.",
                RUN_AGAIN,
                code="target_recreated",
            )
        if (other := later_writer(row)) is not None:
            return SettingsError(
                f"{other.public_id} has written into “{row.target}” since this job stopped.",
                f"The counts could not be compared any more. {RUN_AGAIN}",
                code="target_used",
            )
    return None


def _is_another(row: JobCollection, target: Target) -> bool:
    return is_another(target, row.target, row.target_identity)


def is_another(target: Target, name: str, identity: str) -> bool:
    """True if the collection of this name is not the one with the stored ``identity``. False if the server
    tells none."""
    now = identity_of(target, name) if identity else ""
    return bool(now) and now != identity


def _has_lost_rows(row: JobCollection, target: Target) -> bool:
    """True if rows of this job are gone. Only asked where it costs nothing and the server tells no id of its
    collections: in Milvus Lite."""
    is_ours = row.target_state == TargetState.CREATED and row.key_unique
    if row.target_identity or not is_ours or target.capabilities().count_needs_load:
        return False
    counters = row.slices.values_list("rows_written", "beyond")
    written = sum(rows - beyond.get("rows_written", 0) for rows, beyond in counters)
    return target.count(row.target) < written


def identity_of(target: Target, name: str) -> str:
    """Return what the server gives only to this collection (its id and the time of its creation), or ""."""
    identity = target.identity(name, ReadContext(target.stop))
    return identity.unique[:500] if identity else ""


def later_writer(row: JobCollection) -> Job | None:
    """Return a job that was started or resumed after this one ended and wrote into the same collection."""
    if row.job.ended_at is None:
        return None
    ended_at = row.job.ended_at
    others = JobCollection.objects.exclude(job=row.job).filter(
        Q(job__started_at__gt=ended_at) | Q(job__resumed_at__gt=ended_at),
        target=row.target,
        target_state__in=WRITTEN,
        job__target_key=row.job.target_key,
        job__database=row.job.database,
    )
    other = others.select_related("job").first()
    return other.job if other else None
