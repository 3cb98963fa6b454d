"""Server checks: values that one server refuses although others accept them.

They are found row by row before anything is sent. The server would refuse a whole request, and each bad row
would have to be searched for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.column_checks import rows_where
from migrations_app.engine.mapping.checks.findings import Finding
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.target_schema import TargetField
from migrations_app.engine.model.types import MilvusType

_LIST, _NULL = r"^\s*\[", r"^\s*null\s*$"


@dataclass(frozen=True, slots=True)
class ServerChecks:
    """Rules of one server. The defaults describe a server that accepts everything.

    ``hidden_keys``: names that the server does not return from the dynamic field. The others are the same as
    in ``Capabilities``.
    """

    hidden_keys: frozenset[str] = frozenset()
    keeps_not_finite: bool = True
    empty_sparse: bool = True
    json_objects_only: bool = False
    json_null: bool = True

    @classmethod
    def of(cls, capabilities: Capabilities) -> Self:
        return cls(
            hidden_keys=capabilities.hidden_keys,
            keeps_not_finite=capabilities.keeps_not_finite,
            empty_sparse=capabilities.empty_sparse,
            json_objects_only=capabilities.json_objects_only,
            json_null=capabilities.json_null,
        )

    def findings(self, values: pa.Array, field: TargetField, name: str) -> Iterator[Finding]:
        """Yield findings for the rows of a field that the server would refuse. NULLs are not checked."""
        spec = field.spec
        if spec.type in (MilvusType.FLOAT, MilvusType.DOUBLE) and not self.keeps_not_finite:
            reason = f"“{name}” is NaN or infinite, which this server does not take as {spec.type}."
            yield from _findings(pc.invert(pc.is_finite(values)), "not_finite", reason)
        elif spec.type is MilvusType.SPARSE_FLOAT_VECTOR and not self.empty_sparse:
            reason = f"“{name}” is an empty sparse vector, which this server does not take."
            yield from _findings(pc.equal(pc.list_value_length(values), 0), "empty_sparse_vector", reason)
        elif spec.type is MilvusType.JSON and self.json_objects_only:
            reason = f"“{name}” is a list; this server stores only JSON objects."
            yield from _findings(pc.match_substring_regex(values, _LIST), "json_list", reason)
        elif spec.type is MilvusType.JSON and not (self.json_null or field.nullable):
            reason = (
                f"“{name}” is the JSON value null, which this server treats as NULL; "
                "the field does not take NULL."
            )
            yield from _findings(pc.match_substring_regex(values, _NULL), "json_null", reason)


def _findings(is_bad: pa.Array, code: str, reason: str) -> Iterator[Finding]:
    if pc.any(is_bad).as_py():
        yield Finding(rows_where(is_bad), code, lambda row: reason)
