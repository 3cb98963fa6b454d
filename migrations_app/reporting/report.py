"""Job report: the numbers and the rate of a job, and the report of ``runplan --json`` (docs/plan-file.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, Sum
from django.db.models.functions import Coalesce, Least
from django.utils import timezone

from migrations_app.engine.log import counted
from migrations_app.models import Job, JobCollection, JobSlice, JobStep
from migrations_app.models.collection import COUNTERS
from migrations_app.models.job import MOVING_BEFORE
from migrations_app.models.status import Stage, Status
from migrations_app.reporting import rate

NOW_SECONDS = 20
RECENT_SECONDS = 120
CURVE_SECONDS = 30 * 60
CURVE_POINTS = 60
# Field names in one sentence.
MOST_NAMED = 3
# Rows of a collection that must be moved. ``Coalesce`` is needed because LEAST with a NULL is NULL in SQLite,
# but not in PostgreSQL.
WANTED = Least("rows_source", Coalesce("limit_rows", "rows_source"))


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the slices of a job. ``rows_total`` is the number of requested rows, None until the source
    was counted.
    """

    rows_total: int | None = None
    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    rows_skipped: int = 0
    rows_collapsed: int = 0
    bytes_written: int = 0
    values_cut: int = 0
    values_mismatched: int = 0
    rows_in_flight: int = 0
    attempts: int = 0

    @property
    def rows_done(self) -> int:
        """Rows that are finished: written, rejected, skipped or collapsed."""
        return self.rows_written + self.rows_rejected + self.rows_skipped + self.rows_collapsed


@dataclass(frozen=True, slots=True)
class JobRate:
    """Rows per second, recent and average. None if it is not known."""

    rate_now: float | None = None
    rate_average: float | None = None
    seconds_left: float | None = None
    ends_at: datetime | None = None


def totals(jobs: Iterable[Job]) -> dict[int, Totals]:
    """Return the totals of several jobs by primary key, with two statements."""
    keys = [job.pk for job in jobs]
    sums = {name: Sum(name, default=0) for name in (*COUNTERS, "rows_in_flight", "attempts")}
    slices = JobSlice.objects.filter(collection__job__in=keys).values("collection__job")
    sums_by_job = {row.pop("collection__job"): row for row in slices.annotate(**sums).order_by()}
    sources = JobCollection.objects.filter(job__in=keys).values("job").order_by()
    rows_by_job = {
        row["job"]: row["rows"]
        for row in sources.annotate(rows=Sum(WANTED), unknown=Count("pk", filter=Q(rows_source=None)))
        if not row["unknown"]
    }
    return {key: Totals(rows_total=rows_by_job.get(key), **sums_by_job.get(key, {})) for key in keys}


def job_totals(job: Job) -> Totals:
    return totals([job])[job.pk]


def job_rate(job: Job, done: Totals) -> JobRate:
    """Return the rate of ``job``, and the time when it will finish at that rate."""
    now = job.ended_at or timezone.now()
    average = _rate(done.rows_written, moving_seconds(job))
    if job.stage != Stage.MOVING or not job.is_running:
        return JobRate(rate_average=average)
    samples = _samples(job, now, RECENT_SECONDS)
    if samples:  # a job without progress adds no samples
        # The first samples of several slices come at nearly the same time, and are for all the time before.
        begin = max(job.stage_started_at or now, now - timedelta(seconds=RECENT_SECONDS))
        samples.insert(0, rate.Sample(min(begin.timestamp(), samples[0].at), 0))
        samples.append(rate.Sample(now.timestamp(), samples[-1].rows))
    rows_left = None if done.rows_total is None else max(done.rows_total - done.rows_done, 0)
    left = rate.seconds_left(rows_left, rate.rate_now(samples, now.timestamp(), RECENT_SECONDS) or average)
    ends_at = now + timedelta(seconds=left) if left is not None else None
    return JobRate(rate.rate_now(samples, now.timestamp(), NOW_SECONDS), average, left, ends_at)


def _samples(job: Job, until: datetime, seconds: int) -> list[rate.Sample]:
    """Return the rows moved up to each sample of the last ``seconds``, counted from the first of them."""
    since = until - timedelta(seconds=seconds)
    stored = job.rate_samples.filter(at__gt=since).order_by("at").values_list("at", "rows")
    moved, samples = 0, []
    for at, rows in stored:
        moved += rows
        samples.append(rate.Sample(at.timestamp(), moved))
    return samples


