"""Run again: a new job with the plan of an ended one; trials, and the full migration after a trial."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.contrib.auth.models import User
from django.db import transaction

from migrations_app import endpoints
from migrations_app.engine.errors import FerryError, SettingsError
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Job, JobCollection, TargetState
from migrations_app.models.status import Status
from migrations_app.services.jobs import job_create, note, refuse_another_target, user_name
from migrations_app.services.lifecycle import job_is_held
from migrations_app.services.written_target import WRITTEN, is_another, later_writer

SUFFIX = "_trial"
MAX_NAME = 255


def job_again(
    *,
    job: Job,
    user: User | None,
    if_exists: Mapping[int, str] | None = None,
    once: str | None = None,
    all_rows: bool = False,
) -> Job:
    """Create a new job with the plan of an ended one. ``if_exists`` replaces that of the plan, by position.

    ``all_rows``: after a trial, the full migration into the collections with the real names. A second call
    with the same ``once`` returns the job of the first. Raises ``SettingsError`` if the job has not ended, or
    if one of its connections was deleted.
    """
    refuse_again(job)
    plan = again_plan(job, all_rows=all_rows)
    collections = [
        collection.model_copy(update={"if_exists": (if_exists or {}).get(place, collection.if_exists)})
        for place, collection in enumerate(plan.collections)
    ]
    created = job_create(
        plan=plan.model_copy(update={"collections": collections}),
        user=user,
        source_connection=job.source_connection,
        target_connection=job.target_connection,
        secrets=job.secrets,
        once=once,
        trial_targets=() if all_rows else job.trial_targets,
    )
    if not created.log.exists():
        words = "Moves everything after the trial" if all_rows else "Runs again the plan of"
        note(created, f"{words} {job.public_id}; started by {user_name(user)}.")
    return created


def refuse_again(job: Job) -> None:
    """Raise ``SettingsError`` if no new job can be made from this one."""
    if not job.is_ended:
        raise SettingsError(
            f"{job.public_id} is {job.get_status_display()}; only a job that has ended can run again.",
            "Wait until it has ended, or cancel it.",
            code="not_ended",
        )
    if (deleted := endpoints.deleted_connection(job)) is not None:
        raise deleted


def again_plan(job: Job, *, all_rows: bool = False) -> Plan:
    """Return the plan of the job as it was written; with ``all_rows``, that of the full migration after a
    trial."""
    plan = Plan.model_validate(job.plan)
    if not all_rows:
        return plan
    collections = [
        collection.model_copy(update=real) if real else collection
        for collection, real in zip(plan.collections, job.trial_targets, strict=True)
    ]
    options = plan.options.model_copy(update={"limit_rows": None})
    return plan.model_copy(update={"collections": collections, "options": options})


# ---------------------------------------------------------------- trials


def trial_plan(plan: Plan, taken: Collection[str], own: Collection[str]) -> tuple[Plan, list[dict[str, str]]]:
    """Return the plan of a trial, whose collections have names of their own, and for each collection the
    settings that the trial replaced.

    ``taken`` are the names of the collections in the target, ``own`` those of earlier trials: they are
    replaced.
    """
    used = {collection.target or "" for collection in plan.collections} | set(taken)
    changed, real = [], []
    for collection in plan.collections:
        target = collection.target or ""
        name = _trial_name(target, used - set(own))
        used.add(name)
        real.append({"target": target, "if_exists": collection.if_exists})
        if_exists = "replace" if name in own else "error"
        changed.append(collection.model_copy(update={"target": name, "if_exists": if_exists}))
    return plan.model_copy(update={"collections": changed}), real


def _trial_name(target: str, used: Collection[str]) -> str:
    name, number = f"{target[: MAX_NAME - len(SUFFIX)]}{SUFFIX}", 2
    while name in used:
        ending = f"{SUFFIX}_{number}"
        name, number = f"{target[: MAX_NAME - len(ending)]}{ending}", number + 1
    return name


def own_trials(target_key: str, database: str) -> dict[str, str]:
    """The collections in a database that trials created and no other job has written to since: the stored
    identity by name."""
    rows = JobCollection.objects.filter(
        job__target_key=target_key,
        job__database=database,
        target__contains=SUFFIX,
        target_state__in=WRITTEN,
    )
    found = rows.order_by("job__started_at").values_list(
        "target", "target_identity", "target_state", "job__trial_targets"
    )
    last = {target: (identity, state, trial) for target, identity, state, trial in found}
    return {
        target: identity
        for target, (identity, state, trial) in last.items()
        if trial and state == TargetState.CREATED
    }


def trial_drop(*, job: Job, user: User | None) -> None:
    """Drop the collections that a trial created. Raises ``SettingsError`` while a job works on one."""
    if not (job.is_trial and job.is_ended):
        raise SettingsError(
            "Only the collections of a trial that has ended can be dropped.", code="not_a_trial"
        )
    refuse_another_target(job)
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        rows = list(locked.collections.filter(target_state=TargetState.CREATED))
        _refuse_held(locked, rows)
        # A resume of the trial is refused from now on.
        JobCollection.objects.filter(pk__in=[row.pk for row in rows]).update(target_state=TargetState.DROPPED)
    for place, row in enumerate(rows):
        try:
            _drop(locked, row)
        except FerryError:
            rest = [other.pk for other in rows[place:]]
            JobCollection.objects.filter(pk__in=rest).update(target_state=TargetState.CREATED)
            raise
        note(job, f"Dropped the trial collection “{row.target}”, as {user_name(user)} requested.")


def _refuse_held(job: Job, rows: Sequence[JobCollection]) -> None:
    """Raise ``SettingsError`` if a job works on one of the collections, or has written into it later."""
    others = JobCollection.objects.exclude(job=job).filter(
        target__in=[row.target for row in rows],
        job__target_key=job.target_key,
        job__database=job.database,
        job__status__in=(Status.PENDING, Status.IN_PROGRESS, Status.CANCELING),
    )
    other = others.select_related("job").first()
    if other is not None or job_is_held(job=job) or job.steps.open_actions().exists():
        holder = other.job.public_id if other else job.public_id
        raise SettingsError(
            f"{holder} is working on a collection of this trial.",
            "Wait until it has ended, then press “Drop the trial” again.",
            code="target_in_use",
        )
    for row in rows:
        if (later := later_writer(row)) is not None:
            raise SettingsError(
                f"{later.public_id} has written into “{row.target}” since this trial ended.",
                "Drop it with the target's own tools if you do not need it.",
                code="target_used",
            )


def _drop(job: Job, row: JobCollection) -> None:
    """Drop a collection of the trial, unless another one has its name now."""
    with endpoints.job_target(job) as target, endpoints.looking(target):
        if row.target not in target.collections():
            return
        if is_another(target, row.target, row.target_identity):
            raise SettingsError(
                f"“{row.target}” is no longer the collection that the trial created.",
                "Drop it with the target's own tools if you do not need it.",
                code="target_recreated",
            )
        target.drop(row.target)
