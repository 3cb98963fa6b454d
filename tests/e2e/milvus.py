"""Queries to Milvus through its own client: the rows and types that arrived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymilvus import DataType, MilvusClient

from tests.engines.milvus_client import plain_client


@contextmanager
def client_of(uri: str) -> Iterator[MilvusClient]:
    client = plain_client(uri)
    yield client
    client.close()


def count(client: MilvusClient, collection: str) -> int:
    """The number of rows in a loaded collection."""
    found = client.query(collection, output_fields=["count(*)"], consistency_level="Strong")
    return int(found[0]["count(*)"])


def load(client: MilvusClient, collection: str, vector: str) -> None:
    """Index and load a collection that a job left without an index."""
    index = MilvusClient.prepare_index_params(vector, index_type="FLAT", metric_type="L2")
    client.create_index(collection, index)
    client.load_collection(collection)


def types(client: MilvusClient, collection: str) -> dict[str, DataType]:
    """The type of each field by its name."""
    return {field["name"]: field["type"] for field in client.describe_collection(collection)["fields"]}
