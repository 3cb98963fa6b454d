"""Collection: its settings, and one shard of the engine, or one for each shard key."""

import heapq
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import qdrant_edge as edge

from migrations_app.demo.qdrant.engine import points, selectors, settings, strict_mode
from migrations_app.demo.qdrant.engine.filters import to_filter
from migrations_app.demo.qdrant.refusals import bad_input, bad_request, invalid
from migrations_app.demo.qdrant.releases import Release

Json = Any
ShardKey = str | int | None
DEFAULT_SCROLL = 10
DEFAULT_QUERY = 10
REVISIONS = count(1)


class Found(NamedTuple):
    """A record of the engine, and the shard key that it is under."""

    record: Any
    shard_key: ShardKey


@contextmanager
def engine_refusals() -> Iterator[None]:
    """Turn an error of the engine into the refusal of the service, which has the same words."""
    try:
        yield
    except Exception as fault:
        # The engine raises ``Exception`` itself and has no class of its own; a subclass is another error.
        if type(fault) is not Exception:
            raise
        raise bad_input(str(fault).splitlines()[0]) from fault


@dataclass
class Collection:
    """``revision`` is new after each write. ``indexes`` is the schema of the payload, by key; ``numbers`` are
    the numbers of the shards."""

    name: str
    folder: Path
    config: Json
    indexes: dict[str, Json] = field(default_factory=dict)
    numbers: dict[ShardKey, int] = field(default_factory=dict)
    shards: dict[ShardKey, edge.EdgeShard] = field(default_factory=dict)
    revision: int = field(default_factory=lambda: next(REVISIONS))
    read_rate: strict_mode.ReadRate = field(default_factory=strict_mode.ReadRate)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def create(cls, name: str, folder: Path, asked: Json) -> "Collection":
        collection = cls(name, folder, settings.new_config(asked))
        with engine_refusals():
            settings.engine_config(collection.config)
            if not collection.is_custom:
                collection.add_shard(None)
        collection.save()
        return collection

    @classmethod
    def load(cls, folder: Path) -> "Collection":
        known = json.loads((folder / "collection.json").read_text())
        collection = cls(known["name"], folder, known["config"], known["indexes"])
        for key, number in known["shards"]:
            collection.numbers[key] = number
            collection.shards[key] = edge.EdgeShard.load(str(folder / f"shard-{number}"))
        return collection

    def save(self) -> None:
        shards = list(self.numbers.items())
        known = {"name": self.name, "config": self.config, "indexes": self.indexes, "shards": shards}
        (self.folder / "collection.json").write_text(json.dumps(known))

    def close(self) -> None:
        for shard in self.shards.values():
            shard.close()

    def drop(self) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def is_strict(self) -> bool:
        return bool((self.config.get("strict_mode_config") or {}).get("enabled"))

    # Shards

    @property
    def is_custom(self) -> bool:
        return self.config["params"].get("sharding_method") == "custom"

    def add_shard(self, key: ShardKey) -> None:
        number = max(self.numbers.values(), default=-1) + 1
        folder = self.folder / f"shard-{number}"
        folder.mkdir(parents=True)
        shard = edge.EdgeShard.create(str(folder), settings.engine_config(self.config))
        for name, schema in self.indexes.items():
            shard.update(edge.UpdateOperation.create_field_index(name, settings.engine_index(schema)))
        self.numbers[key] = number
        self.shards[key] = shard

    def create_shard_key(self, key: ShardKey) -> None:
        if not self.is_custom:
            raise bad_request(f"Shard Key {key} cannot be created with Auto sharding method")
        if key in self.shards:
            raise bad_request(f"Shard key {key} already exists")
        with self.lock:
            self.add_shard(key)
            self.revision = next(REVISIONS)
            self.save()

    def delete_shard_key(self, key: ShardKey) -> None:
        if key not in self.shards:
            raise bad_request(f"Shard key {key} does not exist for collection {self.name}")
        with self.lock:
            self.shards.pop(key).close()
            shutil.rmtree(self.folder / f"shard-{self.numbers.pop(key)}")
            self.revision = next(REVISIONS)
            self.save()

    def read_shards(self, asked: Json) -> list[tuple[ShardKey, edge.EdgeShard]]:
        """The shards that a request reads: all, or those of its shard keys."""
        if asked is None:
            return list(self.shards.items())
        for key in (wanted := selectors.shard_keys(asked)):
            if key not in self.shards or not self.is_custom:
                raise bad_request(f"Shard key {key} not found")
        return [(key, self.shards[key]) for key in wanted]

    def written_shards(self, asked: Json) -> list[edge.EdgeShard]:
        if asked is None and self.is_custom:
            raise bad_input("Shard key not specified")
        for key in (wanted := [None] if asked is None else selectors.shard_keys(asked)):
            if key not in self.shards:
                raise bad_input(f"Shard key {key} not found")
        return [self.shards[key] for key in wanted]

    # Writes

    def update(self, operation: edge.UpdateOperation, shard_key: Json = None) -> None:
        with self.lock, engine_refusals():
            for shard in self.written_shards(shard_key):
                shard.update(operation)
            self.revision = next(REVISIONS)

    def upsert(self, given: list[edge.Point], shard_key: Json = None) -> None:
        strict_mode.check_upsert(self.config, len(given))
        self.update(edge.UpdateOperation.upsert_points(given), shard_key)

    def create_index(self, name: str, schema: Json) -> None:
        engine = settings.engine_index(schema)
        with self.lock, engine_refusals():
            for shard in self.shards.values():
                shard.update(edge.UpdateOperation.create_field_index(name, engine))
            self.indexes[name] = schema
            self.revision = next(REVISIONS)
            self.save()

    def delete_index(self, name: str) -> None:
        with self.lock, engine_refusals():
            for shard in self.shards.values():
                shard.update(edge.UpdateOperation.delete_field_index(name))
            self.indexes.pop(name, None)
            self.revision = next(REVISIONS)
            self.save()

    # Reads

    def scroll(self, asked: Json, release: Release) -> tuple[list[Found], points.Id | None]:
        """A page in the order of the ids, and the id that the next page begins with.

        Over several shards, records with the same id are one.
        """
        limit = DEFAULT_SCROLL if asked.get("limit") is None else asked["limit"]
        if limit < 1:
            raise invalid("limit", f"value {limit} invalid, must be 1 or larger")
        strict_mode.check_read(self.config, self.read_rate, asked.get("filter"), self.indexes, limit=limit)
        sort = asked.get("order_by")
        if sort is not None and asked.get("offset") is not None:
            raise bad_input(
                "Cannot use an `offset` when using `order_by`. The alternative for paging is to use "
                "`order_by.start_from` and a filter to exclude the IDs that you've already seen for the "
                "`order_by.start_from` value"
            )
        request = edge.ScrollRequest(
            offset=None if asked.get("offset") is None else points.to_id(asked["offset"]),
            limit=limit + 1,
            filter=to_filter(asked.get("filter"), release),
            with_payload=selectors.payload(asked, otherwise=True),
            with_vector=selectors.vectors(asked),
            order_by=None if sort is None else selectors.order_by(sort),
        )
        with engine_refusals():
            shards = self.read_shards(asked.get("shard_key"))
            pages = [
                [Found(record, key if self.is_custom else None) for record in shard.scroll(request)[0]]
                for key, shard in shards
            ]
        if sort is not None:
            is_descending = isinstance(sort, dict) and sort.get("direction") == "desc"
            merged = heapq.merge(*pages, key=lambda found: found.record.order_value, reverse=is_descending)
            return list(merged)[:limit], None
        page = pages[0] if len(pages) == 1 else _one_for_each_id(pages)
        return page[:limit], page[limit].record.id if len(page) > limit else None

    def count(self, condition: Json, shard_key: Json, release: Release, *, is_exact: bool) -> int:
        """The counts of all shards together: a record that two shards have counts twice."""
        strict_mode.check_read(self.config, self.read_rate, condition, self.indexes, is_exact=is_exact)
        request = edge.CountRequest(exact=is_exact, filter=to_filter(condition, release))
        with engine_refusals():
            return sum(shard.count(request) for _, shard in self.read_shards(shard_key))

    def retrieve(self, asked: Json) -> list[Found]:
        ids = [points.to_id(each) for each in asked["ids"]]
        strict_mode.take_reads(self.config, self.read_rate, len(ids))
        found: dict[points.Id, Found] = {}
        with engine_refusals():
            for key, shard in self.read_shards(asked.get("shard_key")):
                selected = selectors.payload(asked, otherwise=True)
                for record in shard.retrieve(ids, selected, selectors.vectors(asked)):
                    found.setdefault(record.id, Found(record, key if self.is_custom else None))
        return [found[each] for each in dict.fromkeys(ids) if each in found]

    def query(self, asked: Json, release: Release) -> list[Found]:
        limit = DEFAULT_QUERY if asked.get("limit") is None else asked["limit"]
        if limit < 1:
            raise invalid("limit", f"value {limit} invalid, must be 1 or larger")
        strict_mode.check_read(self.config, self.read_rate, asked.get("filter"), self.indexes, limit=limit)
        request = edge.QueryRequest(
            limit=limit,
            offset=asked.get("offset") or 0,
            query=selectors.scoring(asked, release),
            filter=to_filter(asked.get("filter"), release),
            with_vector=selectors.vectors(asked),
            with_payload=selectors.payload(asked, otherwise=False),
        )
        with engine_refusals():
            found = [
                Found(record, key if self.is_custom else None)
                for key, shard in self.read_shards(asked.get("shard_key"))
                for record in shard.query(request)
            ]
        if len(self.shards) > 1:
            found.sort(key=lambda each: each.record.score, reverse=True)
        return found[:limit]

    # Information

    def info(self, approximate: Callable[[int], int]) -> Json:
        shards = [shard.info() for shard in self.shards.values()]
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": sum(each.indexed_vectors_count for each in shards),
            "points_count": approximate(sum(each.points_count for each in shards)),
            "segments_count": sum(each.segments_count for each in shards),
            "config": self.config,
            "payload_schema": {
                name: _index_info(schema, sum(each.payload_schema[name].points for each in shards))
                for name, schema in self.indexes.items()
            },
            "update_queue": {"length": 0},
        }

    def cluster(self, approximate: Callable[[int], int]) -> Json:
        local = [
            {
                "shard_id": self.numbers[key],
                **({} if key is None else {"shard_key": key}),
                "points_count": approximate(shard.info().points_count),
                "state": "Active",
            }
            for key, shard in self.shards.items()
        ]
        return {
            "peer_id": 1,
            "shard_count": len(local),
            "local_shards": local,
            "remote_shards": [],
            "shard_transfers": [],
        }


def _index_info(schema: Json, count: int) -> Json:
    if isinstance(schema, str):
        return {"data_type": schema, "points": count}
    return {"data_type": schema["type"], "params": schema, "points": count}


def _one_for_each_id(pages: list[list[Found]]) -> list[Found]:
    merged: list[Found] = []
    for found in heapq.merge(*pages, key=lambda each: points.order(each.record.id)):
        if not merged or merged[-1].record.id != found.record.id:
            merged.append(found)
    return merged
