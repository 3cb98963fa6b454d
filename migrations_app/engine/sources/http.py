"""HTTP client: the one way in which sources send HTTP requests.

The answer is read in pieces, so that a stop is obeyed within half a second, wherever the request waits.
Failures are converted to errors by the tables in ``http_failures`` and ``http_statuses``. It does not retry,
follow redirects, use proxies of the environment or keep cookies.
"""

from __future__ import annotations

import http.client
import logging
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import orjson
import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import FerryError, SettingsError
from migrations_app.engine.interruptible import STEP_SECONDS
from migrations_app.engine.sources.http_connections import PORTS, open_pool, tls_context
from migrations_app.engine.sources.http_failures import HttpFields, failure_error, too_large, undecodable
from migrations_app.engine.sources.http_statuses import (
    HttpRefusal,
    retry_after_seconds,
    server_message,
    status_error,
)
from migrations_app.engine.sources.stoppable_socket import Patience, Phase
from migrations_app.engine.stop_token import Deadline, StopToken

# urllib3 logs a line for each request, with the query.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

MAX_BYTES = 64 * 1024 * 1024
# An answer of unknown length is read in pieces of this size.
PIECE_BYTES = 256 * 1024
# This much of an error answer is read.
ERROR_BYTES = 64 * 1024
# The sockets wait in steps, and ``Patience`` adds them up.
STEP_TIMEOUT = urllib3.Timeout(connect=STEP_SECONDS, read=STEP_SECONDS)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_LIBRARY_ERRORS = (HTTPError, http.client.HTTPException, OSError, UnicodeError, zlib.error)


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The connection to one server. ``base_url`` may end with a path, which is put before each path.

    ``headers`` are sent with each request. Their values are secret: they never show in ``repr`` or in errors;
    neither do ``secrets``, further texts to hide. ``ca_cert`` is PEM text; empty: the authorities that this
    machine trusts. ``fields`` are the names of the settings to which errors belong.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    verify_tls: bool = True
    ca_cert: str = field(default="", repr=False)
    connect_seconds: float = 10.0
    silence_seconds: float = 60.0
    fields: HttpFields = field(default_factory=HttpFields)


