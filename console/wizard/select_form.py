"""Forms of the selection: the collections to move, and the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from console.draft.snapshot import TargetFacts
from migrations_app.engine.model.names import MAX_BYTES, name_problem
from migrations_app.engine.sources.base import CollectionInfo
from migrations_app.models import Connection


class SelectionForm(forms.Form):
    """The selected collections of ``listing``. ``one`` is the source's word for a collection."""

    def __init__(
        self,
        listing: Sequence[CollectionInfo],
        data: Mapping[str, Any] | None,
        *,
        one: str,
    ) -> None:
        super().__init__(data)
        self.listing = {info.name: info for info in listing}
        self.fields["collections"] = forms.TypedMultipleChoiceField(
            choices=[(name, name) for name in self.listing],
            error_messages={
                "required": f"Choose at least one {one}.",
                "invalid_choice": f"There is no {one} “%(value).200s”. Was it deleted? Choose again.",
            },
        )

    def clean_collections(self) -> list[str]:
        """Return the names in the order of the listing."""
        ticked = set(self.cleaned_data["collections"])
        selected = [info for name, info in self.listing.items() if name in ticked]
        for info in selected:
            if info.not_selectable:
                raise ValidationError(f"“{info.name}” cannot be selected: {info.not_selectable}")
        return [info.name for info in selected]

    @property
    def error(self) -> str:
        return " ".join(self.errors.get("collections", []))


class TargetForm(forms.Form):
    """The target connection and a database in it. ``facts`` are those of the target that was last chosen."""

    target = forms.ChoiceField(
        label="Connection",
        error_messages={
            "required": "Choose a target.",
            "invalid_choice": "This connection no longer exists. Choose again.",
        },
    )
    database = forms.ChoiceField(
        error_messages={"invalid_choice": "The target has no database “%(value).200s”. Choose again."}
    )

    new_database = forms.CharField(
        label="Or create a database",
        required=False,
        max_length=MAX_BYTES,
        help_text="It is created when the job starts.",
    )

    def __init__(
        self,
        connections: Iterable[Connection],
        facts: TargetFacts | None,
        data: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=initial)
        databases = facts.databases if facts else ()
        self.connections = {str(connection.pk): connection for connection in connections}
        names = [(key, connection.name) for key, connection in self.connections.items()]
        self.fields["target"].choices = [("", "Choose…"), *names]
        self.fields["target"].width = "full"
        self.fields["target"].term = "connection"
        self.fields["database"].choices = [(name, name) for name in databases]
        self.fields["database"].width = "full"
        self.fields["database"].disabled = not databases
        self.fields["database"].required = bool(databases)
        if not databases:  # no target is chosen yet, so the database cannot be invalid
            self.initial["database"] = ""
        self.fields["new_database"].width = "full"
        if facts is None or not facts.capabilities.databases:
            del self.fields["new_database"]

    def clean_new_database(self) -> str:
        name: str = self.cleaned_data["new_database"]
        if name and (problem := name_problem(name, "database")):
            raise ValidationError(f"{problem.message} {problem.hint}")
        return name
