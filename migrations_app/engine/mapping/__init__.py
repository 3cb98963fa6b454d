"""From the rows of a source to rows of the target: pure, column by column, and nothing sent that Milvus
would refuse or quietly change.

``compile_mapping`` turns a completed collection of a plan into a ``Mapping``; ``Mapping.apply`` turns one
batch into a ``MappedBatch``. A clean batch of vectors is only looked at, never copied.
"""

from migrations_app.engine.mapping.apply import MappedBatch, Mapping
from migrations_app.engine.mapping.checks.server_checks import ServerChecks
from migrations_app.engine.mapping.compile import compile_mapping

__all__ = ["MappedBatch", "Mapping", "ServerChecks", "compile_mapping"]
