"""Key scan: checks that need the rows of the source. Is the key NULL, is it unique, do filters find it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from migrations_app.engine.errors import SourceError
from migrations_app.engine.faults import Fault
from migrations_app.engine.log import counted
from migrations_app.engine.model.limits import MAX_INT64, MIN_INT64
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.type_choices import is_declared_unique
from migrations_app.engine.preflight.rules.keys import USE_AUTO_ID, check_key
from migrations_app.engine.preflight.subject import Subject
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.measure import measure
from migrations_app.engine.sources.base import MeasureRequest, Source
from migrations_app.engine.verification.duplicate_keys import key_rows


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The result of the scan. ``is_unique``: the source declares the key unique, or Auto ID generates it.

    If not, ``duplicates`` is the number of rows minus the number of different keys, or None if they could not
    be counted.
    """

    is_unique: bool = True
    duplicates: int | None = None
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


def scan_key(subject: Subject, source: Source, ctx: ReadContext, nulls: Mapping[str, int]) -> KeyFacts:
    """Scan the key. ``nulls`` are the NULLs in the columns of ``nullable_key``, if they could be counted.

    Raises the errors of the source's ``measure``, except if it cannot count duplicates.
    """
    plan = subject.plan
    if plan.is_auto_id:
        return KeyFacts()
    if any(check_key(subject)) or not _has_type(subject):
        return KeyFacts(is_unique=False)
    is_unique = is_declared_unique(subject.schema, plan.key_columns)
    nullable, extreme = nullable_key(subject), _may_be_extreme(subject)
    if faults := tuple(_nulls(subject, {name: nulls[name] for name in nullable if name in nulls})):
        return KeyFacts(is_unique, faults=faults)
    notes: tuple[str, ...] = tuple(_nulls_unknown(name) for name in nullable if name not in nulls)
    if extreme:
        wanted = MeasureRequest(extremes_of=extreme)
        measured = measure(source, plan, wanted, ctx, subject.schema.rows_estimate)
        notes = (*notes, *_unfindable(subject, measured.extremes))
    if is_unique:
        return KeyFacts(notes=notes)
    duplicates, reason = _count_duplicates(subject, source, ctx)
    return KeyFacts(False, duplicates, notes=(_not_unique(subject, duplicates, reason), *notes))


def _count_duplicates(subject: Subject, source: Source, ctx: ReadContext) -> tuple[int | None, str]:
    """Return the duplicates, or None and the reason if the source cannot count them."""
    rows = key_rows(subject.plan, key_per_partition=subject.capabilities.key_per_partition)
    try:
        wanted = MeasureRequest(duplicates_of=rows)
        return measure(source, subject.plan, wanted, ctx, subject.schema.rows_estimate).duplicates, ""
    except SourceError as error:
        if error.retryable:
            raise
        return None, f" Such rows could not be counted: {error.message}"


def _has_type(subject: Subject) -> bool:
    return subject.plan.is_joined or all(e.spec for e in subject.fixed() if subject.is_key(e))


def nullable_key(subject: Subject) -> tuple[str, ...]:
    """Return the columns of the key that may be NULL; none if the key itself has a fault."""
    if any(check_key(subject)) or not _has_type(subject):
        return ()
    columns = (subject.schema.field(name) for name in subject.plan.key_columns)
    return tuple(column.name for column in columns if column and column.nullable)


def _may_be_extreme(subject: Subject) -> tuple[str, ...]:
    """Return the key if its type has values that the filters of the target do not find."""
    keys = [entry for entry in subject.fixed() if subject.is_key(entry) and entry.source]
    # A smaller integer becomes INT64 as a key, but has no such values.
    wide = [e for e in keys if e.spec and e.source and e.spec.type in {c.spec.type for c in e.source.choices}]
    is_wide = any(entry.spec and entry.spec.type is MilvusType.INT64 for entry in wide)
    return subject.plan.key_columns if is_wide and not subject.capabilities.filters_find_int64_limits else ()


def _nulls(subject: Subject, nulls: Mapping[str, int]) -> Iterator[Fault]:
    for name, number in nulls.items():
        if number:
            key = f"The key field “{name}”" if subject.plan.is_joined else f"The key “{name}”"
            message = f"{key} is NULL in {counted(number, 'row')}."
            hint = "A key must not be NULL. Use Auto ID."
            yield subject.fault("key", "key_null", message, hint, USE_AUTO_ID)


def _nulls_unknown(name: str) -> str:
    return f"The source cannot count the rows in which the key “{name}” is NULL. Such rows will be rejected."


def _unfindable(subject: Subject, ends: Mapping[str, tuple[int, int] | None]) -> Iterator[str]:
    """Yield a note for each limit of INT64 that is a key. Milvus 2.3.5 stores and counts such a key, but its
    filters do not find it (seen in tests)."""
    for name, extremes in ends.items():
        least, most = extremes or (0, 0)
        if most == MAX_INT64:
            yield (
                f"“{name}” contains {MAX_INT64}: {subject.capabilities} stores and counts a row with this "
                "key, but no query returns it."
            )
        if least == MIN_INT64:
            yield (
                f"“{name}” contains {MIN_INT64}, which cannot be written in a filter of "
                f"{subject.capabilities}; “{name} < {MIN_INT64 + 1}” finds the row."
            )


def _not_unique(subject: Subject, duplicates: int | None, reason: str) -> str:
    names = " and ".join(f"“{name}”" for name in subject.plan.key_columns)
    not_declared = f"The source does not declare {names} unique"
    if duplicates is None:
        return (
            f"{not_declared}. If several rows have the same key, only one of them will be in the target, "
            f"usually the last one read.{reason}"
        )
    if duplicates == 0:
        return f"{not_declared}, but at the moment no two rows have the same key."
    rows = counted(duplicates, "row")
    return f"{not_declared}: {rows} will be replaced by others with the same key, usually the last one read."
