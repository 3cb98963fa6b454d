"""Checkpoint store: each heartbeat renews a slice's lease and stores its checkpoint, in one statement."""

from __future__ import annotations

import hashlib
import time
from contextlib import nullcontext
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from migrations_app import services
from migrations_app.engine.errors import Canceled, Interrupted, LeaseLost, Stalled
from migrations_app.engine.model.batch import Rejected
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.pipeline.ledger import Checkpoint, Ledger
from migrations_app.execution import lease
from migrations_app.models import Job, JobSlice, RateSample, RejectedRow
from migrations_app.models.status import Status
from migrations_app.reporting.run_log import RunLog, storable

TAKEN_OVER = "Another worker took over this slice."
COLUMNS = {
    "read": "rows_read",
    "written": "rows_written",
    "rejected": "rows_rejected",
    "skipped": "rows_skipped",
    "collapsed": "rows_collapsed",
    "bytes_written": "bytes_written",
    "cut": "values_cut",
    "mismatched": "values_mismatched",
}


def _by_column(counters: Counters) -> dict[str, int]:
    return {COLUMNS[name]: count for name, count in asdict(counters).items()}


class CheckpointStore:
    """Stores the checkpoint of one claimed slice, which it takes from the pipeline's ledger."""

    def __init__(self, claimed: JobSlice, terms: lease.Terms, log: RunLog) -> None:
        self._slice = claimed
        self._job_id = claimed.collection.job_id
        self._terms = terms
        self._log = log
        counters = Counters(**{name: getattr(claimed, column) for name, column in COLUMNS.items()})
        self.ledger = Ledger(claimed.cursor, counters)
        self._stored = self._first = self._sampled = self.ledger.checkpoint()
        self._sampled_at = time.monotonic()
        self._first_read_at: Any = None
        self._last_ack_at: Any = claimed.last_ack_at

    def begin(self) -> None:
        """Note the time: the first row is about to be read."""
        self._first_read_at = timezone.now()

    @property
    def has_moved(self) -> bool:
        """True if this run made progress."""
        return self.ledger.checkpoint().sequence > self._first.sequence

    @property
    def rows_rejected(self) -> int:
        """The rows of the slice that are rejected and stored."""
        return self._stored.counters.rejected

    def beat(self) -> Interrupted | None:
        """Renew the lease and store the checkpoint. Return the reason to stop, or None."""
        self._log.flush()
        self._check_for_stall()
        active = Job.objects.filter(pk=self._job_id, status=Status.IN_PROGRESS, error_code="")
        if self._store(lambda columns: lease.renew(self._slice, self._terms, Exists(active), **columns)):
            return None
        return Canceled("The job must stop.") if self.is_held() else LeaseLost(TAKEN_OVER)

    def is_held(self) -> bool:
        """Renew the lease and store the checkpoint. False if another worker took over the slice."""
        return self._store(lambda columns: lease.renew(self._slice, self._terms, **columns))

    def close(self, **changes: Any) -> None:
        """Store the last checkpoint and release the slice. If the lease was lost, nothing is stored."""
        if not self._store(
            lambda columns: lease.release(self._slice, **columns | changes),
            is_last=True,
        ):
            self._log("warning", TAKEN_OVER)

    def _store(self, write: Any, *, is_last: bool = False) -> bool:
        """Write the slice in one statement. If there is more to store, use one transaction for everything."""
        checkpoint = self.ledger.checkpoint()
        is_sampled = is_last or time.monotonic() - self._sampled_at >= self._terms.sample_seconds
        has_rejected = checkpoint.rejected or checkpoint.beyond.rejected
        has_more = is_sampled or has_rejected or checkpoint.restarts > self._stored.restarts
        with transaction.atomic() if has_more else nullcontext():
            if not write(self._columns(checkpoint)):
                return False
            self._store_rejected(checkpoint)
            if is_sampled:
                self._sample(checkpoint)
        self.ledger.saved(checkpoint)
        self._stored = checkpoint
        if is_sampled:
            self._sampled, self._sampled_at = checkpoint, time.monotonic()
        return True

    def _columns(self, checkpoint: Checkpoint) -> dict[str, Any]:
        beyond = checkpoint.beyond.counters
        if checkpoint.sequence != self._stored.sequence:
            # The ledger last changed when a batch was started or acknowledged.
            self._last_ack_at = timezone.now() - timedelta(seconds=self.ledger.idle_seconds)
        return _by_column(checkpoint.counters + beyond) | {
            "beyond": {column: count for column, count in _by_column(beyond).items() if count},
            "cursor": checkpoint.after,
            "repeated": checkpoint.repeated or self._slice.repeated,
            "rows_in_flight": self.ledger.in_flight_rows,
            "first_read_at": Coalesce("first_read_at", Value(self._first_read_at)),
            "last_ack_at": self._last_ack_at,
        }

    def _store_rejected(self, checkpoint: Checkpoint) -> None:
        if checkpoint.restarts > self._stored.restarts:
            self._slice.rejected.all().delete()
        rows = [self._rejected_row(row, is_beyond=False) for row in checkpoint.rejected]
        rows += [self._rejected_row(row, is_beyond=True) for row in checkpoint.beyond.rejected]
        RejectedRow.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)

    def _rejected_row(self, row: Rejected, *, is_beyond: bool) -> RejectedRow:
        return RejectedRow(
            job_id=self._job_id,
            slice=self._slice,
            locator=storable(row.locator),
            locator_hash=hashlib.sha256(row.locator.encode("utf-8", "backslashreplace")).hexdigest(),
            field=storable(row.field)[:255],
            code=row.code[:60],
            reason=storable(row.reason),
            row=storable(row.row),
            is_beyond=is_beyond,
        )

    def _sample(self, checkpoint: Checkpoint) -> None:
        before, now = self._sampled.counters, checkpoint.counters
        rows, size_bytes = now.written - before.written, now.bytes_written - before.bytes_written
        if rows > 0:
            RateSample.objects.create(
                job_id=self._job_id, at=timezone.now(), rows=rows, size_bytes=max(0, size_bytes)
            )

    def _check_for_stall(self) -> None:
        limit = settings.VECTORFERRY_STALL_SECONDS
        if self.ledger.idle_seconds > limit:
            stalled = Stalled(
                f"“{self._slice.collection.source}” made no progress for {limit} seconds: nothing was read "
                "and nothing was accepted.",
                "Check that source and target respond. The operator can raise VECTORFERRY_STALL_SECONDS.",
            )
            services.job_note_failure(job=Job.objects.get(pk=self._job_id), error=stalled)
