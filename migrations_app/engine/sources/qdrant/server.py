"""Server: REST and gRPC of one Qdrant, and which of the two reads the points."""

from __future__ import annotations

import time
from typing import Any

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.endpoint import ServerInfo
from migrations_app.engine.errors import ConnectionFailed, FerryError, Interrupted, SourceError
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.qdrant.connect.grpc_calls import GrpcCalls
from migrations_app.engine.sources.qdrant.connect.rest import HAS_VECTOR, STEADY_SCROLL, Rest
from migrations_app.engine.sources.qdrant.connect.settings import QdrantSettings

# After this time, a gRPC port that could not be reached is tried again.
_TRY_AGAIN_SECONDS = 300.0


class Server:
    """REST and gRPC of one server. Connects at the first request."""

    def __init__(self, settings: QdrantSettings, resolve: Resolve) -> None:
        self.settings = settings
        self.rest = Rest(settings, resolve)
        self.grpc = GrpcCalls(settings, resolve)
        self._reached: bool | None = None
        self._valid_until = 0.0

    def close(self) -> None:
        self.rest.close()
        self.grpc.close()

    def uses_grpc(self, ctx: ReadContext) -> bool:
        """True if points are read by gRPC."""
        if self.settings.protocol != "auto":
            return self.settings.protocol == "grpc"
        if self._reached is None or (not self._reached and time.monotonic() > self._valid_until):
            try:
                self.grpc.check(ctx)
            except Interrupted:
                raise
            except FerryError:
                self._reached = False
                self._valid_until = time.monotonic() + _TRY_AGAIN_SECONDS
            else:
                self._reached = True
        return self._reached

    def lacks_grpc(self, ctx: ReadContext) -> bool:
        """True if points are read by REST only because the gRPC port cannot be reached."""
        return self.settings.protocol == "auto" and not self.uses_grpc(ctx)

    def forget_grpc(self) -> None:
        """Find out again whether the gRPC port can be reached, because a call failed."""
        self._reached = None

    def _check_grpc(self, ctx: ReadContext) -> None:
        try:
            self.grpc.check(ctx)
        except Interrupted:
            raise
        except FerryError as error:
            raise ConnectionFailed(
                f"The gRPC port of Qdrant cannot be used: {error.message}",
                f"Open port {self.settings.grpc_port}, enter another gRPC port, or choose “REST only”.",
                field="grpc_port",
                code="grpc_unreachable",
                details=error.details,
            ) from error

    def protocol_note(self, ctx: ReadContext) -> str:
        """Say by which protocol points are read, and why."""
        if self.uses_grpc(ctx):
            return f"Points are read by gRPC, port {self.settings.grpc_port}."
        if self.settings.protocol == "rest":
            return "Points are read by REST, as set in the connection."
        return (
            f"Points are read by REST, because the gRPC port {self.settings.grpc_port} cannot be reached. "
            "gRPC is about twice as fast."
        )

    def check(self, ctx: ReadContext) -> ServerInfo:
        version = self.rest.version(ctx)
        names: Any = self.rest.ask("GET", "/collections", ctx)
        if not isinstance(names, dict) or "collections" not in names:
            raise SourceError(f"{self.rest.server} does not list its collections as Qdrant does.")
        if self.settings.protocol == "grpc":
            self._check_grpc(ctx)
        warnings = []
        if self.lacks_grpc(ctx):
            warnings.append(self.protocol_note(ctx))
        if version < STEADY_SCROLL:
            warnings.append(
                "Before version 1.14, Qdrant may miss points in a read while points are written. Stop all "
                "writes during the migration, or upgrade."
            )
        if version < HAS_VECTOR:
            warnings.append(
                "Before version 1.13, Qdrant cannot count the points that lack a vector: their number is "
                "known after the migration."
            )
        details = ("points by gRPC" if self.uses_grpc(ctx) else "points by REST",)
        return ServerInfo("Qdrant", ".".join(map(str, version)), details, tuple(warnings))
