"""Endpoint kinds: the kinds of source and target for the pages. All facts come from the connectors."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app import endpoints
from migrations_app.engine.errors import FerryError
from migrations_app.engine.sources.registry import SOURCES


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source or target.

    ``reason`` says why it is not available here; it is empty if it is available. ``role`` is "source" or
    "target". ``before`` are the hints to read before you start; ``words`` are the source's words for
    one collection and for several.
    """

    kind: str
    title: str
    role: str
    blurb: str = ""
    reason: str = ""
    before: tuple[str, ...] = ()
    icon: str = "database"
    words: tuple[str, str] = ("collection", "collections")

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
    return next((entry for entry in kinds if entry.kind == kind), None)


def title(kind: str, *, is_target: bool) -> str:
    """Return the title of a kind; the kind itself if it is not known to this version."""
    entry = endpoints.TARGETS.get(kind) if is_target else SOURCES.get(kind)
    return entry.title if entry else kind


def _source(kind: str) -> Kind:
    entry = SOURCES[kind]
    try:
        source = entry.load()
    except FerryError as error:
        reason = f"{error.message} {error.hint}".strip()
        return Kind(kind, entry.title, "source", entry.blurb, reason)
    before, words = source.before_you_start, source.collection_words
    return Kind(kind, entry.title, "source", entry.blurb, before=before, words=words)
