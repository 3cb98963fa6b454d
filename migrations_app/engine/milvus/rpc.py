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

import grpc
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import FerryError, ServerError, ServerUnavailable
from migrations_app.engine.grpc_channel import open_channel, stoppable
from migrations_app.engine.milvus.errors import from_rpc, from_status
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.stop_token import StopToken

CALL_SECONDS = 30.0
SERVICE = "/milvus.proto.milvus.MilvusService/"
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
        self._ca_cert = settings.ca_cert
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
        invoke = partial(stoppable, getattr(self._open()[1], method), stop)
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
        address = self.address
        return open_channel(
            address.host,
            address.port,
            self._resolve,
            self.stop().check,
            tls=address.tls,
            ca_cert=self._ca_cert,
        )
