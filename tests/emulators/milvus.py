"""Milvus emulator: the server of Milvus Lite with a login, TLS, and answers that a test chooses.

The refusals have the words of Milvus's proxy (``internal/proxy/authentication_interceptor.go``).
"""

import base64
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from tests.kit.certificates import Certificate

WRONG_KEY = "auth check failure, please check api key is correct"
WRONG_PASSWORD = "auth check failure, please check username and password are correct"
Answer = Callable[[Any, grpc.ServicerContext], Any]


@dataclass
class MilvusEmulator:
    """A server with these options.

    ``login``: the token, or user:password, that is accepted. ``answers``: answers by method that replace
    those of Lite, each used once. ``calls``: the methods called so far, each with its metadata.
    """

    folder: Path
    login: str = ""
    certificate: Certificate | None = None
    answers: dict[str, deque[Answer]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0

    @property
    def uri(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def answer(self, method: str, *answers: Answer) -> None:
        self.answers.setdefault(method, deque()).extend(answers)

    @contextmanager
    def running(self) -> Iterator["MilvusEmulator"]:
        from milvus_lite.adapter.grpc.servicer import MilvusServicer
        from milvus_lite.db import MilvusLite
        from pymilvus.grpc_gen import milvus_pb2_grpc

        database = MilvusLite(str(self.folder))
        server = grpc.server(ThreadPoolExecutor(8), interceptors=[_Guard(self)])
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
        self.port = self._listen(server)
        server.start()
        try:
            yield self
        finally:
            server.stop(grace=None).wait()
            database.close()

    def _listen(self, server: grpc.Server) -> int:
        if self.certificate is None:
            return server.add_insecure_port(f"127.0.0.1:{self.port}")
        pair = (self.certificate.key_pem.encode(), self.certificate.pem.encode())
        return server.add_secure_port(f"127.0.0.1:{self.port}", grpc.ssl_server_credentials([pair]))


class _Guard(grpc.ServerInterceptor):
    def __init__(self, emulator: MilvusEmulator) -> None:
        self._emulator = emulator

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        method = details.method.rsplit("/", 1)[-1]
        metadata = dict(details.invocation_metadata)
        self._emulator.calls.append((method, metadata))
        sent = base64.b64decode(metadata.get("authorization", "")).decode()
        if self._emulator.login and sent != self._emulator.login:
            return _replaced(handler, _refuse(WRONG_PASSWORD if ":" in sent else WRONG_KEY))
        if waiting := self._emulator.answers.get(method):
            return _replaced(handler, waiting.popleft())
        return handler


def _replaced(handler: Any, answer: Answer) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _refuse(message: str) -> Answer:
    return aborting(grpc.StatusCode.UNAUTHENTICATED, message)


def aborting(code: grpc.StatusCode, message: str) -> Answer:
    """An answer that is a gRPC error."""

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(code, message)

    return answer
