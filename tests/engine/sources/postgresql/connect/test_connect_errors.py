"""Connect errors: exact messages of libpq and PostgreSQL, and the errors that the user reads."""

import adbc_driver_manager
import psycopg
import pytest

from migrations_app.engine import errors
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql.connect.connect_errors import connect_error
from migrations_app.engine.sources.postgresql.connect.conninfo import PostgresAddress
from migrations_app.engine.sources.postgresql.connect.read_errors import read_error
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from migrations_app.engine.sources.postgresql.source import PostgresSource

ADDRESS = PostgresAddress("db", "5432", "shop", "reader", "require", "10")
TO = 'connection to server at "db" (10.0.0.1), port 5432 failed: '
NO_ENTRY = TO + 'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "reader", database "shop"'

REFUSED = [
    (TO + "Connection refused\n\tIs the server running on that host?", "connection_refused", "port"),
    (TO + "timeout expired", "connect_timeout", "host"),
    (TO + "Connection timed out", "connect_timeout", "host"),
    ("connection timeout expired", "connect_timeout", "host"),
    (TO + "No route to host", "network_unreachable", "host"),
    (TO + "Network is unreachable", "network_unreachable", "host"),
    (TO + "server does not support SSL, but SSL was required", "tls_failed", "sslmode"),
    (TO + "SSL error: certificate verify failed", "tls_failed", "sslrootcert"),
    (
        TO + 'server certificate for "other" does not match host name "db"',
        "tls_failed",
        "host",
    ),
    (TO + 'could not load private key file "k.pem": bad base64 decode', "tls_failed", "sslkey"),
    (TO + 'could not read certificate file "c.pem": no start line', "tls_failed", "sslcert"),
    (TO + "FATAL:  connection requires a valid client certificate", "tls_failed", "sslcert"),
    (TO + "SSL error: tlsv1 alert unknown ca", "tls_failed", "sslcert"),
    (TO + "SSL error: wrong version number", "tls_failed", "sslmode"),
    (NO_ENTRY + ", no encryption", "tls_failed", "sslmode"),
    (NO_ENTRY + ", SSL off", "tls_failed", "sslmode"),
    (NO_ENTRY + ", SSL encryption\n" + NO_ENTRY + ", no encryption", "address_not_allowed", "host"),
    (NO_ENTRY, "address_not_allowed", "host"),
    (TO + "received invalid response to SSL negotiation: H", "not_postgresql", "port"),
    (TO + "expected authentication request from server, but received H", "not_postgresql", "port"),
    (TO + 'FATAL:  password authentication failed for user "reader"', "auth_refused", "password"),
    (TO + "fe_sendauth: no password supplied", "auth_refused", "password"),
    (TO + 'FATAL:  role "reader" does not exist', "auth_refused", "user"),
    (TO + 'FATAL:  role "reader" is not permitted to log in', "auth_refused", "user"),
    (TO + "FATAL:  Tenant or user not found", "auth_refused", "user"),
    (TO + 'FATAL:  Peer authentication failed for user "reader"', "auth_refused", "user"),
    (TO + 'FATAL:  database "shop" does not exist', "database_missing", "database"),
    (TO + 'FATAL:  no such database: shop', "database_missing", "database"),
    (
        TO + 'FATAL:  permission denied for database "shop"\nDETAIL:  User does not have CONNECT privilege.',
        "privilege_missing",
        "database",
    ),
    (TO + 'FATAL:  database "shop" is not currently accepting connections', "database_closed", "database"),
    (TO + "FATAL:  sorry, too many clients already", "too_many_connections", ""),
    (TO + 'FATAL:  too many connections for role "reader"', "too_many_connections", ""),
    (TO + 'FATAL:  too many connections for database "shop"', "too_many_connections", ""),
    (
        TO + "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "too_many_connections",
        "",
    ),
    (TO + "FATAL:  the database system is starting up", "server_not_ready", ""),
    (TO + "FATAL:  the database system is in recovery mode", "server_not_ready", ""),
    (TO + "FATAL:  unsupported startup parameter: options", "pooler_unsupported", "port"),
    (TO + "server closed the connection unexpectedly", "connection_closed", "port"),
    (TO + "something nobody has seen", "connection_failed", "host"),
]  # fmt: skip


