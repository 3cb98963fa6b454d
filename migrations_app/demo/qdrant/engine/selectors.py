"""Parts of a request that say what to read: shard keys, vectors, payload, order and query."""

from typing import Any

import qdrant_edge as edge

from migrations_app.demo.qdrant.engine.points import to_vector
from migrations_app.demo.qdrant.refusals import bad_format, bad_request
from migrations_app.demo.qdrant.releases import Release

Json = Any


def shard_keys(json: Json) -> list[str | int]:
    if isinstance(json, dict):
        json = json["target"]
    return list(json) if isinstance(json, list) else [json]


def vectors(asked: Json) -> bool | list[str]:
    selector = asked.get("with_vector", asked.get("with_vectors"))
    return False if selector is None else selector


def payload(asked: Json, *, otherwise: bool) -> Any:
    selector = asked.get("with_payload")
    if selector is None:
        return otherwise
    if isinstance(selector, dict):
        include = selector.get("include")
        made = edge.PayloadSelector
        return made.Exclude(selector["exclude"]) if include is None else made.Include(include)
    return selector


def order_by(json: Json) -> edge.OrderBy:
    if isinstance(json, str):
        return edge.OrderBy(json)
    direction = {"asc": edge.Direction.Asc, "desc": edge.Direction.Desc}.get(json.get("direction"))
    return edge.OrderBy(json["key"], direction, json.get("start_from"))


def scoring(asked: Json, release: Release) -> Any:
    """The engine's query; None: the points in the order of their ids."""
    query = asked.get("query")
    if asked.get("prefetch"):
        raise bad_request("prefetch is not offered by this server")
    if query is None:
        return None
    if isinstance(query, dict) and "sample" in query:
        if not release.has_random_sample:
            raise bad_format("data did not match any variant of untagged enum QueryInterface")
        return edge.Sample.Random
    if isinstance(query, dict) and "order_by" in query:
        return order_by(query["order_by"])
    nearest = query.get("nearest", query) if isinstance(query, dict) else query
    if isinstance(nearest, list) or (isinstance(nearest, dict) and "indices" in nearest):
        return edge.Query.Nearest(to_vector(nearest), using=asked.get("using"))
    raise bad_request("only the queries nearest (a vector), order_by and sample are offered by this server")
