"""Connection settings: host, database and user, or one connection string."""

from __future__ import annotations

from typing import Literal, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, JsonValue, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.setting_types import PemSecret, PemText

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

# The parameters that a connection string may contain. Those that name a file on the worker's machine are left
# out on purpose (passfile, service, sslkeylogfile, a certificate's path).
_URL_OPTIONS = frozenset(
    [
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "sslmode",
        "sslsni",
        "sslnegotiation",
        "channel_binding",
        "require_auth",
        "gssencmode",
        "target_session_attrs",
        "load_balance_hosts",
        "connect_timeout",
        "tcp_user_timeout",
        "options",
        "application_name",
        "fallback_application_name",
        "client_encoding",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "min_protocol_version",
        "max_protocol_version",
    ]
)
_FIELDS: dict[str, JsonValue] = {"group": "fields"}
_PEM: dict[str, JsonValue] = {"widget": "file", "advanced": True}


class PostgresSettings(SettingsModel):
    """Host, database and user, or one connection string; TLS in either case."""

    host: str = Field("", title="Host", examples=["db.example.com"], json_schema_extra=_FIELDS)
    port: int = Field(5432, title="Port", ge=1, le=65535, json_schema_extra=_FIELDS)
    database: str = Field("", title="Database", examples=["shop"], json_schema_extra=_FIELDS)
    user: str = Field("", title="User", examples=["reader"], json_schema_extra=_FIELDS)
    password: SecretStr = Field(SecretStr(""), title="Password", json_schema_extra=_FIELDS)
    url: SecretStr = Field(
        SecretStr(""),
        title="Connection string",
        description="Instead of the fields above: a URL or key=value pairs, as for psql.",
        examples=["postgresql://reader:…@db.example.com:5432/shop"],
        json_schema_extra={"group": "url"},
    )
    sslmode: SslMode = Field(
        "prefer",
        title="TLS mode",
        description="“require” encrypts; “verify-full” also checks the identity of the server.",
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
        json_schema_extra=_PEM,
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
        url_parts(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.has_url:
            filled = [name for name in ("host", "database", "user") if getattr(self, name)]
            if filled or self.password.get_secret_value():
                sentence = "Enter a connection string, or host, database, user and password, but not both"
                raise PydanticCustomError("address_twice", sentence, {"field": "url"})
            return self
        missing = [name for name in ("host", "database", "user") if not getattr(self, name)]
        if missing:
            sentence = "Enter {names}, or a connection string"
            names = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
            raise PydanticCustomError("address_missing", sentence, {"names": names, "field": missing[0]})
        return self

    @property
    def has_url(self) -> bool:
        return bool(self.url.get_secret_value())


def url_parts(url: str) -> dict[str, str]:
    """The libpq parameters in a connection string. The text of a ``ValueError`` never repeats the string."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # The driver's message quotes the part it could not read, possibly part of a password.
        raise ValueError(
            "this is not a connection string for libpq; write "
            "postgresql://user:password@host:port/database, with special characters percent-encoded"
        ) from None
    unknown = sorted(set(parts) - _URL_OPTIONS)
    if unknown:
        raise ValueError(f"{unknown[0]} cannot be given in a connection string, only in a separate field")
    return {name: str(value) for name, value in parts.items()}
