"""One gRPC connection to a Milvus server: a deadline on every call, statuses as errors.

pymilvus's generated messages are used without its client: that keeps connections in a global table, retries
by itself and waits for ever where nothing listens.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from migrations_app.engine.errors import TargetUnavailable
from migrations_app.engine.milvus.errors import from_rpc, from_status
from migrations_app.engine.milvus.settings import MilvusSettings

CALL_SECONDS = 30.0
SERVICE = "/milvus.proto.milvus.MilvusService/"
# No keepalive: a server cuts the connection of a client that pings more often than it likes ("too many
# pings"), and every call has a deadline of its own.
OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A request that may have been read is never sent twice behind our back.
    ("grpc.enable_retries", 0),
    # No connection, and no back-off after a failed one, is shared with another channel.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 5000),
]
Send = Callable[..., Any]


class Rpc:
    """Calls in one database of one server. Connects when first used, and anew after a fork. Thread-safe."""

    def __init__(self, settings: MilvusSettings, database: str) -> None:
        self.address = settings.address
        self.database = database
        self._ca_cert = settings.ca_cert.encode() if settings.ca_cert else None
        authorization = settings.authorization()
        self._metadata: list[tuple[str, str]] = [("dbname", database)]
        if authorization:
            self._metadata.append(("authorization", authorization))
        self._lock = threading.Lock()
        self._opened: tuple[int, grpc.Channel, Any] | None = None

    def call(self, method: str, request: Any, what: str, timeout_seconds: float = CALL_SECONDS) -> Any:
        """The answer to ``request``. ``what`` completes "Milvus did not …" where it is an error."""
        invoke = getattr(self._open()[1], method)
        return self._checked(invoke, request, timeout_seconds, what, sending=False)

    def sender(self, method: str) -> Send:
        """Sends serialized rows by "Insert" or "Upsert": ``(payload, timeout, what) -> MutationResult``."""
        invoke = self._open()[0].unary_unary(
            SERVICE + method, response_deserializer=milvus_pb2.MutationResult.FromString
        )
        return partial(self._checked, invoke, sending=True)

    def _checked(
        self, invoke: Send, request: Any, timeout_seconds: float, what: str, *, sending: bool
    ) -> Any:
        try:
            answer = invoke(request, timeout=timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc(error, what, sending=sending) from None
        except ValueError as error:  # how grpc says that the channel was closed meanwhile
            raise TargetUnavailable(f"Milvus did not {what}: the connection was closed.") from error
        if problem := from_status(getattr(answer, "status", answer), what, sending=sending):
            raise problem
        return answer

    def close(self) -> None:
        with self._lock:
            if self._opened and self._opened[0] == os.getpid():
                self._opened[1].close()
            self._opened = None

    def _open(self) -> tuple[grpc.Channel, Any]:
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                channel = self._channel()
                self._opened = (os.getpid(), channel, milvus_pb2_grpc.MilvusServiceStub(channel))
            return self._opened[1], self._opened[2]

    def _channel(self) -> grpc.Channel:
        target = self.address.grpc_target
        if not self.address.tls:
            return grpc.insecure_channel(target, OPTIONS)
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(self._ca_cert), OPTIONS)
