"""Slow link: a proxy to a server that passes a limited number of bytes per second."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

CHUNK_BYTES = 64 * 1024


@dataclass
class SlowLink:
    """A proxy to ``host`` and ``port``. Each direction of each connection passes ``bytes_per_second``."""

    host: str
    port: int
    bytes_per_second: float
    listens_on: int = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.listens_on}"

    @contextmanager
    def open(self) -> Iterator[SlowLink]:
        loop = asyncio.new_event_loop()
        ready = threading.Event()
        thread = threading.Thread(target=self._run, args=(loop, ready), name="slow link")
        thread.start()
        ready.wait()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(self._finished.set)
            thread.join()

    def _run(self, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._finished = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.listens_on = server.sockets[0].getsockname()[1]
        ready.set()
        await self._finished.wait()
        server.close()

    async def _connected(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far, far_out = await asyncio.open_connection(self.host, self.port)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._copy(near, far_out), self._copy(far, near_out))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await asyncio.sleep(len(chunk) / self.bytes_per_second)
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass  # one end closed the connection; ``finally`` closes the other end
        finally:
            writer.close()
