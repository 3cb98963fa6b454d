"""Endpoint facts: what a draft stores about its source and target, asked from the servers."""

from __future__ import annotations

from console.draft import contents
from console.draft.snapshot import TargetFacts, listing_to_json
from migrations_app import endpoints, services
from migrations_app.engine.errors import SettingsError
from migrations_app.engine.sources.base import CollectionInfo
from migrations_app.models import Connection, Draft


def list_collections(draft: Draft) -> tuple[CollectionInfo, ...]:
    """Return the collections of the source. Raises ``FerryError`` if it cannot be asked."""
    connection = draft.source_connection
    with (
        endpoints.open_source(connection.kind, connection.settings) as source,
        endpoints.looking(source) as ctx,
    ):
        return tuple(source.collections(ctx))


def store_listing(draft: Draft, listing: tuple[CollectionInfo, ...]) -> None:
    services.draft_save(draft=draft, state=draft.state | {contents.LISTING: listing_to_json(listing)})


def learn(connection: Connection, database: str, *, create: bool = False) -> TargetFacts:
    """Return the facts of a target, in ``database`` if it exists or is to be created, else in the default
    database, else in its first. Raises ``FerryError`` if the target cannot be asked."""
    with (
        endpoints.open_target(connection.kind, connection.settings) as target,
        endpoints.looking(target) as ctx,
    ):
        server, capabilities, databases = target.check(ctx), target.capabilities(), target.databases()
    title = f"{server.product} {server.version}"
    if create and database not in databases:
        return TargetFacts(connection.pk, database, title, capabilities, databases)
    wanted = [name for name in (database, contents.DEFAULT_DATABASE, *databases) if name in databases]
    if not wanted:
        raise SettingsError("The target has no database.", "Create a database there, and choose it here.")
    with (
        endpoints.open_target(connection.kind, connection.settings, wanted[0]) as target,
        endpoints.looking(target),
    ):
        taken = target.collections()
    return TargetFacts(connection.pk, wanted[0], title, capabilities, databases, taken)
