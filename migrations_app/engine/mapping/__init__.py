"""Mapping: turns the rows of a source into rows of the target.

It works column by column and has no side effects. No row leaves it that Milvus would refuse or silently
change. ``compile_mapping`` turns a completed collection of a plan into a ``Mapping``; ``Mapping.apply`` turns
one batch into a ``MappedBatch``. Vectors without problems are only read, never copied.
"""

from migrations_app.engine.mapping.apply import MappedBatch, Mapping
from migrations_app.engine.mapping.checks.server_checks import ServerChecks
from migrations_app.engine.mapping.compile import compile_mapping

__all__ = ["MappedBatch", "Mapping", "ServerChecks", "compile_mapping"]
