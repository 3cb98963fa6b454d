"""Endpoints: opens the source and the target of a job.

The settings are checked by the connector's own model, the addresses by the rule of this installation
(``VECTORFERRY_ALLOW_PRIVATE_ADDRESSES``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.conf import settings as host_settings
from pydantic import SecretStr, ValidationError

from migrations_app.engine.address_guard import AddressPolicy
from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.errors import ConnectTimeout, SettingsError, TimeIsUp
from migrations_app.engine.faults import Fault
from migrations_app.engine.log import use_one_of
from migrations_app.engine.model.pydantic_faults import faults_of, field_names
from migrations_app.engine.pasted_text import holds_password, shown
from migrations_app.engine.read_context import ReadContext, time_limit
from migrations_app.engine.sources.base import Source
from migrations_app.engine.sources.registry import source_class
from migrations_app.engine.targets.base import Target
from migrations_app.engine.targets.milvus.target import MilvusTarget
from migrations_app.models import Connection, Job

# How long a page waits for a server. Each web thread serves one page at a time.
LOOK_SECONDS = 15.0

TARGETS: dict[str, type[Target]] = {"milvus": MilvusTarget}


def target_class(kind: str) -> type[Target]:
    """Return the class of a kind of target. Raises ``SettingsError`` if the kind does not exist."""
    if kind not in TARGETS:
        raise SettingsError(
            f"There is no target of kind {shown(kind)}.",
            use_one_of(sorted(TARGETS)),
            code="kind_unknown",
            field="kind",
        )
    return TARGETS[kind]


def endpoint_class(kind: str, *, is_target: bool) -> type[Source] | type[Target]:
    return target_class(kind) if is_target else source_class(kind)


def settings_faults(
    model: type[SettingsModel], data: dict[str, Any], *, by_title: bool = False
) -> tuple[Fault, ...]:
    """Return the faults of ``data`` as the settings of a connection. A text with a password in a field that
    is shown, such as a connection string in the field of the host, is a fault, and is not repeated."""
    misplaced = {fault.field: fault for fault in _misplaced(model, data)}
    own = model_faults(model, data, by_title=by_title)
    is_misspelled = any(fault.code == "key_unknown" for fault in own)
    faults = misplaced
    for fault in (*own, *(() if is_misspelled else _together(model, data))):
        faults.setdefault(fault.field, fault)
    return tuple(faults.values())


def _together(model: type[SettingsModel], data: dict[str, Any]) -> Iterator[Fault]:
    """All faults of settings that depend on each other. The model itself reports one of them, and none if
    another setting is wrong."""
    for name, sentence in model.faults_together(data):
        yield Fault("value_invalid", f"{sentence}.", path=name, field=name, option=name)


def _misplaced(model: type[SettingsModel], data: dict[str, Any]) -> Iterator[Fault]:
    secrets = secret_names(model)
    places = [model.model_fields[name].title or name for name in secrets if is_address(model, name)]
    hint = f"Paste it under “{places[0]}”." if places else "Enter user and password in their own fields."
    for name, value in data.items():
        if name in model.model_fields and name not in secrets and holds_password(str(value)):
            title = model.model_fields[name].title or name
            message = f"“{title}” contained a connection string with a password."
            yield Fault("value_invalid", message, hint, name, field=name, option=name)


def is_address(model: type[SettingsModel], name: str) -> bool:
    """True if a change of this setting may lead to another server, or to the same one on a less safe way.

    Stored secrets are not sent there. This is so for all settings except secrets and those that the model
    declares not to be (``is_address`` in ``json_schema_extra``).
    """
    extra = model.model_fields[name].json_schema_extra
    declared = extra.get("is_address") if isinstance(extra, dict) else None
    return name not in secret_names(model) if declared is None else bool(declared)


def model_faults(
    model: type[SettingsModel], data: dict[str, Any], *, by_title: bool = False
) -> tuple[Fault, ...]:
    """Return the faults of ``data``; ``field`` and ``path`` of a fault name the setting. Its sentence calls
    the setting by its key, or ``by_title``."""
    titles = {name: info.title for name, info in model.model_fields.items() if info.title}
    try:
        model.model_validate(data)
    except ValidationError as error:
        return faults_of(error, field_names(model), secret_names(model), titles if by_title else {})
    return ()


def parse_settings(model: type[SettingsModel], data: dict[str, Any]) -> SettingsModel:
    """Return ``data`` as the connector's settings. Raises ``SettingsError`` for the first fault."""
    if faults := settings_faults(model, data):
        first = faults[0]
        raise SettingsError(first.message, first.hint, field=first.field, path=first.path)
    return model.model_validate(data)


