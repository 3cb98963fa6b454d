"""Step 1, Connect to Data Source: a saved connection, or a new one that is tested and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from console.connections.form import ConnectionForm
from console.connections.list import proposed_name, server_panel
from console.draft import contents
from migrations_app import endpoints, services
from migrations_app.engine.endpoint import ServerInfo
from migrations_app.engine.errors import FerryError, SettingsError
from migrations_app.engine.sources.registry import source_class
from migrations_app.models import Connection, Draft

NEW = "new"


@dataclass
class ConnectPage:
    """What the page shows. ``tested`` is what the server said of itself; ``error`` is one of no field."""

    kind: str
    form: ConnectionForm
    choice: str
    saved: list[Connection]
    tested: ServerInfo | None = None
    error: FerryError | None = None

    @property
    def is_refused(self) -> bool:
        return bool(self.form.errors or self.error)

    def context(self) -> dict[str, Any]:
        return {
            "saved": [_choice(connection) for connection in self.saved],
            "choice": self.choice,
            "form": self.form,
            "server": self.tested and server_panel(self.tested),
            "error": self.error,
        }


def opened(kind: str, title: str, draft: Draft | None, data: Mapping[str, Any] | None = None) -> ConnectPage:
    """The page as a draft left it, or as it was sent (``data``)."""
    saved = list(Connection.objects.filter(kind=kind, is_target=False))
    kept = str(draft.source_connection_id) if draft and draft.source_connection_id else NEW
    choice = (data.get("connection") or NEW) if data else kept
    model = source_class(kind).Settings
    form = ConnectionForm(model, data if choice == NEW else None, name=proposed_name(title))
    return ConnectPage(kind, form, choice, saved)


def test(page: ConnectPage) -> Connection | None:
    """Connect as the page says. On success ``page.tested``, and the saved connection if one was chosen;
    what fails is put where it belongs."""
    try:
        if page.choice != NEW:
            connection = _chosen(page)
            page.tested = services.connection_test(connection=connection)
            return connection
        if page.form.is_valid():
            page.tested = endpoints.check(page.kind, page.form.settings(), is_target=False)
    except FerryError as error:
        if page.form.is_bound:
            page.form.refuse(error)
        else:
            page.error = error
    return None


def connection(page: ConnectPage, user: User) -> Connection | None:
    """The connection of the page, tested, and saved if it is new. None where it was refused."""
    chosen = test(page)
    if chosen is not None or page.tested is None:
        return chosen
    try:
        return services.connection_save(
            name=page.form.cleaned_data["name"],
            kind=page.kind,
            settings=page.form.settings(),
            user=user,
            is_target=False,
            server=page.tested,
        )
    except FerryError as error:
        page.form.refuse(error)
        return None


def keep(draft: Draft | None, kind: str, connection: Connection, user: User) -> Draft:
    """The draft, begun if there is none, with this source. From another one, nothing known is of use."""
    if draft is None:
        return services.draft_create(kind=kind, user=user, source_connection=connection)
    if draft.source_connection_id != connection.pk:
        plan = {key: value for key, value in draft.plan.items() if key != "collections"}
        kept = {key: value for key, value in draft.state.items() if key == contents.TARGET}
        return services.draft_save(draft=draft, plan=plan, state=kept, source_connection=connection)
    return draft


def _chosen(page: ConnectPage) -> Connection:
    for connection in page.saved:
        if str(connection.pk) == page.choice:
            return connection
    page.choice = NEW
    raise SettingsError(
        "This connection is not there any more.", "Choose another one.", code="connection_unknown"
    )


def _choice(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.pk,
        "name": connection.name,
        "address": connection.address,
        "server": connection.server_info,
        "tested_at": connection.tested_at,
        "ok": not connection.test_error if connection.tested_at else None,
    }
