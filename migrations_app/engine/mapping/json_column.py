"""Opened column: some keys of its JSON documents become fields, the rest go into the dynamic field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.findings import NO_ROWS, Finding, Rows, finding_of, with_field
from migrations_app.engine.mapping.checks.json_checks import check_json_text
from migrations_app.engine.mapping.columns import ColumnResult, SourceColumns, check_values, replace_nulls
from migrations_app.engine.mapping.dynamic_field import DynamicObjects
from migrations_app.engine.mapping.values.convert import convert_values
from migrations_app.engine.mapping.values.truncate import truncate
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.json.documents import (
    MAX_DEPTH,
    MISSING,
    Members,
    TooDeep,
    copied,
    find,
    members,
    place,
    remove,
)
from migrations_app.engine.model.target_schema import TargetField

_KINDS = {"[": "a list", '"': "text", "t": "true", "f": "false"}


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

    def map_documents(self, documents: Sequence[Members]) -> tuple[ColumnResult, Rows]:
        """Return the field, and the rows whose value goes into the dynamic field instead."""
        values, cut_rows, findings = self._convert(documents)
        mismatched = NO_ROWS
        if findings and self.keeps_mismatches:
            mismatched = np.unique(np.concatenate([finding.rows for finding in findings]))
            values, findings = _null_at(values, mismatched), ()
            cut_rows = np.setdiff1d(cut_rows, mismatched)
        values, null_findings = replace_nulls(values, values, self.target, self.path, self.fill)
        findings = with_field((*findings, *null_findings), self.path)
        return ColumnResult({self.target.name: values}, (), findings, cut=cut_rows), mismatched

    def mismatches(self, documents: Sequence[Members]) -> tuple[Finding, ...]:
        """Return findings for the values that the field cannot hold."""
        return self._convert(documents)[2]

    def _convert(self, documents: Sequence[Members]) -> tuple[pa.Array, Rows, tuple[Finding, ...]]:
        """Return the values, the rows with a truncated text, and findings for values that do not fit.

        Values of another type are NULL; values that break another rule of the field stay in.
        """
        spec = self.target.spec
        values, findings = convert_values(
            [find(document, self.parts) for document in documents], spec, self.path
        )
        values, cut_rows = truncate(values, spec) if self.truncates else (values, NO_ROWS)
        return values, cut_rows, (*findings, *check_values(values, self.target, self.path))


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
        documents, findings = read_documents(columns[self.read], self.name)
        parts = [key.map_documents(documents) for key in self.fixed]
        mismatched = [rows for _, rows in parts]
        single_keys = tuple(self._single_keys(documents, mismatched))
        rest: list[DynamicObjects] = []
        if self.keeps_rest:
            self._remove_mapped_keys(documents, mismatched)
            rest.append(DynamicObjects(self.name, documents))
        return ColumnResult(
            {name: values for result, _ in parts for name, values in result.fields.items()},
            (*rest, *single_keys),
            (*findings, *(finding for result, _ in parts for finding in result.findings)),
            cut=np.concatenate([NO_ROWS, *(result.cut for result, _ in parts)]),
        )

    def _single_keys(
        self, documents: Sequence[Members], mismatched: Sequence[Rows]
    ) -> Iterator[DynamicObjects]:
        """Yield what goes into the dynamic field separately from the rest: moved keys and mismatches."""
        for key in self.moved:
            values = [find(document, key.parts, MISSING) for document in documents]
            # A copy, because another key may be removed from the original.
            yield DynamicObjects(key.path, [{} if v is MISSING else {key.key: copied(v)} for v in values])
        # Values without a ``mismatch_key`` may be members of the same object, so they are collected first.
        in_place: list[Members] = [{} for _ in documents]
        for fixed, rows in zip(self.fixed, mismatched, strict=True):
            renamed: list[Members] = [{} for _ in documents]
            for row in rows.tolist() if fixed.mismatch_key or not self.keeps_rest else ():
                value = copied(find(documents[row], fixed.parts))
                if fixed.mismatch_key:
                    renamed[row][fixed.mismatch_key] = value
                else:
                    place(in_place[row], fixed.parts, value)
            if any(renamed):
                yield DynamicObjects(fixed.path, renamed)
        if any(in_place):
            yield DynamicObjects(self.name, in_place)

    def _remove_mapped_keys(self, documents: Sequence[Members], mismatched: Sequence[Rows]) -> None:
        """Leave only the rest in ``documents``. Mismatches without a ``mismatch_key`` stay where they are."""
        for key in self.moved:
            for document in documents:
                remove(document, key.parts)
        for fixed, rows in zip(self.fixed, mismatched, strict=True):
            staying = frozenset() if fixed.mismatch_key else frozenset(rows.tolist())
            for row, document in enumerate(documents):
                if row not in staying:
                    remove(document, fixed.parts)


def read_documents(column: pa.Array, name: str) -> tuple[list[Members], tuple[Finding, ...]]:
    """Return the keys of each document, and findings for the documents that cannot be read.

    A document that is NULL, null or cannot be read has no keys.
    """
    findings = tuple(check_json_text(column, name, max_bytes=None))
    bad_rows = {row for finding in findings for row in finding.rows.tolist()}
    reasons_by_code: dict[str, dict[int, str]] = {"opened_not_object": {}, "json_too_deep": {}}
    documents: list[Members] = [{} for _ in range(len(column))]
    for row, text in enumerate(column.cast(pa.binary()).to_pylist()):
        if text is None or row in bad_rows or text.strip() == b"null":
            continue
        try:
            documents[row] = members(text)
        except TooDeep:
            reason = f"“{name}” is nested more than {MAX_DEPTH} levels deep."
            reasons_by_code["json_too_deep"][row] = reason
        except ValueError:
            reason = f"“{name}” is {_kind(text)}; only the keys of an object can be opened."
            reasons_by_code["opened_not_object"][row] = reason
    unreadable = (finding_of(reasons, code, name) for code, reasons in reasons_by_code.items() if reasons)
    return documents, (*findings, *unreadable)


def _kind(text: bytes) -> str:
    start = text.lstrip()[:1].decode(errors="replace")
    return _KINDS.get(start, "a number" if start.isdigit() or start == "-" else "not JSON")


def _null_at(values: pa.Array, rows: Rows) -> pa.Array:
    mask = np.zeros(len(values), np.bool_)
    mask[rows] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)
