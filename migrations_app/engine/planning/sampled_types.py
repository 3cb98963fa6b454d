"""Sampled types: the kinds of JSON values in a sample, and the types that can hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

from migrations_app.engine.model.json.values import fits
from migrations_app.engine.model.source_schema import TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec

T = MilvusType
_WHOLE, _NUMBER, _TEXT, _BOOLEAN = (
    TypeSpec(T.INT64),
    TypeSpec(T.DOUBLE),
    TypeSpec(T.VARCHAR),
    TypeSpec(T.BOOL),
)
_JSON = TypeSpec(T.JSON)
# Scalar types, the narrowest first.
_SCALARS = (_BOOLEAN, _WHOLE, _NUMBER, _TEXT)
WHOLE, NUMBER, LARGE = "whole number", "number", "whole number beyond INT64"
UNKNOWN = "unknown: always null"
_KINDS: dict[type, str] = {bool: "true or false", int: WHOLE, str: "text", list: "list", dict: "object"}


def kinds_of(values: Sequence[Any]) -> tuple[tuple[str, int], ...]:
    """Return the kinds of plain values that are not None, each with its number of values, the most frequent
    first. Whole numbers among other numbers are numbers."""
    kinds = Counter(_kind(value) for value in values)
    if NUMBER in kinds:
        kinds[NUMBER] += kinds.pop(WHOLE, 0)
    return tuple(kinds.most_common())


def _kind(value: Any) -> str:
    kind = _KINDS.get(type(value), NUMBER)
    return LARGE if kind == WHOLE and not fits(value, _WHOLE) else kind


def kind_name(values: Sequence[Any]) -> str:
    """Return a name for the kind of all these values, for users: “list of text”, “mixed”."""
    kinds = kinds_of(values)
    if len(kinds) != 1:
        return "mixed" if kinds else UNKNOWN
    ((name, _),) = kinds
    items = kinds_of([*chain.from_iterable(values)]) if name == "list" else ()
    return f"list of {items[0][0]}" if len(items) == 1 else name


def choices_of(values: Sequence[Any]) -> tuple[TypeChoice, ...]:
    """Return the types for plain values that are not None, the proposed one first.

    These are the types that can hold all the values. If there is none, they are those that can hold more than
    half of them; and if there is none, those that can hold some, unless most values are lists or objects.
    JSON comes last, but before ARRAY: a list in another row may have a null in it.
    """
    if not values:
        return tuple(map(TypeChoice, (_TEXT, _WHOLE, _NUMBER, _BOOLEAN, _JSON)))
    fitting = {spec: sum(fits(value, spec) for value in values) for spec in _candidates(values)}
    whole = [TypeChoice(spec) for spec, count in fitting.items() if count == len(values)]
    most = [TypeChoice(spec) for spec, count in fitting.items() if 2 * count > len(values)]
    most = most or [TypeChoice(spec) for spec in fitting if not _are_containers(values)]
    fitting_types = whole or most
    if any(choice.spec.type is T.ARRAY for choice in fitting_types):
        return (TypeChoice(_JSON), *fitting_types)
    return (*fitting_types, *(() if whole else (TypeChoice(_JSON),)))


def _are_containers(values: Sequence[Any]) -> bool:
    """True if at least half of the values are lists or objects, which JSON can hold."""
    return 2 * sum(isinstance(value, (list, dict)) for value in values) >= len(values)


def _candidates(values: Sequence[Any]) -> list[TypeSpec]:
    """Return the types that some of the values may have, the narrowest first: arrays if most of them are
    lists."""
    lists = [value for value in values if isinstance(value, list)]
    if 2 * len(lists) <= len(values):
        return _scalars([value for value in values if not isinstance(value, (list, dict))])
    items = [item for item in chain.from_iterable(lists) if item is not None]
    return [TypeSpec(T.ARRAY, element_type=spec.type) for spec in _scalars(items)]


def _scalars(values: Sequence[Any]) -> list[TypeSpec]:
    """Return the scalar types of which there is a value. If one is written with a point (1.0), INT64 is not
    among them, because later values may have fractions."""
    has_point = NUMBER in dict(kinds_of(values))
    specs = (spec for spec in _SCALARS if not (has_point and spec is _WHOLE))
    return [spec for spec in specs if any(fits(value, spec) for value in values)]
