"""Endpoint: the common base of sources and targets, with settings and a connection to a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from migrations_app.engine.address_guard import AddressPolicy
from migrations_app.engine.identity import CollectionIdentity
from migrations_app.engine.read_context import ReadContext


class SettingsModel(BaseModel):
    """Base of all settings, selections and options. Unknown keys are errors; texts are stripped."""

    model_config = ConfigDict(
        extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    @classmethod
    def faults_together(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Faults of settings that depend on each other, as (field, sentence); ``given`` may have other faults
        as well. The model raises the first one, a form shows all of them."""
        return iter(())

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        given = {name: getattr(self, name) for name in type(self).model_fields}
        for field, sentence in self.faults_together(given):
            raise PydanticCustomError("together", "{sentence}", {"field": field, "sentence": sentence})
        return self

    def notices(self) -> tuple[str, ...]:
        """Sentences about parts of the settings that were left out or read in another way."""
        return ()


class NoSettings(SettingsModel):
    """The empty model of a source that has no selection or no options."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The result of ``check``: ``product`` ("PostgreSQL"), ``version`` ("18.4") and ``details``
    ("pgvector 0.8.5"). Data without a server (a folder, a bucket) has its format as version.

    ``warnings`` are sentences about things that do not work, or only slowly (for example through a pooler).
    """

    product: str
    version: str
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join((f"{self.product} {self.version}", *self.details))


class Endpoint(ABC):
    """Base class of a source and a target.

    Creating one is cheap: it connects at the first request. Use it as a context manager. Its methods raise
    only ``FerryError``s.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    Settings: ClassVar[type[SettingsModel]]
    # The sentences of "Before you start": network, privileges, version.
    before_you_start: ClassVar[tuple[str, ...]] = ()
    # The field of ``Settings`` that holds the address. It shows the error if the address is not allowed.
    address_field: str

    def __init__(self, settings: SettingsModel) -> None:
        self.settings = settings
        # The caller may set a stricter policy before the first request.
        self.address_policy = AddressPolicy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Safe to call twice."""

    @abstractmethod
    def check(self, ctx: ReadContext) -> ServerInfo:
        """Check address, credentials and version. Raises ``ConnectionFailed`` with the field at fault."""

    def identity(self, collection: str, ctx: ReadContext) -> CollectionIdentity | None:
        """Ask the server which collection this is; ``collection`` may be an alias.

        None if there is none, or if the server cannot be both source and target. A job compares the
        identities, so that it never writes into a collection that it reads.
        """
        return None

    @abstractmethod
    def hosts(self) -> tuple[str, ...]:
        """The host names and addresses that it would connect to; none for local files. Does not connect."""

    def resolve(self, host: str) -> tuple[str, ...]:
        """Return the IP addresses of ``host`` to connect to. A connection uses these, never the name.

        Raises ``ConnectionFailed`` if one of them is not allowed, ``HostUnknown`` if there is none.
        """
        return self.address_policy.resolve(host, self.address_field)

    def address(self) -> str:
        """The address it connects to, for display. Contains no secrets."""
        return ", ".join(self.hosts())
