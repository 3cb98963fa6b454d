"""Mapped columns: the parts of a mapping. Each reads columns of a batch and turns them into target fields.

A new kind is a frozen class with ``name``, ``reads`` and ``map_rows``, and a line in ``compile._columns``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.column_checks import CHECKS, rows_where
from migrations_app.engine.mapping.checks.findings import NO_ROWS, Finding, Rows
from migrations_app.engine.mapping.dynamic_field import DynamicColumnValues, DynamicObjects
from migrations_app.engine.mapping.values.cast import cast_values
from migrations_app.engine.mapping.values.truncate import truncate
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.target_schema import TargetField
from migrations_app.engine.model.types import MilvusType, arrow_type

SourceColumns = Mapping[ReadColumn, pa.Array]
"""The columns of one batch, by the ``ReadColumn`` that asked for them. All have the same length."""


@dataclass(frozen=True, slots=True)
class ColumnResult:
    """The result of one column for a batch: a value for each row, including rows that will be rejected.

    ``fields`` are target columns by name; ``meta`` goes into the dynamic field. ``skipped`` are rows to leave
    out and only count; ``cut`` are rows with a truncated text, ``mismatched``, by field, rows with a
    value that is in ``meta`` because it does not fit the type of its field. A row is named once for each such
    value. ``paths`` are those of the document keys that the target columns come from.
    """

    fields: Mapping[str, pa.Array] = field(default_factory=dict)
    meta: tuple[DynamicColumnValues | DynamicObjects, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: Rows = field(default_factory=lambda: NO_ROWS)
    cut: Rows = field(default_factory=lambda: NO_ROWS)
    mismatched: Mapping[str, Rows] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)


class MappedColumn(Protocol):
    """One part of a mapping. ``name`` is the field of its findings that do not name a field themselves."""

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        """The columns to read from the source. Mapped columns that read the same column share it."""
        ...

    def map_rows(self, columns: SourceColumns, rows: int) -> ColumnResult:
        """Map this part of ``rows`` rows."""
        ...


@dataclass(frozen=True, slots=True)
class FixedColumn:
    """A source column that becomes a field. ``fill`` replaces NULL.

    ``skips_null``: a row with NULL is left out and only counted. ``rejects_null``: it is rejected, even if
    the target takes NULL. ``truncates``: texts that are too long are truncated.
    """

    read: ReadColumn
    target: TargetField
    fill: Any = None
    skips_null: bool = False
    rejects_null: bool = False
    truncates: bool = False

    @property
    def name(self) -> str:
        return self.read.path

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        return (self.read,)

    def map_rows(self, columns: SourceColumns, rows: int) -> ColumnResult:
        column = columns[self.read]
        values, findings = cast_values(column, arrow_type(self.target.spec), self.name)
        skipped = rows_where(column.is_null()) if self.skips_null and column.null_count else NO_ROWS
        if not skipped.size:
            target = replace(self.target, nullable=False) if self.rejects_null else self.target
            values, null_findings = replace_nulls(values, column, target, self.name, self.fill)
            findings = (*findings, *null_findings)
        values, cut_rows = truncate(values, self.target.spec) if self.truncates else (values, NO_ROWS)
        findings = (*findings, *check_values(values, self.target, self.name))
        return ColumnResult({self.target.name: values}, (), findings, skipped, cut_rows)


@dataclass(frozen=True, slots=True)
class AddedColumn:
    """A field that the source does not have: each row gets ``value`` (None is NULL)."""

    target: TargetField
    value: Any

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        return ()

    def map_rows(self, columns: SourceColumns, rows: int) -> ColumnResult:
        return ColumnResult({self.name: pa.repeat(pa.scalar(self.value, arrow_type(self.target.spec)), rows)})


@dataclass(frozen=True, slots=True)
class DynamicKeyColumn:
    """A source column that becomes the key ``key`` of the dynamic field. ``fill`` replaces NULL."""

    read: ReadColumn
    key: str
    fill: Any = None

    @property
    def name(self) -> str:
        return self.read.path

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        return (self.read,)

    def map_rows(self, columns: SourceColumns, rows: int) -> ColumnResult:
        column, spec = columns[self.read], self.read.spec
        values, findings = cast_values(column, arrow_type(spec), self.name)
        if self.fill is not None:
            values = fill_nulls(values, column, self.fill)
        return ColumnResult(
            meta=(DynamicColumnValues(self.key, values, spec.type is MilvusType.JSON),), findings=findings
        )


def fill_nulls(values: pa.Array, column: pa.Array, fill: Any) -> pa.Array:
    """Return ``values`` with ``fill``, a Python value of their type, in the rows where ``column`` is NULL."""
    if not column.null_count:
        return values
    return pc.if_else(column.is_null(), pa.scalar(fill, values.type), values)


def replace_nulls(
    values: pa.Array, column: pa.Array, target: TargetField, name: str, fill: Any
) -> tuple[pa.Array, tuple[Finding, ...]]:
    """Return ``values`` with ``fill`` in the rows where ``column`` is NULL. Without a ``fill``, these rows
    are a finding if ``target`` is not nullable."""
    if fill is not None:
        return fill_nulls(values, column, fill), ()
    if column.null_count and not target.nullable:
        return values, (null_finding(target, name, rows_where(column.is_null())),)
    return values, ()


def check_values(values: pa.Array, target: TargetField, name: str) -> tuple[Finding, ...]:
    """Return findings for the values of a field that Milvus would refuse."""
    check = CHECKS.get(target.spec.type)
    return tuple(check(values, target.spec, name)) if check else ()


def null_finding(target: TargetField, name: str, rows: Rows) -> Finding:
    """Return the finding for ``rows`` that are NULL in a field that does not take NULL."""
    if target.is_key:
        return Finding(rows, "null_key", lambda row: f"The key “{name}” is NULL.")
    if target.spec.type.is_vector:
        return Finding(rows, "null_vector", lambda row: f"The vector “{name}” is NULL.")
    return Finding(rows, "null", lambda row: f"“{name}” is NULL; the field does not take NULL.")
