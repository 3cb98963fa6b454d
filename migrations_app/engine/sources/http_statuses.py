"""HTTP statuses: the error to raise for each error status, and what an error answer says."""

from __future__ import annotations

import email.utils
import html
import http.client
import math
import re
import time
from dataclasses import dataclass
from typing import Any

import orjson

from migrations_app.engine.errors import (
    AnswerTooLarge,
    AuthRefused,
    ConnectionFailed,
    FerryError,
    PrivilegeMissing,
    SourceBusy,
    SourceChanged,
    SourceError,
    SourceUnavailable,
)
from migrations_app.engine.log import shortened
from migrations_app.engine.sources.http_failures import MESSAGE_CHARACTERS, HttpFields

# A longer wait is a mistake of the server.
LONGEST_RETRY_AFTER_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class HttpRefusal:
    """An answer with an error status. ``text`` is the server's message, without secrets; ``body`` is the raw
    answer (its first part), for a connector that looks for a code in it."""

    action: str
    status: int
    text: str
    body: bytes
    retry_after_seconds: float | None = None

    @property
    def said(self) -> str:
        """The status and the message, as a part of a sentence."""
        phrase = http.client.responses.get(self.status, "")
        known = f"{self.status} {phrase}".strip()
        return f"{known}: {self.text}" if self.text else known


@dataclass(frozen=True, slots=True)
class StatusError:
    """The error for one status. ``message`` may contain ``{server}``, ``{action}`` and ``{said}``."""

    error: type[FerryError]
    setting: str
    message: str
    hint: str
    code: str = ""


_REFUSED = "{server} refused {action} ({said})."
STATUS_ERRORS = {
    400: StatusError(SourceError, "", _REFUSED, "", "source_refused"),
    401: StatusError(
        AuthRefused,
        "secret",
        "{server} did not accept the credentials ({said}).",
        "Enter them again. They may have expired.",
    ),
    403: StatusError(
        PrivilegeMissing,
        "secret",
        "The credentials may not do this on {server}: {action} ({said}).",
        "Use credentials that may read, or allow the address of this machine.",
    ),
    404: StatusError(SourceChanged, "", "{server} does not have what {action} asks for ({said}).", ""),
    408: StatusError(SourceUnavailable, "", _REFUSED, ""),
    410: StatusError(SourceChanged, "", "{server} no longer has what {action} asks for ({said}).", ""),
    413: StatusError(AnswerTooLarge, "", _REFUSED, ""),
    421: StatusError(SourceUnavailable, "", _REFUSED, ""),
    425: StatusError(SourceUnavailable, "", _REFUSED, ""),
    429: StatusError(SourceBusy, "", "{server} asked to slow down ({said}).", ""),
    501: StatusError(SourceError, "", _REFUSED, "", "source_refused"),
    505: StatusError(SourceError, "", _REFUSED, "", "source_refused"),
}
# The other statuses, by their first digit.
STATUS_CLASSES = {
    3: StatusError(
        ConnectionFailed,
        "address",
        "{server} redirects to another address ({said}).",
        "Enter the address that it redirects to, if you trust it.",
        "redirected",
    ),
    4: StatusError(SourceError, "", _REFUSED, "", "source_refused"),
    5: StatusError(SourceUnavailable, "", "{server} failed at {action} ({said}).", ""),
}
_UNKNOWN = StatusError(
    ConnectionFailed, "address", "{server} answered {action} with status {said}.", "Check the address."
)


def status_error(refusal: HttpRefusal, server: str, fields: HttpFields) -> FerryError:
    """Return the error to raise for an answer with an error status."""
    meaning = STATUS_ERRORS.get(refusal.status) or STATUS_CLASSES.get(refusal.status // 100, _UNKNOWN)
    values = {"server": server, "action": refusal.action, "said": refusal.said.rstrip(".")}
    return meaning.error(
        meaning.message.format_map(values),
        meaning.hint,
        code=meaning.code,
        field=getattr(fields, meaning.setting) if meaning.setting else "",
        retry_after_seconds=refusal.retry_after_seconds,
    )


# The places where servers put their message, as paths of keys.
_MESSAGE_KEYS = (
    ("error", "root_cause", 0, "reason"),
    ("error", "reason"),
    ("error", "message"),
    ("status", "error"),
    ("error",),
    ("message",),
    ("msg",),
    ("detail",),
)


def server_message(body: bytes) -> str:
    """Return the message in the body of an error, in one line, or an empty text."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace")
        text = html.unescape(re.sub(r"<(style|script|head).*?</\1>|<[^>]*>", " ", text, flags=re.S | re.I))
    else:
        text = next((text for keys in _MESSAGE_KEYS if (text := _at(document, keys))), "")
    return shortened(" ".join(text.split()), MESSAGE_CHARACTERS)


def _at(document: Any, keys: tuple[str | int, ...]) -> str:
    for key in keys:
        try:
            document = document[key]
        except (TypeError, KeyError, IndexError):
            return ""
    return document if isinstance(document, str) else ""


def retry_after_seconds(value: str | None, server_date: str | None = None) -> float | None:
    """Return the seconds of a Retry-After header: a number or an HTTP date (RFC 9110, 10.2.3).

    A date is compared with the server's own clock (``server_date``), if it is known. None if there is no
    readable header.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = _timestamp(value)
        if until is None:
            return None
        seconds = until - (_timestamp(server_date or "") or time.time())
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS) if math.isfinite(seconds) else None


def _timestamp(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
