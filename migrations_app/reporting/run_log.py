"""Run log of a job, with the secrets of its source and target removed."""

from __future__ import annotations

import json
import logging
import re
import threading
import traceback
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.utils import timezone
from pydantic import SecretStr

from migrations_app import endpoints
from migrations_app.engine.errors import FerryError
from migrations_app.models import Job, LogEntry

logger = logging.getLogger("vectorferry.jobs")
HIDDEN = "•••"
# Shorter secrets occur inside ordinary words, so they are hidden only as separate words.
MIN_LENGTH = 4
MAX_CHARACTERS = 20_000


class Scrubber:
    """Hides known secrets in a text, also if they are escaped for URLs or JSON."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if form}
        patterns = (
            re.escape(form) if len(form) >= MIN_LENGTH else rf"(?<!\w){re.escape(form)}(?!\w)"
            for form in sorted(forms, key=len, reverse=True)
        )
        joined = "|".join(patterns)
        self._pattern = re.compile(joined) if joined else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    if "://" in secret:
        try:
            password = urlsplit(secret).password or ""
        except ValueError:
            password = ""
        yield password
        yield unquote(password)


def job_secrets(job: Job) -> Iterator[str]:
    """Yield every secret value of a job's source and target."""
    endpoint_data = ((job.source_connection, "source", False), (job.target_connection, "target", True))
    for connection, role, is_target in endpoint_data:
        settings: dict[str, Any] = connection.settings if connection else job.secrets.get(role, {})
        kind = connection.kind if connection else (job.target_kind if is_target else job.kind)
        try:
            names = endpoints.secret_names(endpoints.endpoint_class(kind, is_target=is_target).Settings)
        except FerryError:  # the connector is no longer installed: hide all text settings
            names = frozenset(settings)
        for value in (settings.get(name) for name in names):
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            if isinstance(value, str):
                yield value


class RunLog:
    """Engine ``Log`` that collects lines until ``flush`` stores them. Any thread may write."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._lines: list[LogEntry] = []
        self._scrub = Scrubber(job_secrets(job))

    def clean(self, text: str) -> str:
        """Return ``text`` without the secrets of the job, in a form that can be stored."""
        return storable(self._scrub(text))

    def __call__(self, level: str, message: str, **facts: object) -> None:
        self._add(level, message, "\n".join(f"{name}: {value}" for name, value in facts.items()))

    def traceback(self, message: str, error: BaseException) -> None:
        """Log ``error`` with its traceback. Tracebacks are shown nowhere else."""
        self._add("error", message, "".join(traceback.format_exception(error)))

    def _add(self, level: str, message: str, details: str) -> None:
        message, details = (self.clean(text)[:MAX_CHARACTERS] for text in (message, details))
        logger.log(logging.getLevelName(level.upper()), "%s: %s", self._job.public_id, message)
        line = LogEntry(job=self._job, at=timezone.now(), level=level, message=message, details=details)
        with self._lock:
            self._lines.append(line)

    def flush(self) -> None:
        """Store the collected lines. If that fails, they are kept for the next ``flush``."""
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        stored = False
        try:
            LogEntry.objects.bulk_create(lines)
            stored = True
        finally:
            if not stored:
                with self._lock:
                    self._lines = lines + self._lines


def storable(text: str) -> str:
    """Return ``text`` in a form that every database accepts: without NUL and half surrogate pairs."""
    return text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode("utf-8")
