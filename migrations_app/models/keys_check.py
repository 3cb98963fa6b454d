"""Keys check: makes sure that this process has the same keys as its database."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from migrations_app.models import Installation
from migrations_app.secret_keys import can_serve, fingerprint, with_newest

ROW = 1  # the primary key of the only Installation row


def ensure_keys_fit_database() -> None:
    """Raise ``ImproperlyConfigured`` if this process has other keys than the database.

    Processes with different keys cannot read what the others signed or encrypted.

    The first process stores its fingerprint. A process with a newer encryption key in front of the known keys
    (a key rotation) adds the newer key. The older keys are needed until `rotate_secrets` was run.
    """
    keys = settings.VECTORFERRY_SECRETS_KEYS
    first = {"key_fingerprint": fingerprint(settings.SECRET_KEY, keys[0])}
    try:
        row, _ = Installation.objects.get_or_create(pk=ROW, defaults=first)
    except DatabaseError as error:
        raise ImproperlyConfigured(
            f"the database cannot be used ({error}); if it is new, run `manage.py migrate` first."
        ) from error
    if not can_serve(row.key_fingerprint, settings.SECRET_KEY, keys):
        raise ImproperlyConfigured(
            "SECRET_KEY or VECTORFERRY_SECRETS_KEYS does not match this database. Give this process the same "
            "values as the other processes, including older encryption keys until `manage.py rotate_secrets` "
            "was run. If you changed the keys on purpose, stop all processes and run that command."
        )
    _add_newest(row, keys[0])


def _add_newest(row: Installation, key: str) -> None:
    updated = with_newest(row.key_fingerprint, key)
    if len(updated) > Installation._meta.get_field("key_fingerprint").max_length:
        raise ImproperlyConfigured(
            "The stored secrets are already encrypted with several keys. Run `manage.py rotate_secrets` "
            "with the keys that were used until now, then put the new key first."
        )
    if updated != row.key_fingerprint:
        Installation.objects.filter(pk=row.pk).update(key_fingerprint=updated)


def adopt_keys() -> None:
    """Make the newest keys of this process the only keys of the database.

    Processes with other keys then refuse to start.
    """
    newest = fingerprint(settings.SECRET_KEY, settings.VECTORFERRY_SECRETS_KEYS[0])
    Installation.objects.update_or_create(pk=ROW, defaults={"key_fingerprint": newest})
