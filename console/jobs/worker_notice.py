"""Worker notice: shown within 30 seconds if a job waits and no worker is running."""

from __future__ import annotations

from console.commands import manage_command
from migrations_app.models import Job, Worker
from migrations_app.models.status import ENDED


def no_worker_notice(job: Job | None = None) -> dict[str, str] | None:
    """Return the notice, with the command that starts a worker; None if a worker is running or no job
    waits."""
    waits = job.is_live if job else Job.objects.exclude(status__in=ENDED).exists()
    if not waits or Worker.alive():
        return None
    return {
        "message": "No worker is running, so no job can run.",
        "hint": "Start one on this machine, or on another machine that uses the same database. "
        "In the folder of Vectorferry:",
        "command": manage_command("worker"),
    }
