"""Keys check: a process starts only with keys that fit its database, and secrets can be rotated."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection as database

from migrations_app.models import Connection, Installation
from migrations_app.models.keys_check import ensure_keys_fit_database

pytestmark = pytest.mark.database

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture(autouse=True)
def _first_start(db, settings):
    settings.SECRET_KEY = "the key that signs"
    settings.VECTORFERRY_SECRETS_KEYS = (OLD,)
    ensure_keys_fit_database()


def test_a_process_with_the_same_keys_may_start():
    ensure_keys_fit_database()
    assert Installation.objects.count() == 1


def test_a_process_with_another_encryption_key_refuses_to_start(settings):
    settings.VECTORFERRY_SECRETS_KEYS = (NEW,)
    with pytest.raises(ImproperlyConfigured, match="does not match this database"):
        ensure_keys_fit_database()


def test_a_process_with_another_signing_key_refuses_to_start(settings):
    settings.SECRET_KEY = "another"
    with pytest.raises(ImproperlyConfigured, match="does not match this database"):
        ensure_keys_fit_database()


def test_a_new_key_in_front_starts_a_rotation_and_is_required_from_then_on(settings):
    settings.VECTORFERRY_SECRETS_KEYS = (NEW, OLD)
    ensure_keys_fit_database()
    settings.VECTORFERRY_SECRETS_KEYS = (OLD,)
    with pytest.raises(ImproperlyConfigured):
        ensure_keys_fit_database()


def test_an_older_key_is_needed_until_the_secrets_are_rotated(settings):
    settings.VECTORFERRY_SECRETS_KEYS = (NEW, OLD)
    ensure_keys_fit_database()
    settings.VECTORFERRY_SECRETS_KEYS = (NEW,)
    with pytest.raises(ImproperlyConfigured, match="rotate_secrets"):
        ensure_keys_fit_database()
    settings.VECTORFERRY_SECRETS_KEYS = (NEW, OLD)
    ensure_keys_fit_database()
    call_command("rotate_secrets", stdout=StringIO())
    settings.VECTORFERRY_SECRETS_KEYS = (NEW,)
    ensure_keys_fit_database()


def test_too_many_new_keys_without_a_rotation_are_refused(settings):
    def add_new_key():
        settings.VECTORFERRY_SECRETS_KEYS = (
            Fernet.generate_key().decode(),
            *settings.VECTORFERRY_SECRETS_KEYS,
        )
        ensure_keys_fit_database()

    for _ in range(3):
        add_new_key()
    with pytest.raises(ImproperlyConfigured, match="already encrypted with several keys"):
        add_new_key()


def test_the_fingerprint_does_not_contain_the_keys(settings):
    stored = Installation.objects.get().key_fingerprint
    assert OLD not in stored
    assert settings.SECRET_KEY not in stored


def test_the_first_administrator_is_created_once_and_keeps_a_changed_password(settings):
    settings.VECTORFERRY_ADMIN_USER, settings.VECTORFERRY_ADMIN_PASSWORD = "ada", "first"
    call_command("migrate", verbosity=0)
    ada = User.objects.get(username="ada")
    assert ada.is_staff
    assert ada.check_password("first")
    ada.set_password("changed")
    ada.save()
    call_command("migrate", verbosity=0)
    assert User.objects.get(username="ada").check_password("changed")


def saved(name: str) -> Connection:
    return Connection.objects.create(
        name=name, kind="memory", is_target=False, settings={"password": "s3cret"}
    )


def stored(connection: Connection) -> str:
    with database.cursor() as cursor:
        cursor.execute("SELECT settings FROM migrations_app_connection WHERE id = %s", [connection.pk])
        return cursor.fetchone()[0]


def test_rotation_encrypts_stored_secrets_with_the_newest_key_only(settings):
    connection = saved("before")
    settings.VECTORFERRY_SECRETS_KEYS = (NEW, OLD)
    call_command("rotate_secrets")
    settings.VECTORFERRY_SECRETS_KEYS = (NEW,)
    ensure_keys_fit_database()
    assert Connection.objects.get(pk=connection.pk).settings == {"password": "s3cret"}
    assert Fernet(NEW).decrypt(stored(connection)) == b'{"password": "s3cret"}'


def test_rotation_changes_nothing_if_a_secret_cannot_be_read(settings):
    connection = saved("before")
    token = stored(connection)
    settings.VECTORFERRY_SECRETS_KEYS = (NEW,)
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("rotate_secrets")
    assert stored(connection) == token
    settings.VECTORFERRY_SECRETS_KEYS = (OLD,)
    ensure_keys_fit_database()


def test_rotation_accepts_a_changed_signing_key(settings):
    settings.SECRET_KEY = "another, on purpose"
    call_command("rotate_secrets")
    ensure_keys_fit_database()
