"""Shared limits: the limits of a job that all its running slices share, whichever worker moves them."""

from __future__ import annotations

from django.db import models
from django.db.models import Sum

from migrations_app.engine.errors import TooManyRejected
from migrations_app.engine.log import counted
from migrations_app.engine.pipeline.ledger import Allowance
from migrations_app.engine.reading.throttle import Throttle
from migrations_app.execution import claim
from migrations_app.models import Job, JobSlice


class SharedLimits:
    """The part of one slice in the limits of its job: rows read per second (``throttle``, None if there is no
    limit) and rejected rows (``allowance``).

    ``refresh`` reads what the other slices did; the heartbeat calls it.
    """

    def __init__(self, job: Job, claimed: JobSlice) -> None:
        self.throttle = Throttle.of(job.options.source_rows_per_second)
        self.allowance = Allowance(job.options.max_rejected)
        self._job = job
        self._others = JobSlice.objects.filter(collection__job=job).exclude(pk=claimed.pk)
        self._seen = -1
        self.refresh(0)

    def refresh(self, rejected: int) -> TooManyRejected | None:
        """Return the error if the slices together rejected more rows than the plan allows.

        ``rejected`` is the number of rows that this slice rejected. While it stays the same, the others are
        not asked: those that reject rows find out themselves.
        """
        if self.throttle is not None:
            self.throttle.sharers = max(1, claim.running(self._job).count())
        if self.allowance.most is None or rejected == self._seen:
            return None
        self._seen = rejected
        self.allowance.others = _rejected(self._others)
        return _too_many(rejected + self.allowance.others, self.allowance.most)


def excess_of(job: Job) -> TooManyRejected | None:
    """Return the error if the slices of the job rejected more rows than the plan allows."""
    most = job.options.max_rejected
    return None if most is None else _too_many(_rejected(JobSlice.objects.filter(collection__job=job)), most)


def _rejected(slices: models.QuerySet[JobSlice]) -> int:
    return int(slices.aggregate(total=Sum("rows_rejected", default=0))["total"])


def _too_many(rejected: int, most: int) -> TooManyRejected | None:
    if rejected <= most:
        return None
    return TooManyRejected(
        f"{counted(rejected, 'row')} could not be moved; the plan allows {most:,}.",
        "Look at the rejected rows. Then press “Resume” and raise “Maximum rejected rows” (max_rejected), or "
        "change the mapping: “Edit as new”.",
    )
