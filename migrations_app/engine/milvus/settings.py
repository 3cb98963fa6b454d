"""Settings of a Milvus connection: the address and the login."""

from __future__ import annotations

import base64

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.milvus.address import MilvusAddress, parse_address
from migrations_app.engine.pasted_text import unwrapped
from migrations_app.engine.setting_types import PemText


class MilvusSettings(SettingsModel):
    """The connection to a Milvus server or a Zilliz Cloud cluster."""

    uri: str = Field(
        title="Address",
        description="The address of a Milvus server, or the public endpoint of a Zilliz Cloud cluster.",
        examples=["http://127.0.0.1:19530"],
        min_length=1,
    )
    token: SecretStr | None = Field(
        default=None,
        title="Token",
        description="An API key, or user:password. Leave it empty if the server needs no login.",
        json_schema_extra={"term": "token"},
    )
    user: str | None = Field(
        default=None,
        title="User",
        description="Use a user and password instead of a token.",
        examples=["root"],
    )
    password: SecretStr | None = Field(default=None, title="Password", validate_default=True)
    ca_cert: PemText | None = Field(
        default=None,
        title="CA certificate",
        description="PEM text. Only needed for https with a certificate not signed by a public authority.",
        json_schema_extra={"widget": "file", "advanced": True},
    )

    @field_validator("uri")
    @classmethod
    def _is_an_address(cls, uri: str) -> str:
        parse_address(uri)
        return unwrapped(uri)

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
        """Spaces are removed from other texts, but a password may begin or end with a space."""
        return SecretStr(value) if isinstance(value, str) else value

    @field_validator("password")
    @classmethod
    def _fits_user_and_token(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        password = value if value and value.get_secret_value() else None
        user, token = info.data.get("user"), info.data.get("token")
        if token and (user or password):
            raise ValueError("Enter a token, or a user and password, but not both.")
        if user and not password:
            raise ValueError(f"User “{user}” needs a password.")
        if password and not user:
            raise ValueError("A password needs a user.")
        return password

    @field_validator("ca_cert")
    @classmethod
    def _ends_with_a_newline(cls, value: str | None) -> str | None:
        return value + "\n" if value else None

    @property
    def address(self) -> MilvusAddress:
        return parse_address(self.uri)

    @property
    def secret_field(self) -> str:
        """The field that shows the error if the login is rejected."""
        return "password" if self.user else "token"

    def authorization(self) -> str | None:
        """Return gRPC's ``authorization`` header (base64 of the token or of user:password), or None."""
        if self.token:
            clear = self.token.get_secret_value()
        elif self.user and self.password:
            clear = f"{self.user}:{self.password.get_secret_value()}"
        else:
            return None
        return base64.b64encode(clear.encode()).decode()