class HttpClient:
    """Sends requests to one server. Any thread may use it. Connects at the first request.

    ``resolve`` returns the IP addresses of a host to which it may connect (``Endpoint.resolve``). ``explain``
    may return a better error for an answer with an error status than the table of statuses has.
    """

    def __init__(
        self,
        settings: HttpSettings,
        resolve: Resolve,
        *,
        explain: Callable[[HttpRefusal], FerryError | None] = lambda refusal: None,
    ) -> None:
        self._settings = settings
        self._explain = explain
        self._scheme, self.host, self.port, self._prefix = _parsed(settings)
        _check_headers(settings)
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.server = f"{self._scheme}://{name}:{self.port}"
        values = [*settings.headers.values(), *settings.secrets]
        # The secret itself, too, not only together with the word before it: “Bearer …”, “ApiKey …”.
        hidden = {part for value in values for part in (value, *value.split()[1:]) if len(part) > 3}
        self._hidden = sorted(hidden, key=len, reverse=True)
        context = None
        if self._scheme == "https":
            context = tls_context(settings.ca_cert, verify=settings.verify_tls, field=settings.fields.ca_cert)
        self._open_pool = partial(open_pool, self.host, self.port, resolve, context)
        try:
            self._pool = self._open_pool()
        except LocationParseError:  # for example “%” in the host
            raise _unusable_address(settings) from None

    def __repr__(self) -> str:
        return f"<HttpClient {self.server}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all idle connections. Safe to call twice; a later request connects again."""
        self._pool.close()
        self._pool = self._open_pool()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        stop: StopToken | None = None,
        deadline: Deadline | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> bytes:
        """Return the body of the answer, decoded if it is compressed.

        ``json`` is sent as JSON, ``body`` as it is. Errors name ``method`` and ``path``, but not ``params``.
        Raises ``AnswerTooLarge`` if the answer has more than ``max_bytes``, the reason of ``stop`` within
        half a second, ``SourceUnavailable`` after ``deadline``, and the errors of the two tables.
        """
        action = f"{method} {path}"
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "vectorferry"}
        if json is not None:
            body = orjson.dumps(json)
            sent["Content-Type"] = "application/json"
        sent |= {**self._settings.headers, **(headers or {})}
        url = self._prefix + path + (f"?{urlencode(params)}" if params else "")
        while True:
            patience = self._patience(stop, deadline)
            try:
                with patience.applied(), self._answered(method, url, body, sent, patience) as answer:
                    return self._body(answer, action, max_bytes)
            except _LIBRARY_ERRORS as error:
                if not _was_idle_too_long(error, patience):
                    raise self._failure(error, patience.phase, action) from None

    def _patience(self, stop: StopToken | None, deadline: Deadline | None) -> Patience:
        settings = self._settings
        return Patience(
            stop or StopToken(), deadline or Deadline(), settings.connect_seconds, settings.silence_seconds
        )

    @contextmanager
    def _answered(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], patience: Patience
    ) -> Iterator[BaseHTTPResponse]:
        """Send a request. After a complete answer the connection stays open, otherwise it is closed."""
        patience.check()
        answer = self._pool.urlopen(
            method,
            url,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=STEP_TIMEOUT,
            preload_content=False,
            decode_content=False,
        )
        try:
            yield answer
        except BaseException:
            answer.close()
            raise
        finally:
            answer.release_conn()

    def _body(self, answer: BaseHTTPResponse, action: str, max_bytes: int) -> bytes:
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, action)
        length = getattr(answer, "length_remaining", None)
        if length is None and "chunked" not in answer.headers.get("Transfer-Encoding", "").lower():
            # It ends with the connection, also when that breaks: a part would pass for the whole.
            raise http.client.HTTPException("it does not say how long its answer is")
        if length is not None and length > max_bytes:
            raise too_large(self.server, action, max_bytes)
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise undecodable(self.server, action, encoding)
        pieces = _pieces(answer, max_bytes + 1)
        if encoding.endswith("gzip"):
            pieces = _gunzipped(pieces, max_bytes + 1)
        return self._joined(pieces, action, max_bytes)

    def _joined(self, pieces: Iterator[bytes], action: str, max_bytes: int) -> bytes:
        size, kept = 0, []
        for piece in pieces:
            size += len(piece)
            if size > max_bytes:
                raise too_large(self.server, action, max_bytes)
            kept.append(piece)
        return kept[0] if len(kept) == 1 else b"".join(kept)

    def _refusal(self, answer: BaseHTTPResponse, action: str) -> FerryError:
        headers = answer.headers
        body = _first_bytes(answer)
        text = server_message(body)
        if 300 <= answer.status < 400:
            # Without the query, which may contain a secret.
            text = headers.get("Location", "").partition("?")[0] or text
        wait = retry_after_seconds(headers.get("Retry-After"), headers.get("Date"))
        refusal = HttpRefusal(action, answer.status, self._without_secrets(text), body, wait)
        return self._explain(refusal) or status_error(refusal, self.server, self._settings.fields)

    def _failure(self, error: Exception, phase: Phase, action: str) -> FerryError:
        values = {
            "server": self.server,
            "action": action,
            "seconds": f"{self._settings.connect_seconds:g}",
        }
        found = failure_error(error, phase, self._settings.fields, values)
        found.message = self._without_secrets(found.message)
        found.args = (found.message,)
        return found

    def _without_secrets(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text


def _parsed(settings: HttpSettings) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path prefix of the base URL."""
    url, at = settings.base_url, settings.fields.address
    try:
        parts = urlsplit(url)
        port = parts.port or (PORTS.get(parts.scheme, 0) if parts.port is None else 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.username is not None or parts.password is not None:
        raise SettingsError(
            "The address contains a user or a password.", "Enter them in their own fields.", field=at
        )
    has_host = bool(parts.hostname) and not any(c.isspace() for c in url)
    if parts.scheme not in PORTS or not has_host or not port or parts.query or parts.fragment:
        raise _unusable_address(settings)
    return parts.scheme, parts.hostname or "", port, parts.path.rstrip("/")


def _unusable_address(settings: HttpSettings) -> SettingsError:
    url = settings.base_url
    # After “?” and before “@” there may be a secret.
    shown = "This" if "@" in url else f"“{url.partition('?')[0]}”"
    return SettingsError(
        f"{shown} is not an address that Vectorferry can use.",
        "Write it as https://host:port or http://host:port.",
        field=settings.fields.address,
    )


def _check_headers(settings: HttpSettings) -> None:
    """Refuse values that ``http.client`` would refuse with the value in its message."""
    if not all(_HEADER_VALUE.fullmatch(value) for value in settings.headers.values()):
        raise SettingsError(
            "The credentials contain a character that cannot be sent, such as a line break.",
            "Copy them again.",
            field=settings.fields.secret,
        )


def _was_idle_too_long(error: Exception, patience: Patience) -> bool:
    """True if the server closed an idle connection just as the request was sent. Each such error uses up one
    idle connection, so that another try ends."""
    is_closed = not isinstance(error, TimeoutError | ReadTimeoutError)
    return is_closed and not patience.has_connected and not patience.has_received


# ---------------------------------------------------------------- bodies


def _pieces(answer: BaseHTTPResponse, most_bytes: int) -> Iterator[bytes]:
    """Yield the raw body. If its length is known, it comes in one piece, without a copy."""
    size = min(getattr(answer, "length_remaining", None) or PIECE_BYTES, most_bytes)
    while piece := answer.read(size, decode_content=False):
        yield piece


def _gunzipped(pieces: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    """Yield the decoded bytes, never more than ``most_bytes`` in one piece."""
    decoder = zlib.decompressobj(wbits=31)
    for piece in pieces:
        rest = piece
        while rest:
            if decoder.eof:  # a second member follows
                decoder = zlib.decompressobj(wbits=31)
            if decoded := decoder.decompress(rest, min(PIECE_BYTES, most_bytes)):
                yield decoded
            rest = decoder.unconsumed_tail or decoder.unused_data
    if not decoder.eof:
        raise zlib.error("the compressed data end too early")


def _first_bytes(answer: BaseHTTPResponse) -> bytes:
    """Return the beginning of an error's body, or nothing if it cannot be read."""
    try:
        return answer.read(ERROR_BYTES, decode_content=False)
    except _LIBRARY_ERRORS:
        return b""
