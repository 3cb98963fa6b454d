"""Operations of the service, in its JSON. REST passes them its bodies; gRPC translates its messages.

A method has the name of the operation. ``need`` says which access it asks for, see ``Access``.
"""

import itertools
from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from migrations_app.demo.qdrant.access import Access
from migrations_app.demo.qdrant.engine import points
from migrations_app.demo.qdrant.engine.collection import Found
from migrations_app.demo.qdrant.engine.filters import to_filter
from migrations_app.demo.qdrant.engine.store import Store
from migrations_app.demo.qdrant.refusals import Kind, Refusal, bad_format, bad_request
from migrations_app.demo.qdrant.releases import Release

Json = Any

READ = [
    "info",
    "exists",
    "cluster",
    "shard_keys",
    "collection_aliases",
    "scroll",
    "count",
    "retrieve",
    "retrieve_one",
    "query",
]
LIST = ("collections", "aliases")
MANAGE = [
    "create",
    "change",
    "drop",
    "change_aliases",
    "create_shard_key",
    "delete_shard_key",
    "create_index",
    "delete_index",
]


def need(operation: str) -> str:
    for name, operations in (("r", READ), ("l", LIST), ("m", MANAGE)):
        if operation in operations:
            return name
    return "rw"


class Operations:
    """``approximate`` changes the counts that the service calls approximate."""

    def __init__(self, store: Store, release: Release, approximate: Callable[[int], int]) -> None:
        self.store = store
        self.release = release
        self._approximate = approximate
        self._operation_ids = itertools.count()

    # Collections

    def collections(self, access: Access) -> Json:
        names = [{"name": name} for name in self.store.collections if access.may_list(name)]
        return {"collections": names}

    def info(self, name: str) -> Json:
        found = self.store.get(name).info(self._approximate)
        if not self.release.has_strict_mode:
            found["config"] = {
                key: value for key, value in found["config"].items() if key != "strict_mode_config"
            }
        if self.release.counts_vectors:
            params = found["config"]["params"]
            names = len(params.get("sparse_vectors", {})) + (
                1 if "size" in params["vectors"] else len(params["vectors"])
            )
            found["vectors_count"] = found["points_count"] * names
        return found

    def exists(self, name: str) -> Json:
        if not self.release.has_exists:
            raise Refusal(Kind.NO_ROUTE, "")
        return {"exists": self.store.has(name)}

    def create(self, name: str, asked: Json) -> Json:
        self.store.create(name, asked)
        return True

    def change(self, name: str, asked: Json) -> Json:
        self.store.change(name, asked)
        return True

    def drop(self, name: str) -> Json:
        return self.store.drop(name)

    def aliases(self, access: Access) -> Json:
        return {
            "aliases": [each for each in self.store.alias_list() if access.may_list(each["collection_name"])]
        }

    def collection_aliases(self, name: str) -> Json:
        return {"aliases": self.store.alias_list(name)}

    def change_aliases(self, asked: Json) -> Json:
        self.store.change_aliases(asked["actions"])
        return True

    def cluster(self, name: str) -> Json:
        return self.store.get(name).cluster(self._approximate)

    def shard_keys(self, name: str) -> Json:
        if not self.release.lists_shard_keys:
            raise Refusal(Kind.NO_ROUTE, "")
        found = self.store.get(name)
        return {"shard_keys": [{"key": key} for key in found.shards]} if found.is_custom else {}

    def create_shard_key(self, name: str, asked: Json) -> Json:
        self.store.get(name).create_shard_key(asked["shard_key"])
        return True

    def delete_shard_key(self, name: str, asked: Json) -> Json:
        self.store.get(name).delete_shard_key(asked["shard_key"])
        return True

    def create_index(self, name: str, asked: Json) -> Json:
        schema = asked.get("field_schema", asked.get("field_type"))
        if schema is None:
            raise bad_request("cannot automatically detect the field type, please specify `field_schema`")
        self.store.get(name).create_index(asked["field_name"], schema)
        return self._done()

    def delete_index(self, name: str, field: str) -> Json:
        self.store.get(name).delete_index(field)
        return self._done()

    # Writes

    def upsert(self, name: str, asked: Json) -> Json:
        return self.upsert_points(
            name, [points.to_point(each) for each in _given_points(asked)], asked.get("shard_key")
        )

    def upsert_points(self, name: str, given: list[edge.Point], shard_key: Json) -> Json:
        self.store.get(name).upsert(given, shard_key)
        return self._done()

    def delete(self, name: str, asked: Json) -> Json:
        return self._update_selected(name, asked, "delete_points")

    def update_vectors(self, name: str, asked: Json) -> Json:
        given = [(points.to_id(each["id"]), points.to_vectors(each["vector"])) for each in asked["points"]]
        return self.update_point_vectors(name, given, asked.get("shard_key"))

    def update_point_vectors(self, name: str, given: list[tuple[points.Id, Any]], shard_key: Json) -> Json:
        vectors = [edge.PointVectors(*each) for each in given]
        self.store.get(name).update(edge.UpdateOperation.update_vectors(vectors), shard_key)
        return self._done()

    def delete_vectors(self, name: str, asked: Json) -> Json:
        return self._update_selected(name, asked, "delete_vectors", asked.get("vector") or asked["vectors"])

    def set_payload(self, name: str, asked: Json) -> Json:
        return self._update_selected(name, asked, "set_payload", asked["payload"], asked.get("key"))

    def overwrite_payload(self, name: str, asked: Json) -> Json:
        return self._update_selected(name, asked, "overwrite_payload", asked["payload"], asked.get("key"))

    def delete_payload(self, name: str, asked: Json) -> Json:
        return self._update_selected(name, asked, "delete_payload", asked["keys"])

    def clear_payload(self, name: str, asked: Json) -> Json:
        return self._update_selected(name, asked, "clear_payload")

    def _update_selected(self, name: str, asked: Json, change: str, *given: Any) -> Json:
        """Make a change of the engine, ``change``, to the points with these ids or to those of a filter."""
        collection, make = self.store.get(name), edge.UpdateOperation
        if asked.get("points") is not None:
            operation = getattr(make, change)([points.to_id(each) for each in asked["points"]], *given)
        elif asked.get("filter") is not None:
            found = to_filter(asked["filter"], self.release) or edge.Filter()
            operation = getattr(make, f"{change}_by_filter")(found, *given)
        else:
            raise bad_request("No filter or points specified")
        if asked.get("shard_key") is None and collection.is_custom:
            collection.update(operation, list(collection.shards))
        else:
            collection.update(operation, asked.get("shard_key"))
        return self._done()

    def _done(self) -> Json:
        return {"operation_id": next(self._operation_ids), "status": "completed"}

    # Reads

    def scroll(self, name: str, asked: Json) -> tuple[list[Found], points.Id | None]:
        return self.store.get(name).scroll(asked, self.release)

    def retrieve(self, name: str, asked: Json) -> list[Found]:
        return self.store.get(name).retrieve(asked)

    def query(self, name: str, asked: Json) -> list[Found]:
        if not self.release.has_query:
            raise Refusal(Kind.NO_ROUTE, "")
        return self.store.get(name).query(asked, self.release)

    def count(self, name: str, asked: Json) -> Json:
        is_exact = asked.get("exact") is not False
        counted = self.store.get(name).count(
            asked.get("filter"), asked.get("shard_key"), self.release, is_exact=is_exact
        )
        return {"count": counted if is_exact else self._approximate(counted)}


def _given_points(asked: Json) -> list[Json]:
    if isinstance(asked.get("points"), list):
        return asked["points"]
    if not isinstance(batch := asked.get("batch"), dict):
        raise bad_format("data did not match any variant of untagged enum PointInsertOperations")
    ids, vectors = batch["ids"], batch["vectors"]
    if isinstance(vectors, dict):
        vectors = [dict(zip(vectors, each, strict=True)) for each in zip(*vectors.values(), strict=True)]
    payloads = batch.get("payloads") or [None] * len(ids)
    if not len(ids) == len(vectors) == len(payloads):
        raise bad_request("number of ids and vectors must be equal")
    return [
        {"id": each, "vector": vector, "payload": payload}
        for each, vector, payload in zip(ids, vectors, payloads, strict=True)
    ]
