"""Conninfo: the connection string for libpq, with defaults, with the addresses of the hosts, and with
certificates in files."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.errors import HostUnknown, SettingsError
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings

APPLICATION_NAME = "vectorferry"
CONNECT_TIMEOUT_SECONDS = 10
MAX_CONNECT_TIMEOUT_SECONDS = 30
_LOCAL = "localhost"
# A path that cannot exist: it keeps libpq from reading files in the home folder of the worker's user.
_NO_FILE = "/dev/null/none"
# The CA files of Debian, of Red Hat, and of Alpine and the BSDs.
_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

# The password is always set, even if empty: otherwise libpq would use one from the worker's environment.
_DEFAULTS = {
    "password": "",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
_FIXED = {"application_name": APPLICATION_NAME, "client_encoding": "UTF8"}


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """The address of a connection, for use in messages. Contains no secrets."""

    host: str
    port: str
    database: str
    user: str
    sslmode: str
    connect_seconds: str
    is_url: bool = False

    def field(self, name: str) -> str:
        """The settings field in which the user typed ``name``."""
        return "url" if self.is_url and name in ("host", "port", "database", "user", "password") else name

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def address_of(settings: PostgresSettings) -> PostgresAddress:
    """The address in ``settings``, with libpq's defaults for what a connection string leaves out."""
    parts = _parameters(settings)
    user = parts.get("user", "")
    return PostgresAddress(
        host=parts.get("host") or parts.get("hostaddr") or _LOCAL,
        port=parts.get("port") or "5432",
        database=parts.get("dbname") or user,
        user=user,
        sslmode=parts.get("sslmode") or "prefer",
        connect_seconds=parts["connect_timeout"],
        is_url=settings.has_url,
    )


def hosts_of(settings: PostgresSettings) -> tuple[str, ...]:
    """Every host name and address that libpq may try. A Unix socket is this machine."""
    parts = _parameters(settings)
    named = f"{parts.get('host', '')},{parts.get('hostaddr', '')}".split(",")
    hosts = tuple(dict.fromkeys(_LOCAL if is_socket(host) else host for host in named if host))
    return hosts or (_LOCAL,)


def is_socket(host: str) -> bool:
    """True if ``host`` is a Unix socket: a path, or empty for libpq's default. psycopg does not support
    abstract sockets (“@name”)."""
    return host[:1] in ("", "/")


