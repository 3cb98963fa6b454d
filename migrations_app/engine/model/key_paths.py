"""Paths to the document keys of an opened column: ``metadata.price``.

The parts are separated by dots. A part that is empty, contains a dot or begins with a double quote is written
in double quotes, and double quotes inside it are doubled (``metadata."a.b"``). So is a part that begins or
ends with a blank: otherwise it would look like another one. The plan lists the opened columns: ``open:
[metadata]``. A rest field is always opened.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from migrations_app.engine.model.source_schema import CollectionSchema, SourceField

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".][^.]*)')


@dataclass(frozen=True, slots=True)
class OpenedPath:
    """A document key of an opened column: ``parts`` is the path to it through the nested objects."""

    column: str
    parts: tuple[str, ...]


def parse_path(path: str) -> tuple[str, ...] | None:
    """Return the parts of a path, or None if ``path`` is not valid."""
    parts: list[str] = []
    end = -1
    while end < len(path):
        if end >= 0 and path[end] != ".":
            return None
        match = _PART.match(path, end + 1)
        if match is None:
            return None
        quoted, plain = match.groups()
        parts.append(plain if quoted is None else quoted.replace('""', '"'))
        end = match.end()
    return tuple(parts)


def path_of(parts: Iterable[str]) -> str:
    """Return the path that ``parse_path`` reads as ``parts``."""
    return ".".join(map(_quoted, parts))


def _quoted(part: str) -> str:
    if part and "." not in part and not part.startswith('"') and part == part.strip():
        return part
    return '"' + part.replace('"', '""') + '"'


def with_rest_field(schema: CollectionSchema, opened: Collection[str]) -> tuple[str, ...]:
    """Return the columns ``opened`` and the rest field, if the collection has one: it is always opened."""
    rest = (field.name for field in schema.fields if field.is_rest)
    return (*opened, *(name for name in rest if name not in opened))


def opened_path(path: str | None, opened: Collection[str]) -> OpenedPath | None:
    """Return ``path`` as a document key of one of the columns ``opened``, or None if it is not one."""
    parts = parse_path(path) if path and opened else None
    if parts is None or len(parts) < 2 or parts[0] not in opened:
        return None
    return OpenedPath(parts[0], parts[1:])


def source_of(schema: CollectionSchema, opened: Collection[str], name: str | None) -> SourceField | None:
    """Return the field that a plan's ``source`` names: a field of the source, or a document key of one of the
    columns ``opened`` (even if the sample does not contain it). None if it is neither."""
    if name is None:
        return None
    field = schema.field(name)
    if field is None and (path := opened_path(name, opened)) is not None:
        return SourceField(name, "key", opened_from=path.column, share=0.0, is_sampled=True)
    return field


def is_column(schema: CollectionSchema, opened: Collection[str], name: str | None) -> bool:
    """True if ``name`` is the name of a column, although it looks like a document key of an opened column."""
    field = schema.field(name) if name is not None else None
    path = opened_path(name, opened)
    return field is not None and not field.opened_from and path is not None


def level(source: SourceField) -> int:
    """The number of objects that a document key is in, its own document included; 0 for a column."""
    parts = parse_path(source.name) if source.opened_from else None
    return len(parts) - 1 if parts else 0


def last_part(source: SourceField) -> str:
    """The default target name of a field: for a document key, the last part of its path."""
    parts = parse_path(source.name) if source.opened_from else None
    return parts[-1] if parts else source.name
