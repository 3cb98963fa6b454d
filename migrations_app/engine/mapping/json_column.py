"""Opened column: some keys of its JSON documents become fields, the rest go into the dynamic field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.findings import NO_ROWS, Finding, Rows, with_field
from migrations_app.engine.mapping.columns import ColumnResult, SourceColumns, check_values, replace_nulls
from migrations_app.engine.mapping.documents import TakenKeys, take_keys
from migrations_app.engine.mapping.dynamic_field import EMPTY_OBJECT, DynamicObjects
from migrations_app.engine.mapping.values.convert import convert_values
from migrations_app.engine.mapping.values.truncate import truncate
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.json.documents import MISSING, Members, members, place, remove, to_json
from migrations_app.engine.model.target_schema import TargetField


@dataclass(frozen=True, slots=True)
class MovedKey:
    """A key that goes into the dynamic field unchanged, under the name ``key``."""

    path: str
    parts: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class FixedKey:
    """A key that becomes a field.

    ``fill`` is used if the key is null or missing. ``truncates``: texts that are too long are truncated.
    ``keeps_mismatches``: values that do not fit go into the dynamic field, under the name ``mismatch_key``
    or, if that is empty, under their own path. Otherwise their rows are rejected.
    """

    path: str
    parts: tuple[str, ...]
    target: TargetField
    fill: Any = None
    truncates: bool = False
    keeps_mismatches: bool = False
    mismatch_key: str = ""

    def map_values(self, values: Sequence[Any]) -> tuple[ColumnResult, Rows]:
        """Return the field, and the rows whose value goes into the dynamic field instead."""
        column, cut_rows, findings = self._convert(values)
        mismatched = NO_ROWS
        if findings and self.keeps_mismatches:
            mismatched = np.unique(np.concatenate([finding.rows for finding in findings]))
            column, findings = _null_at(column, mismatched), ()
            cut_rows = np.setdiff1d(cut_rows, mismatched)
        column, null_findings = replace_nulls(column, column, self.target, self.path, self.fill)
        findings = with_field((*findings, *null_findings), self.path)
        return ColumnResult({self.target.name: column}, (), findings, cut=cut_rows), mismatched

    def mismatches(self, values: Sequence[Any]) -> tuple[Finding, ...]:
        """Return findings for the values that the field cannot hold."""
        return self._convert(values)[2]

    def _convert(self, values: Sequence[Any]) -> tuple[pa.Array, Rows, tuple[Finding, ...]]:
        """Return the column, the rows with a truncated text, and findings for values that do not fit.

        Values of another type are NULL; values that break another rule of the field stay in.
        """
        spec = self.target.spec
        column, findings = convert_values(values, spec, self.path)
        column, cut_rows = truncate(column, spec) if self.truncates else (column, NO_ROWS)
        return column, cut_rows, (*findings, *check_values(column, self.target, self.path))


@dataclass(frozen=True, slots=True)
class OpenedColumn:
    """A column of JSON objects. ``keeps_rest``: keys that do not become fields go into the dynamic field."""

    read: ReadColumn
    fixed: tuple[FixedKey, ...]
    moved: tuple[MovedKey, ...] = ()
    keeps_rest: bool = True

    @property
    def name(self) -> str:
        return self.read.path

    @property
    def reads(self) -> tuple[ReadColumn, ...]:
        return (self.read,)

    def map_rows(self, columns: SourceColumns, rows: int) -> ColumnResult:
        wanted = [*((key.parts, None) for key in self.fixed), *((key.parts, MISSING) for key in self.moved)]
        taken = take_keys(columns[self.read], self.name, wanted, keeps_rest=self.keeps_rest)
        number = len(self.fixed)
        results = [
            key.map_values(values) for key, values in zip(self.fixed, taken.values[:number], strict=True)
        ]
        mismatches = [
            _Mismatches(key, values, rows.tolist())
            for key, values, (_, rows) in zip(self.fixed, taken.values, results, strict=False)
        ]
        staying = [found for found in mismatches if not found.key.mismatch_key and found.rows]
        meta: list[DynamicObjects] = []
        if self.keeps_rest:
            self._put_back(columns[self.read], taken, staying)
            meta.append(DynamicObjects(self.name, taken.rest, taken.names))
        meta += map(_moved, self.moved, taken.values[number:])
        meta += (found.renamed() for found in mismatches if found.key.mismatch_key and found.rows)
        if staying and not self.keeps_rest:
            meta.append(self._in_place(staying, rows))
        return ColumnResult(
            {name: values for result, _ in results for name, values in result.fields.items()},
            tuple(meta),
            (*taken.findings, *(finding for result, _ in results for finding in result.findings)),
            cut=np.concatenate([NO_ROWS, *(result.cut for result, _ in results)]),
            mismatched={
                key.path: rows for key, (_, rows) in zip(self.fixed, results, strict=True) if rows.size
            },
            paths={key.target.name: key.path for key in self.fixed},
        )

    def _put_back(self, column: pa.Array, taken: TakenKeys, staying: Sequence[_Mismatches]) -> None:
        """Leave mismatches in the documents where they were: read these documents again."""
        by_row: dict[int, set[tuple[str, ...]]] = {}
        for found in staying:
            for row in found.rows:
                by_row.setdefault(row, set()).add(found.key.parts)
        for row, kept in by_row.items():
            document = members(column[row].as_py().encode())
            for parts in {key.parts for key in self.fixed} | {key.parts for key in self.moved}:
                if parts not in kept:
                    remove(document, parts)
            taken.names.update(document)
            taken.rest[row] = to_json(document)

    def _in_place(self, staying: Sequence[_Mismatches], rows: int) -> DynamicObjects:
        """Return the mismatches under their own paths. Several may be members of the same object."""
        documents: dict[int, Members] = {}
        for found in staying:
            for row in found.rows:
                place(documents.setdefault(row, {}), found.key.parts, found.values[row])
        texts = [to_json(documents[row]) if row in documents else EMPTY_OBJECT for row in range(rows)]
        return DynamicObjects(self.name, texts, {found.key.parts[0] for found in staying})


@dataclass(frozen=True, slots=True)
class _Mismatches:
    """The values of a key that go into the dynamic field: those in ``rows``."""

    key: FixedKey
    values: Sequence[Any]
    rows: list[int]

    def renamed(self) -> DynamicObjects:
        """Return the values under ``mismatch_key``."""
        texts = [EMPTY_OBJECT] * len(self.values)
        for row in self.rows:
            texts[row] = to_json({self.key.mismatch_key: self.values[row]})
        return DynamicObjects(self.key.path, texts, {self.key.mismatch_key})


def _moved(key: MovedKey, values: Sequence[Any]) -> DynamicObjects:
    texts = [EMPTY_OBJECT if value is MISSING else to_json({key.key: value}) for value in values]
    return DynamicObjects(key.path, texts, {key.key})


def _null_at(values: pa.Array, rows: Rows) -> pa.Array:
    mask = np.zeros(len(values), np.bool_)
    mask[rows] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)
