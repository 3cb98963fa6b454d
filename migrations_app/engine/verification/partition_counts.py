"""Partition counts: check that the rows of each value are in its partition, and in no other one."""

from __future__ import annotations

from collections.abc import Mapping

from migrations_app.engine.log import counted
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION
from migrations_app.engine.verification.verdict import Check

PARTITIONS_CHECK = "rows_in_partitions"


def check_partitions(
    names: Mapping[str, str],
    source: Mapping[str | None, int],
    target: Mapping[str, int],
    *,
    is_whole: bool,
) -> Check:
    """Compare the rows of each value in the ``source`` with the rows of each partition in the ``target``.

    ``is_whole``: every row of the source must be in the target. If some were left out, a partition may have
    fewer rows than the source has with its value, but not more.
    """
    expected = dict.fromkeys(target, 0)
    for value, rows in source.items():
        name = DEFAULT_PARTITION if value is None else names.get(value)
        if name is not None:  # else the value is newer than the partitions, and its rows were rejected
            expected[name] = expected.get(name, 0) + rows
    wrong = [name for name, rows in expected.items() if _is_wrong(target.get(name, 0), rows, is_whole)]
    message = _failed(wrong, expected, target) if wrong else _passed(len(target), is_whole)
    return Check(PARTITIONS_CHECK, sum(expected.values()), sum(target.values()), not wrong, message)


def _is_wrong(found: int, expected: int, is_whole: bool) -> bool:
    return found != expected if is_whole else found > expected


def _passed(partitions: int, is_whole: bool) -> str:
    number = counted(partitions, "partition")
    if is_whole:
        return f"{number}: each has exactly the rows of its value."
    return f"{number}: none has more rows than the source has with its value."


def _failed(wrong: list[str], expected: Mapping[str, int], target: Mapping[str, int]) -> str:
    name = wrong[0]
    in_target, in_source = counted(target.get(name, 0), "row"), f"{expected[name]:,}"
    total = f" In total, {len(wrong):,} partitions differ." if len(wrong) > 1 else ""
    return f"The partition “{name}” has {in_target}; the source has {in_source} with its value.{total}"
