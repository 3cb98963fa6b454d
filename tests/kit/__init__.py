"""Test kit: a source and a target in memory, and the contract that every source must meet.

The tests of connectors, pipeline and jobs use it. It needs pytest; the engine itself never imports it.
"""

from tests.kit.http_source_contract import HttpSourceContract
from tests.kit.memory_source import (
    JsonSource,
    MemoryCollection,
    MemorySettings,
    MemorySource,
    MemoryStore,
    MinimalSource,
    memory_collection,
    memory_store,
    partitioned_by,
)
from tests.kit.memory_target import (
    MemoryChannel,
    MemoryDatabase,
    MemoryRows,
    MemoryTarget,
    MemoryTargetSettings,
    Mishap,
    memory_database,
)
from tests.kit.slice_contract import SliceContract
from tests.kit.source_case import BadSettings, SourceCase
from tests.kit.source_contract import SourceContract

__all__ = [
    "BadSettings",
    "HttpSourceContract",
    "JsonSource",
    "MemoryChannel",
    "MemoryCollection",
    "MemoryDatabase",
    "MemoryRows",
    "MemorySettings",
    "MemorySource",
    "MemoryStore",
    "MemoryTarget",
    "MemoryTargetSettings",
    "MinimalSource",
    "Mishap",
    "SliceContract",
    "SourceCase",
    "SourceContract",
    "memory_collection",
    "memory_database",
    "memory_store",
    "partitioned_by",
]
