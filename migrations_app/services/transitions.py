"""Transitions: the one function that changes the status of a job."""

from __future__ import annotations

from typing import Any

from migrations_app.models import Job
from migrations_app.models.status import MOVES, Status


def origins(to: Status) -> frozenset[Status]:
    """The states from which a job may change to ``to``."""
    return frozenset(status for status, targets in MOVES.items() if to in targets)


def move(
    job: Job,
    to: Status,
    *,
    only_from: frozenset[Status] | None = None,
    **changes: Any,
) -> bool:
    """Change the status of ``job`` to ``to`` and store ``changes``, in one statement.

    False if the job was in another state. ``only_from`` restricts it further. Only ``services`` may call
    this.
    """
    allowed = origins(to) if only_from is None else origins(to) & only_from
    matching = Job.objects.filter(pk=job.pk, status__in=allowed)
    if matching.update(status=to, **changes) != 1:
        return False
    job.refresh_from_db()
    return True
