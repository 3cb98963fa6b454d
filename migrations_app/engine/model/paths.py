"""Paths to the keys of an opened column: ``metadata.price``.

Dots separate; a part that is empty, holds a dot or begins with a double quote stands in double quotes, those
within it doubled (``metadata."a.b"``). Which columns are opened says ``select: {open: [metadata]}``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from migrations_app.engine.model.source_schema import CollectionSchema, SourceField

OPEN = "open"

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".][^.]*)')


@dataclass(frozen=True, slots=True)
class OpenedPath:
    """A key below an opened column: ``parts`` lead to it through the objects of a document."""

    column: str
    parts: tuple[str, ...]


def parse_path(path: str) -> tuple[str, ...] | None:
    """The parts of a path; None where it is none."""
    parts: list[str] = []
    end = -1
    while end < len(path):
        if end >= 0 and path[end] != ".":
            return None
        found = _PART.match(path, end + 1)
        if found is None:
            return None
        quoted, plain = found.groups()
        parts.append(plain if quoted is None else quoted.replace('""', '"'))
        end = found.end()
    return tuple(parts)


def path_of(parts: Iterable[str]) -> str:
    """The path that ``parse_path`` reads as ``parts``."""
    return ".".join(map(_written, parts))


def _written(part: str) -> str:
    if part and "." not in part and not part.startswith('"'):
        return part
    return '"' + part.replace('"', '""') + '"'


def opened_columns(select: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that a selection opens, as far as it names any."""
    names = select.get(OPEN)
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def opened_path(path: str | None, opened: Collection[str]) -> OpenedPath | None:
    """``path`` as a key below one of the columns ``opened``; None where it is not below any."""
    parts = parse_path(path) if path and opened else None
    if parts is None or len(parts) < 2 or parts[0] not in opened:
        return None
    return OpenedPath(parts[0], parts[1:])


def source_of(schema: CollectionSchema, select: Mapping[str, Any], name: str | None) -> SourceField | None:
    """The field that a plan's ``source`` names: one of the source, or a path below an opened column, seen in
    the sample or not. None where there is neither."""
    if name is None:
        return None
    found = schema.field(name)
    if found is None and (path := opened_path(name, opened_columns(select))) is not None:
        return SourceField(name, "key", opened_from=path.column, share=0.0)
    return found


def is_column(schema: CollectionSchema, select: Mapping[str, Any], name: str | None) -> bool:
    """Whether ``name`` is a column's, though it reads like a path below an opened one."""
    found = schema.field(name) if name is not None else None
    path = opened_path(name, opened_columns(select))
    return found is not None and not found.opened_from and path is not None


def last_part(source: SourceField) -> str:
    """What a field is called in the target unless told otherwise: for a key its own name."""
    parts = parse_path(source.name) if source.opened_from else None
    return parts[-1] if parts else source.name
