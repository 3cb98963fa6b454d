"""Worker notice: shown within 30 seconds if a job waits and no worker is running."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from django.conf import settings

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
        "hint": "Start one on this machine, or on another machine that uses the same database:",
        "command": worker_command(),
    }


def worker_command() -> str:
    """Return the command that starts a worker of this console from the checkout: with its Python, and with
    its data folder if this is not the default."""
    folder, python = _relative_path(settings.DATA_DIR), _relative_path(Path(sys.prefix))
    command = f"{python}/bin/python manage.py worker" if python else "python manage.py worker"
    if settings.DATABASE_URL or folder in ("", "data"):
        return command
    return f"VECTORFERRY_DATA_DIR={shlex.quote(folder)} {command}"


def _relative_path(folder: Path) -> str:
    """Return the path relative to the checkout; empty if it is outside, because the page must not show it."""
    folder = folder.absolute()
    return str(folder.relative_to(settings.BASE_DIR)) if folder.is_relative_to(settings.BASE_DIR) else ""
