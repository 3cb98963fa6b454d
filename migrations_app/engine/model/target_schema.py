"""Target schema: the fields, functions and indexes of a Milvus collection."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pydantic import Base64Bytes

from migrations_app.engine.model.types import TypeSpec, arrow_type

META = "$meta"


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field of a Milvus collection. ``default`` is a Python scalar of the field's type, or None.

    ``analyzer`` splits a VARCHAR into words: the name of a built-in analyzer ("standard"), the JSON text of a
    custom one, or empty for none. ``match``: filters can search for its words (TEXT_MATCH). ``params`` are
    Milvus's other type parameters, such as ``mmap.enabled``.
    """

    name: str
    spec: TypeSpec
    is_key: bool = False
    auto_id: bool = False
    nullable: bool = False
    default: Any = None
    is_partition_key: bool = False
    description: str = ""
    analyzer: str = ""
    match: bool = False
    is_clustering_key: bool = False
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)


BM25 = "BM25"


@dataclass(frozen=True, slots=True)
class Function:
    """A server function that fills the fields ``outputs`` from ``inputs``. Outputs are never sent."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    type: str = BM25
    description: str = ""
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetSchema:
    """The schema of a Milvus collection that exists or will be created.

    ``consistency`` is Milvus's name of the default consistency level. ``partitions`` is the number of
    partitions of the partition key; 0 lets the server choose. ``properties`` are those of the collection
    (``collection.ttl.seconds``, ...).

    ``message`` is the schema as the server described it: a serialized ``CreateCollectionRequest`` that also
    contains what this class does not know. Empty for a schema that no server described.
    """

    name: str
    fields: tuple[TargetField, ...]
    description: str = ""
    dynamic: bool = True
    shards: int = 1
    functions: tuple[Function, ...] = ()
    consistency: str = "Bounded"
    partitions: int = 0
    properties: Mapping[str, str] = dataclasses.field(default_factory=dict)
    message: Base64Bytes = dataclasses.field(default=b"", compare=False, repr=False)

    @property
    def key(self) -> TargetField:
        return next(f for f in self.fields if f.is_key)

    @property
    def partition_key(self) -> str | None:
        return next((f.name for f in self.fields if f.is_partition_key), None)

    @property
    def outputs(self) -> frozenset[str]:
        """The fields that functions fill."""
        return frozenset(name for function in self.functions for name in function.outputs)

    @property
    def sent_fields(self) -> tuple[TargetField, ...]:
        """The fields in a request: all fields except an Auto ID key and the outputs of functions."""
        outputs = self.outputs
        return tuple(f for f in self.fields if not f.auto_id and f.name not in outputs)

    @property
    def vector_fields(self) -> tuple[TargetField, ...]:
        return tuple(f for f in self.fields if f.spec.type.is_vector)

    def arrow_schema(self) -> pa.Schema:
        """The columns of a mapped batch, in order. ``$meta`` is last if there is a dynamic field."""
        columns = [pa.field(f.name, arrow_type(f.spec), f.nullable) for f in self.sent_fields]
        if self.dynamic:
            columns.append(pa.field(META, pa.string(), True))
        return pa.schema(columns)


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """An index to create. ``type`` and ``metric`` are Milvus's names."""

    field: str
    type: str = "AUTOINDEX"
    metric: str = "COSINE"
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
