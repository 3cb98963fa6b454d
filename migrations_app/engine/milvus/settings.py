"""How to reach a Milvus: the address as people write it, and who asks."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from migrations_app.engine.connectors.base import SettingsModel

MILVUS_PORT = 19530
TLS_PORT = 443
ZILLIZ_DOMAINS = ("zillizcloud.com", "zilliz.com", "zilliz.com.cn", "zilliz.cc")
PEM_MARK = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. ``str()`` is what a person would type."""

    host: str
    port: int
    tls: bool

    @property
    def is_zilliz(self) -> bool:
        return is_zilliz_host(self.host)

    @property
    def grpc_target(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.grpc_target}"


def is_zilliz_host(host: str) -> bool:
    """Whether ``host`` is an endpoint of Zilliz Cloud."""
    return any(host == domain or host.endswith("." + domain) for domain in ZILLIZ_DOMAINS)


def parse_address(uri: str) -> Address:
    """``http(s)://host[:port]``, ``host[:port]``. Raises ``ValueError`` with a sentence for anything else.

    Without a port: 443 with https and on Zilliz Cloud, else 19530. Without a scheme: TLS on port 443.
    """
    if _is_local_path(uri):
        raise ValueError(
            f"“{uri}” is a file on this machine, which only one process can open. "
            "Start a server on it (milvus-lite server --data-dir FOLDER --port 19530) and give its address."
        )
    scheme, _, rest = uri.rpartition("://")
    if scheme.lower() not in ("", "http", "https"):
        raise ValueError(
            f"“{scheme}://” is not an address of Milvus: use http://host:port or https://host:port."
        )
    parts = urlsplit("//" + rest)
    if parts.username is not None:
        raise ValueError("The address holds a user or password: put them into their own fields.")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("The address ends after the port: the database is chosen later, by its name.")
    return _address(scheme.lower(), parts, uri)


def _address(scheme: str, parts: SplitResult, uri: str) -> Address:
    host = parts.hostname or ""
    if not host or any(c.isspace() for c in host):
        raise ValueError(f"“{uri}” names no host: write it as http://host:port.")
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"“{uri}” has a port that is not a number from 1 to 65535.") from None
    if port == 0:
        raise ValueError(f"“{uri}” has a port that is not a number from 1 to 65535.")
    tls = scheme == "https" or (not scheme and (port == TLS_PORT or is_zilliz_host(host)))
    return Address(host, port or (TLS_PORT if tls else MILVUS_PORT), tls)


def _is_local_path(uri: str) -> bool:
    return uri.startswith(("/", "./", "../", "~", "file:", "unix:")) or uri.endswith(".db")


class MilvusSettings(SettingsModel):
    """The connection to a Milvus server or a Zilliz Cloud cluster."""

    uri: str = Field(
        title="Address",
        description="Of a Milvus server, or the public endpoint of a Zilliz Cloud cluster.",
        examples=["http://127.0.0.1:19530"],
        min_length=1,
    )
    token: SecretStr | None = Field(
        default=None,
        title="Token",
        description="An API key, or user:password. Leave empty where the server asks for none.",
    )
    user: str | None = Field(default=None, title="User", description="Instead of a token.", examples=["root"])
    password: SecretStr | None = Field(default=None, title="Password", validate_default=True)
    ca_cert: str | None = Field(
        default=None,
        title="CA certificate",
        description="PEM text. Only for https with a certificate that no public authority has signed.",
        json_schema_extra={"widget": "textarea", "advanced": True},
    )

    @field_validator("uri")
    @classmethod
    def _is_an_address(cls, uri: str) -> str:
        parse_address(uri)
        return uri

    @field_validator("user", "ca_cert")
    @classmethod
    def _blank_is_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("token")
    @classmethod
    def _token_stripped(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        return SecretStr(text) if text else None

    @field_validator("password", mode="before")
    @classmethod
    def _password_as_typed(cls, value: object) -> object:
        """Other texts are stripped; a password may begin or end with a space."""
        return SecretStr(value) if isinstance(value, str) else value

    @field_validator("password")
    @classmethod
    def _fits_user_and_token(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        password = value if value and value.get_secret_value() else None
        user, token = info.data.get("user"), info.data.get("token")
        if token and (user or password):
            raise ValueError("Give a token, or user and password, not both.")
        if user and not password:
            raise ValueError(f"User “{user}” needs a password.")
        if password and not user:
            raise ValueError("A password needs its user.")
        return password

    @field_validator("ca_cert")
    @classmethod
    def _is_pem(cls, value: str | None) -> str | None:
        if value and PEM_MARK not in value:
            raise ValueError(f"A PEM certificate begins with {PEM_MARK}.")
        return value + "\n" if value else None

    @property
    def address(self) -> Address:
        return parse_address(self.uri)

    @property
    def secret_field(self) -> str:
        """The field a refused login is shown on."""
        return "password" if self.user else "token"

    def authorization(self) -> str | None:
        """The value of gRPC's ``authorization`` header, or None: base64 of the token or of user:password."""
        if self.token:
            clear = self.token.get_secret_value()
        elif self.user and self.password:
            clear = f"{self.user}:{self.password.get_secret_value()}"
        else:
            return None
        return base64.b64encode(clear.encode()).decode()
