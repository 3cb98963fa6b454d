"""Status: the states of a job, a slice, a step and a target collection, and the allowed status changes of a
job."""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    """Status of a job, in the words that the pages show."""

    PENDING = "pending", "Pending"
    IN_PROGRESS = "in_progress", "In Progress"
    CANCELING = "canceling", "Canceling"
    SUCCESSFUL = "successful", "Successful"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"


MOVES: dict[Status, frozenset[Status]] = {
    # To Canceling: a resumed job that has to drop what it created before it stopped.
    Status.PENDING: frozenset({Status.IN_PROGRESS, Status.CANCELING, Status.CANCELED}),
    Status.IN_PROGRESS: frozenset({Status.SUCCESSFUL, Status.FAILED, Status.CANCELING}),
    Status.CANCELING: frozenset({Status.CANCELED, Status.SUCCESSFUL, Status.FAILED}),
    # Failed to Pending: resume. Failed to Canceled: the user gives up resuming it.
    Status.FAILED: frozenset({Status.PENDING, Status.CANCELED}),
    Status.CANCELED: frozenset({Status.PENDING}),
    # Its rejected rows are retried.
    Status.SUCCESSFUL: frozenset({Status.PENDING}),
}

# Jobs in these states no longer change automatically.
ENDED = frozenset({Status.SUCCESSFUL, Status.FAILED, Status.CANCELED})
# Jobs in these states need a worker, now or soon.
RUNNING = frozenset({Status.IN_PROGRESS, Status.CANCELING})


class Stage(models.TextChoices):
    """The current stage of a running job, or the stage in which a job ended."""

    WAITING = "", "waiting"
    PREPARING = "preparing", "preparing"
    MOVING = "moving", "moving rows"
    VERIFYING = "verifying", "verifying"
    INDEXING = "indexing", "creating indexes"
    LOADING = "loading", "loading"


class SliceState(models.TextChoices):
    WAITING = "waiting", "waiting"
    RUNNING = "running", "running"
    DONE = "done", "done"


class StepKind(models.TextChoices):
    """The kinds of steps of a job. The labels say what a running step does.

    A step may be a part of an earlier one in this list: a key check is a part of the count, which is a part
    of the verification.
    """

    PREPARE = "prepare", "checking the plan"
    PLAN_SLICES = "plan_slices", "planning slices"
    COUNT_BEFORE = "count_before", "counting existing rows"
    VERIFY = "verify", "comparing counts"
    COUNT_AFTER = "count_after", "counting rows"
    KEY_CHECK = "key_check", "comparing keys"
    DUPLICATE_KEYS = "duplicate_keys", "counting duplicate keys"
    INDEX = "index", "creating indexes"
    LOAD = "load", "loading"
    RELEASE = "release", "releasing"
    CLEANUP = "cleanup", "cleaning up"


class StepState(models.TextChoices):
    WAITING = "waiting", "waiting"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"


class TargetState(models.TextChoices):
    """State of a collection in the target. Stored before and after the calls that drop and create it."""

    NONE = "none", "not created"
    REPLACING = "replacing", "an existing collection is being dropped"
    CREATING = "creating", "being created"
    CREATED = "created", "created by this job"
    EXISTING = "existing", "existed before this job"
    DROPPED = "dropped", "created by this job and dropped again"
