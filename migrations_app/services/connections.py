"""Connection services: save, test and delete connections."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from migrations_app import endpoints
from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.errors import FerryError, SettingsError
from migrations_app.engine.pasted_text import holds_password
from migrations_app.models import Connection, Job
from migrations_app.models.status import ENDED

MAX_NAME_LENGTH = 100
REPEAT = "The address or its TLS settings changed: a stored secret is not sent there."


def connection_settings(
    *,
    kind: str,
    settings: dict[str, Any],
    is_target: bool,
    connection: Connection | None = None,
    forget: Collection[str] = (),
) -> dict[str, Any]:
    """Check ``settings``, and return them as they are stored.

    Secrets left blank are taken from ``connection`` if it is given, except those named in ``forget``. Raises
    ``SettingsError`` for the first fault, with its field.
    """
    model = endpoints.endpoint_class(kind, is_target=is_target).Settings
    given = {name: value for name, value in settings.items() if value not in (None, "")}
    if connection is not None and connection.kind == kind:
        stored = {name: value for name, value in connection.settings.items() if name not in forget}
        blank = _stored_secrets(model, given, stored)
        settings = endpoints.plain(endpoints.parse_settings(model, blank | given))
        for name in secrets_to_repeat(model, settings, connection.settings, typed=given):
            title = model.model_fields[name].title or name
            raise SettingsError(REPEAT, f"Enter it again: {title}.", code="secret_not_sent", field=name)
        return settings
    return endpoints.plain(endpoints.parse_settings(model, given))


def secrets_to_repeat(
    model: type[SettingsModel], settings: dict[str, Any], stored: dict[str, Any], *, typed: Collection[str]
) -> list[str]:
    """Return the stored secrets in ``settings`` that must not be used without being ``typed`` again: if the
    settings may lead to another server than the stored ones, or to the same one on a less safe way."""
    given, before = _with_defaults(model, settings), _with_defaults(model, stored)
    changed = {name for name in model.model_fields if given[name] != before[name]}
    if not any(endpoints.is_address(model, name) for name in changed):
        return []
    secrets = endpoints.secret_names(model)
    kept = (name for name in model.model_fields if name in secrets and given[name] and name not in changed)
    return [name for name in kept if name not in typed]


def _with_defaults(model: type[SettingsModel], settings: dict[str, Any]) -> dict[str, Any]:
    """The value of each setting as it is stored; None for an empty one."""
    values = {name: settings.get(name, info.default) for name, info in model.model_fields.items()}
    return {
        name: None if value == "" or isinstance(value, SecretStr) or value is PydanticUndefined else value
        for name, value in values.items()
    }


def _stored_secrets(
    model: type[SettingsModel], given: dict[str, Any], stored: dict[str, Any]
) -> dict[str, Any]:
    """Return the stored secrets that a form may leave blank.

    A form gives the address in one of several ways (groups of settings): other groups are left out.
    """
    fields = model.model_fields
    chosen = (n for n, value in given.items() if n in fields and value not in (fields[n].default, None))
    groups = {_group(model, name) for name in chosen} - {""}
    return {
        name: stored[name]
        for name in endpoints.secret_names(model)
        if name in stored and (not groups or _group(model, name) in groups | {""})
    }


def _group(model: type[SettingsModel], name: str) -> str:
    field = model.model_fields.get(name)
    extra = field.json_schema_extra if field else None
    return str(extra.get("group", "")) if isinstance(extra, dict) else ""


def connection_save(
    *,
    name: str,
    kind: str,
    settings: dict[str, Any],
    user: User | None,
    connection: Connection | None = None,
    is_target: bool | None = None,
    server: ServerInfo | None = None,
    forget: Collection[str] = (),
) -> Connection:
    """Save a new connection, or change ``connection``.

    In a change, a secret left blank keeps its stored value, unless it is named in ``forget``. If
    ``is_target`` is not given, it follows from the kind. ``server`` is the result of a test that was just
    made. This function does not connect. Raises ``SettingsError`` with its field. The address cannot change
    while a job that has not ended uses the connection: part of its rows would come from, or go to, another
    server.
    """
    saved = connection or Connection(kind=kind, created_by=user)
    saved.is_target = kind in endpoints.TARGETS if is_target is None else is_target
    saved.name = _checked_name(name)
    saved.settings = connection_settings(
        kind=kind, settings=settings, is_target=saved.is_target, connection=connection, forget=forget
    )
    saved.kind = kind
    with _open(saved) as endpoint:
        address = endpoint.address()[:500]
    if connection is not None and address != connection.address:
        _refuse_in_use(connection)
        _forget_test(saved)
    saved.address = address
    if server is not None:
        _note_test(saved, server)
    try:
        with transaction.atomic():
            saved.save()
    except IntegrityError:
        raise SettingsError(
            f"A connection named “{saved.name}” already exists.", "Choose another name.", field="name"
        ) from None
    return saved


def _checked_name(name: str) -> str:
    name = name.strip()
    if holds_password(name):
        raise SettingsError("The name contains a password.", "Enter another name.", field="name")
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise SettingsError(
            "A connection needs a name." if not name else f"“{name[:40]}” is not a valid name.",
            f"Use 1 to {MAX_NAME_LENGTH} printable characters.",
            field="name",
        )
    return name


def _open(connection: Connection) -> Any:
    if connection.is_target:
        return endpoints.open_target(connection.kind, connection.settings)
    return endpoints.open_source(connection.kind, connection.settings)


def connection_test(*, connection: Connection) -> ServerInfo:
    """Connect, read the server's name and version, and store the result. Raises ``ConnectionFailed``."""
    try:
        with _open(connection) as endpoint, endpoints.looking(endpoint) as ctx:
            server: ServerInfo = endpoint.check(ctx)
    except FerryError as error:
        connection_tested(connection=connection, error=error)
        raise
    connection_tested(connection=connection, server=server)
    return server


def connection_tested(
    *, connection: Connection, server: ServerInfo | None = None, error: FerryError | None = None
) -> None:
    """Store the result of a test: the server, or the error."""
    if server is not None:
        _note_test(connection, server)
        connection.save(update_fields=("tested_at", "test_error", "server_info"))
    elif error is not None:
        connection.tested_at, connection.test_error = timezone.now(), error.message
        connection.save(update_fields=("tested_at", "test_error"))


def _note_test(connection: Connection, server: ServerInfo) -> None:
    connection.tested_at, connection.test_error = timezone.now(), ""
    connection.server_info = str(server)[:500]


def _forget_test(connection: Connection) -> None:
    """Forget the last test: it was of another server."""
    connection.tested_at, connection.test_error, connection.server_info = None, "", ""


def connection_delete(*, connection: Connection) -> None:
    """Delete a connection. Raises ``SettingsError`` while a job that has not ended uses it."""
    with transaction.atomic():
        _refuse_in_use(connection)
        connection.delete()


def _refuse_in_use(connection: Connection) -> None:
    users = Job.objects.filter(Q(source_connection=connection) | Q(target_connection=connection))
    job = users.exclude(status__in=ENDED).first()
    if job is not None:
        raise SettingsError(
            f"“{connection.name}” is used by {job.public_id}, which has not ended.",
            "Wait until the job has ended, or cancel it.",
            code="connection_in_use",
        )
