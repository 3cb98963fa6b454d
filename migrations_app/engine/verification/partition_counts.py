"""Partition counts: check that the rows of each value, or of each partition of the source, are in the right
partition of the target, and in no other one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from migrations_app.engine.log import counted
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION, partition_label
from migrations_app.engine.verification.verdict import Check

PARTITIONS_CHECK, PARTITIONS_READ_CHECK = "rows_in_partitions", "rows_read_of_partitions"

Origin = Literal["its value", "its partition"]
"""What the rows of a partition have in common in the source."""


def check_partitions(
    names: Mapping[str, str],
    source: Mapping[str | None, int],
    target: Mapping[str, int],
    *,
    is_whole: bool,
    origin: Origin = "its value",
) -> Check:
    """Compare the rows of each value in the ``source`` with the rows of each partition in the ``target``.

    The values are those of a field, or the partitions of the source (``origin``). ``is_whole``: each of the
    rows must be in the target. If not, a partition may have fewer rows than the source, but not more.
    """
    expected = dict.fromkeys(target, 0)
    for value, rows in source.items():
        name = DEFAULT_PARTITION if value is None else names.get(value)
        if name is not None:  # else the value is newer than the partitions, and its rows were rejected
            expected[name] = expected.get(name, 0) + rows
    wrong = [name for name, rows in expected.items() if _is_wrong(target.get(name, 0), rows, is_whole)]
    message = _failed(wrong, expected, target, origin) if wrong else _passed(len(target), is_whole, origin)
    return Check(PARTITIONS_CHECK, sum(expected.values()), sum(target.values()), not wrong, message)


def check_partitions_read(source: Mapping[str, int], read: Mapping[str | None, int]) -> Check:
    """Compare the rows read from each partition of the ``source`` with its own exact count."""
    wrong = [name for name, rows in source.items() if read.get(name, 0) != rows]
    message = f"{counted(len(source), 'partition')} of the source: all rows of each were read."
    if wrong:
        rows = counted(read.get(wrong[0], 0), "row")
        label = partition_label(wrong[0])
        message = f"{rows} of {label} of the source were read; it has {source[wrong[0]]:,}.{_total(wrong)}"
    found = sum(read.get(name, 0) for name in source)
    return Check(PARTITIONS_READ_CHECK, sum(source.values()), found, not wrong, message)


def _is_wrong(found: int, expected: int, is_whole: bool) -> bool:
    return found != expected if is_whole else found > expected


def _passed(partitions: int, is_whole: bool, origin: Origin) -> str:
    number = counted(partitions, "partition")
    if is_whole:
        return f"{number}: each has exactly the rows of {origin}."
    return f"{number}: none has more rows than the source has with {origin}."


def _failed(wrong: list[str], expected: Mapping[str, int], target: Mapping[str, int], origin: Origin) -> str:
    name = wrong[0]
    in_target, in_source = counted(target.get(name, 0), "row"), f"{expected[name]:,}"
    if origin == "its partition":
        return f"The partition “{name}” has {in_target}; {in_source} were sent into it.{_total(wrong)}"
    return (
        f"The partition “{name}” has {in_target}; the source has {in_source} with its value.{_total(wrong)}"
    )


def _total(wrong: list[str]) -> str:
    return f" In total, {len(wrong):,} partitions differ." if len(wrong) > 1 else ""
