"""Names of collections, fields and partitions: checks that Milvus accepts them, and suggestions.

The rule is the same for all three (Milvus, "Limits": first a letter or ``_``, then letters, digits, ``_``, at
most 255 bytes; ASCII). In addition, a field name must not be a word of Milvus's filter language or the name
of a system field.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from anyascii import anyascii

from migrations_app.engine.log import shortened

MAX_BYTES = 255

NameOf = Literal["collection", "field", "partition", "database"]

_LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ILLEGAL_CHARACTER = re.compile(r"[^A-Za-z0-9_]")

# Words of the filter language, in any case: a field with such a name can be stored but not queried.
FILTER_WORDS = frozenset(
    {
        *("like", "exists", "and", "or", "not", "in", "true", "false", "null"),
        *("json_contains", "json_contains_all", "json_contains_any", "array_length"),
        *("array_contains", "array_contains_all", "array_contains_any"),
        *("text_match", "phrase_match", "random_sample"),
    }
)
# Milvus's system fields. Case matters.
SYSTEM_FIELDS = frozenset({"$meta", "RowID", "Timestamp"})


@dataclass(frozen=True, slots=True)
class NamingRule:
    """What is proposed for names that Milvus refuses: similar legal names (``legal``), or the names
    themselves, so that the user has to change them (``ask``)."""

    fields: Literal["ask", "legal"] = "ask"
    collections: Literal["ask", "legal"] = "ask"


ASK = NamingRule()


@dataclass(frozen=True, slots=True)
class NameProblem:
    """The reason why a name cannot be used: a stable code, a sentence, and what to do."""

    code: str
    message: str
    hint: str


def is_reserved(name: str) -> bool:
    """True if ``name`` is reserved and so cannot be used for a field."""
    return name.lower() in FILTER_WORDS or name in SYSTEM_FIELDS


def name_problem(name: str, of: NameOf = "field") -> NameProblem | None:
    """Return the problem with ``name``, or None if there is none."""
    if not name:
        return NameProblem("name_empty", f"The {of} has no name.", "Type a name.")
    if of == "field" and is_reserved(name):
        where = "in Milvus filters" if name.lower() in FILTER_WORDS else "by Milvus"
        return NameProblem("name_reserved", f"“{name}” is reserved {where}.", "Use another name.")
    if not _LEGAL.match(name):
        return NameProblem(
            "name_illegal",
            f"“{_shown(name)}” is not a valid {of} name: "
            "Milvus allows English letters, digits and _, with no digit first.",
            "Use another name.",
        )
    if len(name) > MAX_BYTES:
        return NameProblem(
            "name_too_long",
            f"The {of} name “{_shown(name)}” is {len(name)} bytes long.",
            f"Milvus takes at most {MAX_BYTES} bytes.",
        )
    return None


def suggest(name: str, taken: Collection[str] = (), of: NameOf = "field") -> str:
    """Return a valid name close to ``name`` that is not in ``taken``; ``name`` itself if possible. Other
    scripts are written in Latin letters: “größe” becomes “grosse”."""
    wanted = with_legal_characters(name) or "_"
    if wanted[0].isdigit():
        wanted = "_" + wanted
    if of == "field" and is_reserved(wanted):
        wanted += "_"
    return free_name(wanted, taken)


def with_legal_characters(name: str) -> str:
    """Return ``name`` in the letters, digits and ``_`` that Milvus accepts."""
    return _ILLEGAL_CHARACTER.sub("_", anyascii(name))


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return ``wanted``, or ``wanted_2``, ``wanted_3``, ... if it is taken; cut to 255 characters."""
    name, number = wanted[:MAX_BYTES], 1
    while name in taken:
        number += 1
        tail = f"_{number}"
        name = wanted[: MAX_BYTES - len(tail)] + tail
    return name


def new_key_name(taken: Collection[str], *, is_joined: bool = False) -> str:
    """The name of a key that the source does not have: ``id``. If ``id`` is taken: ``auto_id``,
    ``auto_id_2``, ...; for a joined key ``key``, ``key_2``, ..."""
    return "id" if "id" not in taken else free_name("key" if is_joined else "auto_id", taken)


def duplicates(names: Iterable[str]) -> frozenset[str]:
    """The names that occur more than once."""
    seen: set[str] = set()
    twice: set[str] = set()
    for name in names:
        (twice if name in seen else seen).add(name)
    return frozenset(twice)


def _shown(name: str) -> str:
    """Return a name for use in a sentence: shortened, with control characters visible."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shortened(name, 60))
