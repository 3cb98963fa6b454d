"""Installation and Worker: this installation, and the workers that run for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models.functions import Now

# A page that polls every few seconds shows within half a minute that no worker is alive.
ALIVE_SECONDS = 25


class Installation(models.Model):
    """The single row of its table: identifies the keys of this database.

    Decisions that must not run in parallel lock this row.
    """

    key_fingerprint = models.CharField(max_length=100)

    def __str__(self) -> str:
        return "this installation"


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> Self:
        """Workers with a heartbeat in the last ``ALIVE_SECONDS``, by the database's clock."""
        return self.filter(last_seen__gte=Now() - timedelta(seconds=ALIVE_SECONDS))

    def ready(self) -> Self:
        """Workers that accept new work."""
        return self.alive().filter(draining=False)

    def slots(self) -> int:
        """The number of slices that all hosts together can move at the same time."""
        return int(self.ready().aggregate(total=models.Sum("slots"))["total"] or 0)


class Worker(models.Model):
    """One running ``manage.py worker``. The console uses only these rows to see if workers are alive."""

    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    slots = models.PositiveIntegerField()
    started_at = models.DateTimeField(auto_now_add=True)
    last_seen = models.DateTimeField()
    draining = models.BooleanField(default=False)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ("host", "pid")

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    @staticmethod
    def alive() -> bool:
        """True if any worker can start a waiting job."""
        return Worker.objects.ready().exists()
