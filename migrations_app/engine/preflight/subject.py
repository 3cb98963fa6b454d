"""Subject of the rules: one completed collection, its source schema, and the capabilities of the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.key_paths import source_of
from migrations_app.engine.model.plan import CollectionPlan, FieldPlan
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.planning.index_defaults import copied_outputs


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """A field of the plan, with its number in the list and its source field, if it has one."""

    number: int
    plan: FieldPlan
    source: SourceField | None
    collection: str

    @property
    def name(self) -> str:
        """The name of the field in messages."""
        return self.plan.source or self.plan.target or f"field {self.number + 1}"

    @property
    def spec(self) -> TypeSpec | None:
        """The type with its parameters; None if the plan has no type, or one that does not exist."""
        element = self.plan.element_type
        if not _is_type(self.plan.type) or not (element is None or _is_type(element)):
            return None
        spec = self.plan.spec()
        return None if spec.type is MilvusType.ARRAY and spec.element_type is None else spec

    @property
    def type_name(self) -> str:
        """The type as written in the plan, valid or not."""
        element = self.plan.element_type
        return f"{self.plan.type}<{element}>" if element else str(self.plan.type)

    @property
    def is_key_of_document(self) -> bool:
        """True if the field is a document key of an opened column."""
        return self.source is not None and bool(self.source.opened_from)

    @property
    def is_vector(self) -> bool:
        return self.spec is not None and self.spec.type.is_vector

    def fault(
        self,
        option: str,
        code: str,
        message: str,
        hint: str = "",
        *fixes: Fix,
        severity: Literal["error", "warning"] = "error",
    ) -> Fault:
        path = f"fields[{self.number}].{option}" if option else f"fields[{self.number}]"
        field = self.plan.source or ""
        return Fault(code, message, hint, path, self.collection, field, option, fixes, severity)


@dataclass(frozen=True, slots=True)
class Subject:
    """One completed collection of a plan. ``existing``: the collection to which its rows are added.

    ``copied``: the schema that the new collection copies exactly, if the source is a Milvus.
    """

    plan: CollectionPlan
    schema: CollectionSchema
    capabilities: Capabilities
    existing: TargetSchema | None = None

    @property
    def copied(self) -> TargetSchema | None:
        return self.schema.exact if self.existing is None else None

    @property
    def copied_outputs(self) -> tuple[TargetField, ...]:
        """The fields that functions of ``copied`` fill, without those of full-text search."""
        return copied_outputs(self.plan, self.copied)

    @property
    def opened(self) -> tuple[str, ...]:
        """The columns whose keys become fields one by one."""
        return tuple(self.plan.open)

    def entries(self) -> list[FieldEntry]:
        return [
            FieldEntry(number, field, self._source(field), self.plan.source)
            for number, field in enumerate(self.plan.fields or ())
        ]

    def fixed(self) -> list[FieldEntry]:
        """Return the fields of the target, without the entries of the dynamic field."""
        return [entry for entry in self.entries() if not entry.plan.dynamic]

    def field_names(self) -> set[str]:
        """Return the names of all target fields, including a generated key and the outputs of functions."""
        names = {entry.plan.target for entry in self.fixed()}
        names |= {field.name for field in self.copied_outputs}
        names |= {full_text.output for full_text in self.plan.full_text}
        return {name for name in (*names, self.plan.key_name if self.plan.makes_key else None) if name}

    def named(self, target: str) -> FieldEntry | None:
        return next((entry for entry in self.fixed() if entry.plan.target == target), None)

    def is_key(self, entry: FieldEntry) -> bool:
        return self.plan.is_kept_key(entry.plan.source)

    def is_partition_key(self, entry: FieldEntry) -> bool:
        return self.plan.partition_key is not None and entry.plan.target == self.plan.partition_key

    def fault(self, option: str, code: str, message: str, hint: str = "", *fixes: Fix) -> Fault:
        """Return a fault of the collection itself. The option of its name is ``collection_target``."""
        path = "target" if option == "collection_target" else option
        return Fault(code, message, hint, path, self.plan.source, option=option, fixes=fixes)

    def _source(self, field: FieldPlan) -> SourceField | None:
        return source_of(self.schema, self.plan.open, field.source)


Rule = Callable[[Subject], Iterator[Fault]]


def _is_type(name: str | None) -> bool:
    return name is not None and name in MilvusType.__members__
