"""Milvus types and their parameters, and the Arrow type of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


class MilvusType(StrEnum):
    """The type names of Milvus, as plans, pages and ``describe`` write them."""

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

INTEGER_TYPES = frozenset({MilvusType.INT8, MilvusType.INT16, MilvusType.INT32, MilvusType.INT64})
# Their values travel as text.
TEXT_TYPES = frozenset({MilvusType.VARCHAR, MilvusType.JSON})
KEY_TYPES = frozenset({MilvusType.INT64, MilvusType.VARCHAR})
ELEMENT_TYPES = frozenset(SCALARS) - {MilvusType.JSON}


@dataclass(frozen=True, slots=True)
class TypeSpec:
    """A Milvus type with its parameters.

    ``dim`` counts elements (bits for BINARY_VECTOR), ``max_length`` counts bytes of UTF-8, ``max_capacity``
    counts elements of an ARRAY, whose elements have ``element_type`` (and ``max_length``).
    """

    type: MilvusType
    dim: int | None = None
    max_length: int | None = None
    element_type: MilvusType | None = None
    max_capacity: int | None = None

    @property
    def raisable_limit(self) -> str:
        """The limit that a Milvus can raise in a collection with rows; empty if there is none."""
        limits = {MilvusType.VARCHAR: "max_length", MilvusType.ARRAY: "max_capacity"}
        return limits.get(self.type, "")

    def __str__(self) -> str:
        if self.type is MilvusType.ARRAY:
            return f"ARRAY<{self.element_type}>"
        return f"{self.type} · {self.dim}" if self.dim else str(self.type)


def arrow_type(spec: TypeSpec) -> pa.DataType:
    """Return the Arrow type that carries values of ``spec`` from source to target.

    JSON is its text, ARRAY is ``list<T>``, float16 and bfloat16 vectors are ``fixed_size_binary[2*dim]``
    little-endian, binary vectors are ``fixed_size_binary[dim/8]``, sparse vectors are
    ``list<struct<index: uint32, value: float32>>`` with ascending unique indices. A FLOAT_VECTOR of unknown
    dimension (``dim`` is None) is ``list<float32>``.
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
