"""Encrypted JSON field: its value is encrypted in the database and read back unchanged."""

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import connection as database

from migrations_app.engine.errors import SettingsError
from migrations_app.models import Connection

pytestmark = [pytest.mark.database, pytest.mark.django_db]
SECRET = {"host": "db.example", "password": "grüße, “quoted” \x00"}


@pytest.fixture
def saved():
    return Connection.objects.create(name="shop", kind="postgresql", is_target=False, settings=SECRET)


def stored(connection):
    with database.cursor() as cursor:
        cursor.execute("SELECT settings FROM migrations_app_connection WHERE id = %s", [connection.pk])
        return cursor.fetchone()[0]


def test_a_saved_value_is_read_back_unchanged(saved):
    assert Connection.objects.get(pk=saved.pk).settings == SECRET


def test_the_database_contains_no_readable_secret(saved):
    assert "db.example" not in stored(saved)
    assert "grüße" not in stored(saved)


def test_the_newest_key_encrypts_and_an_older_one_still_decrypts(saved, settings):
    old = settings.VECTORFERRY_SECRETS_KEYS
    new = Fernet.generate_key().decode()
    settings.VECTORFERRY_SECRETS_KEYS = (new, *old)
    again = Connection.objects.get(pk=saved.pk)
    assert again.settings == SECRET
    again.save()
    settings.VECTORFERRY_SECRETS_KEYS = (new,)
    assert Connection.objects.get(pk=saved.pk).settings == SECRET


def test_a_wrong_key_is_refused_with_a_clear_error(saved, settings):
    settings.VECTORFERRY_SECRETS_KEYS = (Fernet.generate_key().decode(),)
    with pytest.raises(SettingsError, match="cannot be decrypted") as refused:
        Connection.objects.get(pk=saved.pk)
    assert refused.value.code == "secrets_unreadable"


@pytest.mark.parametrize("lookup", ["settings", "settings__contains", "settings__isnull"])
def test_a_query_cannot_filter_by_an_encrypted_value(lookup):
    with pytest.raises(FieldError, match="encrypted"):
        Connection.objects.filter(**{lookup: "db.example"}).exists()


def test_a_dump_contains_only_the_encrypted_value(saved):
    assert "db.example" not in serializers.serialize("json", [saved])
