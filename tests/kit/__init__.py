"""What the tests of every connector and of the jobs stand on.

A source and a target in memory, and the contract that each source proves. Needs pytest; nothing else of the
engine imports it.
"""

from tests.kit.memory_source import (
    MemoryCollection,
    MemorySettings,
    MemorySource,
    MemoryStore,
    memory_collection,
    memory_store,
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
from tests.kit.source_case import BadSettings, SourceCase
from tests.kit.source_contract import SourceContract

__all__ = [
    "BadSettings",
    "MemoryChannel",
    "MemoryCollection",
    "MemoryDatabase",
    "MemoryRows",
    "MemorySettings",
    "MemorySource",
    "MemoryStore",
    "MemoryTarget",
    "MemoryTargetSettings",
    "Mishap",
    "SourceCase",
    "SourceContract",
    "memory_collection",
    "memory_database",
    "memory_store",
]
