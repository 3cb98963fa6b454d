"""Same collection: a job must not write into a collection that it reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.identity import CollectionIdentity
from migrations_app.engine.model.names import suggest
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target

CODE = "target_is_source"


def find_source(
    target_name: str, source_names: Iterable[str], source: Source, target: Target, ctx: ReadContext
) -> str | None:
    """Return which of the source's collections the target's collection ``target_name`` is; None if none.

    Both servers are asked, so it does not matter how their addresses are written. A source of another kind of
    server has no identities.
    """
    return _found(target_name, _identities(source_names, source, ctx), target, ctx)


def refusal(target_name: str, source_name: str, taken: Iterable[str] = ()) -> Fault:
    """Return the fault of a plan that writes into the collection that it reads. ``taken`` are the names that
    cannot be suggested."""
    free = suggest(target_name, {target_name, *taken}, "collection")
    return Fault(
        CODE,
        f"“{target_name}” in the target is the collection “{source_name}” of the source, on the same server.",
        "Choose another name or another database. A job never writes into a collection that it reads.",
        "target",
        option="collection_target",
        fixes=(Fix(f"Use {free}", "target", free),),
    )


def check_same_collections(
    collections: Mapping[int, CollectionPlan],
    source: Source,
    target: Target,
    taken: Collection[str],
    ctx: ReadContext,
) -> Iterator[Fault]:
    """Check that no collection that is to be replaced or added to is one of those that the plan reads."""
    # An existing collection for which the plan allows neither is refused anyway, and so is an alias.
    changed = {
        n: plan for n, plan in collections.items() if plan.if_exists != "error" and plan.target in taken
    }
    read = [plan.source for plan in collections.values()] if changed else []
    identities = _identities(read, source, ctx)
    for number, plan in changed.items():
        name = plan.target or ""
        if (own := _found(name, identities, target, ctx)) is not None:
            fault = refusal(name, own, taken).under(f"collections[{number}]")
            yield replace(fault, collection=plan.source)


def _identities(names: Iterable[str], source: Source, ctx: ReadContext) -> Mapping[str, CollectionIdentity]:
    found = ((name, source.identity(name, ctx)) for name in names)
    return {name: identity for name, identity in found if identity is not None}


def _found(
    name: str, identities: Mapping[str, CollectionIdentity], target: Target, ctx: ReadContext
) -> str | None:
    own = target.identity(name, ctx) if identities else None
    if own is None:
        return None
    return next((source for source, identity in identities.items() if identity.is_same(own)), None)
