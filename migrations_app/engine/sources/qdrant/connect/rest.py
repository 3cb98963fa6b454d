"""REST: requests to the server, and its version."""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import quote

import orjson

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import (
    AnswerTooLarge,
    AuthRefused,
    ConnectionFailed,
    FerryError,
    Interrupted,
    SourceError,
    VersionUnsupported,
)
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.http import HttpClient, HttpSettings
from migrations_app.engine.sources.http_statuses import HttpRefusal
from migrations_app.engine.sources.qdrant.connect.settings import QdrantSettings

Version = tuple[int, ...]
OLDEST: Version = (1, 7)
# What later versions can do.
RANDOM_SAMPLE: Version = (1, 11)
HAS_VECTOR: Version = (1, 13)
STEADY_SCROLL: Version = (1, 14)
SHARD_KEYS: Version = (1, 17)
SLICE_FILTER: Version = (1, 19)
STRICT_MODE = "strict_mode"
# A larger answer is asked for again with fewer points. By default, Qdrant takes no point over 32 MB.
MOST_BYTES = 40 * 1024 * 1024
_NOT_QDRANT = "Enter the address of Qdrant's REST API, by default on port 6333."


def collection_path(name: str, *more: str) -> str:
    return "/".join(["/collections", quote(name, safe=""), *more])


class Rest:
    """Sends requests to one server and returns their results. Any thread may use it."""

    def __init__(self, settings: QdrantSettings, resolve: Resolve) -> None:
        key = settings.api_key.get_secret_value()
        self._client = HttpClient(
            HttpSettings(settings.url, {"api-key": key} if key else {}, ca_cert=settings.ca_cert),
            resolve,
            explain=_explain,
        )
        self._version: Version | None = None

    @property
    def server(self) -> str:
        return self._client.server

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, ctx: ReadContext, json: Any = None) -> Any:
        """Return the result of a request. The errors are those of ``HttpClient``."""
        answer = self.answer(method, path, ctx, json)
        try:
            return orjson.loads(answer)["result"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise self._not_qdrant() from None

    def answer(self, method: str, path: str, ctx: ReadContext, json: Any = None) -> bytes:
        """Return the whole answer to a request."""
        return self._client.request(method, path, json=json, stop=ctx.stop, max_bytes=MOST_BYTES)

    def version(self, ctx: ReadContext) -> Version:
        """Return the version of the server. Raises ``ConnectionFailed`` if it is not Qdrant, or too old."""
        if self._version is None:
            self._version = self._asked_version(ctx)
        return self._version

    def has(self, since: Version, ctx: ReadContext) -> bool:
        return self.version(ctx) >= since

    def _asked_version(self, ctx: ReadContext) -> Version:
        answer = self.answer("GET", "/", ctx)
        try:
            known = orjson.loads(answer)
            is_qdrant, text = "qdrant" in known["title"].lower(), known["version"]
            numbers = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            is_qdrant, numbers = False, None
        if not is_qdrant or numbers is None:
            raise self._not_qdrant()
        version = tuple(int(number or 0) for number in numbers.groups())
        if version < OLDEST:
            raise VersionUnsupported(
                f"{self.server} is Qdrant {numbers[0]}, and Vectorferry reads from Qdrant 1.7 on.",
                "Upgrade the server, one minor version after the other.",
                field="url",
            )
        return version

    def _not_qdrant(self) -> FerryError:
        return ConnectionFailed(
            f"{self.server} answers, but not as Qdrant does.", _NOT_QDRANT, field="url", code="not_qdrant"
        )


class RestCall:
    """A request that is on its way in another thread."""

    def __init__(self, rest: Rest, path: str, body: Any, ctx: ReadContext) -> None:
        self._stop = ctx.stop.child()
        self._answer: bytes | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(rest, path, body), daemon=True)
        self._thread.start()

    def result(self) -> bytes:
        """Wait for the answer. The request itself obeys the stop."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._answer is not None
        return self._answer

    def cancel(self) -> None:
        """Give up the request; its thread ends within half a second."""
        self._stop.stop(Interrupted("The answer is not needed any more."))

    def _run(self, rest: Rest, path: str, body: Any) -> None:
        try:
            self._answer = rest.answer("POST", path, ReadContext(self._stop), body)
        except BaseException as error:  # noqa: BLE001 (raised again by ``result``)
            self._error = error


def _explain(refusal: HttpRefusal) -> FerryError | None:
    """Return the error for an answer that the table of HTTP statuses does not explain well enough."""
    said = refusal.said
    # Qdrant before 1.9 answers a wrong key with 403.
    if refusal.status == 403 and "invalid api-key" in said.lower():
        return AuthRefused(
            f"Qdrant did not accept the API key ({said.rstrip('.')}).", "Enter it again.", field="api_key"
        )
    if refusal.status == 401:
        return AuthRefused(
            f"Qdrant did not accept the API key ({said.rstrip('.')}).",
            "Enter an API key or a token that is valid for this server.",
            field="api_key",
        )
    if refusal.status == 429 and TOO_MANY_IDS.search(said):
        return AnswerTooLarge(f"Qdrant refused a request for many points: {said.rstrip('.')}.")
    if refusal.status == 400 and _STRICT.search(said):
        return SourceError(
            f"The collection's strict mode refused a request: {said.rstrip('.')}.",
            "Raise this limit in the strict mode of the collection.",
            code=STRICT_MODE,
        )
    return None


# The rate limit of a collection is smaller than the request: waiting would not help.
TOO_MANY_IDS = re.compile("larger than rate limiter capacity", re.IGNORECASE)
_STRICT = re.compile(r"strict mode|limit exceeded|\. Help: ", re.IGNORECASE)
