"""A draft read as what it stands for: how far it is, what was chosen, where to go on. No HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from console import catalogue
from console.draft.snapshot import TargetFacts, listing_from_json, target_from_json
from console.draft.steps import Progress, Step
from migrations_app.engine.sources.base import CollectionInfo
from migrations_app.models import Draft

TABLES = "tables"  # state: what the wizard knows of each collection that was ever selected, by source name
LISTING = "listing"  # state: what the source showed when the selection page was last opened
TARGET = "target"  # state: what was learned of the target
DEFAULT_DATABASE = "default"


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where, as the head of each page says it."""

    source_title: str = ""
    source_name: str = ""
    target_title: str = ""
    target_name: str = ""
    database: str = ""


Value = TypeVar("Value")


def decoded(draft: Draft, name: str, raw: tuple[Any, ...], decode: Callable[[], Value]) -> Value:
    """``decode()``, remembered under ``name`` until one of ``raw`` is another object."""
    found = draft.__dict__.setdefault("_decoded", {}).get(name)
    if found is None or not _are_same(found[0], raw):
        return remember(draft, name, raw, decode())
    value: Value = found[1]
    return value


def remember(draft: Draft, name: str, raw: tuple[Any, ...], value: Value) -> Value:
    """Have ``decoded`` return ``value`` as long as ``raw`` holds the same objects."""
    draft.__dict__.setdefault("_decoded", {})[name] = (raw, value)
    return value


def _are_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def part(draft: Draft, name: str) -> dict[str, Any]:
    """A part of the state that is an object; empty where it is not there, or was another version's."""
    found = draft.state.get(name)
    return found if isinstance(found, dict) else {}


def progress(draft: Draft | None) -> Progress:
    """How far a draft is. None: not yet begun."""
    if draft is None:
        return Progress()
    mapping_tables = [part(draft, TABLES).get(name) for name in chosen(draft)]
    return Progress(
        has_source=draft.source_connection_id is not None,
        has_target=draft.target_connection_id is not None and target_facts(draft) is not None,
        collections=len(mapping_tables),
        described=sum(table is not None for table in mapping_tables),
        problems=sum(table.get("problems", 0) for table in mapping_tables if table),
    )


def chosen(draft: Draft) -> list[str]:
    """The selected collections by their source names, in the order of the plan."""
    return [collection["source"] for collection in draft.plan.get("collections", [])]


def listing(draft: Draft) -> tuple[CollectionInfo, ...]:
    raw = draft.state.get(LISTING)
    return decoded(draft, LISTING, (raw,), lambda: listing_from_json(raw))


def info(draft: Draft, name: str) -> CollectionInfo | None:
    """What the selection page showed of a collection."""
    return next((found for found in listing(draft) if found.name == name), None)


def target_facts(draft: Draft) -> TargetFacts | None:
    """What was learned of the chosen target; None where another one was chosen since."""
    raw = draft.state.get(TARGET)
    facts = decoded(draft, TARGET, (raw,), lambda: target_from_json(raw))
    return facts if facts and facts.connection == draft.target_connection_id else None


def database(draft: Draft) -> str:
    name: str = draft.plan.get("target", {}).get("database", DEFAULT_DATABASE)
    return name


def route(draft: Draft | None) -> Route:
    if draft is None:
        return Route()
    source, target = draft.source_connection, draft.target_connection
    return Route(
        source_title=catalogue.title(draft.kind, is_target=False),
        source_name=source.name if source else "",
        target_title=catalogue.title(target.kind, is_target=True) if target else "",
        target_name=target.name if target else "",
        database=database(draft) if target else "",
    )


def detail(draft: Draft) -> str:
    """What was chosen, in the vendor's word: "3 tables chosen"."""
    count, kind = len(chosen(draft)), catalogue.find(draft.kind, is_target=False)
    word = kind.word if kind else "collection"
    return f"{count} {word}{'' if count == 1 else 's'} chosen" if count else ""


def name(draft: Draft) -> str:
    """The two ends, as far as they are known: "shop-db → prod"."""
    ends = [end.name if end else "…" for end in (draft.source_connection, draft.target_connection)]
    return " → ".join(ends)


def step(draft: Draft) -> Step:
    """Where to go on."""
    return progress(draft).furthest


def plan_head(draft: Draft) -> dict[str, Any]:
    """The plan without its collections: the ends by the names of their connections."""
    source, target = draft.source_connection, draft.target_connection
    return {
        "version": 1,
        "source": {"connection": source.name} if source else {},
        "target": {"connection": target.name, "database": database(draft)} if target else {},
        "options": draft.plan.get("options", {}),
    }
