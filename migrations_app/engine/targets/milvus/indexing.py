"""Indexes and loading. Each call only starts the work; the caller polls until it is done."""

from __future__ import annotations

import json
from typing import Any

from pymilvus.grpc_gen import milvus_pb2 as m
from pymilvus.grpc_gen.common_pb2 import IndexState as Stage
from pymilvus.grpc_gen.common_pb2 import LoadState as Loaded

from migrations_app.engine.errors import TargetChanged, TargetError, TargetUnavailable
from migrations_app.engine.milvus.errors import COLLECTION_MISSING, INDEX_MISSING, TIMED_OUT
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.schema import pairs, unpaired
from migrations_app.engine.model.target_schema import IndexSpec
from migrations_app.engine.targets.base import IndexState, LoadState

# Milvus Lite builds and loads within the call. It continues even if the client stops waiting.
START_SECONDS = 10.0
SPEC_KEYS = ("index_type", "metric_type", "params")


def indexes(rpc: Rpc, name: str) -> tuple[IndexState, ...]:
    return tuple(_state(description) for description in _descriptions(rpc, name))


def _descriptions(rpc: Rpc, name: str) -> list[Any]:
    request = m.DescribeIndexRequest(db_name=rpc.database, collection_name=name)
    try:
        return list(rpc.call("DescribeIndex", request, f"list the indexes of “{name}”").index_descriptions)
    except TargetError as error:
        if error.code != INDEX_MISSING:
            raise
        return []


def _state(description: Any) -> IndexState:
    options = unpaired(description.params)
    params = json.loads(options.get("params") or "{}")
    params |= {key: value for key, value in options.items() if key not in SPEC_KEYS}
    kind, metric = options.get("index_type", ""), options.get("metric_type", "")
    return IndexState(
        IndexSpec(description.field_name, kind, metric, params),
        rows_indexed=description.indexed_rows,
        rows_total=description.total_rows,
        is_finished=description.state == Stage.Finished,
        failed=description.index_state_fail_reason if description.state == Stage.Failed else "",
    )


def create_index(rpc: Rpc, name: str, index: IndexSpec) -> None:
    values = {"index_type": index.type, "metric_type": index.metric, "params": json.dumps(index.params)}
    request = m.CreateIndexRequest(
        db_name=rpc.database, collection_name=name, field_name=index.field, extra_params=pairs(values)
    )
    action = f"create the index {index.type} ({index.metric}) on “{name}.{index.field}”"
    _start(rpc, "CreateIndex", request, action)


def drop_index(rpc: Rpc, name: str, field: str) -> None:
    """Drop the index of the field, if any. Except on Lite, the collection must be released first."""
    for description in _descriptions(rpc, name):
        if description.field_name == field:
            request = m.DropIndexRequest(
                db_name=rpc.database,
                collection_name=name,
                field_name=field,
                index_name=description.index_name,
            )
            rpc.call("DropIndex", request, f"drop the index of “{name}.{field}”")


LOAD_STATES = {Loaded.LoadStateLoaded: "loaded", Loaded.LoadStateLoading: "loading"}


def load_state(rpc: Rpc, name: str) -> LoadState:
    request = m.GetLoadStateRequest(db_name=rpc.database, collection_name=name)
    stage = rpc.call("GetLoadState", request, f"report the load state of “{name}”").state
    if stage == Loaded.LoadStateNotExist:
        raise TargetChanged(f"There is no collection “{name}”.", code=COLLECTION_MISSING)
    state = LOAD_STATES.get(stage, "not_loaded")
    if state != "loading":
        return LoadState(state, 100 if state == "loaded" else 0)
    progress = m.GetLoadingProgressRequest(db_name=rpc.database, collection_name=name)
    answer = rpc.call("GetLoadingProgress", progress, f"report the loading progress of “{name}”")
    return LoadState(state, answer.progress)


def load(rpc: Rpc, name: str) -> None:
    request = m.LoadCollectionRequest(db_name=rpc.database, collection_name=name, replica_number=1)
    _start(rpc, "LoadCollection", request, f"load “{name}”")


def release(rpc: Rpc, name: str) -> None:
    request = m.ReleaseCollectionRequest(db_name=rpc.database, collection_name=name)
    rpc.call("ReleaseCollection", request, f"release “{name}”")


def _start(rpc: Rpc, method: str, request: Any, action: str) -> None:
    """Start an action. If the call times out, the server continues with it."""
    try:
        rpc.call(method, request, action, START_SECONDS)
    except TargetUnavailable as error:
        if error.code != TIMED_OUT:
            raise
