"""Converted column: the values of a page in their Arrow type, and the rows whose value does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason why a value does not fit. ``sentence`` follows the name of the column."""

    code: str
    sentence: str


NOT_FINITE = Problem("not_finite", "contains NaN, or a number that is too large")
SURROGATE = Problem(
    "json_surrogate",
    "contains half a surrogate pair (\\ud800 to \\udfff alone), which is not valid Unicode",
)
TOO_DEEP = Problem("json_too_deep", "is too deeply nested")


def type_mismatch(sentence: str) -> Problem:
    return Problem("misfit", sentence)


@dataclass(frozen=True, slots=True)
class Converted:
    """A column in its Arrow type. The rows in ``problems`` are NULL in it."""

    values: pa.Array
    problems: Mapping[int, Problem] = field(default_factory=dict)
