"""What one server refuses of values that another one takes: found before it is sent, row by row.

Asked only then, a server would refuse a whole request, and each row at fault would have to be searched for.
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
    """The defaults are those of a server that takes everything.

    ``hidden_keys``: names that it does not show in the dynamic field. The rest as in ``Capabilities``.
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
        """The rows of a field that the server would refuse. NULLs are not its business."""
        spec = field.spec
        if spec.type in (MilvusType.FLOAT, MilvusType.DOUBLE) and not self.keeps_not_finite:
            said = f"“{name}” is NaN or infinite, which this server does not take as {spec.type}."
            yield from _found(pc.invert(pc.is_finite(values)), "not_finite", said)
        elif spec.type is MilvusType.SPARSE_FLOAT_VECTOR and not self.empty_sparse:
            said = f"“{name}” is a sparse vector without an entry, which this server does not take."
            yield from _found(pc.equal(pc.list_value_length(values), 0), "empty_sparse_vector", said)
        elif spec.type is MilvusType.JSON and self.json_objects_only:
            said = f"“{name}” is a list; this server keeps JSON objects alone."
            yield from _found(pc.match_substring_regex(values, _LIST), "json_list", said)
        elif spec.type is MilvusType.JSON and not (self.json_null or field.nullable):
            said = f"“{name}” is JSON's null, which this server takes for NULL; the field takes no NULL."
            yield from _found(pc.match_substring_regex(values, _NULL), "json_null", said)


def _found(is_bad: pa.Array, code: str, sentence: str) -> Iterator[Finding]:
    if pc.any(is_bad).as_py():
        yield Finding(rows_where(is_bad), code, lambda row: sentence)
