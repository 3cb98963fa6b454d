"""What the counts at the end of a job prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from migrations_app.engine.checkpoint import Counters
from migrations_app.engine.log import counted

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
class KeysSought:
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
    keys: KeysSought | None = None,
    limit: int | None = None,
    key_is_unique: bool = True,
    reason: str = "",
    more: Sequence[Check] = (),
) -> Verdict:
    """Compare what was read with what the source held, and what was sent with what the target holds.

    A count that nobody has is None; ``reason`` then says why the target's is missing. ``key_is_unique``: the
    source declares it, or the keys are Auto ID's. ``limit``: only the first so many rows were to be read.
    ``keys``: rows may have replaced others of the same key that were in the target before. ``more`` are
    checks that were made already.
    """
    added = None if target_after is None or target_before is None else target_after - target_before
    of_target = _of_target(counters, added, key_is_unique, keys, reason)
    checks = (_of_source(counters.read, source_before, source_after, limit), of_target, *more)
    passed = {check.passed for check in checks}
    verified = False if False in passed else None if None in passed else True
    left_out = counters.rejected + counters.skipped + counters.collapsed
    wanted = [_wanted(count, limit) for count in (source_before, source_after)]
    has_replaced = of_target.found != of_target.expected
    explained = verified is True and (left_out > 0 or wanted[0] != wanted[1] or has_replaced)
    if verified is True:
        asked = " that were asked for" if limit is not None else ""
        message = of_target.message if has_replaced else _arrived(counters, asked)
        return Verdict(verified, explained, checks, message)
    worst = next(check for check in checks if check.passed is verified)
    return Verdict(verified, explained, checks, worst.message)


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
    counters: Counters, added: int | None, key_is_unique: bool, keys: KeysSought | None, reason: str
) -> Check:
    sent = counters.read - counters.rejected - counters.skipped - counters.collapsed
    if added is None:
        return Check(TARGET_CHECK, sent, None, None, reason or "The rows of the target were not counted.")
    if added < sent and not key_is_unique:
        sentence = (
            f"The target holds {counted(added, 'new row')} for {sent:,} sent. The source does not declare "
            "its key unique: rows with equal keys replace each other, and lost ones look the same."
        )
        return Check(TARGET_CHECK, sent, added, None, sentence)
    if added < sent and keys is not None:
        passed, sentence = _replaced(sent, added, keys)
        return Check(TARGET_CHECK, sent, added, passed, sentence)
    sentence = f"The target holds {counted(added, 'new row')}; {sent:,} were sent{_left_out(counters)}."
    return Check(TARGET_CHECK, sent, added, added == sent, sentence)


def _replaced(sent: int, added: int, keys: KeysSought) -> tuple[bool | None, str]:
    """Fewer new rows than were sent, into a collection that had rows: the keys tell whether all are there."""
    new = f"The target holds {counted(added, 'new row')} for {sent:,} sent"
    if keys.asked != sent or keys.found > sent:
        twice = "a key is there more than once"
        why = keys.reason or ("the source was changed meanwhile" if keys.asked != sent else twice)
        return None, f"{new}. Whether the others replaced rows with the same keys is not known: {why}."
    if keys.found != sent:
        return False, f"{new}, and of their keys it holds {keys.found:,} alone."
    return True, f"{new}: the others replaced rows with the same keys, and every key is there."


def _left_out(counters: Counters) -> str:
    parts = {"rejected": counters.rejected, "skipped": counters.skipped, "collapsed": counters.collapsed}
    words = ", ".join(f"{number:,} {word}" for word, number in parts.items() if number)
    return f" ({counters.read:,} read, {words})" if words else ""


def _arrived(counters: Counters, asked: str) -> str:
    if words := _left_out(counters):
        sent = counters.read - counters.rejected - counters.skipped - counters.collapsed
        return f"{counted(sent, 'row')} arrived{words}."
    return f"All {counted(counters.read, 'row')}{asked} arrived."
