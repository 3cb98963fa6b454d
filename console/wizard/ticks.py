"""Ticks of the selection page that are not in the plan: those of a page that was left for another one, and
the collections that follow in the next draft because one job cannot move more."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.http import QueryDict

from console.draft import contents
from console.html_anchors import anchor
from migrations_app import services
from migrations_app.models import Draft


def keep(draft: Draft, data: QueryDict) -> Draft:
    """Keep what was sent, without saying whether it is valid, until the page is opened again."""
    kept = _sent(data, data.getlist("collections"))
    return services.draft_save(draft=draft, state=draft.state | {contents.TICKED: kept})


def split(names: list[str], most: int, data: QueryDict) -> tuple[list[str], dict[str, list[str]]]:
    """Return the first ``most`` of the names, and what was sent about the others."""
    return names[:most], _sent(data, names[most:])


def kept(draft: Draft) -> QueryDict:
    """Return what was sent about the collections that are ticked, but not in the plan."""
    found = QueryDict(mutable=True)
    sent = contents.part(draft, contents.TICKED) or contents.part(draft, contents.REST)
    for name, values in sent.items():
        found.setlist(name, values)
    return found


def ticked(draft: Draft) -> list[str]:
    """Return the names of the collections that are ticked when the page is opened."""
    if contents.TICKED in draft.state:
        return kept(draft).getlist("collections")
    return contents.chosen(draft) + contents.rest(draft)


def next_draft(draft: Draft, user: User) -> Draft | None:
    """Create the draft of the collections that the job of this one does not move; None if there are none."""
    if not contents.rest(draft):
        return None
    made = services.draft_create(kind=draft.kind, user=user, source_connection=draft.source_connection)
    state = {contents.TICKED: draft.state[contents.REST]}
    state |= {contents.TARGET: draft.state[contents.TARGET]}
    plan = {"target": draft.plan.get("target", {})}
    return services.draft_save(draft=made, plan=plan, state=state, target_connection=draft.target_connection)


def _sent(data: QueryDict, names: Iterable[str]) -> dict[str, list[str]]:
    listed = list(names)
    prefixes = {anchor(name) for name in listed}
    controls = {key: data.getlist(key) for key in data if key.partition("-")[0] in prefixes}
    return {"collections": listed, **controls} if listed else {}
