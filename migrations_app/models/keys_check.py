"""Does this process fit the database it is to work with?"""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from migrations_app.models import Installation
from migrations_app.secret_keys import can_serve, fingerprint, with_newest

FIRST = 1  # the key of the one row that describes this installation


def ensure_keys_fit_database() -> None:
    """Refuses to go on with keys other than the database's: what another process signed or encrypted could
    not be read here, and what this one did could not be read there.

    The first process leaves its fingerprint; one that has a newer encryption key in front of the known ones
    (a rotation) adds the newer. The older are needed until `rotate_secrets` was run.
    """
    keys = settings.VECTORFERRY_SECRETS_KEYS
    first = {"key_fingerprint": fingerprint(settings.SECRET_KEY, keys[0])}
    try:
        row, _ = Installation.objects.get_or_create(pk=FIRST, defaults=first)
    except DatabaseError as error:
        raise ImproperlyConfigured(
            f"the database cannot be used ({error}); if it is new, run `manage.py migrate` first."
        ) from error
    if not can_serve(row.key_fingerprint, settings.SECRET_KEY, keys):
        raise ImproperlyConfigured(
            "SECRET_KEY or VECTORFERRY_SECRETS_KEYS is not what this database was made with. Give this "
            "process the values that the others have, an older encryption key included until "
            "`manage.py rotate_secrets` was run; after a change on purpose, stop them all and run it."
        )
    _add_newest(row, keys[0])


def _add_newest(row: Installation, key: str) -> None:
    now = with_newest(row.key_fingerprint, key)
    if len(now) > Installation._meta.get_field("key_fingerprint").max_length:
        raise ImproperlyConfigured(
            "The stored secrets are encrypted with several keys already. Run `manage.py rotate_secrets` "
            "with the keys that were used until now, then put the new one in front."
        )
    if now != row.key_fingerprint:
        Installation.objects.filter(pk=row.pk).update(key_fingerprint=now)


def adopt_keys() -> None:
    """Makes this process's newest keys the database's only ones: others refuse to start."""
    mine = fingerprint(settings.SECRET_KEY, settings.VECTORFERRY_SECRETS_KEYS[0])
    Installation.objects.update_or_create(pk=FIRST, defaults={"key_fingerprint": mine})
