"""gRPC port of the server."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from qdrant_client.grpc import (
    collections_service_pb2,
    points_service_pb2,
    qdrant_pb2,
)

from migrations_app.demo.processes import LOOPBACK
from migrations_app.demo.qdrant.access import Access
from migrations_app.demo.qdrant.refusals import Refusal
from migrations_app.demo.qdrant.wire.grpc_collections import COLLECTIONS
from migrations_app.demo.qdrant.wire.grpc_points import POINTS

if TYPE_CHECKING:
    from migrations_app.demo.qdrant.server import Server

Message = Any
THREADS = 16
OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
]


class GrpcPort:
    def __init__(self, server: "Server") -> None:
        self._grpc = grpc.server(ThreadPoolExecutor(THREADS), options=OPTIONS)
        for service, methods in (
            (qdrant_pb2.DESCRIPTOR.services_by_name["Qdrant"], {"HealthCheck": ("", _health)}),
            (collections_service_pb2.DESCRIPTOR.services_by_name["Collections"], COLLECTIONS),
            (points_service_pb2.DESCRIPTOR.services_by_name["Points"], POINTS),
        ):
            self._grpc.add_generic_rpc_handlers((_service(server, service, methods),))
        options, address = server.options, f"{LOOPBACK}:{server.options.grpc_port}"
        if options.key_pem:
            pair = (options.key_pem.encode(), options.certificate_pem.encode())
            self.port = self._grpc.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        else:
            self.port = self._grpc.add_insecure_port(address)
        self._grpc.start()

    def close(self) -> None:
        self._grpc.stop(grace=None).wait()


Answer = Callable[["Server", Message, Access], Message]


def _service(server: "Server", service: Any, methods: dict[str, tuple[str, Answer]]) -> Any:
    """The methods of a service. An answer may also be a message that is serialised already."""
    handlers = {}
    for name, (operation, answer) in methods.items():
        described = service.methods_by_name[name]
        handlers[name] = grpc.unary_unary_rpc_method_handler(
            _guarded(server, operation, answer),
            request_deserializer=described.input_type._concrete_class.FromString,
            response_serializer=lambda given: (
                given if isinstance(given, bytes) else given.SerializeToString()
            ),
        )
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def _guarded(server: "Server", operation: str, answer: Answer) -> Any:
    from migrations_app.demo.qdrant.server import Call

    def run(request: Message, context: grpc.ServicerContext) -> Message:
        try:
            access = Access()
            if operation:
                headers = {
                    name: value for name, value in context.invocation_metadata() if isinstance(value, str)
                }
                name = getattr(request, "collection_name", None)
                port = int(context.peer().rpartition(":")[2])
                access = server.admit(Call("grpc", operation, name, headers, port))
            return answer(server, request, access)
        except Refusal as refusal:
            if refusal.retry_after is not None:
                context.set_trailing_metadata([("retry-after", str(refusal.retry_after))])
            context.abort(refusal.kind.code, refusal.grpc_message)
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Malformed request: {fault}")

    return run


def _health(server: "Server", request: Message, access: Access) -> Message:
    return qdrant_pb2.HealthCheckReply(**server.release.title())
