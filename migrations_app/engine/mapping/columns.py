"""The kinds of columns a mapping is made of: what each reads of a batch and what it makes of it.

A new kind is a frozen class with ``name``, ``reads`` and ``take``, and a line in ``compiling._columns``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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

Given = Mapping[ReadColumn, pa.Array]
"""The columns of one batch by what was asked for; all of one length."""


@dataclass(frozen=True, slots=True)
class ColumnResult:
    """What one column made of a batch, a value for each of its rows, the bad ones included.

    ``fields`` are target columns by name, ``meta`` what goes into the dynamic field. ``skipped`` are rows to
    leave out and only count, ``cut`` those of which a text was cut to fit.
    """

    fields: Mapping[str, pa.Array] = field(default_factory=dict)
    meta: tuple[DynamicColumnValues | DynamicObjects, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: Rows = field(default_factory=lambda: NO_ROWS)
    cut: Rows = field(default_factory=lambda: NO_ROWS)


class MappedColumn(Protocol):
    """One part of a mapping. ``name`` is what its findings are about where they do not say themselves."""

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        """What it wants of the source. Columns that want the same share it."""
        ...

    def take(self, given: Given, rows: int) -> ColumnResult:
        """Make its part of ``rows`` rows."""
        ...


@dataclass(frozen=True, slots=True)
class FixedColumn:
    """A source column that becomes a field. ``fill`` replaces NULL.

    ``skips_null``: a row where it is NULL is left out and only counted. ``cuts``: too long texts are cut.
    """

    read: ReadColumn
    target: TargetField
    fill: Any = None
    skips_null: bool = False
    cuts: bool = False

    @property
    def name(self) -> str:
        return self.read.path

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        return (self.read,)

    def take(self, given: Given, rows: int) -> ColumnResult:
        column = given[self.read]
        values, found = cast_values(column, arrow_type(self.target.spec), self.name)
        skipped = rows_where(column.is_null()) if self.skips_null and column.null_count else NO_ROWS
        if not skipped.size:
            values, nulls = without_null(values, column, self.target, self.name, self.fill)
            found = (*found, *nulls)
        values, cut_rows = truncate(values, self.target.spec) if self.cuts else (values, NO_ROWS)
        found = (*found, *checked(values, self.target, self.name))
        return ColumnResult({self.target.name: values}, (), found, skipped, cut_rows)


@dataclass(frozen=True, slots=True)
class AddedColumn:
    """A field that the source does not have: ``value`` in each row, or NULL."""

    target: TargetField
    value: Any

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        return ()

    def take(self, given: Given, rows: int) -> ColumnResult:
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

    def take(self, given: Given, rows: int) -> ColumnResult:
        column, spec = given[self.read], self.read.spec
        values, found = cast_values(column, arrow_type(spec), self.name)
        if self.fill is not None:
            values = filled(values, column, self.fill)
        return ColumnResult(
            meta=(DynamicColumnValues(self.key, values, spec.type is MilvusType.JSON),), findings=found
        )


def filled(values: pa.Array, given: pa.Array, fill: Any) -> pa.Array:
    """``values`` with ``fill``, a Python value of their type, in the rows where ``given`` is NULL."""
    return pc.if_else(given.is_null(), pa.scalar(fill, values.type), values) if given.null_count else values


def without_null(
    values: pa.Array, given: pa.Array, target: TargetField, name: str, fill: Any
) -> tuple[pa.Array, tuple[Finding, ...]]:
    """``values`` with ``fill`` where ``given`` is NULL; without one, those rows are found where ``target``
    takes no NULL."""
    if fill is not None:
        return filled(values, given, fill), ()
    if given.null_count and not target.nullable:
        return values, (null_finding(target, name, rows_where(given.is_null())),)
    return values, ()


def checked(values: pa.Array, target: TargetField, name: str) -> tuple[Finding, ...]:
    """What Milvus would refuse of a field's values."""
    check = CHECKS.get(target.spec.type)
    return tuple(check(values, target.spec, name)) if check else ()


def null_finding(target: TargetField, name: str, rows: Rows) -> Finding:
    """``rows`` are NULL where the field takes none."""
    if target.is_key:
        return Finding(rows, "null_key", lambda row: f"The key “{name}” is NULL.")
    if target.spec.type.is_vector:
        return Finding(rows, "null_vector", lambda row: f"The vector “{name}” is NULL.")
    return Finding(rows, "null", lambda row: f"“{name}” is NULL; the field takes no NULL.")
