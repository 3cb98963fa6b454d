"""Which sources there are: a line each, loaded when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from migrations_app.engine.errors import SettingsError
from migrations_app.engine.sources.base import Source


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """``dotted`` is ``module:Class``; ``package`` what to install where its import fails."""

    kind: str
    title: str
    blurb: str
    dotted: str
    package: str = ""

    def load(self) -> type[Source]:
        """The class itself. Raises ``SettingsError`` naming the missing package."""
        module, name = self.dotted.split(":")
        try:
            found: type[Source] = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("migrations_app"):
                raise
            raise SettingsError(
                f"The connector for {self.title} needs the package {self.package or error.name}.",
                f"Install it where Vectorferry runs: pip install {self.package or error.name}",
                code="connector_missing",
            ) from error
        return found


SOURCES: dict[str, SourceEntry] = {
    entry.kind: entry
    for entry in (
        SourceEntry(
            "postgresql",
            "PostgreSQL",
            "Tables and views with pgvector columns, from any schema of one database.",
            "migrations_app.engine.sources.postgresql:PostgresSource",
            "psycopg[binary] adbc-driver-postgresql",
        ),
    )
}


def source_class(kind: str) -> type[Source]:
    """The class of a source. Raises ``SettingsError`` for a kind that does not exist."""
    if kind not in SOURCES:
        raise SettingsError(
            f"There is no source of kind “{kind}”.",
            f"One of: {', '.join(sorted(SOURCES))}.",
            code="kind_unknown",
            field="kind",
        )
    return SOURCES[kind].load()
