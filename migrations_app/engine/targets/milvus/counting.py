"""Row counting: flush, segment statistics, and ``count(*)`` with strong consistency."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pymilvus.grpc_gen import milvus_pb2 as m
from pymilvus.grpc_gen.common_pb2 import ConsistencyLevel

from migrations_app.engine.errors import TargetBusy, TargetError
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.schema import unpaired
from migrations_app.engine.model.limits import MIN_INT64
from migrations_app.engine.stop_token import Deadline

FLUSH_SECONDS = 60.0
POLL_SECONDS = 0.2
# A server that limits flushes usually allows one every ten seconds for each collection.
FLUSH_RETRY_SECONDS = 5.0
COUNT_SECONDS = 120.0
# Escapes for the characters that filters do not accept unescaped. Both Milvus 2.3 and Lite know them.
ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def flush(rpc: Rpc, name: str) -> None:
    """Flush everything that was sent so far. Raises ``TargetBusy`` if this takes more than a minute."""
    deadline = Deadline(FLUSH_SECONDS)
    answer = _start_flush(rpc, name, deadline)
    state = m.GetFlushStateRequest(
        db_name=rpc.database,
        collection_name=name,
        segmentIDs=answer.coll_segIDs[name].data,
        flush_ts=answer.coll_flush_ts[name],
    )
    while not rpc.call("GetFlushState", state, f"report the flush state of “{name}”").flushed:
        if deadline.is_over:
            raise TargetBusy(f"“{name}” was not flushed within {FLUSH_SECONDS:g} s.")
        rpc.stop().wait(POLL_SECONDS)


def _start_flush(rpc: Rpc, name: str, deadline: Deadline) -> Any:
    request = m.FlushRequest(db_name=rpc.database, collection_names=[name])
    while True:
        try:
            return rpc.call("Flush", request, f"flush “{name}”", FLUSH_SECONDS)
        except TargetBusy as error:
            if deadline.is_over:
                raise
            rpc.stop().wait(error.retry_after_seconds or FLUSH_RETRY_SECONDS)


def row_statistics(rpc: Rpc, name: str, partition: str = "") -> int:
    """Return the number of rows from segment statistics: exact after a flush if no key was sent twice."""
    collection = {"db_name": rpc.database, "collection_name": name}
    request: Any = m.GetCollectionStatisticsRequest(**collection)
    if partition:
        request = m.GetPartitionStatisticsRequest(**collection, partition_name=partition)
    method = "GetPartitionStatistics" if partition else "GetCollectionStatistics"
    answer = rpc.call(method, request, f"return the statistics of “{name}”")
    return int(unpaired(answer.stats).get("row_count", 0))


def count(rpc: Rpc, name: str, condition: str = "", partition: str = "") -> int:
    """Count the rows that match the filter ``condition``, in one partition if named. Strong consistency is
    needed, because a weaker one returns 0 right after a write."""
    request = m.QueryRequest(
        db_name=rpc.database,
        collection_name=name,
        partition_names=[partition] if partition else [],
        expr=condition,
        output_fields=["count(*)"],
        consistency_level=ConsistencyLevel.Strong,
    )
    answer = rpc.call("Query", request, f"count the rows of “{name}”", COUNT_SECONDS)
    if not answer.fields_data:
        raise TargetError(f"Milvus returned no count for “{name}”.")
    return int(answer.fields_data[0].scalars.long_data.data[0])


def key_filter(field: str, keys: pa.Array) -> str:
    """Return the filter for rows whose ``field`` has one of ``keys`` (int64 or string)."""
    if pa.types.is_string(keys.type):
        return f"{field} in [{','.join(_quoted(key) for key in keys.to_pylist())}]"
    # Milvus 2.3 cannot parse the smallest integer in a filter.
    smallest = f" or {field} < {MIN_INT64 + 1}" if pc.any(pc.equal(keys, MIN_INT64)).as_py() else ""
    listed = keys.filter(pc.not_equal(keys, MIN_INT64)).to_pylist()
    return f"{field} in [{','.join(map(str, listed))}]{smallest}"


def _quoted(text: str) -> str:
    return f'"{text.translate(ESCAPES)}"'
