"""What may become of a job: one table of moves, and the one function that applies a move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from migrations_app.models import Job


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


def origins(to: Status) -> frozenset[Status]:
    """The states from which a job may come to ``to``."""
    return frozenset(status for status, targets in MOVES.items() if to in targets)


def move(
    job: Job,
    to: Status,
    *,
    only_from: frozenset[Status] | None = None,
    where: models.Q | None = None,
    **changes: Any,
) -> bool:
    """Bring ``job`` to ``to``, with ``changes``, in one statement. False where someone else was first.

    ``only_from`` and ``where`` narrow it further. Called by ``services`` alone.
    """
    allowed = origins(to) if only_from is None else origins(to) & only_from
    found = type(job).objects.filter(where or models.Q(), pk=job.pk, status__in=allowed)
    if found.update(status=to, **changes) != 1:
        return False
    job.refresh_from_db()
    return True
