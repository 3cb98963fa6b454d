"""`manage.py rotate_secrets`: encrypts all secrets again after the keys were changed on purpose
(SECURITY.md).
"""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from django.db.models.functions import Cast

from migrations_app.engine.errors import FerryError
from migrations_app.models.encrypted_json import EncryptedJSONField, rotate
from migrations_app.models.keys_check import adopt_keys


class Command(BaseCommand):
    help = (
        "Encrypt all stored secrets with the first of VECTORFERRY_SECRETS_KEYS. After that, only processes "
        "with these keys can use the database."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = sum(_rotate(model, name) for model in apps.get_models() for name in _encrypted(model))
        except FerryError as error:
            raise CommandError(f"{error} {error.hint} Nothing was changed.") from error
        adopt_keys()
        self.stdout.write(f"{count:,} stored secrets are encrypted with the newest key.")


def _encrypted(model: type[models.Model]) -> list[str]:
    return [field.name for field in model._meta.concrete_fields if isinstance(field, EncryptedJSONField)]


def _rotate(model: type[models.Model], name: str) -> int:
    """Encrypt one field again in all rows, without reading its content. Return the number of rows."""
    token = Cast(name, models.TextField())
    rows = model._base_manager.select_for_update().annotate(token=token).values_list("pk", "token")
    for pk, old in rows:
        new = models.Value(rotate(old), output_field=models.TextField())
        model._base_manager.filter(pk=pk).update(**{name: new})
    return len(rows)
