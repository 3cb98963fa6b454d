"""Collection: what the server says about a collection, in all the forms of its versions."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from migrations_app.engine.errors import PrivilegeMissing, SourceChanged, SourceError
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.qdrant.connect.rest import SHARD_KEYS, Rest, collection_path

ShardKey = int | str
UNNAMED = ""
# Data types that keep no original of a vector.
_LOSSY = "turbo"


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of the points. ``name`` is empty for the unnamed one. ``dim`` is None for a sparse one.

    ``field`` is its name among the fields of the collection.
    """

    name: str
    field: str
    dim: int | None
    distance: str = ""
    datatype: str = "float32"
    is_multi: bool = False
    has_idf: bool = False

    @property
    def is_sparse(self) -> bool:
        return self.dim is None

    @property
    def is_dequantized(self) -> bool:
        return self.datatype.startswith(_LOSSY)

    @property
    def kind(self) -> str:
        if self.is_sparse:
            return "sparse vector"
        kind = f"{'multivector' if self.is_multi else 'vector'} · {self.dim}"
        return kind if self.datatype == "float32" else f"{kind} · {self.datatype}"


@dataclass(frozen=True)
class Collection:
    """``points_count`` is an estimate. ``indexes`` are the payload keys with an index, with its type.
    ``page_limit`` is the most points that strict mode allows in one request; ``can_count`` is False if it
    forbids exact counts."""

    name: str
    vectors: tuple[Vector, ...]
    points_count: int | None
    indexes: Mapping[str, str] = field(default_factory=dict)
    has_shard_keys: bool = False
    page_limit: int | None = None
    can_count: bool = True

    @cached_property
    def _names(self) -> tuple[str, str, str]:
        """The names of the fields for shard key, id and payload. A vector of the same name keeps it."""
        taken = {vector.field for vector in self.vectors}
        return _free("shard_key", taken), _free("id", taken), _free("payload", taken)

    @property
    def shard_key_field(self) -> str:
        return self._names[0]

    @property
    def id_field(self) -> str:
        return self._names[1]

    @property
    def payload_field(self) -> str:
        return self._names[2]

    def vector(self, field: str) -> Vector | None:
        return next((vector for vector in self.vectors if vector.field == field), None)


def load_collection(rest: Rest, name: str, ctx: ReadContext) -> Collection:
    """Ask for a collection or alias. Raises ``SourceChanged`` if there is none."""
    try:
        return parsed(name, rest.ask("GET", collection_path(name), ctx))
    except SourceChanged:
        raise SourceChanged(
            f"Qdrant has no collection “{name}”.", "Select another one, or check the rights of the API key."
        ) from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SourceError(
            f"Qdrant describes the collection “{name}” in a way that Vectorferry does not know.",
            details=repr(error),
        ) from error


def parsed(name: str, info: Mapping[str, Any]) -> Collection:
    """Return the collection that an answer to ``GET /collections/NAME`` describes."""
    config = info["config"]
    params = config["params"]
    strict = config.get("strict_mode_config") or {}
    if not strict.get("enabled"):
        strict = {}
    return Collection(
        name,
        tuple(_vectors(params.get("vectors") or {}, params.get("sparse_vectors") or {})),
        info.get("points_count"),
        {key: str(index["data_type"]) for key, index in sorted((info.get("payload_schema") or {}).items())},
        params.get("sharding_method") == "custom",
        strict.get("max_query_limit"),
        strict.get("search_allow_exact") is not False,
    )


def _vectors(dense: Mapping[str, Any], sparse: Mapping[str, Any]) -> Iterator[Vector]:
    # The configuration of an unnamed vector has its size where the names of others would be.
    named = {UNNAMED: dense} if isinstance(dense.get("size"), int) else dense
    names = [*named, *sparse]
    for name, params in named.items():
        yield Vector(
            name,
            _field_name(name, names),
            int(params["size"]),
            str(params["distance"]),
            str(params.get("datatype") or "float32").lower(),
            params.get("multivector_config") is not None,
        )
    for name, params in sparse.items():
        has_idf = str((params or {}).get("modifier") or "none").lower() == "idf"
        yield Vector(name, _field_name(name, names), None, has_idf=has_idf)


def _field_name(name: str, names: list[str]) -> str:
    return _free("vector", names) if name == UNNAMED else name


def _free(name: str, taken: Container[str]) -> str:
    """Return a name, with underscores at its end if it is taken."""
    while name in taken:
        name += "_"
    return name


def load_shard_keys(rest: Rest, name: str, ctx: ReadContext) -> tuple[ShardKey, ...]:
    """Return the shard keys of a collection with user-defined sharding.

    Raises ``PrivilegeMissing`` if the key may not see them.
    """
    try:
        if rest.has(SHARD_KEYS, ctx):
            info = rest.ask("GET", collection_path(name, "shards"), ctx)
            found = [shard["key"] for shard in info.get("shard_keys") or ()]
        else:
            info = rest.ask("GET", collection_path(name, "cluster"), ctx)
            shards = [*info.get("local_shards", ()), *info.get("remote_shards", ())]
            found = [key for shard in shards if (key := shard.get("shard_key")) is not None]
    except PrivilegeMissing as error:
        raise PrivilegeMissing(
            f"The API key may not list the shard keys of “{name}”, and points can have equal ids in "
            "different shards.",
            "Use a key that may read the whole collection, not only a part of it.",
            field=error.field,
        ) from error
    return tuple(sorted(set(found), key=lambda key: (isinstance(key, str), key)))