def _rate(rows: int, seconds: float | None) -> float | None:
    return rows / seconds if seconds and seconds > 0 else None


def moving_seconds(job: Job) -> float | None:
    """Return the seconds from the first read to the last acknowledgement, or until now while rows move."""
    if "moving" in job.seconds:
        return float(job.seconds["moving"])
    before = float(job.seconds.get(MOVING_BEFORE, 0))
    if job.stage != Stage.MOVING or job.stage_started_at is None:
        return before or None
    return before + ((job.ended_at or timezone.now()) - job.stage_started_at).total_seconds()


def rate_curve(job: Job) -> list[tuple[datetime, float]]:
    """Return (time, rows per second) for the last half hour in which rows moved, oldest first.

    It has at most ``CURVE_POINTS`` points.
    """
    last = job.rate_samples.aggregate(last=Max("at"))["last"]
    samples = _samples(job, last, CURVE_SECONDS) if last else []
    if len(samples) < 2:
        return []
    width = max((samples[-1].at - samples[0].at) / CURVE_POINTS, 2.0)
    points = [samples[0]]
    for sample in samples[1:]:
        if sample.at - points[-1].at >= width:
            points.append(sample)
    # The remaining time is too short for a separate point: the last point includes it.
    points[max(1, len(points) - 1) :] = [samples[-1]]
    zone = last.tzinfo
    return [(datetime.fromtimestamp(at, zone), rows_per_second) for at, rows_per_second in rate.curve(points)]


# ---------------------------------------------------------------- the report


def job_report(job: Job, *, with_collections: bool = True) -> dict[str, Any]:
    """Return the report of a job in any state. Values that are not known yet are None."""
    report: dict[str, Any] = {
        "job": job.public_id,
        "status": Status(job.status).label,
        "started_at": _iso(job.started_at),
        "ended_at": _iso(job.ended_at),
        "seconds": {stage.value: job.seconds.get(stage.value) for stage in Stage if stage.value},
        "error": job.error,
    }
    if with_collections:
        rows = job.collections.with_counters().order_by("position")
        report["collections"] = [_collection(row) for row in rows]
    return report


def _collection(row: Any) -> dict[str, Any]:
    counters = ("rows_read", "rows_written", "rows_rejected", "rows_skipped", "rows_collapsed")
    return {
        "source": row.source,
        "target": row.target,
        "rows_source": row.rows_source,
        "limit_rows": row.limit_rows,
        **{name: getattr(row, name) for name in counters},
        "duplicate_keys": row.duplicate_keys,
        "values_cut": row.values_cut,
        "values_mismatched": row.values_mismatched,
        "rows_target": row.rows_target,
        "verified": row.verified,
        "checks": row.checks,
    }


def mismatch_text(row: Any) -> str:
    """Return a sentence about the values of a collection that did not fit the type of their field; empty if
    there are none. ``row`` has the counters of its slices."""
    if not row.values_mismatched:
        return ""
    fields = [field.target or "" for field in row.completed.fields or () if field.misfit == "dynamic"]
    names = ", ".join(f"“{name}”" for name in fields[:MOST_NAMED]) + (", …" if fields[MOST_NAMED:] else "")
    values, of = counted(row.values_mismatched, "value"), "their field" if len(fields) > 1 else "the field"
    return f"{row.target}: {values} did not fit the type of {of} ({names}) and went into the dynamic field."


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def written_by(job: Job) -> list[dict[str, Any]]:
    """Return the rows that a job has written so far, by target collection, for a dialog or a sentence.

    ``is_in_doubt``: the target may contain more rows, whose requests were not answered. ``is_planned_again``:
    it may contain more rows, from before the source was divided into slices again. ``has_equal_keys``: some
    rows may have replaced others.
    """
    in_doubt = JobSlice.objects.filter(collection=OuterRef("pk")).in_doubt()
    planned_again = JobStep.objects.filter(collection=OuterRef("pk")).planned_again()
    doubts = {"is_in_doubt": Exists(in_doubt), "is_planned_again": Exists(planned_again)}
    rows = job.collections.with_counters().annotate(**doubts).order_by("position")
    return [
        {
            "name": row.target,
            "rows_written": row.rows_written,
            "is_created": row.is_created,
            "is_in_doubt": row.is_in_doubt,
            "is_planned_again": row.is_planned_again,
            "has_equal_keys": not row.key_unique,
        }
        for row in rows
    ]
