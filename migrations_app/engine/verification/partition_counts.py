"""What the counts of partitions prove: each value's rows are in its partition, and nowhere else."""

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
    """Compare rows by value, as the ``source`` holds them, with rows by partition, as the ``target`` does.

    ``is_whole``: each row of the source is to be there. Where some were left out, a partition may hold fewer
    rows than have its value, but never more.
    """
    expected = dict.fromkeys(target, 0)
    for value, rows in source.items():
        name = DEFAULT_PARTITION if value is None else names.get(value)
        if name is not None:  # else it came after the partitions were made: its rows were rejected
            expected[name] = expected.get(name, 0) + rows
    odd = [name for name, rows in expected.items() if _is_odd(target.get(name, 0), rows, is_whole)]
    message = _bad(odd, expected, target) if odd else _good(len(target), is_whole)
    return Check(PARTITIONS_CHECK, sum(expected.values()), sum(target.values()), not odd, message)


def _is_odd(found: int, expected: int, is_whole: bool) -> bool:
    return found != expected if is_whole else found > expected


def _good(partitions: int, is_whole: bool) -> str:
    number = counted(partitions, "partition")
    if is_whole:
        return f"{number}: each holds the rows of its value."
    return f"{number}: none holds more rows than have its value."


def _bad(odd: list[str], expected: Mapping[str, int], target: Mapping[str, int]) -> str:
    name, more = odd[0], f"; {counted(len(odd), 'partition')} in all differ" if odd[1:] else ""
    held = counted(target.get(name, 0), "row")
    return f"The partition “{name}” holds {held}; {expected[name]:,} have its value{more}."
