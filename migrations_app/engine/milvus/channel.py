"""The way of a job's rows into one collection."""

from __future__ import annotations

import pyarrow as pa

from migrations_app.engine.errors import TargetError
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.wire import encode
from migrations_app.engine.schema import TargetSchema
from migrations_app.engine.target import Request


class MilvusChannel:
    """Encodes and sends rows of one collection. Threads may share it; ``Rpc`` stays its target's."""

    def __init__(self, rpc: Rpc, schema: TargetSchema, *, upsert: bool, timestamp: int) -> None:
        self._schema = schema
        self._database = rpc.database
        self._timestamp = timestamp
        self._count = "upsert_cnt" if upsert else "insert_cnt"
        self._what = f"{'upsert' if upsert else 'insert'} rows into “{schema.name}”"
        self._send = rpc.sender("Upsert" if upsert else "Insert")

    def encode(self, rows: pa.RecordBatch) -> Request:
        return Request(encode(rows, self._schema, database=self._database, timestamp=self._timestamp), rows)

    def send(self, request: Request, timeout_seconds: float) -> int:
        answer = self._send(request.payload, timeout_seconds, self._what)
        accepted = int(getattr(answer, self._count))
        if accepted != request.rows.num_rows:
            raise TargetError(
                f"Milvus took {accepted} of {request.rows.num_rows} rows into “{self._schema.name}”."
            )
        return accepted

    def close(self) -> None:
        """Nothing to give back: the connection is the target's."""
