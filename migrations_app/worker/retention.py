"""Retention: deletes old jobs, logs and rejected rows after ``VECTORFERRY_KEEP_…_DAYS`` (not set: never)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Model
from django.db.models.functions import Now

from migrations_app.models import ConnectionCheck, Job, LogEntry, RejectedRow

# Limits on the rows per statement and on the statements per run, so that other writers do not wait for long.
ROWS_AT_ONCE = 2_000
STATEMENTS_AT_ONCE = 5


def prune() -> None:
    """Delete records whose job ended too long ago. If there are many, one call deletes only a part."""
    ConnectionCheck.forget_old()
    _prune(LogEntry, "job__ended_at__lt", settings.VECTORFERRY_KEEP_LOG_DAYS)
    _prune(RejectedRow, "job__ended_at__lt", settings.VECTORFERRY_KEEP_REJECTED_DAYS)
    _prune(Job, "ended_at__lt", settings.VECTORFERRY_KEEP_JOB_DAYS)


def _prune(model: type[Model], ended_before: str, keep_days: int | None) -> None:
    if keep_days is None:
        return
    manager: Any = model._default_manager
    old = manager.filter(**{ended_before: Now() - timedelta(days=keep_days)})
    for _ in range(STATEMENTS_AT_ONCE):
        keys = list(old.values_list("pk", flat=True)[:ROWS_AT_ONCE])
        manager.filter(pk__in=keys).delete()
