"""Endpoint checks of a plan: database, options, number of collections, and names that are already used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from pydantic import ValidationError

from migrations_app.engine.errors import DatabaseMissing
from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.milvus.metrics import METRICS_OF_TYPE
from migrations_app.engine.model.names import free_name, name_problem, suggest
from migrations_app.engine.model.plan import CollectionPlan, Plan
from migrations_app.engine.model.pydantic_faults import faults_of, field_names
from migrations_app.engine.sources.base import Source
from migrations_app.engine.targets.base import Target

TARGET = "collection_target"
EXISTING = (Fix("Add rows to it", "if_exists", "append"), Fix("Replace it", "if_exists", "replace"))


def check_database(
    plan: Plan, target: Target, error: DatabaseMissing, capabilities: Capabilities
) -> Iterator[Fault]:
    """Check a database that does not exist: the plan may ask to create it."""
    name, path = plan.target.database, "target.database"
    if plan.target.create_database and not capabilities.databases:
        message = f"{capabilities} has only one database, so “{name}” cannot be created."
        yield Fault("database_unsupported", message, "Write database: default.", path, option="database")
    elif plan.target.create_database:
        if problem := name_problem(name, "database"):
            yield Fault(problem.code, problem.message, problem.hint, path, option="database")
    else:
        with target.in_default_database() as other:
            names = other.databases()
        hint = f"Available databases: {', '.join(names[:20])}." if names else error.hint
        if capabilities.databases:
            hint += " To create it, write create_database: true."
        yield Fault(error.code, error.message, hint, path, option="database")


def default_capabilities(target: Target) -> Capabilities:
    """Return the capabilities of the server, read through its default database."""
    with target.in_default_database() as other:
        return other.capabilities()


def check_number(plan: Plan, source: type[Source], most: int | None) -> Iterator[Fault]:
    """Check the number of collections. ``most`` is the console's limit; a source may have a smaller one."""
    limits = [limit for limit in (most, source.max_collections) if limit is not None]
    number = len(plan.collections)
    if limits and number > min(limits):
        message = f"The plan has {number} collections; a job from {source.title} moves at most {min(limits)}."
        yield Fault("too_many_collections", message, "Split it into several plans.", "collections")


def check_options(plan: Plan, source: type[Source], capabilities: Capabilities) -> Iterator[Fault]:
    has_index = plan.options.creates_index(source.indexes_by_default)
    if plan.options.load and not has_index and capabilities.count_needs_load:
        message = f"{capabilities} loads only collections with an index, but the plan does not create one."
        fix = Fix("Create the index too", "create_index", "true")
        yield Fault(
            "load_needs_index",
            message,
            "Write create_index: true.",
            "options.load",
            option="load",
            fixes=(fix,),
        )


def check_indexes(
    plan: Plan, source: type[Source], capabilities: Capabilities, collections: Mapping[int, CollectionPlan]
) -> Iterator[Fault]:
    """Check that the completed ``collections`` have the indexes that the options of the plan need."""
    has_index = plan.options.creates_index(source.indexes_by_default)
    for number, collection in collections.items() if has_index else ():
        indexed = {index.field for index in collection.indexes or ()}
        missing = [name for name in _vectors(collection) if name not in indexed]
        if not indexed:
            code, message = (
                "indexes_empty",
                "An index is to be created (create_index), but the plan has none.",
            )
            hint = "Choose a metric for a vector, or create no index. In a plan file: "
            hint += f"indexes: [{{field: {missing[0]}, metric: …}}]" if missing else "create_index: false"
        elif missing and plan.options.load and capabilities.count_needs_load:
            code, message = (
                "load_needs_index",
                f"To load a collection, each vector needs an index: “{missing[0]}”.",
            )
            hint = "Choose its metric (“indexes” in a plan file), or do not load the collection."
        else:
            continue
        path = f"collections[{number}].indexes"
        yield Fault(code, message, hint, path, collection.source, option="indexes")


def _vectors(collection: CollectionPlan) -> Iterator[str]:
    """Yield the vector fields of the collection."""
    fields = (field for field in collection.fields or () if not field.dynamic and field.target)
    yield from (field.target or "" for field in fields if field.type in set(METRICS_OF_TYPE))
    yield from (full_text.output for full_text in collection.full_text)


def check_source_keys(collection: CollectionPlan, source: type[Source]) -> Iterator[Fault]:
    """Check ``select`` and ``source_options``, whose keys are defined by the connector."""
    for key, model, values in (
        ("select", source.Selection, collection.select),
        ("source_options", source.Options, collection.source_options),
    ):
        try:
            model.model_validate(values)
        except ValidationError as error:
            for fault in faults_of(error, field_names(model)):
                yield replace(fault.under(key), collection=collection.source, option=key)


def check_targets(
    collections: Mapping[int, CollectionPlan], taken: Collection[str], database: str
) -> Iterator[Fault]:
    """Check that no collection name is used in the database already, or twice in the plan."""
    seen: set[str] = set()
    for number, collection in collections.items():
        name = collection.target or ""
        fixes = [_use_name(suggest(name, taken, "collection"))]
        hint = "Choose another name."
        if name in taken and collection.if_exists == "error":
            code, message = (
                "collection_exists",
                f"The database “{database}” already has a collection “{name}”.",
            )
            hint = "Choose another name, add the rows to the collection, or replace it with all its rows."
            fixes += EXISTING
        elif name in seen:
            code, message = (
                "target_duplicate",
                f"Two collections of the plan have the target name “{name}”.",
            )
        else:
            seen.add(name)
            continue
        path = f"collections[{number}].target"
        yield Fault(code, message, hint, path, collection.source, option=TARGET, fixes=tuple(fixes))


def with_free_targets(faults: Iterable[Fault], used: AbstractSet[str]) -> Iterator[Fault]:
    """Yield the same faults, but with fixes that suggest different names, none of which is in ``used``."""
    used = set(used)
    for fault in faults:
        if fault.option == TARGET and fault.fixes:
            free = free_name(fault.fixes[0].value, used)
            used.add(free)
            fault = replace(fault, fixes=(_use_name(free), *fault.fixes[1:]))
        yield fault


def _use_name(name: str) -> Fix:
    return Fix(f"Use {name}", "target", name)
