"""Types and schemas of both sides, and the one Arrow encoding of each Milvus type."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa


class MilvusType(StrEnum):
    """Milvus's own names, as plans, pages and ``describe`` write them."""

    BOOL = "BOOL"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    VARCHAR = "VARCHAR"
    JSON = "JSON"
    ARRAY = "ARRAY"
    FLOAT_VECTOR = "FLOAT_VECTOR"
    FLOAT16_VECTOR = "FLOAT16_VECTOR"
    BFLOAT16_VECTOR = "BFLOAT16_VECTOR"
    INT8_VECTOR = "INT8_VECTOR"
    BINARY_VECTOR = "BINARY_VECTOR"
    SPARSE_FLOAT_VECTOR = "SPARSE_FLOAT_VECTOR"

    @property
    def is_vector(self) -> bool:
        return self.value.endswith("_VECTOR")


SCALARS: dict[MilvusType, pa.DataType] = {
    MilvusType.BOOL: pa.bool_(),
    MilvusType.INT8: pa.int8(),
    MilvusType.INT16: pa.int16(),
    MilvusType.INT32: pa.int32(),
    MilvusType.INT64: pa.int64(),
    MilvusType.FLOAT: pa.float32(),
    MilvusType.DOUBLE: pa.float64(),
    MilvusType.VARCHAR: pa.string(),
    MilvusType.JSON: pa.string(),
}
SPARSE = pa.list_(pa.struct([("index", pa.uint32()), ("value", pa.float32())]))

KEY_TYPES = frozenset({MilvusType.INT64, MilvusType.VARCHAR})
ELEMENT_TYPES = frozenset(SCALARS) - {MilvusType.JSON}


@dataclass(frozen=True, slots=True)
class TypeSpec:
    """A Milvus type with its parameters.

    ``dim`` counts elements (bits for BINARY_VECTOR), ``max_length`` bytes of UTF-8,
    ``max_capacity`` elements of an ARRAY, whose elements have ``element_type`` (and ``max_length``).
    """

    type: MilvusType
    dim: int | None = None
    max_length: int | None = None
    element_type: MilvusType | None = None
    max_capacity: int | None = None

    def __str__(self) -> str:
        if self.type is MilvusType.ARRAY:
            return f"ARRAY<{self.element_type}>"
        return f"{self.type} · {self.dim}" if self.dim else str(self.type)


