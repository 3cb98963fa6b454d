"""Source registry: all kinds of sources, one entry each, imported at the first use."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from migrations_app.engine.errors import SettingsError
from migrations_app.engine.log import use_one_of
from migrations_app.engine.pasted_text import shown
from migrations_app.engine.sources.base import Source


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One kind of source. ``dotted`` is ``module:Class``; ``package`` is what to install if its import
    fails."""

    kind: str
    title: str
    blurb: str
    dotted: str
    package: str = ""

    def load(self) -> type[Source]:
        """Import and return the class. Raises ``SettingsError`` with the name of a missing package."""
        module, name = self.dotted.split(":")
        try:
            source: type[Source] = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("migrations_app"):
                raise
            raise SettingsError(
                f"The connector for {self.title} needs the package {self.package or error.name}.",
                f"Install it where Vectorferry runs: pip install {self.package or error.name}",
                code="connector_missing",
            ) from error
        return source


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
        SourceEntry(
            "qdrant",
            "Qdrant",
            "Collections of points with dense and sparse vectors, by gRPC or REST.",
            "migrations_app.engine.sources.qdrant:QdrantSource",
        ),
    )
}


def source_class(kind: str) -> type[Source]:
    """Return the class of a source. Raises ``SettingsError`` if the kind does not exist."""
    if kind not in SOURCES:
        raise SettingsError(
            f"There is no source of kind {shown(kind)}.",
            use_one_of(sorted(SOURCES)),
            code="kind_unknown",
            field="kind",
        )
    return SOURCES[kind].load()
