"""Losses: how many of all rows the job would reject or skip, which field is the reason, and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.log import counted
from migrations_app.engine.model.limits import MAX_JSON_BYTES, MAX_LENGTH
from migrations_app.engine.model.plan import CollectionPlan, Options, share_left_out
from migrations_app.engine.model.row_tests import (
    DYNAMIC_TOO_LARGE,
    JSON_NOT_OBJECT,
    NULL_VECTOR,
    TYPE_MISMATCH,
    UNREADABLE,
    WRONG_DIMENSION,
    RowCounts,
    RowTest,
)
from migrations_app.engine.preflight.rules.keys import USE_AUTO_ID
from migrations_app.engine.preflight.rules.loss_fixes import loss_fixes
from migrations_app.engine.preflight.scans.absent_vectors import lacking_text
from migrations_app.engine.preflight.subject import FieldEntry, Subject

NO_ROW = "no_row_would_move"
LOST = "rows_lost"

_REASONS = {
    "null": "“{name}” is NULL",
    "null_key": "“{name}” is NULL",
    NULL_VECTOR: "the vector “{name}” is NULL",
    "too_long": "“{name}” is longer than {limit:,} bytes",
    "item_too_long": "an element of “{name}” is longer than {limit:,} bytes",
    "too_many_items": "“{name}” has more than {limit:,} elements",
    "null_item": "“{name}” has an element that is NULL",
    "json_too_large": "“{name}” is more than {limit:,} bytes of JSON",
    JSON_NOT_OBJECT: "“{name}” is a bare JSON value, and Milvus stores only objects and lists",
    "json_list": "“{name}” is a list, and this server stores only JSON objects",
    "json_null": "“{name}” is the JSON value null",
    "opened_not_object": "“{name}” is not a JSON object, so it has no keys",
    "not_finite": "“{name}” is NaN or infinite",
    "negative_value": "“{name}” has a negative value",
    "empty_sparse_vector": "“{name}” is an empty sparse vector",
    "index_too_large": "“{name}” has an index above 4,294,967,294, which Milvus does not take",
    TYPE_MISMATCH: "“{name}” does not fit its type",
    "json_number": "“{name}” has a number that is too large for a double",
    "json_surrogate": "“{name}” has half a surrogate pair",
    "json_too_deep": "“{name}” is nested too deeply",
    "dynamic_key_taken": "a key of “{name}” has the name of a field",
    DYNAMIC_TOO_LARGE: f"the dynamic field would hold more than {MAX_JSON_BYTES:,} bytes of JSON",
    UNREADABLE: "“{name}” cannot be read as {type}",
    WRONG_DIMENSION: "“{name}” does not have {limit:,} dimensions",
    "not_a_vector": "“{name}” is not a list of as many numbers as the vector has",
    "array_dimensions": "“{name}” has more than one dimension",
}


@dataclass(frozen=True, slots=True)
class Losses:
    """The rows that would not be moved. ``counts`` is None if they were not counted.

    ``looked`` says at which rows the check looked, and for what. ``lacking`` counts the rows that lack a
    vector among all rows, if that was asked apart.
    """

    subject: Subject
    counts: RowCounts | None
    looked: str = ""
    lacking: RowCounts | None = None

    def faults(self) -> Iterator[Fault]:
        """Yield a warning for each reason, or an error if no row would be moved."""
        counts = self.counts
        if counts is None or not counts.rows:
            return
        found = list(counts.lost)
        if found and counts.is_complete and counts.rejected + counts.skipped == counts.rows:
            yield self._nothing_left(counts, found)
        for test in found:
            # What is skipped by a rule of the plan has a note of its own (``absent_vectors``).
            if test.code != NULL_VECTOR:
                yield self._lost(counts, test)

    def lacking_vectors(self) -> Iterator[Fault]:
        """Yield the notes about rows that lack a vector (``absent_vectors``) as faults with their fixes."""
        counts = self.lacking or self.counts
        for test, number in counts.by_test.items() if counts else ():
            entry = self._entry(test)
            if test.code != NULL_VECTOR or entry is None or counts is None or not 0 < number < counts.rows:
                continue
            of, rule = f"{number:,} of {counts.rows:,} rows", self.subject.plan.absent_rule(entry.plan)
            fault = self._fault(test, LOST, lacking_text(of, number, [entry], rule), "warning")
            if fault.fixes:
                yield fault

    def notes(self, options: Options) -> Iterator[str]:
        """Yield the totals, and what they mean for the job."""
        counts = self.counts
        if counts is None or not counts.rows:
            return
        yield from self._kept(counts)
        lost = counts.rejected + counts.skipped
        is_refused = lost < counts.rows and not options.allows_left_out(lost, counts.rows)
        if is_refused and counts.is_complete and options.limit_rows is None:
            most = "" if counts.is_exact else "at most "
            yield (
                f"Only {most}{counts.rows - lost:,} of {_rows(counts)} would be moved, so the job would end "
                "Failed, unless “Maximum rejected and skipped rows in percent” (max_skipped) "
                "allows more. In the plan file, write "
                f"“options: {{max_skipped: {share_left_out(lost, counts.rows):g}}}”."
            )
        if not counts.rejected:
            return
        least = "" if counts.is_exact else "at least "
        reasons = [test.code for test in counts.lost]
        if len(reasons) > 1 and set(reasons) != {NULL_VECTOR}:
            skipped = f", and {counts.skipped:,} skipped" if counts.skipped else ""
            yield f"In total, {least}{counts.rejected:,} of {_rows(counts)} would be rejected{skipped}."
        max_rejected = options.max_rejected
        if max_rejected is not None and counts.rejected > max_rejected:
            most = counted(max_rejected, "rejected row")
            is_sure = counts.is_complete and counts.is_exact
            yield (
                f"The job stops after {most} (max_rejected), and {'' if is_sure else 'at least '}"
                f"{counts.rejected:,} would be rejected. To move the others, allow it. In the plan file, "
                f"write “options: {{max_rejected: {counts.rejected if is_sure else 'null'}}}”."
            )

    def _kept(self, counts: RowCounts) -> Iterator[str]:
        """Say how many values go into the dynamic field because they do not fit."""
        for test, number in counts.kept.items():
            entry = self._entry(test)
            kind = f" as {entry.spec}" if entry and entry.spec else ""
            yield (
                f"“{test.field}” does not fit{kind} in {number:,} of {_rows(counts)}: these values go into "
                "the dynamic field."
            )

    def _lost(self, counts: RowCounts, test: RowTest) -> Fault:
        number = f"{counts.by_test[test]:,} of {_rows(counts)}"
        # A row that is skipped as well is counted as skipped.
        result = "rejected or skipped" if counts.by_test[test] > counts.rejected else "rejected"
        message = f"{number} would be {result}: {self._reason(test)}."
        return self._fault(test, LOST, message, "warning")

    def _nothing_left(self, counts: RowCounts, found: Sequence[RowTest]) -> Fault:
        rows = "The only row" if counts.rows == 1 else f"Each of the {counts.rows:,} rows"
        reasons = "; ".join(
            f"{self._reason(test)} ({counted(counts.by_test[test], 'row')})" for test in found[:3]
        )
        message = f"{rows} would be rejected or skipped, so nothing would be moved: {reasons}."
        return self._fault(found[0], NO_ROW, message, "error")

    def _fault(self, test: RowTest, code: str, message: str, severity: Literal["error", "warning"]) -> Fault:
        entry = self._entry(test)
        if test.code == DYNAMIC_TOO_LARGE:
            hint = "Move large fields out of the dynamic field, or leave them out."
            drop = (Fix("Leave the other keys out", "rest", "drop"),) if test.opened else ()
            fault = self.subject.fault("rest", code, message, hint, *drop)
        elif entry is None and test.code == "opened_not_object":
            hint = f"Do not open “{test.field}”, and move it as a whole."
            fault = self.subject.fault("open", code, message, hint)
        elif entry is None:
            option = "key_max_length" if test.code == "too_long" else "key"
            limit = self.subject.plan.key_max_length or MAX_LENGTH
            raised = Fix(f"Raise to {MAX_LENGTH:,}", option, str(MAX_LENGTH))
            others = [raised] if test.code == "too_long" and limit < MAX_LENGTH else []
            fault = self.subject.fault(option, code, message, "", *others, USE_AUTO_ID)
        else:
            fixes = loss_fixes(test, entry, self.subject)
            hint = "" if fixes else "Change the values in the source, or move other rows."
            fault = entry.fault(_OPTIONS.get(test.code, ""), code, message, hint, *fixes)
        return replace(fault, severity=severity)

    def _reason(self, test: RowTest) -> str:
        entry = self._entry(test)
        first = entry.source.choices[0].spec.type if entry and entry.source else None
        if test.code == WRONG_DIMENSION and first is not None and not first.is_vector:
            return f"“{test.field}” is not a list of {test.limit or 0:,} numbers"
        return reason_of(test)

    def _entry(self, test: RowTest) -> FieldEntry | None:
        is_single = len(test.columns) == 1 and not test.path
        names = {test.field, *(column.path for column in test.columns if is_single)}
        return next((e for e in self.subject.entries() if e.plan.source in names), None)


def _rows(counts: RowCounts) -> str:
    """Return the rows that were counted, as a part of a sentence."""
    if counts.is_complete:
        return counted(counts.rows, "row")
    return "the first row" if counts.rows == 1 else f"the first {counts.rows:,} rows"


def is_counted(fault: Fault, plan: CollectionPlan, counts: RowCounts) -> bool:
    """True if ``fault`` warns of rejected rows because of the sample: after all rows were counted, their
    number says it."""
    if fault.code == "sample_misfit":
        codes = (TYPE_MISMATCH, JSON_NOT_OBJECT)
        return any(test.code in codes and test.field == fault.field for test in counts.by_test)
    if fault.code != "limit_too_small":
        return False
    field = next((f for f in plan.fields or () if f.source == fault.field), None)
    return field is None or field.too_long == "reject"


# The option of the plan that decides about such values.
_OPTIONS = {
    "too_long": "max_length",
    "item_too_long": "max_length",
    "too_many_items": "max_capacity",
    "null": "nullable",
    NULL_VECTOR: "absent",
}


def reason_of(test: RowTest) -> str:
    """Return the reason of a test as a part of a sentence."""
    kind = test.columns[0].spec if test.columns else ""
    reason = _REASONS.get(test.code, "“{name}” cannot be stored")
    return reason.format(name=test.field, limit=test.limit or 0, type=kind)
