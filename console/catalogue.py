"""The kinds of source and target, as the pages show them. Each says all of itself; none is known here."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app import endpoints
from migrations_app.engine.errors import FerryError
from migrations_app.engine.sources.registry import SOURCES


@dataclass(frozen=True, slots=True)
class Kind:
    """``reason`` says why it is not available here, empty where it is. ``role`` is "source" or "target"."""

    kind: str
    title: str
    role: str
    blurb: str = ""
    reason: str = ""
    before: tuple[str, ...] = ()
    icon: str = "database"
    word: str = "collection"

    @property
    def available(self) -> bool:
        return not self.reason

    @property
    def is_target(self) -> bool:
        return self.role == "target"


def source_kinds() -> list[Kind]:
    return [_source(kind) for kind in SOURCES]


def target_kinds() -> list[Kind]:
    return [
        Kind(kind, cls.title, "target", before=cls.before_you_start, icon="boxes")
        for kind, cls in endpoints.TARGETS.items()
    ]


def find(kind: str, *, is_target: bool) -> Kind | None:
    kinds = target_kinds() if is_target else source_kinds()
    return next((found for found in kinds if found.kind == kind), None)


def title(kind: str, *, is_target: bool) -> str:
    """What people call it; the bare kind where it is no longer known."""
    found = endpoints.TARGETS.get(kind) if is_target else SOURCES.get(kind)
    return found.title if found else kind


def _source(kind: str) -> Kind:
    entry = SOURCES[kind]
    try:
        found = entry.load()
    except FerryError as error:
        reason = f"{error.message} {error.hint}".strip()
        return Kind(kind, entry.title, "source", entry.blurb, reason)
    before, word = found.before_you_start, found.collection_word
    return Kind(kind, entry.title, "source", entry.blurb, before=before, word=word)