class Conninfo:
    """The connection string for libpq. Certificates are stored in a temporary folder (mode 0700, files 0600)
    until ``close``, because libpq reads them only from files.

    ``resolve`` returns the IP addresses of a host, or an empty one for a Unix socket.
    """

    def __init__(self, settings: PostgresSettings, resolve: Resolve) -> None:
        self._settings = settings
        self._resolve = resolve
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._unresolved: dict[str, str] = {}

    def __str__(self) -> str:
        return "<conninfo>"

    def text(self) -> str:
        """The complete connection string, including the password, for one attempt to connect. Only for the
        drivers. The hosts are resolved again at each call."""
        if not self._unresolved:
            self._unresolved = self._tls_files(_parameters(self._settings))
        return make_conninfo(**self._unresolved | _resolved(self._unresolved, self._resolve))

    def first_place(self) -> tuple[str, int] | None:
        """The first IP address and port to connect to; None for a Unix socket, or if there are several."""
        parts = _resolved(_parameters(self._settings), self._resolve)
        places = set(zip(parts["host"].split(","), parts["port"].split(","), strict=True))
        address = parts["hostaddr"].split(",")[0]
        return (address, int(parts["port"].split(",")[0] or 5432)) if address and len(places) == 1 else None

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._unresolved = {}

    def _tls_files(self, parts: dict[str, str]) -> dict[str, str]:
        settings = self._settings
        texts = {
            "sslrootcert": settings.sslrootcert,
            "sslcert": settings.sslcert,
            "sslkey": settings.sslkey.get_secret_value(),
        }
        parts |= dict.fromkeys(("passfile", "sslcert", "sslkey"), _NO_FILE)
        for name, text in texts.items():
            if text:
                parts[name] = str(_written(self._certificate_folder() / f"{name}.pem", text))
        if not settings.sslrootcert:
            parts |= _trusted(parts.get("sslmode", ""))
        return parts

    def _certificate_folder(self) -> Path:
        """The folder for certificates, created at the first use."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="vectorferry-", ignore_cleanup_errors=True)
        return Path(self._folder.name)


def _written(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text.strip() + "\n")
    return path


def _trusted(sslmode: str) -> dict[str, str]:
    """The trusted authorities if the user gave no CA certificate."""
    if sslmode == "verify-full":
        # The drivers include their own OpenSSL, which may look in other places than this machine uses.
        paths = (ssl.get_default_verify_paths().cafile, *_AUTHORITIES)
        return {"sslrootcert": next((path for path in paths if path and Path(path).is_file()), "system")}
    if sslmode == "verify-ca":
        raise SettingsError(
            "TLS mode verify-ca needs the CA certificate.",
            "Paste the CA certificate, or choose verify-full to trust the authorities this machine trusts.",
            field="sslrootcert",
        )
    return {"sslrootcert": _NO_FILE}


def _resolved(parts: dict[str, str], resolve: Resolve) -> dict[str, str]:
    """The hosts of ``parts`` with their IP addresses in ``hostaddr``, so that the drivers resolve no name.

    A host with several addresses is repeated. An unknown host is left out if another one is known, as libpq
    does.
    """
    attempts: list[tuple[str, str, str]] = []
    unknown: HostUnknown | None = None
    for host, hostaddr, port in _hosts_and_ports(parts):
        try:
            attempts += ((host, address, port) for address in resolve(hostaddr or host))
        except HostUnknown as error:
            unknown = unknown or error
    if unknown and not attempts:
        raise unknown
    # All three are always set, even if empty: otherwise libpq would take them from the worker's environment.
    return {
        name: ",".join(texts)
        for name, texts in zip(("host", "hostaddr", "port"), zip(*attempts, strict=True), strict=True)
    }


def _hosts_and_ports(parts: dict[str, str]) -> list[tuple[str, str, str]]:
    """Host, ``hostaddr`` and port of each server to try, by the rules of libpq: one port serves all hosts."""
    hosts, hostaddrs, ports = (parts.get(name, "").split(",") for name in ("host", "hostaddr", "port"))
    count = max(len(hosts), len(hostaddrs))
    lists = [texts * count if texts == [""] else texts for texts in (hosts, hostaddrs)]
    lists.append(ports * count if len(ports) == 1 else ports)
    if any(len(texts) != count for texts in lists):
        raise SettingsError(
            f"The connection string lists {len(hosts)} hosts, {len(hostaddrs)} addresses (hostaddr) and "
            f"{len(ports)} ports.",
            "Give each host one port, or one port for all hosts. Leave out hostaddr.",
            field="url",
        )
    return list(zip(*lists, strict=True))


def _parameters(settings: PostgresSettings) -> dict[str, str]:
    """The parameters for libpq, without the certificates."""
    if settings.has_url:
        parts = {"sslmode": str(settings.sslmode)} | settings.connection_string.parameters
        if "sslmode" in settings.model_fields_set and settings.sslmode != "prefer":
            parts["sslmode"] = settings.sslmode
    else:
        parts = {
            "host": settings.host,
            "port": str(settings.port),
            "dbname": settings.database,
            "user": settings.user,
            "password": settings.password.get_secret_value(),
            "sslmode": settings.sslmode,
        }
    return _DEFAULTS | parts | {"connect_timeout": _connect_timeout(parts)} | _FIXED


def _connect_timeout(parts: dict[str, str]) -> str:
    """The time for one attempt to connect. For libpq, 0 would be no limit."""
    try:
        wanted = int(float(parts["connect_timeout"]))
    except (KeyError, ValueError, OverflowError):
        wanted = CONNECT_TIMEOUT_SECONDS
    return str(min(max(wanted, 1), MAX_CONNECT_TIMEOUT_SECONDS))
