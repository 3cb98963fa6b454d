"""Step 1, Connect to Data Source: choose a saved connection, or test and save a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User

from console.connections.form import ConnectionForm
from console.connections.list import default_name, server_panel
from console.draft import contents
from migrations_app import endpoints, services
from migrations_app.engine.endpoint import ServerInfo
from migrations_app.engine.errors import FerryError, SettingsError
from migrations_app.engine.sources.registry import source_class
from migrations_app.models import Connection, Draft

NEW = "new"


@dataclass
class ConnectPage:
    """The state of the page. ``tested`` is set after a successful test; ``error`` belongs to no field of the
    form. ``worker_hosts``: after a failed test, the hosts of workers if they are others than this one."""

    kind: str
    form: ConnectionForm
    choice: str
    saved: list[Connection]
    tested: ServerInfo | None = None
    error: FerryError | None = None
    worker_hosts: list[str] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        return bool(self.form.errors or self.error)

    def notices(self) -> tuple[str, ...]:
        """Sentences about the settings of a new connection that are valid."""
        return self.form.notices() if self.form.is_bound and not self.form.errors else ()

    def context(self) -> dict[str, Any]:
        return {
            "saved": [_choice(connection) for connection in self.saved],
            "choice": self.choice,
            "form": self.form,
            "server": self.tested and server_panel(self.tested, self.notices()),
            "error": self.error,
            "worker_hosts": self.worker_hosts,
        }


def open_page(
    kind: str, title: str, draft: Draft | None, data: Mapping[str, Any] | None = None
) -> ConnectPage:
    """Return the page with the values of the draft, or with those of the sent form (``data``)."""
    saved = list(Connection.objects.filter(kind=kind, is_target=False))
    stored = str(draft.source_connection_id) if draft and draft.source_connection_id else NEW
    choice = (data.get("connection") or NEW) if data else stored
    model = source_class(kind).Settings
    form = ConnectionForm(model, data if choice == NEW else None, name=default_name(title))
    return ConnectPage(kind, form, choice, saved)


def test(page: ConnectPage) -> Connection | None:
    """Connect with the settings of the page. On success, set ``page.tested`` and return the saved connection
    if one was chosen. A failure is put on its form field or in ``page.error``."""
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
        page.worker_hosts = services.other_worker_hosts()
    return None


def connection(page: ConnectPage, user: User) -> Connection | None:
    """Return the tested connection of the page, and save it if it is new. None if it was refused."""
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


def save_draft(draft: Draft | None, kind: str, connection: Connection, user: User) -> Draft:
    """Return the draft with this source; create it if there is none. With another source than before, its
    collections are removed."""
    if draft is None:
        return services.draft_create(kind=kind, user=user, source_connection=connection)
    if draft.source_connection_id != connection.pk:
        plan = {key: value for key, value in draft.plan.items() if key != "collections"}
        state = {key: value for key, value in draft.state.items() if key == contents.TARGET}
        return services.draft_save(draft=draft, plan=plan, state=state, source_connection=connection)
    return draft


def _chosen(page: ConnectPage) -> Connection:
    for connection in page.saved:
        if str(connection.pk) == page.choice:
            return connection
    page.choice = NEW
    raise SettingsError("This connection no longer exists.", "Choose another one.", code="connection_unknown")


def _choice(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.pk,
        "name": connection.name,
        "address": connection.address,
        "server": connection.server_info,
        "tested_at": connection.tested_at,
        "ok": not connection.test_error if connection.tested_at else None,
    }
