"""Verdict of a job: compares the row counts at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from migrations_app.engine.log import counted
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.verification.duplicate_keys import Replaced, replaced

READ_CHECK, TARGET_CHECK = "rows_read", "rows_in_target"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison. ``passed`` is None if it could not be made; ``message`` is the reason."""

    check: str
    expected: int | None
    found: int | None
    passed: bool | None
    message: str


@dataclass(frozen=True, slots=True)
class KeyCheckCounts:
    """How many of the sent keys were looked for in the target, and how many were found.

    ``reason``: why not all keys were looked for.
    """

    asked: int = 0
    found: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``verified``: True, False (an unexplained difference), or None (not checkable).

    ``explained``: verified, but the target does not have every row of the source, or the source has changed.
    """

    verified: bool | None
    explained: bool
    checks: tuple[Check, ...]
    message: str

    def checks_as_dicts(self) -> list[dict[str, Any]]:
        """Return the checks as the JSON of a report."""
        return [asdict(check) for check in self.checks]


def judge(
    counters: Counters,
    *,
    source_before: int | None,
    source_after: int | None,
    source_is_exact: bool = True,
    target_after: int | None,
    target_before: int | None = 0,
    keys: KeyCheckCounts | None = None,
    limit: int | None = None,
    duplicates: Sequence[int] | None = (),
    reason: str = "",
    more: Sequence[Check] = (),
) -> Verdict:
    """Compare the rows read with the rows of the source, and the rows sent with the rows of the target.

    A count is None if it is not known; ``reason`` is why the target was not counted. If the source's counts
    are unknown or not exact (``source_is_exact``), they prove nothing: the rows read, sent and in the target
    do. ``duplicates``: the rows of the source minus its different keys, counted before the move and sometimes
    again after it; empty if the source declares its key unique, None if they are not known. ``limit``: the
    plan asks for only the first so many rows. ``keys``: the result of the key check, if rows may have
    replaced rows that were in the target before. ``more``: checks that were already made.
    """
    added = None if target_after is None or target_before is None else target_after - target_before
    in_source = counters.read if source_before is None else source_before
    equal = replaced(counters, duplicates, in_source) if duplicates else Replaced()
    target_check = _target_check(counters, added, None if duplicates is None else equal, keys, reason)
    is_comparable = source_is_exact and source_before is not None
    if is_comparable:
        source_check = _source_check(counters.read, source_before, source_after, limit)
    else:
        source_check = _inexact_check(counters.read, source_before)
    checks = (source_check, target_check, *more)
    # Without an exact count of the source the other checks decide, unless nothing was read at all.
    deciding = checks if is_comparable or (counters.read == 0 and source_before) else checks[1:]
    passed = {check.passed for check in deciding}
    verified = False if False in passed else None if None in passed else True
    if verified is True:
        wanted = [_wanted(count, limit) for count in (source_before, source_after)]
        has_replaced = target_check.found != target_check.expected
        has_changed = is_comparable and wanted[0] != wanted[1]
        explained = _sent(counters) < counters.read or has_replaced or has_changed
        message = target_check.message if has_replaced else _all_arrived(counters, limit)
        if not is_comparable:
            message = f"{message} {source_check.message}"
        return Verdict(verified, explained, checks, message)
    worst = next(check for check in checks if check.passed is verified)
    return Verdict(verified, explained=False, checks=checks, message=worst.message)


def _source_check(read: int, before: int | None, after: int | None, limit: int | None) -> Check:
    """If the source changes meanwhile, a read may return any number of rows between the two counts. A source
    that is empty afterwards explains nothing: then the count before the job must have been read."""
    known = [count for count in (before, after) if count is not None]
    wanted = [_wanted(count, limit) or 0 for count in known]
    if after == 0 and before:
        wanted = wanted[:1]
    passed = min(wanted) <= read <= max(wanted)
    in_source = f"{known[0]:,}"
    if len(set(known)) > 1:
        in_source = f"{before:,} before and {after:,} after the job"
    limited = f", and the plan asks for the first {limit:,}" if limit is not None else ""
    message = f"{counted(read, 'row')} read; the source had {in_source}{limited}."
    return Check(READ_CHECK, wanted[0], read, passed, message)


def _inexact_check(read: int, before: int | None) -> Check:
    if before is None:
        message = "The source cannot count its rows, so the rows read were not compared with it."
    else:
        message = f"The source's count ({before:,}) is not exact, so the rows read were not compared with it."
    return Check(READ_CHECK, None, read, None, message)


def _wanted(count: int | None, limit: int | None) -> int | None:
    return count if count is None or limit is None else min(count, limit)


def _target_check(
    counters: Counters, added: int | None, equal: Replaced | None, keys: KeyCheckCounts | None, reason: str
) -> Check:
    """``equal`` is None if it is not known how many rows have the key of another row."""
    sent = _sent(counters)
    if added is None:
        return Check(TARGET_CHECK, sent, None, None, reason or "The rows of the target were not counted.")
    passed: bool | None
    knows_keys = keys is not None and keys.asked == sent + counters.collapsed
    is_explained = equal is not None and equal.explains(sent - added)
    if keys is not None and knows_keys and keys.found > keys.asked:
        # If the source has equal keys, they may correctly be in several partitions.
        passed, message = (None if equal is None or equal.most else False), _keys_twice(keys)
    elif keys is not None and added < sent and (knows_keys or not is_explained):
        passed, message = _by_keys(counters, added, keys)
    elif equal is None and added < sent:
        passed, message = None, _duplicates_unknown(counters, added)
    else:
        passed, message = _by_duplicates(counters, added, equal or Replaced())
    return Check(TARGET_CHECK, sent, added, passed, message)


def _by_duplicates(counters: Counters, added: int, equal: Replaced) -> tuple[bool | None, str]:
    """Return the result and the message if equal keys may explain missing rows."""
    sent = _sent(counters)
    missing = sent - added
    if not equal.explains(missing) and equal.most:
        most, least = sent - equal.least, sent - equal.most
        expected = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        replaced_rows = f", {equal} of them replaced by others with the same key"
        return False, f"{_sent_and_new(counters, added, replaced_rows)}, not {expected}."
    if not equal.explains(missing) or missing <= 0:
        return equal.explains(missing), f"{_sent_and_new(counters, added)}."
    if equal.least == equal.most:
        replaced_rows = f", {missing:,} of them replaced by others with the same key"
        return True, f"{_sent_and_new(counters, added, replaced_rows)}."
    counts = (
        f"{_sent_and_new(counters, added)}. Rows with equal keys may have replaced {equal} of the sent rows"
    )
    if equal.unread:
        return None, f"{counts}, but not all rows of the source were read, so rows may also have been lost."
    return True, f"{counts}, which explains the difference of {missing:,}."


def _duplicates_unknown(counters: Counters, added: int) -> str:
    return (
        f"{_sent_and_new(counters, added)}. The source does not declare its key unique, and rows with equal "
        "keys replace each other. So the other rows may have been replaced, or they may be lost."
    )


def _by_keys(counters: Counters, added: int, keys: KeyCheckCounts) -> tuple[bool | None, str]:
    """Return the result and the message if rows are missing and the keys were looked for in the target."""
    counts = _sent_and_new(counters, added)
    rows = _sent(counters) + counters.collapsed
    if keys.asked != rows:
        reason = keys.reason or "the source was changed meanwhile"
        unknown = "It is not known if the other rows replaced rows with the same keys"
        return None, f"{counts}. {unknown}: {reason}."
    if keys.found != rows:
        return False, f"{counts}, and only {keys.found:,} of the {counted(rows, 'sent key')}."
    return True, f"{counts}. The others replaced rows with the same keys: the target has every key."


def _keys_twice(keys: KeyCheckCounts) -> str:
    return (
        f"{counted(keys.asked, 'key')} sent; the target has {counted(keys.found, 'row')} with these keys. "
        "A key that was in another partition before is now in the target twice: delete the older row, or "
        "replace the collection."
    )


def _sent_and_new(counters: Counters, added: int, replaced_rows: str = "") -> str:
    sent = f"{counted(_sent(counters), 'row')} sent{_left_out(counters)}{replaced_rows}"
    return f"{sent}; the target has {counted(added, 'new row')}"


def _sent(counters: Counters) -> int:
    return counters.read - counters.rejected - counters.skipped - counters.collapsed


def _left_out(counters: Counters) -> str:
    parts = {"rejected": counters.rejected, "skipped": counters.skipped, "collapsed": counters.collapsed}
    listed = ", ".join(f"{number:,} {name}" for name, number in parts.items() if number)
    return f" ({counters.read:,} read, {listed})" if listed else ""


def _all_arrived(counters: Counters, limit: int | None) -> str:
    left_out = _left_out(counters)
    rows = counted(_sent(counters), "row")
    limited = " that the plan asks for" if limit is not None else ""
    return f"{rows if left_out else f'All {rows}{limited}'} arrived{left_out}."
