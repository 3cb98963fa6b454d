"""Connection settings: the address of the REST API, the API key, and the port for gRPC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, JsonValue, SecretStr, field_validator

from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.pasted_text import unwrapped
from migrations_app.engine.setting_types import PemText

REST_PORT, GRPC_PORT = 6333, 6334
CLOUD_DOMAIN = ".cloud.qdrant.io"
Protocol = Literal["auto", "grpc", "rest"]

_ADVANCED: dict[str, JsonValue] = {"advanced": True}


class QdrantSettings(SettingsModel):
    """The connection to one Qdrant server or cluster."""

    url: str = Field(
        title="Address",
        description="The address of the REST API, by default on port 6333.",
        examples=["http://localhost:6333"],
        min_length=1,
    )
    api_key: SecretStr = Field(
        SecretStr(""),
        title="API key",
        description="A read-only key or a token (JWT) is enough. Leave it empty if the server has none.",
    )
    protocol: Protocol = Field(
        "auto",
        title="Read the points by",
        description="gRPC is about twice as fast. REST is used if the gRPC port cannot be reached.",
        json_schema_extra={
            **_ADVANCED,
            "is_address": False,
            "labels": {"auto": "gRPC if reachable, else REST", "grpc": "gRPC only", "rest": "REST only"},
        },
    )
    grpc_port: int = Field(GRPC_PORT, title="gRPC port", ge=1, le=65535, json_schema_extra=_ADVANCED)
    ca_cert: PemText = Field(
        "",
        title="CA certificate",
        description="PEM text. Only needed for https with a certificate not signed by a public authority.",
        json_schema_extra={**_ADVANCED, "widget": "file"},
    )

    @field_validator("url")
    @classmethod
    def _with_scheme_and_port(cls, url: str) -> str:
        return completed_url(url)

    @field_validator("api_key")
    @classmethod
    def _key_stripped(cls, value: SecretStr) -> SecretStr:
        return SecretStr(value.get_secret_value().strip())

    @classmethod
    def faults_together(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        url, port = given.get("url"), given.get("grpc_port", GRPC_PORT)
        if given.get("protocol") != "rest" and isinstance(url, str) and _port_of(url) == port:
            yield (
                "url",
                f"{port} is the port for gRPC: enter the port of the REST API here, by default {REST_PORT}",
            )

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def uses_tls(self) -> bool:
        return self.url.startswith("https:")


def completed_url(text: str) -> str:
    """Return an address with its scheme and port, as Qdrant's own clients complete it. Raises
    ``ValueError``, without the text, which may contain a key."""
    url = unwrapped(text)
    if "://" not in url:
        host = url.partition("/")[0].partition(":")[0]
        url = f"{'https' if host.endswith(CLOUD_DOMAIN) else 'http'}://{url}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("This address cannot be read: write it as http://host:6333.") from None
    if "@" in parts.netloc:
        raise ValueError("The address contains a user or a password: enter the API key in its own field.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("Write the address as http://host:6333 or https://host:6333.")
    # The web interface of the server.
    path = parts.path.partition("/dashboard")[0].rstrip("/")
    netloc = parts.netloc.rstrip(":") if port is not None else f"{parts.netloc.rstrip(':')}:{REST_PORT}"
    return urlunsplit((parts.scheme, netloc, path, "", ""))


def _port_of(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None