def arrow_type(spec: TypeSpec) -> pa.DataType:
    """The Arrow type in which a value of ``spec`` travels from source to target.

    JSON travels as its text, ARRAY as ``list<T>``, float16 and bfloat16 vectors as
    ``fixed_size_binary[2*dim]`` little-endian, binary vectors as ``fixed_size_binary[dim/8]``, sparse
    vectors as ``list<struct<index: uint32, value: float32>>`` with ascending unique indices.
    A FLOAT_VECTOR of unknown dimension (``dim`` is None) travels as ``list<float32>``.
    """
    if spec.type in SCALARS:
        return SCALARS[spec.type]
    if spec.type is MilvusType.ARRAY:
        assert spec.element_type is not None
        return pa.list_(SCALARS[spec.element_type])
    if spec.type is MilvusType.SPARSE_FLOAT_VECTOR:
        return SPARSE
    item = pa.int8() if spec.type is MilvusType.INT8_VECTOR else pa.float32()
    if spec.dim is None:
        return pa.list_(item)
    return {
        MilvusType.FLOAT_VECTOR: pa.list_(item, spec.dim),
        MilvusType.INT8_VECTOR: pa.list_(item, spec.dim),
        MilvusType.FLOAT16_VECTOR: pa.binary(2 * spec.dim),
        MilvusType.BFLOAT16_VECTOR: pa.binary(2 * spec.dim),
        MilvusType.BINARY_VECTOR: pa.binary(spec.dim // 8),
    }[spec.type]


# ---------------------------------------------------------------- source side


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """One target type that keeps a source field's data. ``note`` says what a person should know of it."""

    spec: TypeSpec
    note: str = ""


@dataclass(frozen=True, slots=True)
class SourceField:
    """One field of a source collection.

    ``choices`` are the target types that keep its data, the proposed one first; empty when there is
    none, and then ``left_out`` says why. ``longest_bytes`` and ``longest_items`` are the largest value
    and array seen in the sample. ``metric`` is the one of the source's own index. ``can_be_key``: as INT64 or
    as VARCHAR, whichever it offers first, any two of its values differ; it is delivered as VARCHAR too.
    ``can_open``: it holds JSON objects, whose keys may be moved one by one. Such a key is a field too:
    ``opened_from`` is its column, ``share`` how many of the sampled rows have it, 0 to 1.
    """

    name: str
    native_type: str
    choices: tuple[TypeChoice, ...] = ()
    left_out: str = ""
    nullable: bool = True
    can_be_key: bool = False
    metric: str | None = None
    longest_bytes: int | None = None
    longest_items: int | None = None
    samples: tuple[str, ...] = ()
    description: str = ""
    can_open: bool = False
    opened_from: str = ""
    share: float | None = None

    @property
    def is_vector(self) -> bool:
        return bool(self.choices) and self.choices[0].spec.type.is_vector


@dataclass(frozen=True, slots=True)
class SourceKey:
    """The source's own key: its columns in order, and whether the source declares it unique."""

    columns: tuple[str, ...]
    unique: bool = True


@dataclass(frozen=True, slots=True)
class CollectionSchema:
    """What ``Source.describe`` found. ``key`` is None where the source declares none; ``unique`` are other
    sets of its fields that it declares unique.

    ``sample`` is a batch of at most 100 rows, a column a field, each in the Arrow type of its first choice.
    ``label`` and ``group`` are those of its ``CollectionInfo``; they name the proposed target.
    """

    name: str
    fields: tuple[SourceField, ...]
    key: SourceKey | None
    sample: pa.RecordBatch | None = None
    rows_estimate: int | None = None
    notes: tuple[str, ...] = ()
    label: str = ""
    group: str = ""
    unique: tuple[tuple[str, ...], ...] = ()

    def field(self, name: str) -> SourceField | None:
        return next((f for f in self.fields if f.name == name), None)


# ---------------------------------------------------------------- target side

META = "$meta"


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field of a Milvus collection. ``default`` is a Python scalar of the field's type, or None.

    ``analyzer`` cuts a VARCHAR into words: the name of one of Milvus's own ("standard"), the JSON text of
    another, empty for none. ``match`` says that filters may look for its words (TEXT_MATCH).
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


BM25 = "BM25"


@dataclass(frozen=True, slots=True)
class Function:
    """What the server makes by itself: from the fields ``inputs`` the ``outputs``, which are never sent."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    type: str = BM25
    description: str = ""


@dataclass(frozen=True, slots=True)
class TargetSchema:
    """A Milvus collection to be made, or as it was found."""

    name: str
    fields: tuple[TargetField, ...]
    description: str = ""
    dynamic: bool = True
    shards: int = 1
    functions: tuple[Function, ...] = ()

    @property
    def key(self) -> TargetField:
        return next(f for f in self.fields if f.is_key)

    @property
    def outputs(self) -> frozenset[str]:
        """The fields that functions fill."""
        return frozenset(name for function in self.functions for name in function.outputs)

    @property
    def sent_fields(self) -> tuple[TargetField, ...]:
        """The fields a request carries: all but an Auto ID key and what functions fill."""
        outputs = self.outputs
        return tuple(f for f in self.fields if not f.auto_id and f.name not in outputs)

    @property
    def vector_fields(self) -> tuple[TargetField, ...]:
        return tuple(f for f in self.fields if f.spec.type.is_vector)

    def arrow_schema(self) -> pa.Schema:
        """The columns of a mapped batch, in order; ``$meta`` last where the collection is dynamic."""
        columns = [pa.field(f.name, arrow_type(f.spec), f.nullable) for f in self.sent_fields]
        if self.dynamic:
            columns.append(pa.field(META, pa.string(), True))
        return pa.schema(columns)


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """An index to make: ``type`` and ``metric`` in Milvus's names."""

    field: str
    type: str = "AUTOINDEX"
    metric: str = "COSINE"
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
