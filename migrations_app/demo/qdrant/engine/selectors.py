"""Parts of a request that say what to read: shard keys, vectors, payload and order."""

from typing import Any

import qdrant_edge as edge

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
