"""This installation, and the hosts that work for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models.functions import Now

# A page that looks every few seconds still says within half a minute that no worker lives.
ALIVE_SECONDS = 25


class Installation(models.Model):
    """One row: which keys this database was made with. Also the lock that serialises rare decisions."""

    key_fingerprint = models.CharField(max_length=100)

    def __str__(self) -> str:
        return "this installation"


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> Self:
        """Those heard of within ``ALIVE_SECONDS``, by the database's clock."""
        return self.filter(last_seen__gte=Now() - timedelta(seconds=ALIVE_SECONDS))

    def ready(self) -> Self:
        """Those that take new work."""
        return self.alive().filter(draining=False)

    def slots(self) -> int:
        """How many slices all hosts can move at once."""
        return int(self.ready().aggregate(total=models.Sum("slots"))["total"] or 0)


class Worker(models.Model):
    """One running ``manage.py worker``. From these rows alone the console knows that workers live."""

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
        """Whether any worker would take up a waiting job."""
        return Worker.objects.ready().exists()
