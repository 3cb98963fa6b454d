"""Qdrant emulator: the server of the demo, which has Qdrant's own engine, with faults on request.

A process holds any number of servers (``QdrantProcess.open``), each with its own collections, release, keys
and faults. Tests give the faults while the server runs::

    with process.open(version="1.16.0", api_key="secret") as server:
        server.fault(busy("scroll", retry_after=1), cut("scroll", after=2))

An older release is what its sources say about the wire (``migrations_app/demo/qdrant/releases.py``); the
engine is that of the newest.
"""

from tests.emulators.qdrant.app import QdrantEmulator, QdrantProcess
from tests.emulators.qdrant.faults import Fault, busy, cut, delay, failing, proxy_error, stall, write

__all__ = [
    "Fault",
    "QdrantEmulator",
    "QdrantProcess",
    "busy",
    "cut",
    "delay",
    "failing",
    "proxy_error",
    "stall",
    "write",
]
