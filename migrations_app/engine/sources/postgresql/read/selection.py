"""What of a table is to be moved: the connector's own part of a plan's collection."""

from __future__ import annotations

from pydantic import Field, field_validator

from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.sources.postgresql.read.condition import refusal_of


class PostgresSelection(SettingsModel):
    """``select`` of a collection. ``where``: only the rows for which it is true; left out: all. ``open``: the
    columns of JSON objects whose keys are moved one by one."""

    where: str = Field(
        default="",
        title="Only rows where",
        description="One boolean SQL expression over the table's columns. Rows for which it is false or NULL "
        "stay behind.",
        examples=["price > 0 AND category = 'books'"],
    )

    open: list[str] = Field(
        default_factory=list,
        title="Open columns",
        description="JSON columns whose keys become fields, or keys of the dynamic field.",
        examples=["metadata"],
    )

    @field_validator("where", mode="before")
    @classmethod
    def _is_not_blank(cls, condition: object) -> object:
        """Somebody who wrote one that came out blank did not mean all rows."""
        if isinstance(condition, str) and not condition.strip():
            raise ValueError("the condition is blank; leave it out to move all rows")
        return condition

    @field_validator("where")
    @classmethod
    def _is_one_expression(cls, condition: str) -> str:
        if reason := refusal_of(condition):
            raise ValueError(f"the condition {reason}")
        return condition
