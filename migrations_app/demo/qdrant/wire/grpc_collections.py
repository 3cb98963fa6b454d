"""The service *Collections* of gRPC. Each answer has the name of the operation that a request needs."""

from typing import TYPE_CHECKING, Any

from qdrant_client.grpc import collections_pb2

from migrations_app.demo.qdrant.access import Access
from migrations_app.demo.qdrant.wire import messages

if TYPE_CHECKING:
    from migrations_app.demo.qdrant.server import Server

Message = Any


def _get(server: "Server", request: Message, access: Access) -> Message:
    info = server.operations.info(request.collection_name)
    return collections_pb2.GetCollectionInfoResponse(result=messages.info_message(info))


def _list(server: "Server", request: Message, access: Access) -> Message:
    return collections_pb2.ListCollectionsResponse(**server.operations.collections(access))


def _create(server: "Server", request: Message, access: Access) -> Message:
    server.operations.create(request.collection_name, messages.create_json(request))
    return collections_pb2.CollectionOperationResponse(result=True)


def _update(server: "Server", request: Message, access: Access) -> Message:
    server.operations.change(request.collection_name, messages.change_json(request))
    return collections_pb2.CollectionOperationResponse(result=True)


def _drop(server: "Server", request: Message, access: Access) -> Message:
    return collections_pb2.CollectionOperationResponse(result=server.operations.drop(request.collection_name))


def _update_aliases(server: "Server", request: Message, access: Access) -> Message:
    actions = [
        {which: {field.name: value for field, value in getattr(each, which).ListFields()}}
        for each in request.actions
        if (which := each.WhichOneof("action"))
    ]
    server.operations.change_aliases({"actions": actions})
    return collections_pb2.CollectionOperationResponse(result=True)


def _list_aliases(server: "Server", request: Message, access: Access) -> Message:
    return collections_pb2.ListAliasesResponse(**server.operations.aliases(access))


def _list_collection_aliases(server: "Server", request: Message, access: Access) -> Message:
    found = server.operations.collection_aliases(request.collection_name)
    return collections_pb2.ListAliasesResponse(**found)


def _exists(server: "Server", request: Message, access: Access) -> Message:
    found = server.operations.exists(request.collection_name)
    return collections_pb2.CollectionExistsResponse(result=collections_pb2.CollectionExists(**found))


def _cluster(server: "Server", request: Message, access: Access) -> Message:
    return messages.cluster_message(server.operations.cluster(request.collection_name))


def _list_shard_keys(server: "Server", request: Message, access: Access) -> Message:
    found = server.operations.shard_keys(request.collection_name).get("shard_keys", [])
    keys = [
        collections_pb2.ShardKeyDescription(key=messages.shard_key_message(each["key"])) for each in found
    ]
    return collections_pb2.ListShardKeysResponse(shard_keys=keys)


def _create_shard_key(server: "Server", request: Message, access: Access) -> Message:
    asked = {"shard_key": messages.shard_key_json(request.request.shard_key)}
    server.operations.create_shard_key(request.collection_name, asked)
    return collections_pb2.CreateShardKeyResponse(result=True)


def _delete_shard_key(server: "Server", request: Message, access: Access) -> Message:
    asked = {"shard_key": messages.shard_key_json(request.request.shard_key)}
    server.operations.delete_shard_key(request.collection_name, asked)
    return collections_pb2.DeleteShardKeyResponse(result=True)


COLLECTIONS = {
    "Get": ("info", _get),
    "List": ("collections", _list),
    "Create": ("create", _create),
    "Update": ("change", _update),
    "Delete": ("drop", _drop),
    "UpdateAliases": ("change_aliases", _update_aliases),
    "ListAliases": ("aliases", _list_aliases),
    "ListCollectionAliases": ("collection_aliases", _list_collection_aliases),
    "CollectionExists": ("exists", _exists),
    "CollectionClusterInfo": ("cluster", _cluster),
    "ListShardKeys": ("shard_keys", _list_shard_keys),
    "CreateShardKey": ("create_shard_key", _create_shard_key),
    "DeleteShardKey": ("delete_shard_key", _delete_shard_key),
}
