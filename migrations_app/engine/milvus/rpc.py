"""gRPC connection to a Milvus server. Every call has a deadline, and error statuses are raised as errors.

It uses pymilvus's generated messages, but not its client. The client keeps connections in a global table,
retries automatically, and waits forever if nothing listens at the address.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.request import proxy_bypass

import grpc
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import FerryError, ServerError, ServerUnavailable
from migrations_app.engine.interruptible import STEP_SECONDS, interruptible
from migrations_app.engine.milvus.address import grpc_target
from migrations_app.engine.milvus.errors import from_rpc, from_status
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.stop_token import StopToken

CALL_SECONDS = 30.0
SERVICE = "/milvus.proto.milvus.MilvusService/"
# Without keepalive: a server closes the connection of a client that pings too often ("too many pings"), and
# every call has a deadline anyway.
OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # gRPC must not silently resend a request that the server may have read.
    ("grpc.enable_retries", 0),
    # Channels do not share connections, nor the back-off after a failed connection.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 5000),
]
# The variables in which gRPC looks for a proxy.
PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
Send = Callable[..., Any]
# Returns the error of the source or of the target for an error of their server.
Translate = Callable[[ServerError], FerryError]


class Rpc:
    """Calls to one database of one server. Connects on first use, and again after a fork. Thread-safe.

    ``translate`` returns the errors of the source or target that uses it. ``stop`` returns the stop
    that ends each call, but not the sending of rows, whose outcome would then be unknown.
    """

    def __init__(
        self,
        settings: MilvusSettings,
        database: str,
        resolve: Resolve,
        translate: Translate,
        stop: Callable[[], StopToken] = StopToken,
    ) -> None:
        self.address = settings.address
        self._resolve = resolve
        self._translate = translate
        self.stop = stop
        self.database = database
        self._ca_cert = settings.ca_cert.encode() if settings.ca_cert else None
        authorization = settings.authorization()
        self._metadata: list[tuple[str, str]] = [("dbname", database)]
        if authorization:
            self._metadata.append(("authorization", authorization))
        self._lock = threading.Lock()
        self._opened: tuple[int, grpc.Channel, Any] | None = None

    def call(self, method: str, request: Any, action: str, timeout_seconds: float = CALL_SECONDS) -> Any:
        """Return the answer to ``request``. ``action`` completes the error message "Milvus did not …"."""
        stop = self.stop()
        stop.check()
        invoke = partial(_stoppable, getattr(self._open()[1], method), stop)
        return self._invoke(invoke, request, timeout_seconds, action, sending=False)

    def sender(self, method: str) -> Send:
        """Return a function that sends serialized rows with "Insert" or "Upsert":
        ``(payload, timeout, action) -> MutationResult``."""
        invoke = self._open()[0].unary_unary(
            SERVICE + method, response_deserializer=milvus_pb2.MutationResult.FromString
        )
        return partial(self._invoke, invoke, sending=True)

    def _invoke(
        self, invoke: Send, request: Any, timeout_seconds: float, action: str, *, sending: bool
    ) -> Any:
        try:
            answer = invoke(request, timeout=timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._own(from_rpc(error, action, sending=sending)) from None
        except (ValueError, grpc.FutureCancelledError) as error:  # the channel was closed meanwhile
            closed = ServerUnavailable(f"Milvus did not {action}: the connection was closed.")
            raise self._own(closed) from error
        if problem := from_status(getattr(answer, "status", answer), action, sending=sending):
            raise self._own(problem)
        return answer

    def _own(self, error: FerryError) -> FerryError:
        return self._translate(error) if isinstance(error, ServerError) else error

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
        """A channel to the addresses that the host has now. The host stays the name for TLS and requests."""
        addresses = interruptible(lambda: self._resolve(self.address.host), self.stop().check)
        uses_proxy = _uses_proxy(self.address.host)
        # gRPC asks a proxy for the whole list of addresses as if it were one.
        target = grpc_target(addresses[:1] if uses_proxy else addresses, self.address.port)
        options = [
            *OPTIONS,
            ("grpc.default_authority", self.address.authority),
            ("grpc.enable_http_proxy", int(uses_proxy)),
        ]
        if not self.address.tls:
            return grpc.insecure_channel(target, options)
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(self._ca_cert), options)


def _stoppable(invoke: Any, stop: StopToken, request: Any, **options: Any) -> Any:
    """Call ``invoke``, but cancel the call and raise the reason if a stop is requested."""
    future = invoke.future(request, **options)
    while True:
        try:
            return future.result(timeout=STEP_SECONDS)
        except grpc.FutureTimeoutError:
            if stop.is_stopped:
                future.cancel()
            stop.check()


def _uses_proxy(host: str) -> bool:
    """True if the environment sends gRPC through a proxy. gRPC itself would look for the address in
    ``no_proxy``, where the operator wrote the name."""
    return any(map(os.environ.get, PROXY_VARIABLES)) and not proxy_bypass(host)
