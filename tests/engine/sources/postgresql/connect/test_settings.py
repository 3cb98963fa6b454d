"""PostgreSQL settings: the form fields, and the libpq parameters made from them."""

import stat
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from migrations_app.engine.errors import HostUnknown, SettingsError
from migrations_app.engine.model.pydantic_faults import faults_of
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.connect.conninfo import Conninfo, address_of, hosts_of
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings

FIELDS = {"host": "db", "database": "shop", "user": "reader", "password": "s3cret"}
URL = "postgresql://reader:s3cret@db:6000/shop"
PEM = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"


def addresses(host: str) -> tuple[str, ...]:
    """In place of a name server: “db” and others have one address, “two” has two, “gone” has none."""
    if host == "gone":
        raise HostUnknown("There is no host “gone”.")
    return {"two": ("10.0.0.2", "10.0.0.3"), "": ("",), "/run": ("",)}.get(host, ("10.0.0.1",))


def libpq_parameters(**values: Any) -> dict[str, str]:
    """Return the libpq parameters for these settings."""
    conninfo = Conninfo(PostgresSettings.model_validate(values), addresses)
    try:
        return {name: str(value) for name, value in conninfo_to_dict(conninfo.text()).items()}
    finally:
        conninfo.close()


def test_fields_become_libpq_parameters() -> None:
    parts = libpq_parameters(**FIELDS, port=6000, sslmode="require")
    expected = {"host": "db", "port": "6000", "dbname": "shop", "user": "reader", "password": "s3cret"}
    assert expected.items() <= parts.items()
    assert parts["sslmode"] == "require"
    assert parts["application_name"] == "vectorferry"


def test_a_connection_string_means_the_same_as_the_fields() -> None:
    fields = libpq_parameters(**FIELDS, port=6000)
    url = libpq_parameters(url=URL)
    folders = {"passfile", "sslcert", "sslkey", "sslrootcert"}
    assert {k: v for k, v in url.items() if k not in folders} == {
        k: v for k, v in fields.items() if k not in folders
    }


@pytest.mark.parametrize(
    ("given", "used"),
    [("5", "5"), ("0", "1"), ("-1", "1"), ("31", "30"), ("1e99", "30"), ("x", "10"), ("nan", "10")],
)
def test_the_time_to_connect_is_never_unlimited(given: str, used: str) -> None:
    assert libpq_parameters(url=f"{URL}?connect_timeout={given}")["connect_timeout"] == used
    assert libpq_parameters(url=URL)["connect_timeout"] == "10"


def test_a_connection_string_may_consist_of_key_value_pairs() -> None:
    parts = libpq_parameters(url="host=db user=reader password='s3 cret' dbname=shop")
    assert parts["password"] == "s3 cret"


@pytest.mark.parametrize(
    ("chosen", "in_url", "used"),
    [("prefer", "?sslmode=require", "require"), ("verify-full", "?sslmode=require", "verify-full"),
     ("require", "", "require"), ("prefer", "", "prefer")],
)  # fmt: skip
def test_the_tls_mode_of_the_form_overrides_the_url_unless_it_is_the_default(
    chosen: str, in_url: str, used: str
) -> None:
    assert libpq_parameters(url=URL + in_url, sslmode=chosen)["sslmode"] == used


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"host": "db"},
        {"url": URL, "host": "db"},
        {"url": URL, "password": "s3cret"},
        {**FIELDS, "sslmode": "sometimes"},
        {**FIELDS, "port": 0},
        {**FIELDS, "port": 65536},
        {"url": "postgresql://reader:s3cret@db:port:what/shop?x"},
        {"url": "s3cret"},
        {"url": URL + "?passfile=/etc/passwd"},
        {"url": URL + "?sslkey=/etc/shadow"},
        {"url": "service=x"},
        {"url": URL + "?sslkeylogfile=/tmp/x"},
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_a_secret(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        PostgresSettings.model_validate(values)
    assert "s3cret" not in str(caught.value)


def test_nothing_is_taken_from_the_environment_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "the operator's")
    parts = libpq_parameters(**{**FIELDS, "password": ""})
    assert parts["password"] == ""
    for name in ("passfile", "sslcert", "sslkey", "sslrootcert"):
        assert not Path(parts[name]).exists()


def test_certificates_are_in_private_files_that_are_deleted_on_close() -> None:
    settings = PostgresSettings.model_validate(
        {**FIELDS, "sslmode": "verify-full", "sslrootcert": PEM, "sslcert": PEM, "sslkey": PEM}
    )
    conninfo = Conninfo(settings, addresses)
    parts = conninfo_to_dict(conninfo.text())
    files = [Path(str(parts[name])) for name in ("sslrootcert", "sslcert", "sslkey")]
    for file in files:
        assert file.read_text() == PEM + "\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    conninfo.close()
    assert not any(file.exists() for file in files)
    conninfo.close()


