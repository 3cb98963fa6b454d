"""The notice that a job waits and no worker lives, given before the job has waited for half a minute."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from django.conf import settings

from migrations_app.models import Job, Worker
from migrations_app.models.status import ENDED


def no_worker_notice(job: Job | None = None) -> dict[str, str] | None:
    """What to tell, and how to start a worker; None while one lives or nothing waits."""
    waits = job.is_live if job else Job.objects.exclude(status__in=ENDED).exists()
    if not waits or Worker.alive():
        return None
    return {
        "message": "No worker is running, so nothing moves.",
        "hint": "Start one on this machine, or on any that reaches the same database:",
        "command": worker_command(),
    }


def worker_command() -> str:
    """What starts a worker from the checkout, of this very console: its Python, and its data folder where
    that is not the usual one."""
    folder, python = _seen_from_here(settings.DATA_DIR), _seen_from_here(Path(sys.prefix))
    command = f"{python}/bin/python manage.py worker" if python else "python manage.py worker"
    if settings.DATABASE_URL or folder in ("", "data"):
        return command
    return f"VECTORFERRY_DATA_DIR={shlex.quote(folder)} {command}"


def _seen_from_here(folder: Path) -> str:
    """The path inside the checkout; empty for one outside of it, which is nobody's business on a page."""
    folder = folder.absolute()
    return str(folder.relative_to(settings.BASE_DIR)) if folder.is_relative_to(settings.BASE_DIR) else ""
