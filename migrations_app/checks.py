"""Does this process fit the database it is to work with?"""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from migrations_app.models import Installation
from migrations_app.secrets import can_serve, fingerprint

FIRST = 1  # the key of the one row that describes this installation


def ensure_keys_fit_database() -> None:
    """Refuses to go on with keys other than the database's: what another process signed or encrypted could
    not be read here, and what this one did could not be read there.

    The first process leaves its fingerprint; one that has a newer encryption key in front of the known one (a
    rotation) leaves the newer.
    """
    keys = settings.VECTORFERRY_SECRETS_KEYS
    mine = fingerprint(settings.SECRET_KEY, keys[0])
    try:
        row, _ = Installation.objects.get_or_create(pk=FIRST, defaults={"key_fingerprint": mine})
    except DatabaseError as error:
        raise ImproperlyConfigured(
            f"the database cannot be used ({error}); if it is new, run `manage.py migrate` first."
        ) from error
    if not can_serve(row.key_fingerprint, settings.SECRET_KEY, keys):
        raise ImproperlyConfigured(
            "SECRET_KEY or VECTORFERRY_SECRETS_KEYS is not what this database was made with. Give this "
            "process the values that the others have; after a change on purpose, stop them all and "
            "run `manage.py rotate_secrets`."
        )
    if row.key_fingerprint != mine:
        adopt_keys()


def adopt_keys() -> None:
    """Makes this process's keys the database's: others refuse to start."""
    mine = fingerprint(settings.SECRET_KEY, settings.VECTORFERRY_SECRETS_KEYS[0])
    Installation.objects.update_or_create(pk=FIRST, defaults={"key_fingerprint": mine})
