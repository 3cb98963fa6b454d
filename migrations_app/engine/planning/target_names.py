"""Target names: the names that are proposed for collections and their fields.

The proposal for a field is its name in the source. Two kinds of fields get another one, so that all differ:

- A name that Milvus refuses is made legal if the source says so (``NamingRule``). Otherwise the user is
  asked.
- A synthetic name gives way to the names of other fields and of document keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.key_paths import last_part, level, opened_path
from migrations_app.engine.model.names import (
    NameProblem,
    NamingRule,
    duplicates,
    free_name,
    name_problem,
    suggest,
)
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField

NOT_LEGAL = "its name is not legal in Milvus"


class Named(Protocol):
    """A listed or described collection."""

    @property
    def name(self) -> str: ...
    @property
    def naming_rule(self) -> NamingRule: ...
    @property
    def label(self) -> str: ...
    @property
    def group(self) -> str: ...


def default_targets(collections: Iterable[Named]) -> dict[str, str]:
    """Return the default target name of each collection: its label, or group and label if two labels are the
    same. Names that are made legal differ from the others."""
    listed = list(collections)
    twice = duplicates(c.label or c.name for c in listed)
    names = {c.name: _label(c, twice) for c in listed}
    for collection in listed:
        others = [name for key, name in names.items() if key != collection.name]
        names[collection.name] = _legal_target(names[collection.name], collection, others)
    return names


def default_target(collection: Named, taken: Collection[str] = ()) -> str:
    """Return the label, or ``group_label`` if the label is in ``taken``. The name may be invalid in Milvus if
    the source wants the user to be asked."""
    return _legal_target(_label(collection, taken), collection, taken)


def _label(collection: Named, taken: Collection[str]) -> str:
    label = collection.label or collection.name
    return f"{collection.group}_{label}" if label in taken and collection.group else label


def _legal_target(name: str, collection: Named, taken: Collection[str]) -> str:
    is_made_legal = collection.naming_rule.collections == "legal" and name_problem(name, "collection")
    return suggest(name, taken, "collection") if is_made_legal else name


def field_name_problem(name: str, capabilities: Capabilities) -> NameProblem | None:
    """Return the problem with a field name, in every Milvus or in this one; None if it is valid."""
    if name in capabilities.reserved_names:
        return NameProblem("name_reserved", f"“{name}” is reserved by {capabilities}.", "Use another name.")
    return name_problem(name)


def legal_name(name: str, taken: Collection[str], capabilities: Capabilities) -> str:
    """Return a valid field name close to ``name`` that is not in ``taken``."""
    wanted = suggest(name)
    reserved = capabilities.reserved_names
    return free_name(f"{wanted}_" if wanted in reserved else wanted, {*taken, *reserved})


def target_names(
    collection: CollectionPlan, schema: CollectionSchema, capabilities: Capabilities
) -> dict[str, str]:
    """Return the proposed target name of each field of the source, by source name."""
    taken = _written(collection) | rest_names(collection, schema)
    named = {field.source for field in collection.fields or () if field.target}
    fields = [field for field in schema.fields if field.name not in named]
    names: dict[str, str] = {}
    for field in sorted(fields, key=lambda field: _order(field, schema, capabilities)):
        name = last_part(field)
        if _is_made_legal(name, schema, capabilities):
            name = legal_name(name, taken, capabilities)
        elif field.is_synthetic:
            name = free_name(name, taken)
        names[field.name] = name
        if field.name not in collection.open and (not field.opened_from or name != last_part(field)):
            taken.add(name)
    return names


def _order(field: SourceField, schema: CollectionSchema, capabilities: Capabilities) -> int:
    """Names that stay as they are come first, so that the others can be different."""
    return 2 * field.is_synthetic + _is_made_legal(last_part(field), schema, capabilities)


def _is_made_legal(name: str, schema: CollectionSchema, capabilities: Capabilities) -> bool:
    return schema.naming_rule.fields == "legal" and field_name_problem(name, capabilities) is not None


def _written(collection: CollectionPlan) -> set[str]:
    """Return the names in the target that the plan itself contains."""
    names = {name for field in collection.fields or () for name in (field.target, field.as_)}
    names |= {collection.key_name, *(full_text.output for full_text in collection.full_text)}
    return {name for name in names if name}


def rest_names(collection: CollectionPlan, schema: CollectionSchema) -> set[str]:
    """Return the names of the sampled document keys that go into the dynamic field under their own names, or
    that become fields with them."""
    listed = {field.source: field for field in collection.fields or ()}
    unnamed = (name for name, field in listed.items() if not (field.target or field.as_))
    paths = (path for name in unnamed if (path := opened_path(name, collection.open)))
    names = {path.parts[-1] for path in paths}
    if collection.rest == "dynamic":
        names |= {last_part(f) for f in schema.fields if level(f) == 1 and f.name not in listed}
    return names


def renamed(collection: CollectionPlan, schema: CollectionSchema) -> Iterator[str]:
    """Yield a sentence for the collection of a completed plan and for each of its fields, if its name differs
    because of a rule."""
    if reason := why_collection_renamed(collection.target, schema):
        yield f"“{schema.label or schema.name}” becomes the collection “{collection.target}”: {reason}."
    for field in collection.fields or ():
        source = schema.field(field.source or "")
        if source is not None and (reason := why_renamed(source, field.target, schema)):
            yield f"“{source.name}” becomes the field “{field.target}”: {reason}."


def why_collection_renamed(target: str | None, schema: CollectionSchema) -> str:
    """Return the reason why the collection has another name in the target; empty if no rule made it."""
    name = schema.label or schema.name
    is_ruled = schema.naming_rule.collections == "legal" and target not in (None, name)
    return NOT_LEGAL if is_ruled and name_problem(name, "collection") is not None else ""


def why_renamed(source: SourceField, target: str | None, schema: CollectionSchema) -> str:
    """Return the reason why a field has another name in the target; empty if no rule made it."""
    name = last_part(source)
    if target in (None, name):
        return ""
    if schema.naming_rule.fields == "legal" and name_problem(name) is not None:
        return NOT_LEGAL
    keys = {last_part(field) for field in schema.fields if level(field) == 1}
    if source.is_synthetic and name in keys:
        return f"the documents have a key “{name}”"
    return ""
