"""Transitions: the one function that changes the status of a job."""

from __future__ import annotations

from typing import Any

from django.db import models

from migrations_app.models import Job
from migrations_app.models.status import MOVES, Status


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
    found = Job.objects.filter(where or models.Q(), pk=job.pk, status__in=allowed)
    if found.update(status=to, **changes) != 1:
        return False
    job.refresh_from_db()
    return True
