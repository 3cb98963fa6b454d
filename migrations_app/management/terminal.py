"""Terminal output for following a job: a progress bar in a terminal, separate lines elsewhere."""

from __future__ import annotations

import time
from textwrap import indent
from typing import Any

from migrations_app import services
from migrations_app.engine.errors import FerryError
from migrations_app.models import Job, LogEntry
from migrations_app.models.status import Stage, Status
from migrations_app.reporting.report import job_rate, job_totals
from migrations_app.worker.inline import run_inline

POLL_SECONDS = 0.5
LINE_SECONDS = 5.0
BAR_WIDTH = 30
MAX_WARNINGS = 20


class Follower:
    """Shows the progress of a job until it ends. ``out`` is the output stream (standard error)."""

    def __init__(self, job: Job, out: Any, *, is_quiet: bool = False) -> None:
        self.job = job
        self.out = out
        self.is_quiet = is_quiet
        self.is_terminal = bool(getattr(out, "isatty", lambda: False)()) and not is_quiet
        self._last_line = ""
        self._last_at = 0.0

    def follow(self) -> None:
        """Wait for the end. Ctrl-C cancels the job; a second Ctrl-C stops waiting."""
        try:
            self._wait()
        except KeyboardInterrupt:
            self._print("Canceling the job. Press Ctrl-C again to stop waiting for it.")
            self.cancel()
            self._wait()

    def run_inline(self) -> None:
        """Run the job to its end in this process."""
        try:
            run_inline(self.job, self._turn)
        except KeyboardInterrupt:
            self._print("Canceling the job.")
            self.cancel()
            run_inline(self.job, self._turn)
        self._end()

    def cancel(self) -> None:
        try:
            services.job_cancel(job=self.job, user=None, drop=False)
        except FerryError as error:  # it has just ended
            self._print(error.message)

    def _wait(self) -> None:
        while not self._turn():
            time.sleep(POLL_SECONDS)
        self._end()

    def _turn(self) -> bool:
        """Show the progress. True if the job has ended."""
        self.job.refresh_from_db()
        if not self.is_quiet:
            self._show()
        return self.job.is_ended

    def _show(self) -> None:
        line = status_line(self.job)
        if self.is_terminal:
            self.out.write(f"\r\x1b[K{line}", ending="")
            self.out.flush()
        elif line != self._last_line and time.monotonic() - self._last_at >= LINE_SECONDS:
            self.out.write(line)
            self._last_line, self._last_at = line, time.monotonic()

    def _end(self) -> None:
        if self.is_terminal:
            self.out.write("\r\x1b[K", ending="")
        if (line := status_line(self.job)) != self._last_line:
            self._print(line)
        for entry in self.job.log.filter(level=LogEntry.Level.WARNING)[:MAX_WARNINGS]:
            self._print(f"  {entry.message}")
        for message in self._errors():
            self.out.write(message)

    def _errors(self) -> list[str]:
        """Return the errors of the job, with hint and code. If the plan was refused, return every fault."""
        if not self.job.error:
            return []
        if self.job.refused:
            faults = self.job.log.filter(level=LogEntry.Level.ERROR).exclude(details="")
            messages = [indent(f"{fault.message}\n{fault.details}", "  ").strip() for fault in faults]
            if messages:
                return messages
        return [f"{self.job.error_message}\n  {self.job.error_hint}\n  [{self.job.error_code}]"]

    def _print(self, message: str) -> None:
        if not self.is_quiet:
            self.out.write(message)


def status_line(job: Job) -> str:
    """Return one line with status, stage, rows, rate and remaining time."""
    done = job_totals(job)
    speed = job_rate(job, done)
    total = f" of {done.rows_total:,}" if done.rows_total is not None else ""
    parts = [job.public_id, job.status_label]
    if job.is_running and job.stage:
        parts.append(Stage(job.stage).label)
    if job.is_live and done.rows_total:
        filled = min(BAR_WIDTH, BAR_WIDTH * done.rows_done // done.rows_total)
        parts.append("█" * filled + "░" * (BAR_WIDTH - filled))
    if done.rows_read or total:
        parts.append(f"{done.rows_done:,}{total} rows")
    others = {"rejected": done.rows_rejected, "skipped": done.rows_skipped, "collapsed": done.rows_collapsed}
    parts += (f"{number:,} {word}" for word, number in others.items() if number)
    if speed.rate_now or speed.rate_average:
        parts.append(f"{speed.rate_now or speed.rate_average:,.0f} rows/s")
    if speed.seconds_left is not None:
        parts.append(f"about {max(1, round(speed.seconds_left)):,} s left")
    return " · ".join(parts)


def exit_code(job: Job) -> int:
    """Return 0 if the job is Successful and rejected no row, 3 if it is Successful and rejected rows, 2 if it
    was refused before anything was written, 1 otherwise."""
    if job.status == Status.SUCCESSFUL:
        return 3 if job_totals(job).rows_rejected else 0
    return 2 if job.refused else 1
