"""Demo stack: three engines, a web server and a worker."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import psycopg

from migrations_app.demo import points, tables
from migrations_app.demo.engines import EmbeddedMilvus, EmbeddedPostgres, EmbeddedQdrant
from migrations_app.demo.processes import LOOPBACK, Background, free_port

WEB_PORT = 8000
DATABASE = "library"
START_SECONDS = 60


class Part(Protocol):
    def is_alive(self) -> bool: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Stack:
    """The parts of a demo. All data is in `folder`; the code of the console is in `checkout`."""

    folder: Path
    checkout: Path

    @cached_property
    def postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.folder / "postgres")

    @cached_property
    def qdrant(self) -> EmbeddedQdrant:
        return EmbeddedQdrant(self.folder / "qdrant")

    @cached_property
    def milvus(self) -> EmbeddedMilvus:
        return EmbeddedMilvus(self.folder / "milvus")

    @cached_property
    def web(self) -> Background:
        return Background(self.folder, "web")

    @cached_property
    def worker(self) -> Background:
        return Background(self.folder, "worker")

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.web.port}/"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts, in the order in which they are stopped: web and worker before the engines they use."""
        return (self.web, self.worker, self.milvus, self.qdrant, self.postgres)

    def alive(self) -> list[Part]:
        return [part for part in self.parts if part.is_alive()]

    def stop(self, *, except_for: Iterable[Part] = ()) -> None:
        for part in self.parts:
            if part not in except_for:
                part.stop()

    def start_engines(self) -> int:
        """Start the engines that do not run, fill the empty ones, and return the row count of the table
        `docs`."""
        self.postgres.start()
        self.qdrant.start()
        self.milvus.start()
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if row is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
        points.fill(self.qdrant.url)
        return tables.fill(self.postgres.url(DATABASE))

    def start_console(self) -> bool:
        """Start web and worker unless they run. False if another program uses the usual web port."""
        if not self.worker.is_alive():
            self.worker.start([sys.executable, "manage.py", "worker"], cwd=self.checkout)
        if not self.web.is_alive():
            port = free_port(WEB_PORT, tries=50)
            command = [sys.executable, "-m", "gunicorn", "console.wsgi", "--bind", f"{LOOPBACK}:{port}"]
            self.web.start(command, port=port, cwd=self.checkout)
        self.web.wait_until_listening(START_SECONDS)
        return self.web.port == WEB_PORT
