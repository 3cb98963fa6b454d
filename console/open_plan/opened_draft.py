"""Opened draft: made from the plan of a job or of a plan file, once its connections are known."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.urls import reverse

from console import endpoint_kinds
from console.draft import contents, endpoint_facts
from console.draft.snapshot import target_to_json
from console.schema.from_plan import open_plans
from console.schema.page.context import url as schema_url
from migrations_app import services
from migrations_app.engine.errors import FerryError
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Connection, Draft


class ConnectionsForm(forms.Form):
    """The saved connections that take the place of those in the plan."""

    source = forms.ModelChoiceField(
        Connection.objects.none(), label="Source connection", empty_label="Choose a connection"
    )
    target = forms.ModelChoiceField(
        Connection.objects.none(), label="Target connection", empty_label="Choose a connection"
    )

    def __init__(self, kind: str, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        sources = Connection.objects.filter(is_target=False)
        # A plan that names a connection which does not exist here may not say the kind of its source.
        self.fields["source"].queryset = sources.filter(kind=kind) if kind else sources  # type: ignore[attr-defined]
        self.fields["target"].queryset = Connection.objects.filter(is_target=True)  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.width = "full"  # type: ignore[attr-defined]


def create(
    plan: dict[str, Any],
    kind: str,
    user: User,
    ends: dict[str, Connection | None],
    place: tuple[str, str] = ("", ""),
) -> Draft:
    """Return a draft that holds the plan. ``place``: the source name of the collection and the anchor of the
    field to show first."""
    draft = services.draft_create(kind=kind, user=user, source_connection=ends.get("source"))
    opened = {"plan": plan, "place": list(place)}
    return services.draft_save(
        draft=draft, state={contents.OPENED: opened}, target_connection=ends.get("target")
    )


def fill(draft: Draft, source: Connection, target: Connection) -> tuple[str, tuple[str, ...]]:
    """Give the draft its mapping tables. Return the URL to continue at, and notes for the user.

    Raises ``FerryError`` if source or target cannot be reached; the draft then still holds its plan.
    """
    opened = contents.part(draft, contents.OPENED)
    plan = Plan.model_validate(opened["plan"] | {"source": {}, "target": {}})
    database = opened["plan"].get("target", {}).get("database", contents.DEFAULT_DATABASE)
    creates = bool(opened["plan"].get("target", {}).get("create_database"))
    facts = endpoint_facts.learn(target, database, create=creates)
    draft = services.draft_save(
        draft=draft,
        source_connection=source,
        target_connection=target,
        plan={"target": contents.target_plan(facts), "options": _options(plan)},
        state=draft.state | {contents.TARGET: target_to_json(facts)},
        kind=source.kind,
    )
    endpoint_facts.store_listing(draft, endpoint_facts.list_collections(draft))
    result = open_plans(draft, plan.collections)
    notes = result.notes
    if facts.database != database:
        notes = (f"The target has no database “{database}”: “{facts.database}” is chosen.", *notes)
    rest = {name: value for name, value in result.draft.state.items() if name != contents.OPENED}
    draft = services.draft_save(draft=result.draft, state=rest)
    names, (source, field) = contents.chosen(draft), opened.get("place", ("", ""))
    url = schema_url(draft, names.index(source) if source in names else 0)
    return f"{url}#{field}" if field else url, notes


def _options(plan: Plan) -> dict[str, Any]:
    """Return the options that the plan has: what it leaves out gets the defaults of the wizard."""
    options = plan.options.model_dump(exclude_unset=True)
    return {name: value for name, value in options.items() if (name, value) != ("create_index", None)}


def context(draft: Draft, form: ConnectionsForm, error: FerryError | None) -> dict[str, Any]:
    """Return the context of ``open_plan/opened.html``."""
    plan = contents.part(draft, contents.OPENED).get("plan", {})
    return {
        "form": form,
        "error": error and error.as_dict(),
        "source_title": endpoint_kinds.title(draft.kind, is_target=False),
        "collections": [collection.get("source", "") for collection in plan.get("collections", [])],
        "wanted": {role: _wanted(plan.get(role, {})) for role in ("source", "target")},
        "draft": {"id": draft.pk},
        "new_source_url": reverse("connection_new", args=[draft.kind])
        if draft.kind
        else reverse("connections"),
        "new_target_url": reverse("connection_new", args=["milvus"]),
        "back_url": reverse("migrations"),
    }


def _wanted(end: dict[str, Any]) -> str:
    """Return how the plan names an end, without secrets."""
    if end.get("connection"):
        return f"The plan names the connection “{end['connection']}”."
    return "The plan names no saved connection, and settings inside a plan are not read here."
