"""Rows for tests: Python values, their Arrow batch, and the request that pymilvus makes for them."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from pymilvus import DataType
from pymilvus.client.prepare import Prepare

from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, arrow_type

Row = dict[str, Any]


def batch_of(schema: TargetSchema, rows: list[Row]) -> pa.RecordBatch:
    """Return ``rows`` in the Arrow schema of the collection; keys without a field go into ``$meta``."""
    columns = [
        pa.array([_for_arrow(field, row[field.name]) for row in rows], arrow_type(field.spec))
        for field in schema.sent_fields
    ]
    if schema.dynamic:
        columns.append(pa.array([_meta(schema, row) for row in rows], pa.string()))
    return pa.RecordBatch.from_arrays(columns, schema=schema.arrow_schema())


def _for_arrow(field: TargetField, value: Any) -> Any:
    if value is None:
        return None
    if field.spec.type is MilvusType.JSON:
        return orjson.dumps(value).decode()
    if field.spec.type is MilvusType.SPARSE_FLOAT_VECTOR:
        return [{"index": index, "value": number} for index, number in sorted(value.items())]
    return value.tolist() if isinstance(value, np.ndarray) else value


def _meta(schema: TargetSchema, row: Row) -> str | None:
    extra = {key: value for key, value in row.items() if key not in {f.name for f in schema.fields}}
    return orjson.dumps(extra).decode() if extra else None


def pymilvus_request(
    schema: TargetSchema, rows: list[Row], *, upsert: bool = False, partition: str = "", timestamp: int = 0
) -> Any:
    """Return the message that the pymilvus client makes of ``rows``."""
    prepare = Prepare.row_upsert_param if upsert else Prepare.row_insert_param
    fields = [_field_info(field, field.name in schema.outputs) for field in schema.fields]
    return prepare(
        schema.name, rows, partition, fields, None, schema_timestamp=timestamp, enable_dynamic=schema.dynamic
    )


def _field_info(field: TargetField, is_output: bool) -> dict[str, Any]:
    spec = field.spec
    params = {"dim": spec.dim, "max_length": spec.max_length, "max_capacity": spec.max_capacity}
    return {
        "name": field.name,
        "type": DataType[spec.type],
        "is_primary": field.is_key,
        "auto_id": field.auto_id,
        "nullable": field.nullable,
        "is_function_output": is_output,
        "default_value": field.default,
        "element_type": DataType[spec.element_type] if spec.element_type else None,
        "params": {name: value for name, value in params.items() if value is not None},
    }
