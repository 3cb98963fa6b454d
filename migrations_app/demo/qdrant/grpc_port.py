"""gRPC port of the server."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from qdrant_client.grpc import (
    collections_pb2,
    collections_service_pb2,
    points_pb2,
    points_service_pb2,
    qdrant_pb2,
)

from migrations_app.demo.processes import LOOPBACK
from migrations_app.demo.qdrant import messages
from migrations_app.demo.qdrant.access import Access
from migrations_app.demo.qdrant.refusals import Refusal, invalid

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
            (qdrant_pb2.DESCRIPTOR.services_by_name["Qdrant"], {"HealthCheck": _health}),
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


def _service(server: "Server", service: Any, methods: dict[str, tuple[str, Answer] | Answer]) -> Any:
    """The methods of a service. An answer may also be a message that is serialised already."""
    handlers = {}
    for name, method in methods.items():
        described = service.methods_by_name[name]
        operation, answer = method if isinstance(method, tuple) else ("", method)
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
    return qdrant_pb2.HealthCheckReply(title="qdrant - vector search engine", version=server.release.version)


# Collections


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


COLLECTIONS: dict[str, tuple[str, Answer] | Answer] = {
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


# Points


def _selected(server: "Server", request: Message) -> dict[str, Any]:
    """The parts that requests for points share."""
    asked: dict[str, Any] = {}
    fields = {field.name for field, _ in request.ListFields()}
    if "filter" in fields:
        asked["filter"] = messages.filter_json(request.filter, server.release)
    if "with_payload" in fields:
        asked["with_payload"] = messages.payload_selector_json(request.with_payload)
    if "with_vectors" in fields:
        asked["with_vector"] = messages.vector_selector_json(request.with_vectors)
    if "shard_key_selector" in fields:
        asked["shard_key"] = messages.shard_keys_json(request.shard_key_selector)
    if "limit" in request.DESCRIPTOR.fields_by_name and request.HasField("limit"):
        asked["limit"] = request.limit
    return asked


def _scroll(server: "Server", request: Message, access: Access) -> Message:
    key = (
        "grpc",
        server.store.get(request.collection_name).revision,
        request.SerializeToString(deterministic=True),
    )
    kept = server.answers.get(key)
    if kept is not None:
        return kept
    asked = _selected(server, request)
    if request.HasField("offset"):
        asked["offset"] = messages.points.id_json(messages.id_of(request.offset))
    if request.HasField("order_by"):
        asked["order_by"] = messages.order_by_json(request.order_by)
    found, following = server.operations.scroll(request.collection_name, asked)
    has_vectors = bool(asked.get("with_vector"))
    answer = points_pb2.ScrollResponse(
        result=[messages.record_message(each, server.release, has_vectors=has_vectors) for each in found],
        next_page_offset=None if following is None else messages.id_message(following),
    )
    return server.answers.keep(key, answer.SerializeToString())


def _retrieve(server: "Server", request: Message, access: Access) -> Message:
    asked = _selected(server, request) | {
        "ids": [messages.points.id_json(messages.id_of(each)) for each in request.ids]
    }
    found = server.operations.retrieve(request.collection_name, asked)
    has_vectors = bool(asked.get("with_vector"))
    records = [messages.record_message(each, server.release, has_vectors=has_vectors) for each in found]
    return points_pb2.GetResponse(result=records)


def _query(server: "Server", request: Message, access: Access) -> Message:
    asked = _selected(server, request) | {"offset": request.offset, "using": request.using or None}
    if request.prefetch:
        asked["prefetch"] = True
    if request.HasField("query"):
        asked["query"] = messages.query_json(request.query)
    found = server.operations.query(request.collection_name, asked)
    has_vectors = bool(asked.get("with_vector"))
    records = [messages.scored_message(each, server.release, has_vectors=has_vectors) for each in found]
    return points_pb2.QueryResponse(result=records)


def _count(server: "Server", request: Message, access: Access) -> Message:
    asked = _selected(server, request) | {"exact": request.exact if request.HasField("exact") else True}
    counted = server.operations.count(request.collection_name, asked)
    return points_pb2.CountResponse(result=points_pb2.CountResult(**counted))


def _upsert(server: "Server", request: Message, access: Access) -> Message:
    given = [messages.point_of(each) for each in request.points]
    return _done(server.operations.upsert_points(request.collection_name, given, _shard_key(request)))


def _update_vectors(server: "Server", request: Message, access: Access) -> Message:
    given = [(messages.id_of(each.id), messages.vectors_of(each.vectors)) for each in request.points]
    return _done(server.operations.update_point_vectors(request.collection_name, given, _shard_key(request)))


def _create_index(server: "Server", request: Message, access: Access) -> Message:
    asked = {"field_name": request.field_name, "field_schema": messages.index_json(request)}
    return _done(server.operations.create_index(request.collection_name, asked))


def _delete_index(server: "Server", request: Message, access: Access) -> Message:
    return _done(server.operations.delete_index(request.collection_name, request.field_name))


def _on_selected(operation: str, field: str = "points_selector") -> Answer:
    """A write to selected points. What it writes has the same names in both protocols."""

    def run(server: "Server", request: Message, access: Access) -> Message:
        if not request.HasField(field):
            raise invalid(field, "No PointSelector")
        asked = messages.selector_json(getattr(request, field), server.release)
        asked["shard_key"] = _shard_key(request)
        names = request.DESCRIPTOR.fields_by_name
        if "payload" in names:
            asked["payload"] = {key: messages.value_of(each) for key, each in request.payload.items()}
            asked["key"] = request.key if request.HasField("key") else None
        if "keys" in names:
            asked["keys"] = list(request.keys)
        if "vectors" in names:
            asked["vectors"] = list(request.vectors.names)
        return _done(getattr(server.operations, operation)(request.collection_name, asked))

    return run


def _shard_key(request: Message) -> Any:
    return (
        messages.shard_keys_json(request.shard_key_selector)
        if request.HasField("shard_key_selector")
        else None
    )


def _done(result: dict[str, Any]) -> Message:
    done = points_pb2.UpdateResult(
        operation_id=result["operation_id"], status=points_pb2.UpdateStatus.Completed
    )
    return points_pb2.PointsOperationResponse(result=done)


POINTS: dict[str, tuple[str, Answer] | Answer] = {
    "Scroll": ("scroll", _scroll),
    "Get": ("retrieve", _retrieve),
    "Query": ("query", _query),
    "Count": ("count", _count),
    "Upsert": ("upsert", _upsert),
    "UpdateVectors": ("update_vectors", _update_vectors),
    "Delete": ("delete", _on_selected("delete", "points")),
    "DeleteVectors": ("delete_vectors", _on_selected("delete_vectors")),
    "SetPayload": ("set_payload", _on_selected("set_payload")),
    "OverwritePayload": ("overwrite_payload", _on_selected("overwrite_payload")),
    "DeletePayload": ("delete_payload", _on_selected("delete_payload")),
    "ClearPayload": ("clear_payload", _on_selected("clear_payload", "points")),
    "CreateFieldIndex": ("create_index", _create_index),
    "DeleteFieldIndex": ("delete_index", _delete_index),
}
