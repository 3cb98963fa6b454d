"""Status: the states of a job, a slice and a target collection, and the table of moves of a job."""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    """The portal's words for the state of a job."""

    PENDING = "pending", "Pending"
    IN_PROGRESS = "in_progress", "In Progress"
    CANCELING = "canceling", "Canceling"
    SUCCESSFUL = "successful", "Successful"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"


MOVES: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.IN_PROGRESS, Status.CANCELED}),
    Status.IN_PROGRESS: frozenset({Status.SUCCESSFUL, Status.FAILED, Status.CANCELING}),
    Status.CANCELING: frozenset({Status.CANCELED, Status.SUCCESSFUL, Status.FAILED}),
    # Resumed; or given up, and then it cannot be resumed.
    Status.FAILED: frozenset({Status.PENDING, Status.CANCELED}),
    Status.CANCELED: frozenset({Status.PENDING}),
    # Its rejected rows are tried again.
    Status.SUCCESSFUL: frozenset({Status.PENDING}),
}

# Nothing happens to these by itself any more.
ENDED = frozenset({Status.SUCCESSFUL, Status.FAILED, Status.CANCELED})
# A worker has, or soon will have, something to do for these.
RUNNING = frozenset({Status.IN_PROGRESS, Status.CANCELING})


class Stage(models.TextChoices):
    """Where a running job stands, and where one that ended stopped."""

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


class TargetState(models.TextChoices):
    """What is known of a collection in the target. Stored before and after the call that makes it."""

    NONE = "none", "not created"
    CREATING = "creating", "being created"
    CREATED = "created", "created by this job"
    EXISTING = "existing", "was there before"
    DROPPED = "dropped", "created by this job and dropped again"
