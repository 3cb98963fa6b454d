"""Row scan: checks that need the rows of the source. Are there any, how long are vectors, what is NULL?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.log import counted
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.preflight.rules.types import LEAVE_OUT, has_dim
from migrations_app.engine.preflight.scans.absent_vectors import absent_vectors
from migrations_app.engine.preflight.scans.all_rows import ScanBudget, scan_all_rows
from migrations_app.engine.preflight.scans.key_rows import nullable_key, scan_key
from migrations_app.engine.preflight.scans.losses import Losses
from migrations_app.engine.preflight.subject import FieldEntry, Subject
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.measure import measure
from migrations_app.engine.sources.base import MeasureRequest, Measures, Source

# For at most this number of dimensions, it is offered to move only their rows.
OFFERED_DIMS = 4


@dataclass(frozen=True, slots=True)
class RowFacts:
    """The result of the scan. ``dims``: the dimension of each measured vector field, by source name.

    ``key_is_unique`` and ``duplicates``: see ``KeyFacts``. ``losses``: the rows that would not be moved; None
    if they were not asked for.
    """

    dims: Mapping[str, int]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    key_is_unique: bool = False
    duplicates: int | None = None
    losses: Losses | None = None


def scan_rows(
    subject: Subject, source: Source, ctx: ReadContext, existing: TargetSchema | None, budget: ScanBudget
) -> RowFacts:
    """Scan the rows. Raises the errors of the source's ``has_rows`` and ``measure``.

    ``existing``: the collection to which the rows are added.
    """
    ref = subject.plan.ref
    if not source.has_rows(ref, ctx):
        selected = " that match “select”" if subject.plan.select else ""
        message = f"“{subject.plan.source}” has no rows{selected}."
        if hidden := subject.schema.hidden_rows:
            message = f"“{subject.plan.source}” shows no rows{selected}. {hidden.sentence}"
            return RowFacts({}, (subject.fault("source", "rows_hidden", message, hidden.hint),))
        return RowFacts({}, (subject.fault("source", "no_rows", message, "There is nothing to move."),))
    vectors = [e for e in subject.fixed() if e.is_vector and e.source and not e.is_key_of_document]
    undeclared = [e for e in vectors if _is_undeclared(e)]
    measured = Measures()
    if undeclared:
        wanted = MeasureRequest(_names(undeclared))
        measured = measure(source, subject.plan, wanted, ctx, subject.schema.rows_estimate)
    faults = [
        fault
        for entry in undeclared
        for fault in _mixed(
            entry,
            measured.dims.get(_name(entry), {}),
            partial(source.selection_of_dim, ref, _name(entry), ctx=ctx),
        )
    ]
    dims = {name: next(iter(found)) for name, found in measured.dims.items() if len(found) == 1}
    absent = absent_vectors(subject, vectors)
    completed = with_dims(subject.plan, dims)
    scan = scan_all_rows(
        Subject(completed, subject.schema, subject.capabilities, existing),
        MeasureRequest(nulls_of=nullable_key(subject), absent_of=absent.groups),
        source,
        ctx,
        budget,
        is_faulty=bool(faults),
    )
    key = scan_key(subject, source, ctx, scan.measured.nulls)
    faults += absent.faults(scan.measured)
    faults += key.faults
    if not faults:
        faults += scan.losses.faults()
    notes = (*absent.notes(scan.measured), *key.notes)
    return RowFacts(dims, tuple(faults), notes, key.is_unique, key.duplicates, scan.losses)


def with_dims(collection: CollectionPlan, dims: Mapping[str, int]) -> CollectionPlan:
    """Return ``collection`` with the measured dimensions, for the fields whose plan has none."""
    if collection.fields is None or not dims:
        return collection
    return collection.model_copy(update={"fields": [_with_dim(field, dims) for field in collection.fields]})


def _with_dim(field: FieldPlan, dims: Mapping[str, int]) -> FieldPlan:
    dim = dims.get(field.source or "")
    return field if dim is None or field.dim is not None else field.model_copy(update={"dim": dim})


def _mixed(
    entry: FieldEntry, found: Mapping[int, int], selection_of: Callable[[int], dict[str, Any] | None]
) -> Iterator[Fault]:
    dims = sorted(found)
    if len(dims) > 1:
        shown = ", ".join(f"{dim:,} ({counted(found[dim], 'row')})" for dim in dims[:5])
        more = f" and {len(dims) - 5:,} more" if len(dims) > 5 else ""
        message = f"“{entry.name}” has vectors with {len(dims):,} different dimensions: {shown}{more}."
        hint = "A Milvus field has one dimension: leave the field out, or fix the rows in the source."
        fixes = tuple(_only(found, selection_of))
        if fixes:
            hint = (
                "A Milvus field has one dimension: leave the field out, or move the rows with each dimension "
                "in a migration of their own."
            )
        yield entry.fault("dim", "mixed_dimensions", message, hint, *fixes, LEAVE_OUT)
    elif dims and entry.plan.dim not in (None, dims[0]):
        message = f"The vectors of “{entry.name}” have {dims[0]:,} dimensions, not {entry.plan.dim:,}."
        yield entry.fault("dim", "dim_differs", message, f"Write dim: {dims[0]}.")


def _only(found: Mapping[int, int], selection_of: Callable[[int], dict[str, Any] | None]) -> Iterator[Fix]:
    """Yield a fix for each of the most frequent dimensions, if the source can select its rows."""
    for dim in sorted(found, key=lambda dim: -found[dim])[:OFFERED_DIMS]:
        selection = selection_of(dim)
        if selection is not None:
            label = f"Move only the {counted(found[dim], 'row')} with {dim:,} dimensions"
            yield Fix(label, "select", json.dumps(selection, ensure_ascii=False))


def _is_undeclared(entry: FieldEntry) -> bool:
    spec = entry.spec
    if spec is None or not has_dim(spec) or entry.source is None:
        return False
    dims = [choice.spec.dim for choice in entry.source.choices if choice.spec.type is spec.type]
    return bool(dims) and not any(dims)


def _name(entry: FieldEntry) -> str:
    return entry.plan.source or ""


def _names(entries: list[FieldEntry]) -> tuple[str, ...]:
    return tuple(_name(entry) for entry in entries)
