"""What the tests of every connector and of the jobs stand on.

A source and a target in memory, and the contract that each source proves. Needs pytest; nothing else of the
engine imports it.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.source_case", f"{__name__}.source_contract")

from migrations_app.engine.testing.memory_source import (  # noqa: E402
    MemoryCollection,
    MemorySettings,
    MemorySource,
    MemoryStore,
    memory_collection,
    memory_store,
)
from migrations_app.engine.testing.memory_target import (  # noqa: E402
    MemoryChannel,
    MemoryDatabase,
    MemoryRows,
    MemoryTarget,
    MemoryTargetSettings,
    Mishap,
    memory_database,
)
from migrations_app.engine.testing.source_case import BadSettings, SourceCase  # noqa: E402
from migrations_app.engine.testing.source_contract import SourceContract  # noqa: E402

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
