"""What a source and a target have in common: settings, a server to connect to, a connection to close."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict


class SettingsModel(BaseModel):
    """Base of all settings, selections and options: unknown keys are errors, texts are stripped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)


class NoSettings(SettingsModel):
    """For a source that has no selection or no options."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What ``check`` learned: ``product`` "PostgreSQL", ``version`` "18.4", ``details`` as "pgvector 0.8.5".

    ``warnings`` are sentences: what will not work, or only slowly (a pooler in between).
    """

    product: str
    version: str
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join((f"{self.product} {self.version}", *self.details))


class Endpoint(ABC):
    """What a source and a target have in common: settings, somewhere to connect to, and a time to let go.

    Cheap to make: it connects when first asked. Use as a context manager. Only ``FerryError``s leave its
    methods.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    Settings: ClassVar[type[SettingsModel]]
    # Sentences of "Before you start": network, rights, version.
    before_you_start: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: SettingsModel) -> None:
        self.settings = settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back what was opened. Safe to call twice."""

    @abstractmethod
    def check(self) -> ServerInfo:
        """Prove address, credentials and version, cheaply. Raises ``ConnectionFailed`` with its field."""

    @abstractmethod
    def hosts(self) -> tuple[str, ...]:
        """The host names and addresses it would connect to, without connecting."""

    def address(self) -> str:
        """Where it connects to, as people tell connections apart. No secret in it."""
        return ", ".join(self.hosts())
