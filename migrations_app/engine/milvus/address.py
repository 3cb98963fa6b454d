"""Address: parses the address of a Milvus server as users type it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from migrations_app.engine.pasted_text import unwrapped

MILVUS_PORT = 19530
TLS_PORT = 443
ZILLIZ_DOMAINS = ("zillizcloud.com", "zilliz.com", "zilliz.com.cn", "zilliz.cc")
# A host name, also an international one, or an IPv6 address.
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """The address that a server listens on. ``str()`` returns it as a URL."""

    host: str
    port: int
    tls: bool

    @property
    def is_zilliz(self) -> bool:
        return is_zilliz_host(self.host)

    @property
    def authority(self) -> str:
        """Host and port, as they are written in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"


def is_zilliz_host(host: str) -> bool:
    """True if ``host`` belongs to Zilliz Cloud."""
    return any(host == domain or host.endswith("." + domain) for domain in ZILLIZ_DOMAINS)


def parse_address(uri: str) -> MilvusAddress:
    """Parse ``http(s)://host[:port]`` or ``host[:port]``. Raises ``ValueError`` for other texts.

    The error does not repeat the text: it may contain a password.

    The default port is 443 for https and for Zilliz Cloud, else 19530. Without a scheme, TLS is used if the
    port is 443 or the host belongs to Zilliz Cloud.
    """
    uri = unwrapped(uri)
    if _is_local_path(uri):
        raise ValueError(
            "This is a file on this machine, which only one process can open. "
            "Start a server on it (milvus-lite server --data-dir FOLDER --port 19530) and enter its address."
        )
    scheme, _, rest = uri.rpartition("://")
    if scheme.lower() not in ("", "http", "https"):
        raise ValueError("This is not a Milvus address: use http://host:port or https://host:port.")
    if "@" in rest:
        raise ValueError("The address contains a user or password: enter them in their own fields.")
    try:
        parts = urlsplit("//" + rest)
    except ValueError:
        raise ValueError("The address cannot be read: write it as http://host:port.") from None
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("The address must end after the port. Choose the database later, by its name.")
    return _address(scheme.lower(), parts)


def _address(scheme: str, parts: SplitResult) -> MilvusAddress:
    host = parts.hostname or ""
    if not host or not _HOST.fullmatch(host):
        raise ValueError("The address has no host name: write it as http://host:port.")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("The port of the address is not a number from 1 to 65535.")
    tls = scheme == "https" or (not scheme and (port == TLS_PORT or is_zilliz_host(host)))
    return MilvusAddress(host, port or (TLS_PORT if tls else MILVUS_PORT), tls)


def _is_local_path(uri: str) -> bool:
    return uri.startswith(("/", "./", "../", "~", "file:", "unix:")) or uri.endswith(".db")
