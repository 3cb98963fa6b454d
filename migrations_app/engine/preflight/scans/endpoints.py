"""A plan's two ends: database, options, number of collections, and names that are taken."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from pydantic import ValidationError

from migrations_app.engine.errors import DatabaseMissing, Fault, Fix
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.names import free_name, suggest
from migrations_app.engine.model.plan import CollectionPlan, Plan
from migrations_app.engine.model.pydantic_faults import faults_of, field_names
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target

TARGET = "collection_target"


def database_fault(plan: Plan, target: Target, error: DatabaseMissing) -> Fault:
    with type(target)(target.settings) as other:
        names = other.databases()
    hint = f"There is: {', '.join(names[:20])}." if names else error.hint
    return Fault(error.code, error.message, hint, "target.database", option="database")


def capabilities_elsewhere(target: Target) -> Capabilities:
    """What the server can do, asked through its default database."""
    with type(target)(target.settings) as other:
        return other.capabilities()


def check_number(plan: Plan, source: type[Source], most: int | None) -> Iterator[Fault]:
    """``most`` is the console's own limit; a source may have a smaller one."""
    limits = [limit for limit in (most, source.max_collections) if limit is not None]
    number = len(plan.collections)
    if limits and number > min(limits):
        message = f"The plan has {number} collections; one job from {source.title} takes {min(limits)}."
        yield Fault("too_many_collections", message, "Make several plans of it.", "collections")


def check_options(plan: Plan, source: type[Source], capabilities: Capabilities) -> Iterator[Fault]:
    asked = plan.options.create_index
    has_index = source.indexes_by_default if asked is None else asked
    if plan.options.load and not has_index and capabilities.count_needs_load:
        message = f"{capabilities} loads a collection only once it has an index, and no index is asked for."
        fix = Fix("Create the index too", "create_index", "true")
        yield Fault(
            "load_needs_index",
            message,
            "Write create_index: true.",
            "options.load",
            option="load",
            fixes=(fix,),
        )
    for number, collection in enumerate(plan.collections):
        if has_index and collection.indexes == []:
            message = "An index is asked for (create_index), and “indexes” names none."
            hint = "Leave it out for AUTOINDEX, or write create_index: false."
            path = f"collections[{number}].indexes"
            yield Fault("indexes_empty", message, hint, path, collection.source, option="indexes")


def check_selection(collection: CollectionPlan, source: type[Source]) -> Fault | None:
    """The first thing wrong with ``select``, which is the connector's own."""
    try:
        source.Selection.model_validate(collection.select)
    except ValidationError as error:
        fault = faults_of(error, field_names(source.Selection))[0].under("select")
        return Fault(fault.code, fault.message, fault.hint, fault.path, collection.source, option="select")
    return None


def check_targets(
    collections: Mapping[int, CollectionPlan], taken: Collection[str], database: str
) -> Iterator[Fault]:
    """Names that the database has already, or that two collections of the plan want."""
    seen: set[str] = set()
    for number, collection in collections.items():
        name = collection.target or ""
        if name in taken and collection.if_exists == "error":
            code, message = (
                "collection_exists",
                f"The database “{database}” has a collection “{name}” already.",
            )
        elif name in seen:
            code, message = (
                "target_duplicate",
                f"Two collections of the plan are called “{name}” in the target.",
            )
        else:
            seen.add(name)
            continue
        path, hint = f"collections[{number}].target", "Choose another name."
        fix = _use(suggest(name, taken, "collection"))
        yield Fault(code, message, hint, path, collection.source, option=TARGET, fixes=(fix,))


def with_free_targets(faults: Iterable[Fault], used: AbstractSet[str]) -> Iterator[Fault]:
    """The same faults; the names to use instead for collections are none of ``used``, and no two the same."""
    used = set(used)
    for fault in faults:
        if fault.option == TARGET and fault.fixes:
            free = free_name(fault.fixes[0].value, used)
            used.add(free)
            fault = replace(fault, fixes=(_use(free),))
        yield fault


def _use(name: str) -> Fix:
    return Fix(f"Use {name}", "target", name)
