"""Resume: continues a failed or canceled job from its stored checkpoints, or says why that cannot be."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.utils import timezone
from pydantic import ValidationError

from migrations_app import endpoints, queue
from migrations_app.engine.errors import SettingsError, TooManyRejected
from migrations_app.engine.log import counted
from migrations_app.engine.model.plan import Options, share_left_out
from migrations_app.models import (
    Job,
    JobSlice,
    JobStep,
    SliceState,
    StepKind,
    StepState,
    TargetState,
)
from migrations_app.models.job import MOVING_BEFORE, PAUSED
from migrations_app.models.status import Stage, Status
from migrations_app.models.step import ACTIONS
from migrations_app.services.jobs import note, refuse_another_target, source_address, user_name
from migrations_app.services.lifecycle import job_is_held
from migrations_app.services.transitions import move
from migrations_app.services.written_target import RUN_AGAIN, target_refusal

RESUMABLE = frozenset({Status.FAILED, Status.CANCELED})
# The options of the plan that may change when a job is resumed.
CHANGEABLE = ("max_rejected", "max_skipped")
# The steps that compare source and target. After a resume they start again.
CHECKS = (StepKind.VERIFY, StepKind.COUNT_AFTER, StepKind.KEY_CHECK, StepKind.DUPLICATE_KEYS)
UNCHECKED: dict[str, Any] = {
    "verified": None,
    "checks": [],
    "rows_target": None,
    "rows_source_after": None,
    "duplicate_keys_after": None,
}


def job_resume(*, job: Job, user: User | None, changes: dict[str, Any] | None = None) -> None:
    """Let a failed or canceled job continue. ``changes`` are new values for the options in ``CHANGEABLE``.

    Raises ``SettingsError`` if the job cannot be resumed, or if it would fail again at once.
    """
    if (refusal := resume_refusal(job)) is not None:
        raise refusal
    plan = _with_options(job, changes or {})
    _refuse_changed_ends(job)
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if (refusal := resume_refusal(locked)) is not None:
            raise refusal
        seconds = _seconds_before(locked)
        _reset(locked)
        resumed = move(
            job,
            Status.PENDING,
            only_from=RESUMABLE,
            plan=plan,
            seconds=seconds,
            stage=Stage.WAITING,
            resumed_at=timezone.now(),
            ended_at=None,
            error_code="",
            error_message="",
            error_hint="",
            refused=False,
            drop_requested=False,
            inline=False,
            attempts=0,
            not_before=None,
        )
        assert resumed, "the job is locked"
        note(job, f"Resumed by {user_name(user)}{_changed_text(job, locked)}.")
        queue.wake(job, queue.Task.PREPARE)


def resume_refusal(job: Job) -> SettingsError | None:
    """Return why the job cannot be resumed, as far as the console's own database tells; None if it can."""
    if job.status not in RESUMABLE:
        return SettingsError(
            f"{job.public_id} is {job.get_status_display()}; only a Failed or Canceled job can be resumed.",
            code="not_resumable",
        )
    if job_is_held(job=job):
        return SettingsError(
            "A worker may still be working on this job: its lease has not ended.",
            "Wait a minute, then press Resume again.",
            code="job_held",
        )
    return endpoints.deleted_connection(job) or _state_refusal(job)


def _state_refusal(job: Job) -> SettingsError | None:
    for row in job.collections.order_by("position"):
        if row.target_state == TargetState.DROPPED:
            return SettingsError(
                f"“{row.target}”, which this job created, was dropped with its rows.",
                RUN_AGAIN,
                code="target_dropped",
            )
        if row.plan.get("key") != "auto":
            continue
        unfinished = row.slices.exclude(state=SliceState.DONE)
        if unfinished.filter(unclean=True).exists():
            return SettingsError(
                f"“{row.target}” generates its keys (Auto ID), and it is not known whether the last requests "
                "of this job arrived: sending their rows again could duplicate them.",
                f"Nothing was dropped. {RUN_AGAIN}",
                code="auto_id_unclean_stop",
            )
        if unfinished.filter(resumable=False, rows_written__gt=0).exists():
            return SettingsError(
                f"“{row.source}” can only be read from its beginning again, and “{row.target}” generates its "
                "keys (Auto ID): the rows that are there already would be written twice.",
                RUN_AGAIN,
                code="auto_id_unclean_stop",
            )
    return None


def rows_rejected(job: Job) -> int:
    """The rejected rows up to the checkpoints: a resumed job starts with this number."""
    slices = JobSlice.objects.filter(collection__job=job)
    beyond = sum(part.get("rows_rejected", 0) for part in slices.values_list("beyond", flat=True))
    return int(slices.aggregate(total=Sum("rows_rejected", default=0))["total"]) - beyond


