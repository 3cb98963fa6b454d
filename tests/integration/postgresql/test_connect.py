"""Connection to a real PostgreSQL: it reports the versions, and each failure is reported on its field."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from migrations_app.engine.errors import ConnectionFailed, SourceUnavailable
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from tests.engines.postgres import Database
from tests.integration.postgresql.database import batches_of, locators_of, opened
from tests.integration.relays import (
    Answer,
    as_a_closing_server,
    as_a_pooler,
    as_a_silent_server,
    as_a_tls_server,
    as_a_web_server,
    as_a_web_server_that_reads_lines,
    listening,
)
from tests.kit.certificates import NAME, Certificate


def refused(database: Database, changes: dict[str, Any]) -> ConnectionFailed:
    with opened(database, **changes) as source, pytest.raises(ConnectionFailed) as caught:
        source.check(ReadContext())
    assert caught.value.hint
    return caught.value


def code_and_field(error: ConnectionFailed) -> tuple[str, str]:
    return error.code, error.field


# ---------------------------------------------------------------- login and address


def test_a_working_connection_reports_both_versions(pg: Database) -> None:
    with opened(pg) as source:
        info = source.check(ReadContext())
    assert str(info).startswith("PostgreSQL 18.")
    assert info.details[0].startswith("pgvector 0.")
    assert info.warnings == ()


def test_a_connection_string_works_as_well(pg: Database) -> None:
    with by_url(pg.url) as source:
        assert source.check(ReadContext()).product == "PostgreSQL"
        assert source.hosts() == ("127.0.0.1",)


def by_url(url: str) -> PostgresSource:
    return PostgresSource(PostgresSettings.model_validate({"url": url}))


@pytest.fixture(scope="module")
def roles(pg: Database) -> Iterator[Database]:
    """Roles and databases with restricted access."""
    statements = (
        "CREATE ROLE no_login PASSWORD 'x'",
        "CREATE ROLE crowded LOGIN PASSWORD 'x' CONNECTION LIMIT 0",
        "CREATE ROLE stranger LOGIN PASSWORD 'x'",
        "CREATE TABLE for_others (v vector(2))",
        "CREATE DATABASE without_vector",
        "CREATE DATABASE members_only",
        "REVOKE CONNECT ON DATABASE members_only FROM PUBLIC",
        "CREATE DATABASE closed ALLOW_CONNECTIONS false",
    )
    for statement in statements:
        pg.execute(statement)
    yield pg
    for name in ("without_vector", "members_only", "closed"):
        pg.execute(f"DROP DATABASE {name}")  # type: ignore[arg-type]
    pg.execute("DROP ROLE no_login, crowded, stranger")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"user": "no_login", "password": "x"}, "auth_refused", "user"),
        ({"user": "stranger", "password": "y"}, "auth_refused", "password"),
        ({"user": "stranger", "password": ""}, "auth_refused", "password"),
        ({"user": "crowded", "password": "x"}, "too_many_connections", ""),
        ({"user": "stranger", "password": "x", "database": "members_only"}, "privilege_missing", "database"),
        ({"user": "stranger", "password": "x"}, "privilege_missing", "user"),
        ({"database": "without_vector"}, "extension_missing", "database"),
        ({"database": "closed"}, "database_closed", "database"),
        ({"database": "no such; DROP TABLE x"}, "database_missing", "database"),
        ({"sslmode": "require"}, "tls_failed", "sslmode"),
    ],
)
def test_a_refusal_is_reported_on_its_field(
    roles: Database, changes: dict[str, str], code: str, field: str
) -> None:
    assert code_and_field(refused(roles, changes)) == (code, field)


def test_a_missing_pgvector_is_reported_with_the_command_that_creates_it(roles: Database) -> None:
    assert "CREATE EXTENSION vector" in refused(roles, {"database": "without_vector"}).hint


# ---------------------------------------------------------------- TLS


@dataclass(frozen=True)
class Tls:
    """A database behind TLS. Clients need a certificate on ``strict_port``, but not on ``port``."""

    database: Database
    authority: Certificate
    port: int
    strict_port: int

    def settings(self, changes: dict[str, str]) -> dict[str, Any]:
        """``changes`` with certificates in place of their names."""
        client = self.authority.sign("client")
        texts = {"authority": self.authority.pem, "nonsense": NONSENSE}
        texts |= {"other authority": Certificate.authority("Others").pem}
        certificates = texts | {"client": client.pem}
        keys = texts | {"client": client.key_pem, "other key": self.authority.key_pem}
        port = self.strict_port if changes.get("port") == "strict" else self.port
        pasted = {
            name: (keys if name == "sslkey" else certificates).get(text, text)
            for name, text in changes.items()
        }
        return {**pasted, "port": port}


NONSENSE = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"


@pytest.fixture(scope="module")
def tls(pg: Database) -> Iterator[Tls]:
    pg.execute("CREATE TABLE items (id integer PRIMARY KEY, v vector(2))")
    pg.execute("INSERT INTO items SELECT g, '[1,2]' FROM generate_series(1, 9) g")
    authority = Certificate.authority("Tests")
    port = int(pg.settings["port"])
    lax = as_a_tls_server(port, authority.server_context())
    strict = as_a_tls_server(port, authority.server_context(wants_client=True))
    with listening(lax) as lax_port, listening(strict) as strict_port:
        yield Tls(pg, authority, lax_port, strict_port)


@pytest.mark.parametrize(
    "changes",
    [
        {"sslmode": "prefer"},
        {"sslmode": "require"},
        {"sslmode": "verify-ca", "sslrootcert": "authority"},
        {"sslmode": "verify-full", "sslrootcert": "authority"},
        {"sslmode": "verify-ca", "sslrootcert": "authority", "host": "localhost"},
        {"sslmode": "require", "sslcert": "client", "sslkey": "client", "port": "strict"},
    ],
)
def test_both_drivers_read_over_tls(tls: Tls, changes: dict[str, str]) -> None:
    with opened(tls.database, **tls.settings(changes)) as source:
        source.check(ReadContext())
        assert locators_of(list(batches_of(source, "public.items"))) == [str(n) for n in range(1, 10)]


def test_both_drivers_use_the_address_of_the_guard_and_check_the_certificate_by_name(
    tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> list[Any]:
        return real("127.0.0.1" if host == NAME else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    changes = {"sslmode": "verify-full", "sslrootcert": "authority", "host": NAME}
    with opened(tls.database, **tls.settings(changes)) as source:
        assert len(locators_of(list(batches_of(source, "public.items")))) == 9


def test_an_unknown_host_in_a_list_is_passed_over(pg: Database) -> None:
    with opened(pg, host=f"no-such-host.invalid,{pg.settings['host']}") as source:
        assert source.check(ReadContext()).product == "PostgreSQL"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sslmode": "disable"}, "sslmode"),
        ({"sslmode": "verify-full"}, "sslrootcert"),
        ({"sslmode": "verify-full", "sslrootcert": "other authority"}, "sslrootcert"),
        ({"sslmode": "verify-full", "sslrootcert": "nonsense"}, "sslrootcert"),
        ({"sslmode": "verify-full", "sslrootcert": "authority", "host": "localhost"}, "host"),
        ({"sslmode": "require", "port": "strict"}, "sslcert"),
        ({"sslmode": "require", "sslcert": "nonsense", "sslkey": "client"}, "sslcert"),
        ({"sslmode": "require", "sslcert": "client", "sslkey": "nonsense"}, "sslkey"),
        ({"sslmode": "require", "sslcert": "client", "sslkey": "other key"}, "sslkey"),
        ({"sslmode": "require", "sslcert": "client"}, "sslkey"),
    ],
)
def test_a_tls_failure_is_reported_on_its_field(tls: Tls, changes: dict[str, str], field: str) -> None:
    assert code_and_field(refused(tls.database, tls.settings(changes))) == ("tls_failed", field)


# ---------------------------------------------------------------- other programs in the place of PostgreSQL


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (as_a_web_server, "not_postgresql"),
        (as_a_closing_server, "connection_closed"),
    ],
)
def test_a_program_that_is_not_postgresql_is_reported(answer: Answer, code: str) -> None:
    with listening(answer) as port:
        url = f"postgresql://reader:s3cret@127.0.0.1:{port}/shop?connect_timeout=2"
        with by_url(url) as source, pytest.raises(ConnectionFailed) as caught:
            source.check(ReadContext())
    assert code_and_field(caught.value) == (code, "url")
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"


def test_a_web_server_that_waits_for_a_whole_line_is_named_at_once() -> None:
    with listening(as_a_web_server_that_reads_lines) as port:
        began = time.monotonic()
        url = f"postgresql://reader:s3cret@127.0.0.1:{port}/shop"
        with by_url(url) as source, pytest.raises(ConnectionFailed) as caught:
            source.check(ReadContext())
        assert time.monotonic() - began < 5
    assert code_and_field(caught.value) == ("not_postgresql", "url")
    assert caught.value.message == f"An HTTP server answers on 127.0.0.1:{port}, not PostgreSQL."


def test_a_program_that_says_nothing_is_not_blamed_on_a_firewall() -> None:
    with listening(as_a_silent_server) as port:
        url = f"postgresql://reader:s3cret@127.0.0.1:{port}/shop?connect_timeout=2"
        with by_url(url) as source, pytest.raises(ConnectionFailed) as caught:
            source.check(ReadContext())
    assert code_and_field(caught.value) == ("connect_timeout", "url")
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"
    assert "A program listens on" in caught.value.message
    assert "firewall" not in caught.value.hint


def test_a_pooler_is_recognised_by_its_process_numbers(pg: Database) -> None:
    with (
        listening(as_a_pooler(int(pg.settings["port"]))) as port,
        opened(pg, port=port, sslmode="disable") as source,
    ):
        (warning,) = source.check(ReadContext()).warnings
        assert "pooler" in warning


def test_a_source_whose_connection_was_cut_connects_again(pg: Database) -> None:
    with opened(pg) as source:
        source.check(ReadContext())
        pg.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND application_name = 'vectorferry'"
        )
        with pytest.raises(SourceUnavailable):
            source.check(ReadContext())
        source.check(ReadContext())
