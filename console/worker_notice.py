"""The notice that a job waits and no worker lives (within the 30 seconds after which one counts as gone)."""

from __future__ import annotations

from migrations_app.models import Job, Worker


def no_worker_notice(job: Job | None = None) -> dict[str, str] | None:
    """What to tell, and how to start a worker; None while one lives or nothing waits."""
    waits = job.is_live if job else any(found.is_live for found in Job.objects.filter(ended_at=None)[:50])
    if not waits or Worker.alive():
        return None
    return {
        "message": "No worker is running, so nothing moves.",
        "hint": "Start one on this machine, or on any that reaches the same database:",
        "command": "python manage.py worker",
    }
