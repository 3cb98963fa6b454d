"""Contents of a draft: its progress, its selection, and the step to resume at. No HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from console import endpoint_kinds
from console.draft.snapshot import TargetFacts, listing_from_json, target_from_json
from console.draft.steps import Progress, Step
from migrations_app.engine.log import counted
from migrations_app.engine.sources.base import CollectionInfo
from migrations_app.models import Draft

TABLES = "tables"  # in the state: the mapping table of each collection that was ever selected, by source name
LISTING = "listing"  # in the state: the collections of the source when the selection page was last opened
OPENED = "opened"  # in the state: the plan of a job or of a file, until its connections are chosen
TARGET = "target"  # in the state: the facts about the target
TICKED = "ticked"  # in the state: what was sent about the collections that are ticked, but not saved yet
REST = "rest"  # in the state: the same about those that follow in the next draft
DEFAULT_DATABASE = "default"


@dataclass(frozen=True, slots=True)
class Route:
    """Source and target, as shown at the top of each page."""

    source_title: str = ""
    source_name: str = ""
    target_title: str = ""
    target_name: str = ""
    database: str = ""


Value = TypeVar("Value")


def decoded(draft: Draft, name: str, raw: tuple[Any, ...], decode: Callable[[], Value]) -> Value:
    """Return ``decode()``; the result is remembered under ``name`` until one of ``raw`` is another object."""
    entry = draft.__dict__.setdefault("_decoded", {}).get(name)
    if entry is None or not _are_same(entry[0], raw):
        return remember(draft, name, raw, decode())
    value: Value = entry[1]
    return value


def remember(draft: Draft, name: str, raw: tuple[Any, ...], value: Value) -> Value:
    """Make ``decoded`` return ``value`` as long as ``raw`` holds the same objects."""
    draft.__dict__.setdefault("_decoded", {})[name] = (raw, value)
    return value


def _are_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def part(draft: Draft, name: str) -> dict[str, Any]:
    """Return a part of the state that is a JSON object; empty if it is missing or has another format."""
    value = draft.state.get(name)
    return value if isinstance(value, dict) else {}


def progress(draft: Draft | None) -> Progress:
    """Return the progress of a draft; None is a migration that has no draft yet."""
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
    """Return the source names of the selected collections, in the order of the plan."""
    return [collection["source"] for collection in draft.plan.get("collections", [])]


def rest(draft: Draft) -> list[str]:
    """Return the source names of the collections that follow in the next draft."""
    return list(part(draft, REST).get("collections", ()))


def listing(draft: Draft) -> tuple[CollectionInfo, ...]:
    raw = draft.state.get(LISTING)
    return decoded(draft, LISTING, (raw,), lambda: listing_from_json(raw))


def info(draft: Draft, name: str) -> CollectionInfo | None:
    """Return the facts of a collection from the stored listing; None if it is not listed."""
    return next((entry for entry in listing(draft) if entry.name == name), None)


def target_facts(draft: Draft) -> TargetFacts | None:
    """Return the facts of the chosen target; None if they belong to another target."""
    raw = draft.state.get(TARGET)
    facts = decoded(draft, TARGET, (raw,), lambda: target_from_json(raw))
    return facts if facts and facts.connection == draft.target_connection_id else None


def database(draft: Draft) -> str:
    name: str = draft.plan.get("target", {}).get("database", DEFAULT_DATABASE)
    return name


def target_plan(facts: TargetFacts) -> dict[str, Any]:
    """Return the database for the plan; one that does not exist is to be created."""
    is_new = facts.database not in facts.databases
    return {"database": facts.database} | ({"create_database": True} if is_new else {})


def route(draft: Draft | None) -> Route:
    if draft is None:
        return Route()
    source, target = draft.source_connection, draft.target_connection
    return Route(
        source_title=endpoint_kinds.title(draft.kind, is_target=False),
        source_name=source.name if source else "",
        target_title=endpoint_kinds.title(target.kind, is_target=True) if target else "",
        target_name=target.name if target else "",
        database=database(draft) if target else "",
    )


def detail(draft: Draft) -> str:
    """Return the number of selected collections, in the words of the source: "3 tables selected"."""
    count = len(chosen(draft)) or len(part(draft, TICKED).get("collections", ()))
    kind = endpoint_kinds.find(draft.kind, is_target=False)
    words = kind.words if kind else ("collection", "collections")
    return f"{counted(count, *words)} selected" if count else ""


def name(draft: Draft) -> str:
    """Return the names of source and target, as far as they are chosen: "shop-db → prod"."""
    names = [end.name if end else "…" for end in (draft.source_connection, draft.target_connection)]
    return " → ".join(names)


def step(draft: Draft) -> Step:
    """Return the step to resume at."""
    return progress(draft).furthest


def plan_head(draft: Draft) -> dict[str, Any]:
    """Return the plan without its collections. Source and target are given by the names of their
    connections."""
    source, target = draft.source_connection, draft.target_connection
    return {
        "version": 1,
        "source": {"connection": source.name} if source else {},
        "target": draft.plan.get("target", {}) | {"connection": target.name, "database": database(draft)}
        if target
        else {},
        "options": draft.plan.get("options", {}),
    }
