"""Existing collections of the target: what they contain, and if rows can be added or they can be replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from migrations_app.engine.errors import FerryError, TargetError
from migrations_app.engine.faults import Fault
from migrations_app.engine.log import counted, shortened
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.names import name_problem
from migrations_app.engine.model.partition_names import DEFAULT_PARTITION
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.read_context import ReadContext, time_limit
from migrations_app.engine.targets.base import Target

COUNT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ExistingRows:
    """A collection and its rows. If not ``is_exact``, the number is from the statistics of the server, which
    do not yet include new rows and may still include deleted ones."""

    name: str
    rows: int
    is_exact: bool

    def __str__(self) -> str:
        about = "" if self.is_exact else "about "
        return f"“{self.name}” ({about}{counted(self.rows, 'row')})"


def rows_in(target: Target, name: str) -> ExistingRows:
    """Return the number of rows that can be read at once, without a flush, an index or a load: counted if
    this takes a few seconds at most, else from the statistics."""
    if not target.capabilities().count_needs_load or target.load_state(name).is_loaded:
        try:
            with time_limit(ReadContext(target.stop), COUNT_SECONDS) as ctx, target.obeying(ctx.stop):
                return ExistingRows(name, target.count(name), is_exact=True)
        except FerryError as error:
            if error.retryable:
                raise
    return ExistingRows(name, target.row_statistics(name), is_exact=False)


def append_target(
    collection: CollectionPlan, target: Target, taken: Collection[str]
) -> tuple[TargetSchema | None, tuple[Fault, ...]]:
    """Return the collection to which rows are added, if it exists, and a fault if it cannot be read."""
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
    """Check that a name is not an alias, and that a collection to be replaced can be dropped.

    ``taken``: the names of the existing collections.
    """
    name = collection.target or ""
    if name_problem(name, "collection"):
        return  # another rule reports it; a server refuses to look up an invalid name
    if name not in taken:
        yield from _check_alias(collection, target.describe(name))
    elif collection.if_exists == "replace" and (refusal := alias_refusal(name, target)):
        yield replace(refusal, collection=collection.source)


def check_partitions(collection: CollectionPlan, target: Target, taken: Collection[str]) -> Iterator[Fault]:
    """Check that an existing collection can get the partitions of the plan, and that rows are not added
    outside its partitions: a key that is in one of them would then be in the collection twice."""
    name, capabilities = collection.target or "", target.capabilities()
    if collection.if_exists != "append" or name not in taken or collection.partition_key is not None:
        return
    if collection.is_partitioned:
        yield from _too_many_partitions(collection, set(target.partitions(name)), capabilities)
        return
    if collection.is_auto_id or not capabilities.key_per_partition:
        return
    others = [partition for partition in target.partitions(name) if partition != DEFAULT_PARTITION]
    if others:
        listed = ", ".join(f"“{shortened(other)}”" for other in others[:3]) + (", …" if others[3:] else "")
        message = (
            f"“{name}” is divided into partitions ({listed}). All rows would be added to "
            f"“{DEFAULT_PARTITION}”, and a key that is also in another partition would then exist twice."
        )
        hint = (
            "Set partition_by to the field whose values decide the partition, or keep the partitions of the "
            "source (partitions)."
        )
        yield Fault(
            "partitions_there", message, hint, "partition_by", collection.source, option="partition_by"
        )


def _too_many_partitions(
    collection: CollectionPlan, existing: set[str], capabilities: Capabilities
) -> Iterator[Fault]:
    new = set((collection.partitions or {}).values()) - existing
    if new and len(existing) + len(new) > capabilities.max_partitions:
        message = (
            f"“{collection.target}” has {counted(len(existing), 'partition')} and would get {len(new):,} "
            f"more; {capabilities.limited_by} allows {capabilities.max_partitions:,}."
        )
        option = "partitions" if collection.partition_by is None else "partition_by"
        hint = "Use another collection, or names of existing partitions."
        yield Fault("too_many_partitions", message, hint, option, collection.source, option=option)


def _check_alias(collection: CollectionPlan, found: TargetSchema | None) -> Iterator[Fault]:
    name = collection.target or ""
    if found is not None and found.name != name:
        message = f"“{name}” is an alias of the collection “{found.name}”."
        hint = "Choose another name, or use the name of the collection itself."
        yield Fault("target_is_alias", message, hint, "target", collection.source, option="collection_target")


def alias_refusal(name: str, target: Target) -> Fault | None:
    """Return a fault if a collection to be dropped has aliases.

    Milvus refuses to drop such a collection. Milvus 2.3 drops it together with its aliases, without asking.
    """
    aliases = target.aliases(name)
    if not aliases:
        return None
    listed = ", ".join(f"“{alias}”" for alias in aliases)
    has = "has the alias" if len(aliases) == 1 else "has the aliases"
    message = f"“{name}” {has} {listed}, and Milvus does not drop a collection that has an alias."
    hint = "Drop every alias first, and create it again when the job is done."
    return Fault("target_has_alias", message, hint, "if_exists", option="if_exists")
