"""Plain Milvus client: pymilvus without any code of Vectorferry."""

from typing import Any

from pymilvus import MilvusClient

# pymilvus pings every ten seconds, even if there is no request. The gRPC server of Milvus Lite closes a
# connection after a few such pings ("Too many pings").
NEVER_PING = {"grpc.keepalive_time_ms": 2**31 - 1, "grpc.keepalive_permit_without_calls": 0}


def plain_client(uri: str, **more: Any) -> MilvusClient:
    """A client with its own connection. The caller must close it."""
    return MilvusClient(uri, dedicated=True, grpc_options=NEVER_PING, **more)
