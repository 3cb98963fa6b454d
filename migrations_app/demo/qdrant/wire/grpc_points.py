"""The service *Points* of gRPC. Each answer has the name of the operation that a request needs."""

from typing import TYPE_CHECKING, Any

from qdrant_client.grpc import points_pb2

from migrations_app.demo.qdrant.access import Access
from migrations_app.demo.qdrant.refusals import invalid
from migrations_app.demo.qdrant.wire import messages

if TYPE_CHECKING:
    from migrations_app.demo.qdrant.server import Server

Message = Any


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
    asked = _selected(server, request)
    if request.HasField("offset"):
        asked["offset"] = messages.points.id_json(messages.id_of(request.offset))
    if request.HasField("order_by"):
        asked["order_by"] = messages.order_by_json(request.order_by)

    def answer() -> bytes:
        found, following = server.operations.scroll(request.collection_name, asked)
        has_vectors = bool(asked.get("with_vector"))
        return points_pb2.ScrollResponse(
            result=[messages.record_message(each, server.release, has_vectors=has_vectors) for each in found],
            next_page_offset=None if following is None else messages.id_message(following),
        ).SerializeToString()

    return server.scroll_answer("grpc", request.collection_name, repr(asked), answer)


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


def _on_selected(operation: str, field: str = "points_selector") -> Any:
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


POINTS = {
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