def test_verify_ca_needs_a_certificate() -> None:
    with pytest.raises(SettingsError) as caught:
        libpq_parameters(**FIELDS, sslmode="verify-ca")
    assert caught.value.field == "sslrootcert"


def test_verify_full_uses_the_trusted_certificates_of_this_machine() -> None:
    assert libpq_parameters(**FIELDS, sslmode="verify-full")["sslrootcert"]


@pytest.mark.parametrize(
    ("values", "hosts"),
    [
        (FIELDS, ("db",)),
        ({"url": "postgresql://u@a:1,b:2/x"}, ("a", "b")),
        ({"url": "postgresql://u@db/x?hostaddr=10.0.0.1"}, ("db", "10.0.0.1")),
        ({"url": "postgresql://u@[::1]/x"}, ("::1",)),
        ({"url": "host=/var/run/postgresql user=u"}, ("localhost",)),
        ({"url": "user=u dbname=x"}, ("localhost",)),
    ],
)
def test_all_hosts_are_known_before_connecting(values: dict[str, Any], hosts: tuple[str, ...]) -> None:
    assert hosts_of(PostgresSettings.model_validate(values)) == hosts


@pytest.mark.parametrize(
    ("url", "host", "hostaddr", "port"),
    [
        (URL, "db", "10.0.0.1", "6000"),
        ("postgresql://u@a:1,two:2/x", "a,two,two", "10.0.0.1,10.0.0.2,10.0.0.3", "1,2,2"),
        ("postgresql://u@gone:1,db:2/x", "db", "10.0.0.1", "2"),
        ("host=a,b port=7 user=u", "a,b", "10.0.0.1,10.0.0.1", "7,7"),
        ("host=db hostaddr=two user=u", "db,db", "10.0.0.2,10.0.0.3", ","),
        ("hostaddr=a user=u", "", "10.0.0.1", ""),
        ("host=/run,db user=u", "/run,db", ",10.0.0.1", ","),
        ("user=u", "", "", ""),
    ],
)
def test_libpq_gets_the_address_of_each_host(
    monkeypatch: pytest.MonkeyPatch, url: str, host: str, hostaddr: str, port: str
) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT"):
        monkeypatch.setenv(name, "the operator's")
    parts = libpq_parameters(url=url)
    assert (parts["host"], parts["hostaddr"], parts["port"]) == (host, hostaddr, port)


def test_a_list_of_unknown_hosts_is_an_unknown_host() -> None:
    with pytest.raises(HostUnknown):
        libpq_parameters(url="postgresql://u@gone,gone/x")


@pytest.mark.parametrize(
    "url",
    ["host=a,b hostaddr=10.0.0.1 user=u", "host=a hostaddr=1.1.1.1,2.2.2.2 user=u", "host=a port=1,2 user=u"],
)
def test_lists_of_different_lengths_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="lists") as caught:
        libpq_parameters(url=url)
    assert caught.value.field == "url"


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({}, "host", "Enter host, database and user, or a connection string."),
        ({"host": "db", "user": "u"}, "database", "Enter database, or a connection string."),
        (
            {"url": URL, "host": "db"},
            "url",
            "Enter a connection string, or host, database, user and password",
        ),
    ],
)
def test_missing_settings_are_reported_on_their_field(
    values: dict[str, str], field: str, sentence: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        PostgresSettings.model_validate(values)
    [fault] = faults_of(caught.value)
    assert fault.field == field
    assert fault.message.startswith(sentence)


def test_the_address_of_a_connection_is_host_port_and_database() -> None:
    for values in ({**FIELDS, "port": 6000}, {"url": URL}):
        assert PostgresSource(PostgresSettings.model_validate(values)).address() == "db:6000/shop"


def test_an_error_is_shown_on_the_field_that_was_filled_in() -> None:
    fields, url = (address_of(PostgresSettings.model_validate(v)) for v in (FIELDS, {"url": URL}))
    assert (fields.field("password"), fields.field("sslmode")) == ("password", "sslmode")
    assert (url.field("password"), url.field("sslmode")) == ("url", "sslmode")
    assert str(url) == "db:6000"


def test_no_secret_is_shown_in_printed_objects() -> None:
    settings = PostgresSettings.model_validate(
        {**FIELDS, "sslkey": "-----BEGIN KEY-----\nk3y\n-----END KEY-----"}
    )
    source = PostgresSource(settings)
    conninfo = Conninfo(settings, addresses)
    conninfo.text()
    texts = (repr(settings), str(settings), settings.model_dump_json(), repr(source), str(conninfo))
    texts += (repr(conninfo), repr(address_of(settings)))
    assert not any(secret in text for text in texts for secret in ("s3cret", "k3y"))
    conninfo.close()
    source.close()
