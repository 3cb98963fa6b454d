"""Encrypted JSON field: for connection settings and for the settings written in a plan."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models

from migrations_app.engine.errors import SettingsError


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """Return the cipher. It encrypts with the first of ``VECTORFERRY_SECRETS_KEYS`` and decrypts with any."""
    return _fernet(tuple(settings.VECTORFERRY_SECRETS_KEYS))


def rotate(token: str) -> str:
    """Encrypt a secret again, with the newest key. Raises ``SettingsError`` if no key can decrypt it."""
    try:
        return cipher().rotate(token.encode()).decode()
    except InvalidToken:
        raise unreadable() from None


def unreadable() -> SettingsError:
    return SettingsError(
        "The stored secrets cannot be decrypted with the keys of this process.",
        "Set VECTORFERRY_SECRETS_KEYS to the keys that were used when they were saved; put older keys last.",
        code="secrets_unreadable",
    )


class EncryptedJSONField(models.TextField):
    """A JSON value, stored as a Fernet token. It cannot be searched, ordered or shown in the admin."""

    description = "Encrypted JSON"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def get_prep_value(self, value: Any) -> str:
        return cipher().encrypt(json.dumps(value).encode()).decode()

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        if value is None:
            return None
        try:
            return json.loads(cipher().decrypt(value.encode()))
        except InvalidToken:
            raise unreadable() from None

    def get_lookup(self, lookup_name: str) -> Any:
        raise FieldError(f"“{self.name}” is encrypted, so queries cannot filter by it.")

    def value_to_string(self, obj: models.Model) -> str:
        """For ``dumpdata``: the token, never the secret."""
        return self.get_prep_value(self.value_from_object(obj))
