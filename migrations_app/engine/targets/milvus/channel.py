"""The way of a job's rows into one collection."""

from __future__ import annotations

import pyarrow as pa
from pymilvus.grpc_gen import milvus_pb2

from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.wire import encode
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.targets.base import Request
from migrations_app.engine.targets.milvus import counting


class MilvusChannel:
    """Encodes and sends rows of one collection. Threads may share it; the connection is its target's.

    ``timestamp`` is the collection's ``update_timestamp``. ``single_writer``: Milvus Lite numbers rows
    without a lock, and two requests at once could get the same numbers. ``deletes_first``: rows of the same
    keys are deleted before; either may be repeated.
    """

    def __init__(
        self,
        rpc: Rpc,
        schema: TargetSchema,
        *,
        upsert: bool,
        timestamp: int,
        single_writer: bool,
        deletes_first: bool = False,
    ) -> None:
        self._rpc = rpc
        self._schema = schema
        self._database = rpc.database
        self._timestamp = timestamp
        self._count = "upsert_cnt" if upsert else "insert_cnt"
        self._what = f"{'upsert' if upsert else 'insert'} rows into “{schema.name}”"
        self._send = rpc.sender("Upsert" if upsert else "Insert")
        self._deletes_first = deletes_first
        self.single_writer = single_writer

    def encode(self, rows: pa.RecordBatch, partition: str = "") -> Request:
        payload = encode(
            rows, self._schema, database=self._database, partition=partition, timestamp=self._timestamp
        )
        return Request(payload, rows)

    def send(self, request: Request, timeout_seconds: float) -> int:
        if self._deletes_first:
            self._delete(request.rows, timeout_seconds)
        answer = self._send(request.payload, timeout_seconds, self._what)
        return int(getattr(answer, self._count))

    def _delete(self, rows: pa.RecordBatch, timeout_seconds: float) -> None:
        key = self._schema.key.name
        request = milvus_pb2.DeleteRequest(
            db_name=self._database,
            collection_name=self._schema.name,
            expr=counting.among(key, rows.column(key)),
        )
        what = f"delete the rows that are replaced in “{self._schema.name}”"
        self._rpc.call("Delete", request, what, timeout_seconds)

    def close(self) -> None:
        """Nothing to give back: the connection is the target's."""
