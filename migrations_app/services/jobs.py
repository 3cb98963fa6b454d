"""Job services for users: create and cancel jobs; index, load and release their collections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as host_settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from migrations_app import endpoints, queue
from migrations_app.engine.errors import PlanRefused, SettingsError
from migrations_app.engine.faults import Fault
from migrations_app.engine.model.plan import CollectionPlan, Plan
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target
from migrations_app.models import Connection, Draft, Job, JobCollection, JobStep, LogEntry, StepKind
from migrations_app.models.status import Status
from migrations_app.services.drafts import draft_error
from migrations_app.services.lifecycle import CREATED, job_settle, wake_next_pending
from migrations_app.services.transitions import move


def job_create(
    *,
    plan: Plan,
    user: User | None,
    source_connection: Connection | None = None,
    target_connection: Connection | None = None,
    secrets: dict[str, dict[str, Any]] | None = None,
    draft: Draft | None = None,
    description: str = "",
    inline: bool = False,
    once: str | None = None,
    trial_targets: Sequence[Mapping[str, str]] = (),
) -> Job:
    """Create a job from a plan and wake a worker for it.

    ``secrets`` are the endpoint settings written in the plan, by role ("source", "target"). A draft creates
    only one job, and so does ``once``, the token of a form: a second call returns the job of the first. With
    ``inline`` no worker is woken. ``trial_targets``: see ``Job``.
    Raises ``PlanRefused`` for too many collections, ``SettingsError`` for settings that cannot be used.
    """
    _refuse_too_many(plan)
    job = Job(
        source_connection=source_connection,
        target_connection=target_connection,
        plan=plan.stored(),
        secrets=secrets or {},
        database=plan.target.database,
        kind=source_connection.kind if source_connection else plan.source.kind or "",
        target_kind=target_connection.kind if target_connection else plan.target.kind or "",
        description=description,
        created_by=user,
        inline=inline,
        once=once,
        trial_targets=[dict(target) for target in trial_targets],
    )
    with endpoints.job_source(job) as source, endpoints.job_target(job) as target:
        job.source_address = source_address(source)
        job.source_name = source_connection.name if source_connection else source.address()[:500]
        job.target_name = target_connection.name if target_connection else target.address()[:500]
        job.target_key = target_key(target)
    job.description = description or f"{job.source_name} → {job.target_name}"[:500]
    try:
        is_new = _insert(job, plan, draft)
    except IntegrityError:
        first = Job.objects.filter(once=once).first() if once else None
        if first is None:
            raise
        return first
    if not is_new:
        assert draft is not None
        return _job_of(draft)
    return job


def _insert(job: Job, plan: Plan, draft: Draft | None) -> bool:
    """Store the job and wake a worker. If its draft already has a job, store nothing and return False."""
    with transaction.atomic():
        job.save()
        # The wizard no longer needs its state, which contains rows of the source: it is cleared.
        if draft is not None and not Draft.objects.filter(pk=draft.pk, job=None).update(job=job, state={}):
            transaction.set_rollback(True)
            return False
        JobCollection.objects.bulk_create(
            JobCollection(job=job, position=number, source=c.source, target=c.target or "", plan=_as_json(c))
            for number, c in enumerate(plan.collections)
        )
        queue.wake(job, queue.Task.PREPARE)
    return True


def _as_json(collection: CollectionPlan) -> dict[str, Any]:
    return collection.model_dump(mode="json", by_alias=True)


def _job_of(draft: Draft) -> Job:
    """Return the job that an earlier call created from the draft."""
    draft.refresh_from_db()
    if draft.job is None:
        raise draft_error(draft)
    return draft.job


def _refuse_too_many(plan: Plan) -> None:
    limit = host_settings.VECTORFERRY_MAX_COLLECTIONS
    if len(plan.collections) > limit:
        raise PlanRefused(
            (
                Fault(
                    "too_many_collections",
                    f"The plan has {len(plan.collections)} collections; one job can have at most {limit}.",
                    "Split it into several plans. The operator can raise VECTORFERRY_MAX_COLLECTIONS.",
                    path="collections",
                ),
            )
        )


def _hosts(endpoint: Source | Target) -> str:
    return ", ".join(endpoint.hosts())[:500]


def source_address(source: Source) -> str:
    """Return the address of a source, without secrets: a resumed job must read from the same one."""
    return source.address()[:500]


def target_key(target: Target) -> str:
    """Return a text that identifies the server of a target, without database and user.

    Jobs compare it: at some targets they must take turns.
    """
    uri = getattr(target.settings, "uri", None)
    if not isinstance(uri, str):
        return f"{target.kind}:{_hosts(target)}"[:500]
    parts = urlsplit(uri if "://" in uri else f"//{uri}")
    host = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}.get(parts.hostname or "", parts.hostname)
    return f"{target.kind}:{host}:{parts.port or ''}{parts.path.rstrip('/')}"[:500]


def job_cancel(*, job: Job, user: User | None, drop: bool) -> None:
    """Cancel a job. ``drop`` also drops the collections it created, once no worker writes to them.

    If no worker holds the job, it is canceled before this returns. Raises ``SettingsError`` if it has ended.
    """
    if _cancel_pending(job, user, drop=drop):
        return
    if not move(job, Status.CANCELING, drop_requested=drop):
        job.refresh_from_db()
        raise SettingsError(
            f"{job.public_id} is {job.get_status_display()} and can no longer be canceled.",
            code="not_cancelable",
        )
    rest = (
        "the collections that the job created will be dropped" if drop else "the rows that the job wrote stay"
    )
    note(job, f"Canceled by {user_name(user)}; {rest}.")
    if not job_settle(job=job):
        queue.wake(job, queue.Task.SETTLE)


def _cancel_pending(job: Job, user: User | None, *, drop: bool) -> bool:
    """Cancel a job that waits for a worker. A resumed job that has to drop its collections is not ended here:
    a worker does that."""
    if drop and job.collections.filter(target_state__in=CREATED).exists():
        return False
    if not move(job, Status.CANCELED, only_from=frozenset({Status.PENDING}), ended_at=timezone.now()):
        return False
    rest = "continued; the rows that it wrote stay" if job.resumed_at else "started; nothing was written"
    note(job, f"Canceled by {user_name(user)} before it {rest}.")
    wake_next_pending()
    return True


def job_index(*, job: Job, user: User | None, collection: str = "") -> None:
    """Request the indexes of the plan, for all collections of a Successful job or for the one named."""
    _request_action(job, user, collection, StepKind.INDEX)


def job_load(*, job: Job, user: User | None, collection: str = "") -> None:
    _request_action(job, user, collection, StepKind.LOAD)


def job_release(*, job: Job, user: User | None, collection: str = "") -> None:
    _request_action(job, user, collection, StepKind.RELEASE)


# The actions that a request replaces, with their results.
REPLACED_BY = {
    StepKind.INDEX: (StepKind.INDEX,),
    StepKind.LOAD: (StepKind.LOAD, StepKind.RELEASE),
    StepKind.RELEASE: (StepKind.LOAD, StepKind.RELEASE),
}
ACTION_TITLES = {StepKind.INDEX: "Create index", StepKind.LOAD: "Load", StepKind.RELEASE: "Release"}


def _request_action(job: Job, user: User | None, collection: str, kind: StepKind) -> None:
    job.refresh_from_db()
    if not job.can_use_target:
        raise SettingsError(
            f"{job.public_id} is {job.get_status_display()}; this action needs a Successful job.",
            code="not_finished",
        )
    refuse_another_target(job)
    with transaction.atomic():
        Job.objects.select_for_update().get(pk=job.pk)
        rows = list(job.collections.filter(**({"target": collection} if collection else {})))
        if not rows:
            raise SettingsError(f"This job has no collection “{collection}”.", code="collection_unknown")
        job.steps.filter(collection__in=rows, kind__in=REPLACED_BY[kind]).delete()
        JobStep.objects.bulk_create(JobStep(job=job, collection=row, kind=kind) for row in rows)
    note(job, f"{ACTION_TITLES[kind]}: requested by {user_name(user)}.")
    queue.wake(job, queue.Task.POST_MIGRATION)


def refuse_another_target(job: Job) -> None:
    """Raise ``SettingsError`` if the target's connection was deleted, or now points to another server."""
    with endpoints.job_target(job) as target:
        if target_key(target) != job.target_key:
            raise SettingsError(
                f"The connection “{job.target_name}” no longer points to the server that this job wrote to.",
                "Change the connection back, or use the server's own tools.",
                code="target_elsewhere",
            )


def user_name(user: User | None) -> str:
    return user.get_username() if user else "the command line"


def note(job: Job, message: str) -> None:
    """Add a line to the run log, from outside a worker."""
    LogEntry.objects.create(job=job, at=timezone.now(), level=LogEntry.Level.INFO, message=message)
