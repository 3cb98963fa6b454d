"""gRPC calls: requests for points, whose answers stay bytes.

The messages of the requests are those of Qdrant's ``points.proto`` and ``qdrant_common.proto``.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from typing import Any

import grpc

from migrations_app.engine import protobuf as pb
from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import (
    AnswerTooLarge,
    AuthRefused,
    ConnectionFailed,
    FerryError,
    Interrupted,
    PrivilegeMissing,
    SourceBusy,
    SourceChanged,
    SourceError,
    SourceUnavailable,
)
from migrations_app.engine.grpc_channel import open_channel, result_of
from migrations_app.engine.log import shortened
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.http_failures import MESSAGE_CHARACTERS
from migrations_app.engine.sources.http_statuses import retry_after_seconds
from migrations_app.engine.sources.qdrant.connect.rest import MOST_BYTES, TOO_MANY_IDS
from migrations_app.engine.sources.qdrant.connect.settings import QdrantSettings

SCROLL, GET = "/qdrant.Points/Scroll", "/qdrant.Points/Get"
_HEALTH = "/qdrant.Qdrant/HealthCheck"
# For a whole page, also over a slow line.
CALL_SECONDS = 120.0
PROBE_SECONDS = 3.0

_CODE = grpc.StatusCode
_ERRORS: dict[grpc.StatusCode, tuple[type[FerryError], str, str, str]] = {
    # The error, its code, the field of the settings, and the hint.
    _CODE.UNAUTHENTICATED: (AuthRefused, "", "api_key", "Enter an API key that is valid for this server."),
    _CODE.PERMISSION_DENIED: (
        PrivilegeMissing,
        "",
        "api_key",
        "Use an API key or a token that may read this collection.",
    ),
    _CODE.NOT_FOUND: (SourceChanged, "", "", "Select the collection again."),
    _CODE.RESOURCE_EXHAUSTED: (SourceBusy, "", "", ""),
    _CODE.OUT_OF_RANGE: (AnswerTooLarge, "", "", ""),
    _CODE.INVALID_ARGUMENT: (SourceError, "source_refused", "", ""),
    _CODE.FAILED_PRECONDITION: (SourceError, "source_refused", "", ""),
    _CODE.UNIMPLEMENTED: (ConnectionFailed, "not_qdrant", "grpc_port", "Enter the gRPC port of Qdrant."),
    _CODE.DEADLINE_EXCEEDED: (SourceUnavailable, "source_timeout", "", ""),
}
_TOO_LARGE = re.compile(f"larger than max|{TOO_MANY_IDS.pattern}", re.IGNORECASE)
# Instead of the words of gRPC, which are long and name its internals.
_TRANSPORT = {
    _CODE.UNAVAILABLE: "the connection was lost, or the port cannot be reached",
    _CODE.DEADLINE_EXCEEDED: "it did not answer in time",
    _CODE.CANCELLED: "the connection was closed",
}


class GrpcCalls:
    """Calls to the gRPC port of one server. Connects at the first call, and again after a fork."""

    def __init__(self, settings: QdrantSettings, resolve: Resolve) -> None:
        self._settings = settings
        self._resolve = resolve
        self.server = f"{settings.host}:{settings.grpc_port}"
        key = settings.api_key.get_secret_value()
        self._metadata = (("api-key", key),) if key else ()
        self._lock = threading.Lock()
        self._opened: tuple[int, grpc.Channel] | None = None

    def close(self) -> None:
        with self._lock:
            if self._opened and self._opened[0] == os.getpid():
                self._opened[1].close()
            self._opened = None

    def check(self, ctx: ReadContext) -> None:
        """Raise an error if the server cannot be reached by gRPC."""
        self.result(self.begin(_HEALTH, b"", ctx, PROBE_SECONDS), ctx)

    def begin(
        self, method: str, request: bytes, ctx: ReadContext, timeout_seconds: float = CALL_SECONDS
    ) -> Any:
        """Send a request. ``result`` waits for the answer; ``cancel()`` of what is returned gives it up."""
        ctx.stop.check()
        try:
            return (
                self._open(ctx)
                .unary_unary(method)
                .future(request, timeout=timeout_seconds, metadata=self._metadata)
            )
        except ValueError:  # the channel was closed meanwhile
            raise SourceUnavailable(f"The gRPC connection to {self.server} was closed.") from None

    def result(self, call: Any, ctx: ReadContext) -> bytes:
        """Return the answer of a call. Raises the reason of a stop within half a second.

        After a call without an answer, the next one opens a new connection: nothing may come through the old
        one any more.
        """
        try:
            answer: bytes = result_of(call, ctx.stop)
        except Interrupted:
            self.close()
            raise
        except grpc.RpcError as error:
            if error.code() is _CODE.DEADLINE_EXCEEDED:
                self.close()
            raise self._error(error) from None
        except grpc.FutureCancelledError:
            raise SourceUnavailable(f"The gRPC connection to {self.server} was closed.") from None
        return answer

    def _open(self, ctx: ReadContext) -> grpc.Channel:
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                settings = self._settings
                channel = open_channel(
                    settings.host,
                    settings.grpc_port,
                    self._resolve,
                    ctx.stop.check,
                    tls=settings.uses_tls,
                    ca_cert=settings.ca_cert or None,
                    most_bytes=MOST_BYTES,
                )
                self._opened = (os.getpid(), channel)
            return self._opened[1]

    def _error(self, error: grpc.RpcError) -> FerryError:
        status, said = error.code(), " ".join((error.details() or "").split())
        key = self._settings.api_key.get_secret_value()
        said = said.replace(key, "***") if key else said
        kind, code, field, hint = _ERRORS.get(status, (SourceUnavailable, "", "", ""))
        # The message itself is too large: asking for fewer points helps.
        if status is _CODE.RESOURCE_EXHAUSTED and _TOO_LARGE.search(said):
            kind = AnswerTooLarge
        wait = dict(error.trailing_metadata() or ()).get("retry-after")
        why = _TRANSPORT.get(status) or shortened(said, MESSAGE_CHARACTERS) or status.name
        return kind(
            f"Qdrant did not answer by gRPC ({self.server}): {why.rstrip('.')}.",
            hint,
            code=code,
            field=field,
            retry_after_seconds=retry_after_seconds(wait if isinstance(wait, str) else None),
            details=said if why != said else "",
        )


# ---------------------------------------------------------------- messages


def point_id(value: int | str) -> pb.Chunks:
    """Encode a ``PointId``. Its number may be 0, which is sent."""
    if isinstance(value, str):
        return pb.text(2, value)
    return [bytes([pb.tag(1, pb.VARINT)]) + pb.varint(value)]


def shard_selector(field: int, key: int | str | None) -> pb.Chunks:
    """Encode a ``ShardKeySelector`` of one key as field ``field``."""
    if key is None:
        return []
    body: pb.Chunks = (
        pb.message(1, [key.encode()])
        if isinstance(key, str)
        else [bytes([pb.tag(2, pb.VARINT)]) + pb.varint(key)]
    )
    return pb.message(field, pb.message(1, body))


def selected(payload: bool, vectors: bool | Sequence[str], fields: tuple[int, int]) -> pb.Chunks:
    """Encode what of each point is wanted, as the ``fields`` for its payload and its vectors."""
    chosen = (
        _enabled(vectors)
        if isinstance(vectors, bool)
        else pb.message(2, [chunk for name in vectors for chunk in pb.message(1, [name.encode()])])
    )
    return [*pb.message(fields[0], _enabled(payload)), *pb.message(fields[1], chosen)]


def _enabled(value: bool) -> pb.Chunks:
    return [bytes([pb.tag(1, pb.VARINT), value])]


def slice_filter(total: int, index: int) -> pb.Chunks:
    """Encode a ``Filter`` for one of ``total`` slices."""
    part = [*pb.integer(1, total), *pb.integer(2, index)]
    return pb.message(2, pb.message(8, part))
