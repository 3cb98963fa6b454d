"""What the counts at the end of a job prove."""

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
    """One comparison. ``passed`` is None where it could not be made, as ``message`` says."""

    check: str
    expected: int | None
    found: int | None
    passed: bool | None
    message: str


@dataclass(frozen=True, slots=True)
class KeyCheckCounts:
    """How many of the keys that were sent were looked for in the target, and found; ``reason`` says why fewer
    than all were looked for."""

    asked: int = 0
    found: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``verified``: True, False (an unexplained difference), or None (not checkable).

    ``explained``: verified, but not each row of the source is in the target, or it changed meanwhile.
    """

    verified: bool | None
    explained: bool
    checks: tuple[Check, ...]
    message: str

    def checks_as_dicts(self) -> list[dict[str, Any]]:
        """The checks as a report's JSON."""
        return [asdict(check) for check in self.checks]


def judge(
    counters: Counters,
    *,
    source_before: int | None,
    source_after: int | None,
    target_after: int | None,
    target_before: int | None = 0,
    keys: KeyCheckCounts | None = None,
    limit: int | None = None,
    duplicates: Sequence[int] | None = (),
    reason: str = "",
    more: Sequence[Check] = (),
) -> Verdict:
    """Compare what was read with what the source held, and what was sent with what the target holds.

    A count that nobody has is None; ``reason`` then says why the target's is missing. ``duplicates`` are the
    source's rows minus its different keys, counted before the move and perhaps again after it; none where the
    source declares its key unique. ``limit``: only the first so many rows were to be read. ``keys``: rows may
    have replaced others of the same key that were in the target before. ``more`` are checks that were made
    already.
    """
    added = None if target_after is None or target_before is None else target_after - target_before
    in_source = counters.read if source_before is None else source_before
    equal = replaced(counters, duplicates, in_source) if duplicates else Replaced()
    of_target = _of_target(counters, added, None if duplicates is None else equal, keys, reason)
    checks = (_of_source(counters.read, source_before, source_after, limit), of_target, *more)
    passed = {check.passed for check in checks}
    verified = False if False in passed else None if None in passed else True
    if verified is True:
        wanted = [_wanted(count, limit) for count in (source_before, source_after)]
        has_replaced = of_target.found != of_target.expected
        explained = _sent(counters) < counters.read or has_replaced or wanted[0] != wanted[1]
        asked = " that were asked for" if limit is not None else ""
        message = of_target.message if has_replaced else _arrived(counters, asked)
        return Verdict(verified, explained, checks, message)
    worst = next(check for check in checks if check.passed is verified)
    return Verdict(verified, explained=False, checks=checks, message=worst.message)


def _of_source(read: int, before: int | None, after: int | None, limit: int | None) -> Check:
    """A source that is written to meanwhile may show any number of rows between its two counts."""
    known = [count for count in (before, after) if count is not None]
    if not known:
        return Check(READ_CHECK, None, read, None, "The rows of the source were not counted.")
    wanted = [_wanted(count, limit) or 0 for count in known]
    passed = min(wanted) <= read <= max(wanted)
    held = f"{known[0]:,}"
    if len(set(known)) > 1:
        held = f"{before:,} before and {after:,} after"
    asked = f", and the first {limit:,} were asked for" if limit is not None else ""
    sentence = f"{counted(read, 'row')} read; the source held {held}{asked}."
    return Check(READ_CHECK, wanted[0], read, passed, sentence)


def _wanted(count: int | None, limit: int | None) -> int | None:
    return count if count is None or limit is None else min(count, limit)


def _of_target(
    counters: Counters, added: int | None, equal: Replaced | None, keys: KeyCheckCounts | None, reason: str
) -> Check:
    """``equal`` is None where nobody knows how many rows have the key of another."""
    sent = _sent(counters)
    if added is None:
        return Check(TARGET_CHECK, sent, None, None, reason or "The rows of the target were not counted.")
    passed: bool | None
    knows_keys = keys is not None and keys.asked == sent + counters.collapsed
    is_explained = equal is not None and equal.explains(sent - added)
    if keys is not None and knows_keys and keys.found > keys.asked:
        # Where the source has equal keys they may be in several partitions by right.
        passed, sentence = (None if equal is None or equal.most else False), _doubled(keys)
    elif keys is not None and added < sent and (knows_keys or not is_explained):
        passed, sentence = _sought(counters, added, keys)
    elif equal is None and added < sent:
        passed, sentence = None, _unknown(counters, added)
    else:
        passed, sentence = _explained(counters, added, equal or Replaced())
    return Check(TARGET_CHECK, sent, added, passed, sentence)


def _explained(counters: Counters, added: int, equal: Replaced) -> tuple[bool | None, str]:
    """Whether rows of equal keys explain what is lacking, if anything is."""
    sent = _sent(counters)
    said = f"The target holds {counted(added, 'new row')}; {sent:,} were sent{_left_out(counters)}"
    if equal.explains(sent - added) and added < sent and equal.least != equal.most:
        lacking = f"The {sent - added:,} that it lacks are as many as equal keys may have replaced ({equal})"
        if equal.unread:
            return None, f"{said}. {lacking}, but not all rows were read: lost ones would look the same."
        return True, f"{said}. {lacking}."
    if equal.explains(sent - added):
        replaced_rows = f", of which {sent - added:,} were replaced by others with the same key"
        return True, f"{said}{replaced_rows if added < sent else ''}."
    return False, f"{said}, of which equal keys replace {equal}." if equal.most else f"{said}."


def _unknown(counters: Counters, added: int) -> str:
    return (
        f"The target holds {counted(added, 'new row')} for {_sent(counters):,} sent. The source does not "
        "declare its key unique: rows with equal keys replace each other, and lost ones look the same."
    )


def _sought(counters: Counters, added: int, keys: KeyCheckCounts) -> tuple[bool | None, str]:
    """Fewer new rows than were sent, into a collection that had rows: the keys tell whether all are there."""
    new = f"The target holds {counted(added, 'new row')} for {_sent(counters):,} sent"
    rows = _sent(counters) + counters.collapsed
    if keys.asked != rows:
        why = keys.reason or "the source was changed meanwhile"
        return None, f"{new}. Whether the others replaced rows with the same keys is not known: {why}."
    if keys.found != rows:
        return False, f"{new}, and of their keys it holds {keys.found:,} alone."
    return True, f"{new}: the others replaced rows with the same keys, and every key is there."


def _doubled(keys: KeyCheckCounts) -> str:
    return (
        f"The target holds {counted(keys.found, 'row')} with the {counted(keys.asked, 'key')} that were "
        "sent. A key that was in another partition before is there twice: delete the older row, or replace "
        "the collection."
    )


def _sent(counters: Counters) -> int:
    return counters.read - counters.rejected - counters.skipped - counters.collapsed


def _left_out(counters: Counters) -> str:
    parts = {"rejected": counters.rejected, "skipped": counters.skipped, "collapsed": counters.collapsed}
    words = ", ".join(f"{number:,} {word}" for word, number in parts.items() if number)
    return f" ({counters.read:,} read, {words})" if words else ""


def _arrived(counters: Counters, asked: str) -> str:
    left_out = _left_out(counters)
    rows = counted(_sent(counters), "row")
    return f"{rows if left_out else f'All {rows}{asked}'} arrived{left_out}."
