"""Milvus channel: sends the rows of a job into one collection."""

from __future__ import annotations

import pyarrow as pa
from pymilvus.grpc_gen import milvus_pb2

from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.wire import encode
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.targets.base import Request
from migrations_app.engine.targets.milvus import counting


class MilvusChannel:
    """Encodes and sends rows of one collection. Threads may share it. It uses the connection of its target.

    ``timestamp`` is the collection's ``update_timestamp``. ``single_writer``: Milvus Lite numbers rows
    without a lock, so two simultaneous requests could get the same numbers. ``deletes_first``: rows with the
    same keys are deleted before new ones are sent. Both steps may be repeated safely.
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
        self._count_field = "upsert_cnt" if upsert else "insert_cnt"
        self._action = f"{'upsert' if upsert else 'insert'} rows into “{schema.name}”"
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
        answer = self._send(request.payload, timeout_seconds, self._action)
        return int(getattr(answer, self._count_field))

    def _delete(self, rows: pa.RecordBatch, timeout_seconds: float) -> None:
        key = self._schema.key.name
        request = milvus_pb2.DeleteRequest(
            db_name=self._database,
            collection_name=self._schema.name,
            expr=counting.key_filter(key, rows.column(key)),
        )
        action = f"delete the rows to be replaced in “{self._schema.name}”"
        self._rpc.call("Delete", request, action, timeout_seconds)

    def close(self) -> None:
        """Does nothing, because the connection belongs to the target."""
