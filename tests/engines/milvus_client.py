"""A Milvus asked by its own client, without any code of ours."""

from typing import Any

from pymilvus import MilvusClient

# pymilvus pings every ten seconds, also while nothing is asked, and Milvus Lite's gRPC cuts off whoever pings
# without need more than a few times ("Too many pings").
NEVER_PING = {"grpc.keepalive_time_ms": 2**31 - 1, "grpc.keepalive_permit_without_calls": 0}


def plain_client(uri: str, **more: Any) -> MilvusClient:
    """A client with a connection of its own, for whoever opens it to close."""
    return MilvusClient(uri, dedicated=True, grpc_options=NEVER_PING, **more)
