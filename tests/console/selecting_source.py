"""Source in memory with a selection: a condition on rows."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.errors import SourceError
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Count
from tests.kit import MemorySource


class Chosen(SettingsModel):
    """``where`` is a column name: only rows in which this column is not NULL are moved."""

    where: str = Field(default="", title="Only rows where")

    @field_validator("where")
    @classmethod
    def _is_one_word(cls, condition: str) -> str:
        if " " in condition:
            raise ValueError("the condition is not one word")
        return condition


class ChoosingSource(MemorySource):
    Selection: ClassVar[type[SettingsModel]] = Chosen

    def describe(self, ref: CollectionRef, sample: int, ctx: ReadContext) -> CollectionSchema:
        schema = super().describe(ref, sample, ctx)
        where = ref.selection.get("where")
        if where and schema.field(where) is None:
            message, hint = f"There is no column “{where}”.", "Name one."
            raise SourceError(message, hint, code="where_invalid", path="select.where")
        return schema

    def count(self, ref: CollectionRef, ctx: ReadContext) -> Count:
        if where := ref.selection.get("where"):
            column = self._collection(ref).rows.column(where)
            return Count(len(column) - column.null_count, is_exact=True)
        return super().count(ref, ctx)
