"""Limits of Milvus for one value: bytes of a text, elements of an array, bytes of JSON, ranges of numbers."""

from __future__ import annotations

from migrations_app.engine.model.types import MilvusType

MAX_LENGTH = 65_535
MAX_CAPACITY = 4_096
MAX_JSON_BYTES = 65_536
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1
INTEGER_BITS = {MilvusType.INT8: 8, MilvusType.INT16: 16, MilvusType.INT32: 32, MilvusType.INT64: 64}
# From this absolute value on, a number rounds to infinity in float32. The largest float32 is smaller, but it
# is usually written as 3.4028235e38, which is slightly above its exact value.
FLOAT32_END = 2.0**128 - 2.0**103
