"""How many rows a collection has: flush, segment statistics, strong ``count(*)``."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pymilvus.grpc_gen import milvus_pb2 as m
from pymilvus.grpc_gen.common_pb2 import ConsistencyLevel

from migrations_app.engine.errors import TargetBusy, TargetError
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.schema import unpaired
from migrations_app.engine.stop_token import Deadline, StopToken

FLUSH_SECONDS = 60.0
POLL_SECONDS = 0.2
# A server that limits flushes usually allows one in ten seconds a collection.
FLUSH_RETRY_SECONDS = 5.0
COUNT_SECONDS = 120.0
# 2.3 cannot parse the smallest integer.
LEAST = -(2**63)
# The escapes that the filters of 2.3 and of Lite both know, for what they do not take as it is.
ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def flush(rpc: Rpc, name: str, stop: StopToken) -> None:
    """Everything sent so far is sealed after this. Raises ``TargetBusy`` after a minute without."""
    deadline = Deadline(FLUSH_SECONDS)
    answer = _ask_for_flush(rpc, name, stop, deadline)
    state = m.GetFlushStateRequest(
        db_name=rpc.database,
        collection_name=name,
        segmentIDs=answer.coll_segIDs[name].data,
        flush_ts=answer.coll_flush_ts[name],
    )
    while not rpc.call("GetFlushState", state, f"say whether “{name}” is flushed").flushed:
        if deadline.is_over:
            raise TargetBusy(f"“{name}” was not flushed within {FLUSH_SECONDS:g} s.")
        stop.wait(POLL_SECONDS)


def _ask_for_flush(rpc: Rpc, name: str, stop: StopToken, deadline: Deadline) -> Any:
    request = m.FlushRequest(db_name=rpc.database, collection_names=[name])
    while True:
        try:
            return rpc.call("Flush", request, f"flush “{name}”", FLUSH_SECONDS)
        except TargetBusy as error:
            if deadline.is_over:
                raise
            stop.wait(error.retry_after_seconds or FLUSH_RETRY_SECONDS)


def row_statistics(rpc: Rpc, name: str, partition: str = "") -> int:
    """Rows by segment statistics: exact after a flush while no key was sent twice."""
    whose = {"db_name": rpc.database, "collection_name": name}
    request: Any = m.GetCollectionStatisticsRequest(**whose)
    if partition:
        request = m.GetPartitionStatisticsRequest(**whose, partition_name=partition)
    method = "GetPartitionStatistics" if partition else "GetCollectionStatistics"
    answer = rpc.call(method, request, f"give the statistics of “{name}”")
    return int(unpaired(answer.stats).get("row_count", 0))


def count(rpc: Rpc, name: str, only: str = "", partition: str = "") -> int:
    """Rows for which the filter ``only`` holds, of one partition if named. Always with strong consistency: a
    weaker one gives 0 right after a write."""
    request = m.QueryRequest(
        db_name=rpc.database,
        collection_name=name,
        partition_names=[partition] if partition else [],
        expr=only,
        output_fields=["count(*)"],
        consistency_level=ConsistencyLevel.Strong,
    )
    answer = rpc.call("Query", request, f"count the rows of “{name}”", COUNT_SECONDS)
    if not answer.fields_data:
        raise TargetError(f"Milvus gave no count of “{name}”.")
    return int(answer.fields_data[0].scalars.long_data.data[0])


def among(field: str, keys: pa.Array) -> str:
    """The filter for rows whose ``field`` is one of ``keys``, int64 or string."""
    if pa.types.is_string(keys.type):
        return f"{field} in [{','.join(_quoted(key) for key in keys.to_pylist())}]"
    least = f" or {field} < {LEAST + 1}" if pc.any(pc.equal(keys, LEAST)).as_py() else ""
    listed = keys.filter(pc.not_equal(keys, LEAST)).to_pylist()
    return f"{field} in [{','.join(map(str, listed))}]{least}"


def _quoted(text: str) -> str:
    return f'"{text.translate(ESCAPES)}"'