@pytest.mark.parametrize(("reported", "code", "field"), REFUSED)
def test_each_refusal_names_its_field_and_gives_a_hint(reported: str, code: str, field: str) -> None:
    of_psycopg = connect_error(psycopg.OperationalError(f"connection failed: {reported}"), ADDRESS)
    of_adbc = connect_error(_adbc_error(f"IO: [libpq] Failed to connect: {reported}"), ADDRESS)
    for error in (of_psycopg, of_adbc):
        assert (error.code, error.field) == (code, field)
        assert error.message.endswith((".", reported))
        assert error.hint
    assert str(of_psycopg) == str(of_adbc)


def test_the_field_is_the_connection_string_if_one_was_entered() -> None:
    address = PostgresAddress("db", "5432", "shop", "reader", "prefer", "10", is_url=True)
    error = connect_error(psycopg.OperationalError('FATAL:  database "shop" does not exist'), address)
    assert error.field == "url"


def test_only_temporary_connection_errors_are_retried() -> None:
    is_retryable = {
        reported: connect_error(psycopg.OperationalError(reported), ADDRESS).retryable
        for reported, _, _ in REFUSED
    }
    assert is_retryable[TO + "FATAL:  the database system is starting up"]
    assert is_retryable[TO + "timeout expired"]
    assert not is_retryable[TO + 'FATAL:  password authentication failed for user "reader"']


READ = [
    ("42P01", "relation does not exist", errors.SourceChanged, False),
    ("42703", "column does not exist", errors.SourceChanged, False),
    ("42501", "permission denied for table items", errors.PrivilegeMissing, False),
    ("57P01", "terminating connection due to administrator command", errors.SourceUnavailable, True),
    ("08006", "connection failure", errors.SourceUnavailable, True),
    ("53300", "too many connections", errors.SourceUnavailable, True),
    ("40001", "canceling statement due to conflict with recovery", errors.SourceUnavailable, True),
    ("57014", "canceling statement due to statement timeout", errors.SourceUnavailable, True),
    ("22012", "division by zero", errors.SourceDataError, False),
    ("22021", "invalid byte sequence for encoding", errors.SourceDataError, False),
    ("25006", "cannot execute INSERT in a read-only transaction", errors.SourceDataError, False),
    ("P0001", "a function said no", errors.SourceDataError, False),
    ("XX001", "invalid page in block 7", errors.SourceDataError, False),
    ("ZZZZZ", "what no version knows", errors.SourceDataError, False),
    ("08P01", "transaction blocks not allowed in statement pooling mode", errors.ConnectionFailed, False),
    (
        None,
        "PQgetCopyData() failed: server closed the connection unexpectedly",
        errors.SourceUnavailable,
        True,
    ),
    (None, "ReadRecord failed at row 0: Array value with lower bound", errors.SourceDataError, False),
]


@pytest.mark.parametrize(("state", "reported", "kind", "retryable"), READ)
def test_each_error_while_reading_has_its_own_class(
    state: str | None, reported: str, kind: type[errors.FerryError], retryable: bool
) -> None:
    error = read_error(_adbc_error(f"IO: [libpq] {reported}", state), "table public.items")
    assert type(error) is kind
    assert error.retryable is retryable
    assert reported in error.message
    assert error.hint


def _adbc_error(message: str, state: str | None = None) -> adbc_driver_manager.OperationalError:
    return adbc_driver_manager.OperationalError(
        message, status_code=adbc_driver_manager.AdbcStatusCode.IO, sqlstate=state
    )


@pytest.mark.parametrize("host", ["a..b", "x" * 300])
def test_a_text_that_cannot_be_a_host_name_is_an_unknown_host(host: str) -> None:
    settings = PostgresSettings(host=host, database="shop", user="reader")
    with pytest.raises(errors.HostUnknown) as refused, PostgresSource(settings) as source:
        source.check(ReadContext())
    assert refused.value.field == "host"
