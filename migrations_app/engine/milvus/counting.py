"""How many rows a collection has: flush, segment statistics, strong ``count(*)``."""

from __future__ import annotations

from typing import Any

from pymilvus.grpc_gen import milvus_pb2 as m
from pymilvus.grpc_gen.common_pb2 import ConsistencyLevel

from migrations_app.engine.cancel import Deadline, StopToken
from migrations_app.engine.errors import TargetBusy, TargetError
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.schema import unpaired

FLUSH_SECONDS = 60.0
POLL_SECONDS = 0.2
# A server that limits flushes usually allows one in ten seconds a collection.
FLUSH_RETRY_SECONDS = 5.0
COUNT_SECONDS = 120.0


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


def row_statistics(rpc: Rpc, name: str) -> int:
    """Rows by segment statistics: exact after a flush while no key was sent twice."""
    request = m.GetCollectionStatisticsRequest(db_name=rpc.database, collection_name=name)
    answer = rpc.call("GetCollectionStatistics", request, f"give the statistics of “{name}”")
    return int(unpaired(answer.stats).get("row_count", 0))


def count(rpc: Rpc, name: str) -> int:
    """Always with strong consistency: a weaker one gives 0 right after a write."""
    request = m.QueryRequest(
        db_name=rpc.database,
        collection_name=name,
        output_fields=["count(*)"],
        consistency_level=ConsistencyLevel.Strong,
    )
    answer = rpc.call("Query", request, f"count the rows of “{name}”", COUNT_SECONDS)
    if not answer.fields_data:
        raise TargetError(f"Milvus gave no count of “{name}”.")
    return int(answer.fields_data[0].scalars.long_data.data[0])
