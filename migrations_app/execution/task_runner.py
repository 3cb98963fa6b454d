"""Task runner: runs a control task under a lease, with a heartbeat and a run log, and handles its errors.

A control task works in turns. A turn in the control queue takes at most ``CONTROL_SECONDS``, so that no job
holds its process; what is not finished then continues in the data queue, in turns of at most
``VECTORFERRY_SLICE_SECONDS``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Q

from migrations_app import queue
from migrations_app.engine.errors import (
    Canceled,
    Draining,
    FerryError,
    Interrupted,
    LeaseLost,
    PlanRefused,
    TimeIsUp,
)
from migrations_app.engine.read_context import ReadContext, time_limit
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.execution import lease
from migrations_app.execution.heartbeat import Heartbeat, drain
from migrations_app.models import Job, StepState
from migrations_app.models.status import Status
from migrations_app.reporting.run_log import RunLog

CONTROL_SECONDS = 10.0
# Added to the delay of a wake-up, so that it does not come before the retry time by the database's clock.
CLOCK_SLACK_SECONDS = 0.3
TAKEN_OVER = "Another worker took over this task."
ACTIVE = Q(status=Status.IN_PROGRESS, error_code="")
STOPPING = Q(status=Status.CANCELING) | (Q(status=Status.IN_PROGRESS) & ~Q(error_code=""))


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job whose lease this process holds. ``stop`` is set when the task must stop. Work that can be divided
    ends its turn at ``deadline``."""

    job: Job
    log: RunLog
    stop: StopToken
    deadline: Deadline

    @property
    def ctx(self) -> ReadContext:
        """The context of questions to the source and the target."""
        return ReadContext(self.stop, log=self.log)


@dataclass(frozen=True, slots=True)
class RunAgain:
    """The result of a task that is not finished: it continues from its stored position after ``seconds``."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ControlTask:
    """A kind of control task. ``body`` runs while the job matches ``condition``; ``failed`` stores an error
    that a retry cannot fix.
    """

    task: queue.Task
    body: Callable[[HeldJob], RunAgain | None]
    condition: Q
    failed: Callable[[Job, FerryError], object]


def run_under_lease(job: Job, control: ControlTask, *, is_long: bool = False) -> None:
    """Run the body under the job's lease. Does nothing if another process holds the lease.

    ``is_long``: the turn may take ``VECTORFERRY_SLICE_SECONDS``, or longer if it cannot be divided; it must
    not be in the control queue. Afterwards the lease is released, and then the next wake-up is sent.
    """
    terms, since = lease.terms(), time.monotonic()
    if not lease.take(job, terms, control.condition):
        return
    # The copy keeps the fence of this lease: the body may reload the job.
    log, stop, held, task = RunLog(job), StopToken(), copy(job), control.task
    try:
        with (
            Heartbeat(lambda: _beat(held, terms, control.condition, log), terms, stop, since),
            _turn(job, stop, log, is_long=is_long) as ctx,
        ):
            again = control.body(HeldJob(job, log, ctx.stop, ctx.deadline))
        lease.release(held, attempts=0, not_before=None)
    except TimeIsUp:
        lease.release(held)
        again, task = RunAgain(), queue.Task.CONTINUE
    except LeaseLost as lost:
        log("warning", lost.message)
        again = None
    except Interrupted as reason:
        lease.release(held)
        again = RunAgain(1.0) if isinstance(reason, Draining) else None
    except Exception as error:  # noqa: BLE001 (a task's outermost frame)
        again = _failed(held, control, terms, error, log)
    finally:
        log.flush()
    if again is not None:
        queue.wake(job, task, delay_seconds=again.seconds)


def _turn(job: Job, stop: StopToken, log: RunLog, *, is_long: bool) -> AbstractContextManager[ReadContext]:
    """Return the limits of a turn. A command that runs a job in its own process holds no other job up."""
    ctx = ReadContext(stop, Deadline(settings.VECTORFERRY_SLICE_SECONDS), log=log)
    return nullcontext(ctx) if is_long or job.inline else time_limit(ctx, CONTROL_SECONDS)


def _beat(job: Job, terms: lease.Terms, condition: Q, log: RunLog) -> Interrupted | None:
    log.flush()
    if lease.renew(job, terms, condition):
        return None
    if lease.renew(job, terms):
        return Canceled("The job must stop.")
    return LeaseLost(TAKEN_OVER)


def _failed(
    job: Job, control: ControlTask, terms: lease.Terms, error: Exception, log: RunLog
) -> RunAgain | None:
    """Schedule a retry if that may help, else store the failure; then release the lease.

    If the worker had lost its lease, its error does not concern the job and is only logged.
    """
    known = explain(error, log)
    if not lease.renew(job, terms):
        log("warning", TAKEN_OVER)
        return None
    if known.retryable and job.attempts + 1 < lease.MAX_ATTEMPTS and not drain.is_requested:
        wait = lease.retry_seconds(job.attempts + 1)
        log("warning", f"Trying again in {wait:.0f} seconds.")
        lease.release(job, attempts=job.attempts + 1, not_before=lease.after(wait))
        return RunAgain(wait + CLOCK_SLACK_SECONDS)
    log.flush()  # the last line must be the end of the job
    job.steps.filter(state=StepState.RUNNING).fail(known)
    control.failed(job, known)
    lease.release(job, attempts=0, not_before=None)
    return None


def explain(error: BaseException, log: RunLog) -> FerryError:
    """Log ``error``, and return the error to show to users. Secrets are removed from its message.

    A ``FerryError`` is returned itself; every other error is replaced by a ``FerryError``.
    """
    if isinstance(error, PlanRefused):
        for fault in error.faults:
            log("error", fault.message, hint=fault.advice, code=fault.code, path=fault.path)
    elif isinstance(error, FerryError):
        log("error", error.message, hint=error.hint, code=error.code)
    elif isinstance(error, DatabaseError):
        message = "The console's own database could not be used."
        log.traceback(message, error)
        error = FerryError(message, "See the run log.", code="database_unavailable", retryable=True)
    else:
        message = f"Unexpected error: {type(error).__name__}."
        log.traceback(message, error)
        error = FerryError(message, "The run log contains the details. Report them to the developers.")
    error.message, error.hint = log.clean(error.message), log.clean(error.hint)
    return error
