"""Documents: decoded JSON, the values of a column in it, and the exact integers that a decoder rounded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.json.documents import MISSING, TooDeep
from migrations_app.engine.model.key_paths import parse_path

Place = tuple[str, ...] | Callable[[Any], Any]
"""The keys that lead to a value through nested objects; ``()`` is the whole document. Or a function that
takes a document and returns the value, or ``MISSING``."""

# orjson reads integers outside of these limits as floats.
_LEAST_ROUNDED, _FIRST_ROUNDED = -(2.0**63), 2.0**64
# An integer with more digits is too large for a double. Python refuses to read more than 4,300 digits.
_MAX_DIGITS = 310


@dataclass(frozen=True, slots=True)
class JsonColumn:
    """A column of a read plan, and the place of its value in a document.

    ``without`` are keys that are left out of the text of an object in a JSON column.
    """

    read: ReadColumn
    place: Place
    without: frozenset[str] = frozenset()


def columns_of(plan: ReadPlan, places: Mapping[str, Place] | None = None) -> tuple[JsonColumn, ...]:
    """Return the columns of ``plan``. ``places`` are by the name of the column; a column without one is read
    from its path (``key_paths.parse_path``), or from the key of its name if that is not a path."""
    known = places or {}
    return tuple(
        JsonColumn(
            column,
            known[column.path] if column.path in known else parse_path(column.path) or (column.path,),
        )
        for column in plan.columns
    )


def read_answer(answer: bytes) -> Any:
    """Return the value of a whole answer, fast. One document with a number or text that orjson refuses does
    not fail the answer.

    Integers of more than 64 bits may be rounded: give ``rows_of_documents`` a function that reads the answer
    with ``read_exactly``. Raises ``ValueError`` if the answer is not JSON.
    """
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return read_exactly(answer)


def read_exactly(text: bytes) -> Any:
    """Return the value of a JSON text, with integers of any size exact. About four times as slow as orjson.

    A number that is too large for a double is infinite, NaN is read, and half a surrogate pair remains in
    its text; ``rows_of_documents`` rejects such rows. Raises ``ValueError`` if the text is not JSON, and
    ``TooDeep``, which is one, if it is nested about 1,000 levels deep.
    """
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise TooDeep from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


@dataclass(slots=True)
class Documents:
    """The decoded documents of a page, all of them objects.

    ``texts`` are their texts, if known. ``exact`` returns the same documents with integers of any size exact.
    If neither is given, the numbers are taken as they are.
    """

    values: Sequence[Any]
    texts: Sequence[bytes] | None = None
    exact: Callable[[], Sequence[Any]] | None = None
    _by_place: dict[tuple[str, ...], Sequence[Any]] = field(default_factory=dict)
    _exact_values: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        self._by_place[()] = self.values

    def only(self, rows: Sequence[int]) -> Documents:
        """Return some of the documents."""
        return Documents(
            [self.values[row] for row in rows],
            None if self.texts is None else [self.texts[row] for row in rows],
            None if self.exact is None else lambda: [self._exact_document(row) for row in rows],
        )

    def best_known(self, row: int) -> Any:
        """Return one document, exactly if the documents were read again."""
        return self.values[row] if self._exact_values is None else self._exact_values[row]

    def at(self, place: Place) -> Sequence[Any]:
        """Return the value of each document at a place, ``MISSING`` if there is none."""
        if callable(place):
            return list(map(place, self.values))
        if place not in self._by_place:
            parents, key = self.at(place[:-1]), place[-1]
            self._by_place[place] = [_member(parent, key) for parent in parents]
        return self._by_place[place]

    def exact_at(self, row: int, place: Place) -> Any:
        """Return the value of one document at a place, with exact integers if they are known."""
        document = self._exact_document(row)
        if callable(place):
            return place(document)
        for key in place:
            document = _member(document, key)
        return document

    def _exact_document(self, row: int) -> Any:
        if self.texts is not None:
            return read_exactly(self.texts[row])
        if self.exact is None:
            return self.values[row]
        if self._exact_values is None:
            self._exact_values = self.exact()
        return self._exact_values[row]


def _member(parent: Any, key: str) -> Any:
    return parent.get(key, MISSING) if type(parent) is dict else MISSING


def rounded_rows(values: Sequence[Any]) -> list[int]:
    """Return the rows whose value may be a rounded integer of more than 64 bits, or a list with one."""
    floats = [value for value in values if type(value) is float]
    floats += [item for value in values if type(value) is list for item in value if type(item) is float]
    if not floats or _LEAST_ROUNDED < min(floats) <= max(floats) < _FIRST_ROUNDED:
        return []
    return [row for row, value in enumerate(values) if _may_be_rounded(value)]


def _may_be_rounded(value: Any) -> bool:
    items = value if type(value) is list else [value]
    return any(type(item) is float and not _LEAST_ROUNDED < item < _FIRST_ROUNDED for item in items)
