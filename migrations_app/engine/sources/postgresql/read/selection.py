"""Selection: which part of a table is moved. This is ``select`` in a collection of the plan."""

from __future__ import annotations

from pydantic import Field, field_validator

from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.sources.postgresql.read.condition import refusal_of


class PostgresSelection(SettingsModel):
    """``select`` of a collection. ``where`` is the condition for the rows to move; all rows if left out."""

    where: str = Field(
        default="",
        title="Only rows where",
        description="One boolean SQL expression over the table's columns. Rows for which it is false or NULL "
        "are not moved.",
        examples=["price > 0 AND category = 'books'"],
    )

    @field_validator("where", mode="before")
    @classmethod
    def _is_not_blank(cls, condition: object) -> object:
        """A blank condition is probably a mistake and does not mean all rows."""
        if isinstance(condition, str) and not condition.strip():
            raise ValueError("the condition is blank; leave it out to move all rows")
        return condition

    @field_validator("where")
    @classmethod
    def _is_one_expression(cls, condition: str) -> str:
        if reason := refusal_of(condition):
            raise ValueError(f"the condition {reason}")
        return condition
