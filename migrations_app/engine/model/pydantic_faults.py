"""Pydantic errors converted to faults, each with a sentence, a hint and a path."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from migrations_app.engine.faults import Fault
from migrations_app.engine.pasted_text import holds_password, shown

Location = tuple[int | str, ...]

SENTENCES: dict[str, str] = {
    "missing": "“{key}” is missing.",
    "extra_forbidden": "“{key}” is not known here.",
    "enum": "“{key}” must be {expected}, not {value}.",
    "literal_error": "“{key}” must be {expected}, not {value}.",
    "int_type": "“{key}” must be a whole number, not {value}.",
    "int_parsing": "“{key}” must be a whole number, not {value}.",
    "float_type": "“{key}” must be a number, not {value}.",
    "float_parsing": "“{key}” must be a number, not {value}.",
    "finite_number": "“{key}” must be a finite number, not {value}.",
    "int_from_float": "“{key}” must be a whole number, not {value}.",
    "bool_parsing": "“{key}” must be true or false, not {value}.",
    "bool_type": "“{key}” must be true or false, not {value}.",
    "string_type": "“{key}” must be text, not {value}.",
    "list_type": "“{key}” must be a list, not {value}.",
    "dict_type": "“{key}” must be a mapping (key: value), not {value}.",
    "model_type": "“{key}” must be a mapping (key: value), not {value}.",
    "string_too_short": "“{key}” is empty.",
    "string_too_long": "“{key}” has more than {max_length} characters.",
    "too_long": "“{key}” has more than {max_length} entries.",
    "too_short": "“{key}” needs at least {min_length} entry.",
    "greater_than_equal": "“{key}” must be {ge} or more, not {value}.",
    "greater_than": "“{key}” must be more than {gt}, not {value}.",
    "less_than": "“{key}” must be less than {lt}, not {value}.",
    "less_than_equal": "“{key}” must be {le} or less, not {value}.",
}
CODES = {"missing": "key_missing", "extra_forbidden": "key_unknown"}
_UNION_TAGS = frozenset({"str", "list[str]", "int", "float", "bool", "dict"})


def path_of(location: Sequence[int | str]) -> str:
    """Return ``("collections", 0, "key")`` as ``collections[0].key``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def locations(error: ValidationError) -> list[Location]:
    """The location of each error in the data, without the union tags that pydantic adds."""
    return [_location(detail) for detail in error.errors()]


def faults_of(
    error: ValidationError,
    known: Sequence[str] = (),
    secrets: Container[str] = (),
    titles: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Fault, ...]:
    """Return one fault per location. ``known`` are the keys to suggest for a misspelled key. The values of
    the keys in ``secrets`` are not repeated. ``titles`` are the names of keys in the sentences."""
    return tuple({fault.path: fault for fault in _faults(error, known, secrets, titles)}.values())


def field_names(*models: type[BaseModel]) -> tuple[str, ...]:
    """The keys of these models, as a plan file writes them."""
    fields = [item for model in models for item in model.model_fields.items()]
    return tuple(field.alias or name for name, field in fields if not field.exclude)


def _location(detail: ErrorDetails) -> Location:
    return tuple(part for part in detail["loc"] if part not in _UNION_TAGS)


def _faults(
    error: ValidationError, known: Sequence[str], secrets: Container[str], titles: Mapping[str, str]
) -> Iterator[Fault]:
    details = error.errors()
    for detail in details:
        location = _location(detail)
        if _has_inner_fault(detail, details):
            continue
        key = next((str(p) for p in reversed(location) if isinstance(p, str)), "the plan")
        kind = detail["type"]
        facts: dict[str, Any] = {name: _plain(fact) for name, fact in detail.get("ctx", {}).items()} | {
            "key": titles.get(key, key),
            "value": "the given value" if key in secrets else _short(detail["input"]),
        }
        pattern = SENTENCES.get(kind, "“{key}” is not valid: {msg}." if location else "{msg}.")
        text = detail["msg"].removeprefix("Value error, ").rstrip(".")
        message = pattern.format_map(facts | {"msg": text if location else text[:1].upper() + text[1:]})
        others = [name for name in known if name != key]  # a known key in the wrong place is not misspelled
        close = get_close_matches(key, others, 1) if kind == "extra_forbidden" else []
        hint = f"Did you mean “{close[0]}”?" if close else _hint(kind)
        # An error about several keys may name the field at which it is shown.
        field = str(location[0]) if location else str(facts.get("field", ""))
        yield Fault(
            CODES.get(kind, "value_invalid"), message, hint, path_of(location), field=field, option=key
        )


def _has_inner_fault(detail: ErrorDetails, others: Sequence[ErrorDetails]) -> bool:
    """True if ``detail`` reports that a list is not a text, and another error reports an entry of that list.

    If a key accepts a text or a list, the error of the entry is more useful.
    """
    location = _location(detail)
    is_list = detail["type"] == "string_type" and isinstance(detail["input"], list)
    return is_list and any(
        _location(other)[: len(location)] == location != _location(other) for other in others
    )


def _hint(kind: str) -> str:
    return "Remove it, or check its spelling." if kind == "extra_forbidden" else ""


def _plain(fact: object) -> object:
    """Return a limit as it is written: 10, not 10.0."""
    return int(fact) if isinstance(fact, float) and fact.is_integer() else fact


def _short(value: object) -> str:
    """Return a value for use in a sentence."""
    if value is None or isinstance(value, bool):
        return {None: "empty", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return shown(value if holds_password(value) else value[:40])
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "this value"
