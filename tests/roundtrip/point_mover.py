"""Point mover: moves the points of a Qdrant server with the plan command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.emulators.qdrant import QdrantEmulator
from tests.roundtrip.mover import Mover


@dataclass
class PointMover(Mover):
    """A Qdrant server, and a Milvus."""

    server: QdrantEmulator | None = None

    def connection(self, changes: dict[str, Any]) -> dict[str, Any]:
        assert self.server is not None
        settings = {"url": self.server.url, "grpc_port": self.server.grpc_port}
        return {"kind": "qdrant", "settings": settings | changes}
