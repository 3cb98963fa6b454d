"""Scan of absent vectors: how many rows lack a vector that the plan requires, and what happens to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.preflight.rules.nulls import absent_fixes
from migrations_app.engine.preflight.rules.types import LEAVE_OUT
from migrations_app.engine.preflight.subject import FieldEntry, Subject
from migrations_app.engine.sources.base import Measures

Group = tuple[str, ...]
RESULTS = {"skip": "skipped", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class AbsentVectors:
    """The vectors whose absence removes a row: ``skipped`` and ``rejected``, by their rule.

    A row that lacks one of each is skipped.
    """

    subject: Subject
    skipped: tuple[FieldEntry, ...]
    rejected: tuple[FieldEntry, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of fields to measure: each vector, those to skip, and all of them."""
        singles = ((_name(entry),) for entry in self._entries)
        groups = (*singles, _group(self.skipped), _group(self._entries))
        return tuple(dict.fromkeys(group for group in groups if group))

    @property
    def _entries(self) -> tuple[FieldEntry, ...]:
        return (*self.skipped, *self.rejected)

    def notes(self, measured: Measures) -> Iterator[str]:
        """Say how many rows will be skipped and rejected, or that this is not known."""
        rows, absent = measured.rows, measured.absent
        if rows is None or not set(self.groups) <= absent.keys():
            for entries, result in ((self.skipped, "skipped"), (self.rejected, "rejected")):
                if entries:
                    names = _listed(entries)
                    yield f"The source cannot count the rows that lack {names}. Such rows will be {result}."
            return
        skipped = absent.get(_group(self.skipped), 0)
        rejected = absent.get(_group(self._entries), 0) - skipped
        if skipped:
            yield lacking_text(
                f"{skipped:,} of {rows:,} rows", skipped, _lacking(self.skipped, measured), "skip"
            )
        if rejected:
            number = f"Of the other rows, {rejected:,}" if skipped else f"{rejected:,} of {rows:,} rows"
            yield lacking_text(number, rejected, _lacking(self.rejected, measured), "reject")

    def faults(self, measured: Measures) -> Iterator[Fault]:
        """Refuse a plan that would move no row."""
        rows, absent = measured.rows, measured.absent
        if not rows or absent.get(_group(self._entries)) != rows:
            return
        worst = max(self._entries, key=lambda entry: absent[_name(entry),])
        names = _lacking(self._entries, measured)
        message = f"All {rows:,} rows lack {_listed(names)}, so none of them would be moved."
        if rows == 1:
            message = f"The only row lacks {_listed(names)}, so it would not be moved."
        hint = f"Leave “{worst.name}” out: {absent[_name(worst),]:,} of the rows lack it."
        fixes: tuple[Fix, ...] = (LEAVE_OUT,)
        if not any(entry.is_vector and entry != worst for entry in self.subject.fixed()):
            hint, fixes = "Choose another vector field, or other rows.", ()
        yield worst.fault(
            "absent", "no_row_has_vectors", message, hint, *fixes, *absent_fixes(worst, self.subject)
        )


def absent_vectors(subject: Subject, vectors: Sequence[FieldEntry]) -> AbsentVectors:
    """Return those of ``vectors`` that may be NULL and whose rule is to skip or to reject such rows."""
    nullable = [entry for entry in vectors if entry.source is not None and entry.source.nullable]
    rules = {entry.number: subject.plan.absent_rule(entry.plan) for entry in nullable}
    return AbsentVectors(
        subject,
        tuple(entry for entry in nullable if rules[entry.number] == "skip"),
        tuple(entry for entry in nullable if rules[entry.number] == "reject"),
    )


def lacking_text(rows: str, number: int, entries: Sequence[FieldEntry], rule: str) -> str:
    """Return the sentence about rows that lack one of ``entries``; ``rule``: skip or reject."""
    lack = "lacks" if number == 1 else "lack"
    return f"{rows} {lack} {_listed(entries)} and will be {RESULTS[rule]}."


def _lacking(entries: Sequence[FieldEntry], measured: Measures) -> list[FieldEntry]:
    """Return the vectors that at least one row lacks."""
    return [entry for entry in entries if measured.absent.get((_name(entry),), 1)]


def _listed(entries: Sequence[FieldEntry]) -> str:
    return " or ".join(f"“{entry.name}”" for entry in entries)


def _name(entry: FieldEntry) -> str:
    return entry.plan.source or ""


def _group(entries: Sequence[FieldEntry]) -> Group:
    return tuple(map(_name, entries))
