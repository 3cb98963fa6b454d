"""Connection checks: ask a worker on another host to test a connection, and store what it found."""

from __future__ import annotations

import socket
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from migrations_app import endpoints, queue
from migrations_app.engine.errors import FerryError
from migrations_app.models import Connection, ConnectionCheck, Worker
from migrations_app.services.connections import connection_tested


def other_worker_hosts() -> list[str]:
    """Return the hosts of running workers, if any of them is another one than this."""
    hosts = sorted(set(Worker.objects.ready().values_list("host", flat=True)))
    return [] if hosts == [socket.gethostname()[:255]] else hosts


def check_request(
    *,
    kind: str,
    settings: dict[str, Any],
    is_target: bool,
    user: User | None,
    connection: Connection | None = None,
) -> ConnectionCheck:
    """Ask a worker to test these settings. They are encrypted in the database; the queue carries only the id.

    ``connection`` is given if its own settings are tested: then it stores the result, like any
    test. Raises ``SettingsError`` for the first fault.
    """
    ConnectionCheck.forget_old()
    model = endpoints.endpoint_class(kind, is_target=is_target).Settings
    plain = endpoints.plain(endpoints.parse_settings(model, settings))
    with transaction.atomic():
        check = ConnectionCheck.objects.create(
            kind=kind, is_target=is_target, settings=plain, created_by=user, connection=connection
        )
        queue.send_check(str(check.pk))
    return check


def check_run(*, check: ConnectionCheck) -> None:
    """Test the connection from this host, and store the result."""
    try:
        server = endpoints.check(check.kind, check.settings, is_target=check.is_target)
        result: dict[str, Any] = {
            "title": f"{server.product} {server.version}",
            "details": [*server.details, *server.warnings],
        }
        if (connection := _unchanged(check)) is not None:
            connection_tested(connection=connection, server=server)
    except FerryError as error:
        if (connection := _unchanged(check)) is not None:
            connection_tested(connection=connection, error=error)
        result = {"error": error.as_dict() | {"technical": error.details}}
    check.result, check.host, check.settings = result, socket.gethostname()[:255], {}
    check.save(update_fields=("result", "host", "settings"))


def _unchanged(check: ConnectionCheck) -> Connection | None:
    """Return the saved connection that was tested; None if it has other settings now, or was deleted."""
    connection = Connection.objects.filter(pk=check.connection_id).first()
    if connection is None:
        return None
    model = endpoints.endpoint_class(check.kind, is_target=check.is_target).Settings
    settings = endpoints.plain(endpoints.parse_settings(model, connection.settings))
    return connection if settings == check.settings else None
