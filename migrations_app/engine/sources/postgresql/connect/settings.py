"""Connection settings: host, database and user, or one connection string."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue, SecretStr, field_validator

from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.setting_types import PemSecret, PemText
from migrations_app.engine.sources.postgresql.connect.connection_string import ConnectionString, parsed
from migrations_app.engine.sources.postgresql.connect.parameters import are_hosts

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

_FIELDS: dict[str, JsonValue] = {"group": "fields"}
# A change of these keeps to the same server: stored secrets remain valid.
_SAME_SERVER: dict[str, JsonValue] = {"is_address": False}
_PEM: dict[str, JsonValue] = {"widget": "file", "advanced": True}


class PostgresSettings(SettingsModel):
    """Host, database and user, or one connection string; TLS in either case."""

    host: str = Field("", title="Host", examples=["db.example.com"], json_schema_extra=_FIELDS)
    port: int = Field(5432, title="Port", ge=1, le=65535, json_schema_extra=_FIELDS)
    database: str = Field("", title="Database", examples=["shop"], json_schema_extra=_FIELDS | _SAME_SERVER)
    user: str = Field("", title="User", examples=["reader"], json_schema_extra=_FIELDS | _SAME_SERVER)
    password: SecretStr = Field(SecretStr(""), title="Password", json_schema_extra=_FIELDS)
    url: SecretStr = Field(
        SecretStr(""),
        title="Connection string",
        description="Instead of the fields above: a URL or key=value pairs, as for psql.",
        examples=["postgresql://reader:…@db.example.com:5432/shop"],
        json_schema_extra={"group": "url", "is_address": True, "term": "connection_string"},
    )
    sslmode: SslMode = Field(
        "prefer",
        title="TLS mode",
        description="“require” encrypts; “verify-full” also checks the identity of the server.",
        json_schema_extra={"term": "tls_mode"},
    )
    sslrootcert: PemText = Field(
        "",
        title="CA certificate",
        description="PEM text of the authority that signed the server's certificate. "
        "If empty with verify-full: the authorities that this machine trusts.",
        json_schema_extra=_PEM,
    )
    sslcert: PemText = Field(
        "",
        title="Client certificate",
        description="PEM text, if the server requires one.",
        json_schema_extra=_PEM | _SAME_SERVER,
    )
    sslkey: PemSecret = Field(
        SecretStr(""),
        title="Client key",
        description="PEM text of the client certificate's key, without a passphrase.",
        json_schema_extra=_PEM,
    )

    @field_validator("url")
    @classmethod
    def _is_a_connection_string(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value():
            parsed(url.get_secret_value())
        return url

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        if not are_hosts(host):
            raise ValueError(
                "a host name has only the letters a to z, digits, dots and hyphens; the port has a field of "
                "its own, and an international name is written in its ASCII form (xn--…)"
            )
        return host

    @classmethod
    def faults_together(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        missing = [name for name in ("host", "database", "user") if not given.get(name)]
        if _text(given.get("url")):
            if len(missing) < 3 or _text(given.get("password")):
                yield "url", "Enter a connection string, or host, database, user and password, but not both"
            return
        names = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1] if missing else "")))
        for name in missing:
            is_first = name == missing[0]
            yield name, f"Enter {names}, or a connection string" if is_first else f"Enter {name} too"

    @property
    def has_url(self) -> bool:
        return bool(self.url.get_secret_value())

    @property
    def connection_string(self) -> ConnectionString:
        return parsed(self.url.get_secret_value())

    def notices(self) -> tuple[str, ...]:
        return self.connection_string.notices if self.has_url else ()


def _text(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
