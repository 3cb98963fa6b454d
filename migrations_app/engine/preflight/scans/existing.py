"""Collections that are in the target already: what stands there, and whether it may be replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from migrations_app.engine.errors import Fault, FerryError, TargetError
from migrations_app.engine.log import counted, shortened
from migrations_app.engine.model.names import name_problem
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.targets.base import Target


@dataclass(frozen=True, slots=True)
class ExistingRows:
    """A collection and its rows: counted, or (``is_exact`` False) what the server's statistics say, in which
    rows written just now are missing and deleted ones may still be."""

    name: str
    rows: int
    is_exact: bool

    def __str__(self) -> str:
        about = "" if self.is_exact else "about "
        return f"“{self.name}” ({about}{counted(self.rows, 'row')})"


def rows_in(target: Target, name: str) -> ExistingRows:
    """What a collection holds, as far as it can be told at once: nothing is flushed, indexed or loaded."""
    if not target.capabilities().count_needs_load or target.load_state(name).is_loaded:
        try:
            return ExistingRows(name, target.count(name), is_exact=True)
        except FerryError as error:
            if error.retryable:
                raise
    return ExistingRows(name, target.row_statistics(name), is_exact=False)


def added_to(
    collection: CollectionPlan, target: Target, taken: Collection[str]
) -> tuple[TargetSchema | None, tuple[Fault, ...]]:
    """The collection that rows are added to, where there is one; and why it cannot be read."""
    name = collection.target or ""
    if collection.if_exists != "append" or name not in taken:
        return None, ()
    try:
        return target.describe(name), ()
    except TargetError as error:
        if error.retryable:
            raise
        fault = Fault(error.code, error.message, error.hint, "if_exists", collection.source)
        return None, (replace(fault, option="if_exists"),)


def check_names(collection: CollectionPlan, target: Target, taken: Collection[str]) -> Iterator[Fault]:
    """A name that stands for another collection; a collection that cannot make room. ``taken``: the names of
    the collections there are."""
    name = collection.target or ""
    if name_problem(name, "collection"):
        return  # said elsewhere; a server does not look for what cannot be there
    if name not in taken:
        yield from _check_alias(collection, target.describe(name))
    elif collection.if_exists == "replace" and (refusal := alias_refusal(name, target)):
        yield replace(refusal, collection=collection.source)


def check_partitions(collection: CollectionPlan, target: Target, taken: Collection[str]) -> Iterator[Fault]:
    """Rows that would be added beside partitions: a key that lies in one of them would be there twice."""
    name = collection.target or ""
    keeps_apart = target.capabilities().key_per_partition and not collection.is_auto_id
    is_divided = collection.partition_by is not None or collection.partition_key is not None
    if collection.if_exists != "append" or name not in taken or is_divided or not keeps_apart:
        return
    others = [partition for partition in target.partitions(name) if partition != DEFAULT_PARTITION]
    if others:
        listed = ", ".join(f"“{shortened(other)}”" for other in others[:3]) + (", …" if others[3:] else "")
        message = (
            f"“{name}” is divided into partitions ({listed}). All rows would be added to "
            f"“{DEFAULT_PARTITION}”, and a key that is in another one would be there twice."
        )
        hint = "Name the field by whose values it is divided (partition_by)."
        yield Fault(
            "partitions_there", message, hint, "partition_by", collection.source, option="partition_by"
        )


def _check_alias(collection: CollectionPlan, found: TargetSchema | None) -> Iterator[Fault]:
    name = collection.target or ""
    if found is not None and found.name != name:
        message = f"“{name}” is an alias of the collection “{found.name}”."
        hint = "Choose another name, or name the collection itself."
        yield Fault("target_is_alias", message, hint, "target", collection.source, option="collection_target")


def alias_refusal(name: str, target: Target) -> Fault | None:
    """Why a collection with aliases is not dropped: Milvus refuses it, and 2.3 drops them with it unasked."""
    aliases = target.aliases(name)
    if not aliases:
        return None
    listed = ", ".join(f"“{alias}”" for alias in aliases)
    are = "is an alias" if len(aliases) == 1 else "are aliases"
    message = f"{listed} {are} of “{name}”: Milvus does not drop it."
    hint = "Drop them first, and set them anew once the rows are there."
    return Fault("target_has_alias", message, hint, "if_exists", option="if_exists")
