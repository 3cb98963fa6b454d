"""Arrays. PostgreSQL's types carry no dimensions: whether one is an ARRAY is seen value by value."""

from __future__ import annotations

from typing import LiteralString

from migrations_app.engine.connectors.postgres.types.reading import Family, Misfit, Reading
from migrations_app.engine.schema import MilvusType

T = MilvusType

# The driver would read it as one flat list. A NULL in an array is left to the mapping to reject.
_NOT_FLAT = Misfit(
    "array_ndims({c}) > 1", "array_dimensions", "has more than one dimension; an ARRAY has one"
)


def _array(element: MilvusType, cast: LiteralString = "") -> Family:
    """An array. Cutting it out of itself makes it begin at 1, as the driver wants it."""
    column: LiteralString = "({c}" + cast + ")"
    return Family(
        (
            Reading(T.ARRAY, column + "[:]", element, misfit=_NOT_FLAT),
            Reading(T.JSON, "array_to_json" + column + "::text"),
        )
    )


ARRAYS: dict[str, Family] = {
    "text[]": _array(T.VARCHAR),
    "varchar[]": _array(T.VARCHAR),
    "bpchar[]": _array(T.VARCHAR, "::text[]"),
    "int8[]": _array(T.INT64),
    "int4[]": _array(T.INT32),
    "int2[]": _array(T.INT16),
    "float8[]": _array(T.DOUBLE),
    "float4[]": _array(T.FLOAT),
    "numeric[]": _array(T.VARCHAR, "::text[]"),
    "bool[]": _array(T.BOOL),
}
