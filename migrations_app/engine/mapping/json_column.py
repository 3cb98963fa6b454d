"""An opened column: keys of its JSON documents as fields, the rest in the dynamic field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.findings import NO_ROWS, Finding, Rows, found_at, named
from migrations_app.engine.mapping.checks.json_checks import check_json_text
from migrations_app.engine.mapping.columns import ColumnResult, Given, checked, without_null
from migrations_app.engine.mapping.dynamic_field import DynamicObjects
from migrations_app.engine.mapping.json_documents import (
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
from migrations_app.engine.mapping.values.convert import convert_values
from migrations_app.engine.mapping.values.truncate import truncate
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.target_schema import TargetField

_KINDS = {"[": "a list", '"': "a text", "t": "true", "f": "false"}


@dataclass(frozen=True, slots=True)
class MovedKey:
    """A key that goes into the dynamic field under the name ``key``, as it is."""

    path: str
    parts: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class FixedKey:
    """A key that becomes a field. ``fill`` replaces null and stands where the key is missing; ``cuts``: too
    long texts are cut.

    Values that do not fit stay in the dynamic field where ``keeps_misfits``: under the name ``misfit_key``,
    without one in their place. Else their rows are rejected.
    """

    path: str
    parts: tuple[str, ...]
    target: TargetField
    fill: Any = None
    cuts: bool = False
    keeps_misfits: bool = False
    misfit_key: str = ""

    def take(self, documents: Sequence[Members]) -> tuple[ColumnResult, Rows]:
        """The field, and the rows whose value it does not hold and the dynamic field is to keep."""
        values, cut_rows, found = self._made(documents)
        misfits = NO_ROWS
        if found and self.keeps_misfits:
            misfits = np.unique(np.concatenate([finding.rows for finding in found]))
            values, cut_rows, found = _null_at(values, misfits), np.setdiff1d(cut_rows, misfits), ()
        values, nulls = without_null(values, values, self.target, self.path, self.fill)
        return ColumnResult(
            {self.target.name: values}, (), named((*found, *nulls), self.path), cut=cut_rows
        ), misfits

    def misfits(self, documents: Sequence[Members]) -> tuple[Finding, ...]:
        """What the field cannot hold."""
        return self._made(documents)[2]

    def _made(self, documents: Sequence[Members]) -> tuple[pa.Array, Rows, tuple[Finding, ...]]:
        """The values, those that do not fit among them or NULL; which were cut; what does not fit."""
        spec = self.target.spec
        values, found = convert_values(
            [find(document, self.parts) for document in documents], spec, self.path
        )
        values, cut_rows = truncate(values, spec) if self.cuts else (values, NO_ROWS)
        return values, cut_rows, (*found, *checked(values, self.target, self.path))


@dataclass(frozen=True, slots=True)
class OpenedColumn:
    """A column of JSON objects. ``keeps_rest``: what is not made fixed goes into the dynamic field."""

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

    def take(self, given: Given, rows: int) -> ColumnResult:
        documents, found = opened(given[self.read], self.name)
        parts = [key.take(documents) for key in self.fixed]
        misfits = [rows for _, rows in parts]
        beside = tuple(self._beside(documents, misfits))
        rest: list[DynamicObjects] = []
        if self.keeps_rest:
            self._take_out(documents, misfits)
            rest.append(DynamicObjects(self.name, documents))
        return ColumnResult(
            {name: values for taken, _ in parts for name, values in taken.fields.items()},
            (*rest, *beside),
            (*found, *(finding for taken, _ in parts for finding in taken.findings)),
            cut=np.concatenate([NO_ROWS, *(taken.cut for taken, _ in parts)]),
        )

    def _beside(self, documents: Sequence[Members], misfits: Sequence[Rows]) -> Iterator[DynamicObjects]:
        """What goes into the dynamic field by itself, a key at a time."""
        for key in self.moved:
            values = [find(document, key.parts, MISSING) for document in documents]
            # A copy: another key may be taken out of it.
            yield DynamicObjects(key.path, [{} if v is MISSING else {key.key: copied(v)} for v in values])
        # Those without a name of their own may lie below one object.
        in_place: list[Members] = [{} for _ in documents]
        for fixed, rows in zip(self.fixed, misfits, strict=True):
            named_alone: list[Members] = [{} for _ in documents]
            for row in rows.tolist() if fixed.misfit_key or not self.keeps_rest else ():
                value = copied(find(documents[row], fixed.parts))
                if fixed.misfit_key:
                    named_alone[row][fixed.misfit_key] = value
                else:
                    place(in_place[row], fixed.parts, value)
            if any(named_alone):
                yield DynamicObjects(fixed.path, named_alone)
        if any(in_place):
            yield DynamicObjects(self.name, in_place)

    def _take_out(self, documents: Sequence[Members], misfits: Sequence[Rows]) -> None:
        """Leave the rest in ``documents``; misfits without a name of their own stay in their place."""
        for key in self.moved:
            for document in documents:
                remove(document, key.parts)
        for fixed, rows in zip(self.fixed, misfits, strict=True):
            staying = frozenset() if fixed.misfit_key else frozenset(rows.tolist())
            for row, document in enumerate(documents):
                if row not in staying:
                    remove(document, fixed.parts)


def opened(column: pa.Array, name: str) -> tuple[list[Members], tuple[Finding, ...]]:
    """The keys of each document, none where it is NULL, null or at fault; and those that are."""
    found = tuple(check_json_text(column, name, max_bytes=None))
    faulty = {row for finding in found for row in finding.rows.tolist()}
    odd: dict[str, dict[int, str]] = {"opened_not_object": {}, "json_too_deep": {}}
    documents: list[Members] = [{} for _ in range(len(column))]
    for row, text in enumerate(column.cast(pa.binary()).to_pylist()):
        if text is None or row in faulty or text.strip() == b"null":
            continue
        try:
            documents[row] = members(text)
        except TooDeep:
            odd["json_too_deep"][row] = f"“{name}” is nested more than {MAX_DEPTH} levels deep."
        except ValueError:
            reason = f"“{name}” is {_kind(text)}; only the keys of an object can be opened."
            odd["opened_not_object"][row] = reason
    return documents, (*found, *(found_at(reasons, code, name) for code, reasons in odd.items() if reasons))


def _kind(text: bytes) -> str:
    start = text.lstrip()[:1].decode(errors="replace")
    return _KINDS.get(start, "a number" if start.isdigit() or start == "-" else "no JSON")


def _null_at(values: pa.Array, rows: Rows) -> pa.Array:
    mask = np.zeros(len(values), np.bool_)
    mask[rows] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)
