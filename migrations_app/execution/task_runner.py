"""The frame of a control task: its lease, its heartbeat, its log, and what becomes of its errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

from django.db import Error as DatabaseError
from django.db.models import Q

from migrations_app import queue
from migrations_app.engine.errors import Canceled, Draining, FerryError, Interrupted, LeaseLost, PlanRefused
from migrations_app.engine.stop_token import StopToken
from migrations_app.execution import lease
from migrations_app.execution.heartbeat import Heartbeat, drain
from migrations_app.models import Job
from migrations_app.models.status import Status
from migrations_app.reporting.run_log import RunLog

# A wake-up must not come before the database's clock lets the task be taken up again.
CLOCK_SLACK_SECONDS = 0.3
TAKEN_OVER = "Another worker took this task over."
GOING = Q(status=Status.IN_PROGRESS, error_code="")
STOPPING = Q(status=Status.CANCELING) | (Q(status=Status.IN_PROGRESS) & ~Q(error_code=""))


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job whose lease this process holds, until ``stop`` says otherwise."""

    job: Job
    log: RunLog
    stop: StopToken


@dataclass(frozen=True, slots=True)
class RunAgain:
    """The task is not through: it goes on where it stored its position, after ``seconds``."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ControlTask:
    """A kind of control task: ``body`` is run as long as ``while_`` holds of the job; ``failed`` stores the
    error where another try makes no sense."""

    task: queue.Task
    body: Callable[[HeldJob], RunAgain | None]
    while_: Q
    failed: Callable[[Job, FerryError], object]


def run_under_lease(job: Job, control: ControlTask) -> None:
    """Run the body under the job's lease. Nothing where it is held already.

    The lease is given back, then the next wake-up sent.
    """
    how, since = lease.terms(), time.monotonic()
    task, while_ = control.task, control.while_
    if not lease.take(job, how, while_):
        return
    # The body reads the job anew now and then: the fence that counts is the one that was taken.
    log, stop, held = RunLog(job), StopToken(), copy(job)
    try:
        with Heartbeat(lambda: _beat(held, how, while_, log), how, stop, since):
            again = control.body(HeldJob(job, log, stop))
        lease.release(held, attempts=0, not_before=None)
    except LeaseLost as lost:
        log("warning", lost.message)
        again = None
    except Interrupted as reason:
        lease.release(held)
        again = RunAgain(1.0) if isinstance(reason, Draining) else None
    except Exception as error:  # noqa: BLE001 (a task's outermost frame)
        again = _failed(held, control, how, error, log)
    finally:
        log.flush()
    if again is not None:
        queue.wake(job, task, delay_seconds=again.seconds)


def _beat(job: Job, how: lease.Terms, while_: Q, log: RunLog) -> Interrupted | None:
    log.flush()
    if lease.renew(job, how, while_):
        return None
    if lease.renew(job, how):
        return Canceled("The job is to stop.")
    return LeaseLost(TAKEN_OVER)


def _failed(
    job: Job, control: ControlTask, how: lease.Terms, error: Exception, log: RunLog
) -> RunAgain | None:
    """Try again later where that may help, else store the failure; then give the lease back.

    What befell a worker that had lost its lease says nothing about the job.
    """
    known = explain(error, log)
    if not lease.renew(job, how):
        log("warning", TAKEN_OVER)
        return None
    if known.retryable and job.attempts + 1 < lease.MAX_ATTEMPTS and not drain.is_asked:
        wait = lease.retry_seconds(job.attempts + 1)
        log("warning", f"Trying again in {wait:.0f} seconds.")
        lease.release(job, attempts=job.attempts + 1, not_before=lease.after(wait))
        return RunAgain(wait + CLOCK_SLACK_SECONDS)
    log.flush()  # the sentence of the end comes last
    control.failed(job, known)
    lease.release(job, attempts=0, not_before=None)
    return None


def explain(error: BaseException, log: RunLog) -> FerryError:
    """Log ``error``, and give what a person is told of it: itself, or for what nobody foresaw, a sentence.

    Without secrets, whatever a driver put into its message.
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
        message = f"Something went wrong that Vectorferry does not know: {type(error).__name__}."
        log.traceback(message, error)
        error = FerryError(message, "The run log holds the details for a report to the developers.")
    error.message, error.hint = log.clean(error.message), log.clean(error.hint)
    return error