def secret_names(model: type[SettingsModel]) -> frozenset[str]:
    """The names of the settings that are secrets: those of type ``SecretStr``, optional or not."""
    return frozenset(n for n, f in model.model_fields.items() if "SecretStr" in str(f.annotation))


def plain(settings: SettingsModel) -> dict[str, Any]:
    """Settings as JSON data with the secrets in plain text. Use it only for encrypted storage."""
    data, shown = settings.model_dump(mode="json", exclude_none=True), dict(settings)
    return {k: v.get_secret_value() if isinstance(v := shown[k], SecretStr) else data[k] for k in data}


def open_source(kind: str, settings: dict[str, Any]) -> Source:
    """Return a source that is ready to use. It connects on its first request."""
    cls = source_class(kind)
    source = cls(parse_settings(cls.Settings, settings))
    source.address_policy = _address_policy()
    return source


def open_target(kind: str, settings: dict[str, Any], database: str = "default") -> Target:
    """Return a target that is ready to use, in ``database``. It connects on its first request."""
    cls = target_class(kind)
    target = cls(parse_settings(cls.Settings, settings), database)
    target.address_policy = _address_policy()
    return target


def check(kind: str, settings: dict[str, Any], *, is_target: bool) -> ServerInfo:
    """Connect, read the server's name and version, and disconnect. Raises ``FerryError`` with its field."""
    endpoint = open_target(kind, settings) if is_target else open_source(kind, settings)
    with endpoint, looking(endpoint) as ctx:
        return endpoint.check(ctx)


@contextmanager
def looking(endpoint: Source | Target, ctx: ReadContext | None = None) -> Iterator[ReadContext]:
    """Yield the context for questions to ``endpoint`` while a user waits for the page.

    Raises ``ConnectTimeout`` if they are not answered in ``LOOK_SECONDS``, or in the time that is left of
    ``ctx``, whatever the server does or does not do.
    """
    with time_limit(ctx or ReadContext(), LOOK_SECONDS) as limited:
        try:
            with endpoint.obeying(limited.stop) if isinstance(endpoint, Target) else nullcontext():
                yield limited
        except TimeIsUp:
            raise ConnectTimeout(
                f"{endpoint.title} on {endpoint.address()} did not answer within {LOOK_SECONDS:g} seconds.",
                "Check that the server is running and not overloaded, and that no firewall drops its "
                "answers. Then try again.",
                code="target_timeout" if isinstance(endpoint, Target) else "source_timeout",
                field=endpoint.address_field,
            ) from None


def _address_policy() -> AddressPolicy:
    return AddressPolicy(allow_private=host_settings.VECTORFERRY_ALLOW_PRIVATE_ADDRESSES)


def saved_connection(name: str, *, is_target: bool) -> Connection:
    """Return the saved connection with this name. Raises ``SettingsError`` if none has this name and role."""
    connection = Connection.objects.filter(name=name, is_target=is_target).first()
    if connection is None:
        names = Connection.objects.filter(is_target=is_target).order_by("name").values_list("name", flat=True)
        role = "target" if is_target else "source"
        raise SettingsError(
            f"There is no saved {role} connection {shown(name)}.",
            use_one_of(names) or "Save one on the Connections page.",
            code="connection_unknown",
            field="connection",
        )
    return connection


def job_source(job: Job) -> Source:
    """Open the source of a job, from its saved connection or from the settings in its plan."""
    return open_source(*_kind_and_settings(job, "source", job.source_connection))


def job_target(job: Job) -> Target:
    """Open the target of a job, in the job's database."""
    return open_target(*_kind_and_settings(job, "target", job.target_connection), job.database)


def _kind_and_settings(job: Job, role: str, connection: Connection | None) -> tuple[str, dict[str, Any]]:
    """Return kind and settings of an endpoint. Raises ``SettingsError`` if its connection was deleted."""
    if connection is not None:
        return connection.kind, connection.settings
    if role not in job.secrets:
        raise _deleted(role)
    return job.plan[role]["kind"], job.secrets[role]


def deleted_connection(job: Job) -> SettingsError | None:
    """Return the error for a connection of the job that was deleted; None if both exist."""
    connections = {"source": job.source_connection_id, "target": job.target_connection_id}
    deleted = (role for role, pk in connections.items() if pk is None and role not in job.secrets)
    return next(map(_deleted, deleted), None)


def _deleted(role: str) -> SettingsError:
    return SettingsError(
        f"The {role} connection of this job was deleted.",
        "Press “Edit as new” on the page of the job, and choose another connection there.",
        code="connection_missing",
    )