def _with_options(job: Job, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the plan with the changed options. Raises ``SettingsError`` if the job would fail at once."""
    options = {**job.plan.get("options", {}), **{k: v for k, v in changes.items() if k in CHANGEABLE}}
    try:
        wanted = Options.model_validate(options)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise SettingsError(
            f"“{changes.get(name)}” is not a value for {name}.", "See docs/plan-file.md.", field=name
        ) from None
    _refuse_limits(job, wanted)
    return {**job.plan, "options": options}


def _refuse_limits(job: Job, options: Options) -> None:
    """Raise ``SettingsError`` if the rows that are rejected or skipped already are more than these options
    allow."""
    most, rejected = options.max_rejected, rows_rejected(job)
    if most is not None and rejected > most:
        raise SettingsError(
            f"{counted(rejected, 'row')} {'was' if rejected == 1 else 'were'} rejected already, and the "
            f"limit is {most:,}: the job would fail again at once.",
            f"Allow at least {rejected:,} rejected rows (max_rejected).",
            code=TooManyRejected.default_code,
            field="max_rejected",
        )
    for row in rows_left_out(job):
        if row.left_out == row.rows_read:
            raise SettingsError(
                f"All rows of “{row.source}” were read, and none arrived: a resumed job has nothing to move.",
                "Use “Edit as new”, and change the mapping.",
                code="no_row_arrived",
            )
        if not options.allows_left_out(row.left_out, row.rows_read):
            enough = share_left_out(row.left_out, row.rows_read)
            raise SettingsError(
                f"{100 * row.left_out / row.rows_read:.4g} % of the rows of “{row.source}” were rejected or "
                f"skipped, and the limit is {100 * options.max_skipped:.4g} %: the job would fail again.",
                f"Allow at least {round(100 * enough)} % (max_skipped: {enough:g}).",
                code="mostly_rejected",
                field="max_skipped",
            )


def rows_left_out(job: Job) -> QuerySet[Any]:
    """The collections whose rows were all read, with ``rows_read`` and ``left_out``: the number of rejected
    and skipped rows."""
    rows = job.collections.with_counters().filter(rows_read__gt=0, slices_done=F("slices_total"))
    return rows.annotate(left_out=F("rows_rejected") + F("rows_skipped")).order_by("position")


def _changed_text(job: Job, before: Job) -> str:
    pairs = ((name, getattr(before.options, name), getattr(job.options, name)) for name in CHANGEABLE)
    texts = [f"{name} is now {_shown(now)}, before {_shown(was)}" for name, was, now in pairs if was != now]
    return f"; {'; '.join(texts)}" if texts else ""


def _shown(value: object) -> str:
    return "no limit" if value is None else f"{value:,}"


def _refuse_changed_ends(job: Job) -> None:
    """Raise ``SettingsError`` if a connection now points elsewhere, or if a collection of the target is gone
    or is another one."""
    with endpoints.job_source(job) as source:
        if job.source_address and source_address(source) != job.source_address:
            raise SettingsError(
                f"The connection “{job.source_name}” no longer points to {job.source_address}, from which "
                "this job read.",
                "Change the connection back, or use “Edit as new”.",
                code="source_elsewhere",
            )
    refuse_another_target(job)
    with endpoints.job_target(job) as target, endpoints.looking(target):
        if (refusal := target_refusal(job, target)) is not None:
            raise refusal


def _seconds_before(job: Job) -> dict[str, Any]:
    """Return the durations so far, with the pause and the time of moving kept apart: they are not measured
    by the new run."""
    seconds = dict(job.seconds)
    before = seconds.pop(Stage.MOVING.value, None)
    if before is not None:
        seconds[MOVING_BEFORE] = before
    if job.ended_at:
        pause = (timezone.now() - job.ended_at).total_seconds()
        seconds[PAUSED] = round(seconds.get(PAUSED, 0) + pause, 3)
    return seconds


def _reset(job: Job) -> None:
    """Make the steps and slices that did not end well wait again, and forget the checks of the end."""
    steps = JobStep.objects.filter(job=job)
    # What these counts changed in the target still has to be restored.
    to_restore = steps.unfinished_counts().values_list("pk", flat=True)
    steps.filter(kind__in=(*CHECKS, StepKind.CLEANUP)).exclude(pk__in=list(to_restore)).delete()
    failed = steps.filter(state=StepState.FAILED)
    failed.filter(kind__in=ACTIONS).update(position={}, percent=0)
    failed.update(state=StepState.WAITING, error_code="", error_message="", error_hint="")
    job.collections.update(**UNCHECKED)
    stopped = JobSlice.objects.filter(collection__job=job).exclude(state=SliceState.DONE)
    stopped.update(
        attempts=0, not_before=None, last_error="", first_read_at=None, last_ack_at=None, fence=F("fence") + 1
    )
