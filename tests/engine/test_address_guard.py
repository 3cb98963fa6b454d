"""The address guard: about a hundred ways to write an address, alone and through gRPC, HTTP and libpq against
real listeners."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from pydantic import ValidationError

from migrations_app.engine.address_guard import AddressPolicy
from migrations_app.engine.errors import ConnectionFailed, FerryError
from migrations_app.engine.milvus import diagnose, server
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.http import HttpClient, HttpSettings
from migrations_app.engine.sources.postgresql import PostgresSource
from migrations_app.engine.sources.postgresql.connect.settings import PostgresSettings
from migrations_app.engine.targets.milvus.target import MilvusTarget

PUBLIC_ONLY = AddressPolicy(allow_private=False)
PRIVATE, METADATA, UNKNOWN = "address_private", "address_metadata", "host_unknown"
ALLOWED = ""
REFUSED = (PRIVATE, METADATA, UNKNOWN, "settings_invalid")

# The names that the tests know. No test asks a name server.
NAMES = {
    "localhost": ("::1", "127.0.0.1"),
    "db.internal": ("10.1.2.3",),
    "db_1": ("172.18.0.2",),
    "loopback.example": ("127.0.0.1",),
    "mixed.example": ("8.8.8.8", "127.0.0.1"),
    "metadata.google.internal": ("169.254.169.254",),
    "public.example": ("8.8.8.8", "2001:4860:4860::8888"),
}

# Address, outcome if only public addresses are allowed, outcome if private ones are allowed too.
SPELLINGS = [
    # ---- names
    ("localhost", PRIVATE, ALLOWED),
    ("LOCALHOST", PRIVATE, ALLOWED),
    ("db.internal", PRIVATE, ALLOWED),
    ("db_1", UNKNOWN, ALLOWED),
    ("loopback.example", PRIVATE, ALLOWED),
    ("mixed.example", PRIVATE, ALLOWED),
    ("metadata.google.internal", METADATA, METADATA),
    ("public.example", ALLOWED, ALLOWED),
    ("no-such-host.invalid", UNKNOWN, UNKNOWN),
    ("", UNKNOWN, UNKNOWN),
    (".", UNKNOWN, UNKNOWN),
    ("a..b", UNKNOWN, UNKNOWN),
    ("x" * 300, UNKNOWN, UNKNOWN),
    ("*", UNKNOWN, UNKNOWN),
    # ---- IPv4
    ("127.0.0.1", PRIVATE, ALLOWED),
    ("127.0.0.1.", UNKNOWN, UNKNOWN),
    ("127.1", PRIVATE, ALLOWED),
    ("127.0.1", PRIVATE, ALLOWED),
    ("127.1.2.3", PRIVATE, ALLOWED),
    ("127.255.255.254", PRIVATE, ALLOWED),
    ("2130706433", PRIVATE, ALLOWED),
    ("0x7f000001", PRIVATE, ALLOWED),
    ("0X7F.0.0.1", PRIVATE, ALLOWED),
    ("0x7f.1", PRIVATE, ALLOWED),
    ("017700000001", PRIVATE, ALLOWED),
    ("0177.0.0.1", PRIVATE, ALLOWED),
    ("00000177.0.0.01", PRIVATE, ALLOWED),
    ("0", PRIVATE, ALLOWED),
    ("0.0.0.0", PRIVATE, ALLOWED),
    ("0.1.2.3", PRIVATE, ALLOWED),
    ("10.1.2.3", PRIVATE, ALLOWED),
    ("100.64.0.1", PRIVATE, ALLOWED),
    ("169.254.1.1", PRIVATE, ALLOWED),
    ("172.16.0.1", PRIVATE, ALLOWED),
    ("172.31.255.255", PRIVATE, ALLOWED),
    ("192.0.0.8", PRIVATE, ALLOWED),
    ("192.0.2.1", PRIVATE, ALLOWED),
    ("192.88.99.1", PRIVATE, ALLOWED),
    ("192.168.1.1", PRIVATE, ALLOWED),
    ("198.18.0.1", PRIVATE, ALLOWED),
    ("198.51.100.1", PRIVATE, ALLOWED),
    ("203.0.113.1", PRIVATE, ALLOWED),
    ("224.0.0.1", PRIVATE, ALLOWED),
    ("239.255.255.250", PRIVATE, ALLOWED),
    ("240.0.0.1", PRIVATE, ALLOWED),
    ("255.255.255.255", PRIVATE, ALLOWED),
    ("8.8.8.8", ALLOWED, ALLOWED),
    ("134744072", ALLOWED, ALLOWED),
    ("172.32.0.1", ALLOWED, ALLOWED),
    ("256.0.0.1", UNKNOWN, UNKNOWN),
    ("1.2.3.4.5", UNKNOWN, UNKNOWN),
    # ---- IPv6
    ("::1", PRIVATE, ALLOWED),
    ("0:0:0:0:0:0:0:1", PRIVATE, ALLOWED),
    ("::", PRIVATE, ALLOWED),
    ("::127.0.0.1", PRIVATE, ALLOWED),
    ("::8.8.8.8", PRIVATE, ALLOWED),
    ("::ffff:127.0.0.1", PRIVATE, ALLOWED),
    ("::ffff:7f00:1", PRIVATE, ALLOWED),
    ("::FFFF:10.0.0.1", PRIVATE, ALLOWED),
    ("::ffff:0:127.0.0.1", PRIVATE, ALLOWED),
    ("64:ff9b::7f00:1", PRIVATE, ALLOWED),
    ("64:ff9b::10.0.0.1", PRIVATE, ALLOWED),
    ("64:ff9b:1::7f00:1", PRIVATE, ALLOWED),
    ("64:ff9b:1::8.8.8.8", PRIVATE, ALLOWED),
    ("100::1", PRIVATE, ALLOWED),
    ("2001::1", PRIVATE, ALLOWED),
    ("2001:0:7f00:1::", PRIVATE, ALLOWED),
    ("2001:db8::1", PRIVATE, ALLOWED),
    ("2002:7f00:1::", PRIVATE, ALLOWED),
    ("2002:808:808::", PRIVATE, ALLOWED),
    ("3fff::1", PRIVATE, ALLOWED),
    ("4000::1", PRIVATE, ALLOWED),
    ("5f00::1", PRIVATE, ALLOWED),
    ("fc00::1", PRIVATE, ALLOWED),
    ("fd00::1", PRIVATE, ALLOWED),
    ("fe80::1", PRIVATE, ALLOWED),
    ("fe80::1%1", PRIVATE, ALLOWED),
    ("::1%1", PRIVATE, ALLOWED),
    ("fec0::1", PRIVATE, ALLOWED),
    ("feff::1", PRIVATE, ALLOWED),
    ("ff02::1", PRIVATE, ALLOWED),
    ("ff0e::1", PRIVATE, ALLOWED),
    ("2001:4860:4860::8888", ALLOWED, ALLOWED),
    ("::ffff:8.8.8.8", ALLOWED, ALLOWED),
    ("64:ff9b::808:808", ALLOWED, ALLOWED),
    ("fe80::1%", UNKNOWN, UNKNOWN),
    ("::1%25lo", UNKNOWN, UNKNOWN),
    (":::1", UNKNOWN, UNKNOWN),
    ("[::1]", UNKNOWN, UNKNOWN),
    # ---- metadata services
    ("169.254.169.254", METADATA, METADATA),
    ("2852039166", METADATA, METADATA),
    ("0xa9.0xfe.0xa9.0xfe", METADATA, METADATA),
    ("169.254.170.2", METADATA, METADATA),
    ("100.100.100.200", METADATA, METADATA),
    ("168.63.129.16", METADATA, METADATA),
    ("::ffff:169.254.169.254", METADATA, METADATA),
    ("::169.254.169.254", METADATA, METADATA),
    ("64:ff9b::a9fe:a9fe", METADATA, METADATA),
    ("64:ff9b:1::a9fe:a9fe", METADATA, METADATA),
    ("2002:a9fe:a9fe::1", METADATA, METADATA),
    ("fd00:ec2::254", METADATA, METADATA),
    ("fd00:0ec2:0::0254", METADATA, METADATA),
    ("fd20:ce::254", METADATA, METADATA),
    ("fe80::a9fe:a9fe%1", METADATA, METADATA),
    # ---- no host names
    ("127.0.0.%31", UNKNOWN, UNKNOWN),
    ("%31%32%37.0.0.1", UNKNOWN, UNKNOWN),
    ("127.0.0.1%00", UNKNOWN, UNKNOWN),
    ("127.0.0.1\0.example", UNKNOWN, UNKNOWN),
    ("127.0.0.1\n", UNKNOWN, UNKNOWN),
    (" 127.0.0.1", UNKNOWN, UNKNOWN),
    ("127.0.0.1 x", UNKNOWN, UNKNOWN),
    ("127。0。0。1", UNKNOWN, UNKNOWN),
    ("１２７.0.0.1", UNKNOWN, UNKNOWN),
    ("①②⑦.⓪.⓪.①", UNKNOWN, UNKNOWN),
    ("١٢٧.0.0.1", UNKNOWN, UNKNOWN),
    ("ⓛocalhost", UNKNOWN, UNKNOWN),
    ("reader@127.0.0.1", UNKNOWN, UNKNOWN),
    ("127.0.0.1/x", UNKNOWN, UNKNOWN),
    ("127.0.0.1#x", UNKNOWN, UNKNOWN),
    ("unix:/run/x", UNKNOWN, UNKNOWN),
    ("unix-abstract:x", UNKNOWN, UNKNOWN),
    ("ipv4:127.0.0.1", UNKNOWN, UNKNOWN),
    ("dns:///localhost", UNKNOWN, UNKNOWN),
    ("@abstract", UNKNOWN, UNKNOWN),
    ("/run/postgresql", UNKNOWN, UNKNOWN),
    ("8.8.8.8,127.0.0.1", UNKNOWN, UNKNOWN),
]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were resolved. Each answer for a name in NAMES is the one of the table."""
    real, asked = socket.getaddrinfo, []

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        asked.append(host)
        host.encode("idna")  # as Python does; a UnicodeError for what cannot be a name
        entries: list[Any] = []
        for address in NAMES.get(host.lower(), (host,)):
            entries += real(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return entries

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def outcome(policy: AddressPolicy, host: str) -> str:
    try:
        policy.resolve(host)
    except ConnectionFailed as error:
        return error.code
    return ALLOWED


@pytest.mark.parametrize(("host", "public_only", "private_too"), SPELLINGS)
def test_every_spelling_is_judged_by_the_address_it_leads_to(
    host: str, public_only: str, private_too: str
) -> None:
    assert outcome(PUBLIC_ONLY, host) == public_only
    assert outcome(AddressPolicy(), host) == private_too


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("public.example", ("8.8.8.8", "2001:4860:4860::8888")),
        ("134744072", ("8.8.8.8",)),
        ("2001:4860:4860:0::8888", ("2001:4860:4860::8888",)),
        ("fe80::1%1", ("fe80::1%1",)),
    ],
)
def test_a_connector_gets_numeric_addresses(host: str, addresses: tuple[str, ...]) -> None:
    assert AddressPolicy().resolve(host) == addresses


def test_a_wrong_host_is_not_repeated_because_it_may_be_part_of_a_password() -> None:
    with pytest.raises(ConnectionFailed) as caught:
        AddressPolicy().resolve("s3cret@db")
    assert "s3cret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(("error", "retryable"), [(socket.EAI_AGAIN, True), (socket.EAI_NONAME, False)])
def test_a_name_server_that_does_not_answer_may_answer_later(
    monkeypatch: pytest.MonkeyPatch, error: int, retryable: bool
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror(error, "the reason")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ConnectionFailed) as caught:
        AddressPolicy().resolve("db.example")
    assert caught.value.retryable is retryable


# ---------------------------------------------------------------- the drivers


class Listener:
    """Records the connections to a TCP port on every address of this machine and to three Unix sockets, whose
    names are those that gRPC and libpq would use with that port. It closes each connection immediately."""

    def __init__(self, folder: Path) -> None:
        self._accepted: list[str] = []
        self.folder = folder
        tcp = _on_every_address()
        self.port = tcp.getsockname()[1]
        self.sockets = [tcp]
        for path in (str(folder / str(self.port)), f"{folder}/.s.PGSQL.{self.port}", f"\0{self.port}"):
            unix = socket.socket(socket.AF_UNIX)
            unix.bind(path)
            unix.listen()
            self.sockets.append(unix)
        for listening in self.sockets:
            threading.Thread(target=self._serve, args=(listening,), daemon=True).start()

    def _serve(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self._accepted.append(str(listening.getsockname()))
                connection.close()

    def reached(self) -> list[str]:
        """The sockets reached since the last call. Our own connections come last and are left out."""
        own = []
        for listening in self.sockets:
            address = listening.getsockname()
            is_tcp = listening.family != socket.AF_UNIX
            with socket.socket(socket.AF_INET if is_tcp else socket.AF_UNIX) as knocking:
                knocking.connect(("127.0.0.1", self.port) if is_tcp else address)
                assert knocking.recv(1) == b""
            own.append(str(address))
        accepted, self._accepted = self._accepted, []
        for address in own:
            accepted.remove(address)
        return accepted

    def close(self) -> None:
        for listening in self.sockets:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()


def _on_every_address() -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.chdir(tmp_path)  # gRPC looks for a relative “unix:” path here
    monkeypatch.setattr(server, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(diagnose, "TIMEOUT_SECONDS", 1.0)
    listener = Listener(tmp_path)
    yield listener
    listener.close()


def check_milvus(uri: str, policy: AddressPolicy) -> tuple[str, str]:
    """Code and field of the error with which the target refuses ``uri``."""
    try:
        with MilvusTarget(MilvusSettings(uri=uri)) as target:
            target.address_policy = policy
            target.check(ReadContext())
    except ValidationError:
        return "settings_invalid", "uri"
    except FerryError as error:
        return error.code, error.field
    raise AssertionError("connected")


def check_http(url: str, policy: AddressPolicy) -> tuple[str, str]:
    """Code and field of the error with which the HTTP client refuses ``url``."""
    try:
        settings = HttpSettings(url, connect_seconds=1, silence_seconds=1)
        with HttpClient(settings, partial(policy.resolve, field="url")) as client:
            client.request("GET", "/")
    except FerryError as error:
        return error.code, error.field
    raise AssertionError("answered")


def check_postgres(policy: AddressPolicy, **settings: Any) -> tuple[str, str]:
    """Code and field of the error with which the source refuses ``settings``."""
    try:
        with PostgresSource(PostgresSettings(**settings)) as source:
            source.address_policy = policy
            source.check(ReadContext())
    except ValidationError:
        return "settings_invalid", ""
    except FerryError as error:
        return error.code, error.field
    raise AssertionError("connected")


def in_a_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith(("unix", "ipv4", "dns", "[")) else host


NOT_PUBLIC = [host for host, public_only, _ in SPELLINGS if public_only != ALLOWED]
TARGETS = [
    *(f"{scheme}{in_a_url(host)}:PORT" for host in NOT_PUBLIC for scheme in ("http://", "https://")),
    *("unix:PORT", "unix-abstract:PORT", "http://unix:PORT", "http://unix-abstract:PORT"),
    *("unix-abstract%3APORT", "http://ipv4%3A127.0.0.1:PORT", "http://dns%3Alocalhost:PORT"),
    *("http://127.0.0.1:PORT\\@8.8.8.8", "http://8.8.8.8@127.0.0.1:PORT", "http://127.0.0.1\t:PORT"),
]


def test_no_spelling_of_a_target_reaches_this_machine(listener: Listener) -> None:
    for uri in TARGETS:
        code, field = check_milvus(uri.replace("PORT", str(listener.port)), PUBLIC_ONLY)
        assert code in REFUSED, uri
        assert field == "uri"
    assert listener.reached() == []


def test_no_spelling_of_a_web_address_reaches_this_machine(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{listener.port}")
    for url in TARGETS:
        code, field = check_http(url.replace("PORT", str(listener.port)), PUBLIC_ONLY)
        assert code in REFUSED, url
        assert field == "url"
    assert listener.reached() == []


SOURCES = [
    *({"host": host} for host in NOT_PUBLIC),
    *({"host": host} for host in ("FOLDER", "FOLDER,", "localhost,127.0.0.1", ",", "@FOLDER/x")),
    *(
        {"url": url}
        for url in (
            "postgresql://u@:PORT/x",
            "postgresql://u@127.0.0.1:PORT,:PORT/x",
            "postgresql://u@8.8.8.8:PORT,:PORT/x",
            "postgresql://u@8.8.8.8:PORT,localhost:PORT/x",
            "postgresql://u@127.0.0.%31:PORT/x",
            "postgresql://u@%31%32%37.0.0.1:PORT/x",
            "postgresql://u@127.0.0.%2531:PORT/x",
            "postgresql://u@%2Frun:PORT/x",
            "postgresql://u@8.8.8.8:PORT/x?hostaddr=127.0.0.1",
            "postgresql://u@8.8.8.8:PORT/x?host=127.0.0.1",
            "postgresql://u@8.8.8.8:PORT/x?hostaddr=::1",
            "postgresql://u@[::1]:PORT/x",
            "host=FOLDER port=PORT user=u",
            "host='' port=PORT user=u",
            "hostaddr=127.0.0.1 port=PORT user=u",
            "hostaddr=8.8.8.8,127.1 port=PORT user=u",
            "host=8.8.8.8, port=PORT user=u",
            "host=,8.8.8.8 port=PORT user=u",
            "host=a,localhost hostaddr=8.8.8.8, port=PORT user=u",
            "host=a,b hostaddr=127.0.0.1 port=PORT user=u",
            "host=8.8.8.8 port=1,PORT user=u",
            "port=PORT user=u",
        )
    ),
]


def test_no_spelling_of_a_source_reaches_this_machine(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    for spelling in SOURCES:
        [(name, text)] = spelling.items()
        text = text.replace("PORT", str(listener.port)).replace("FOLDER", str(listener.folder))
        login = {"port": listener.port, "database": "x", "user": "u"} if name == "host" else {}
        code, field = check_postgres(PUBLIC_ONLY, **{name: text}, **login)
        assert code in REFUSED, text
        assert field in (name, ""), text
    assert listener.reached() == []


def test_the_same_listener_is_reached_if_private_addresses_are_allowed(listener: Listener) -> None:
    """So the three tests above would notice a connection."""
    port, both = listener.port, AddressPolicy()
    for uri in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", f"https://2130706433:{port}"):
        check_milvus(uri, both)
        assert listener.reached(), uri
        check_http(uri, both)
        assert listener.reached(), uri
    login = {"database": "x", "user": "u", "port": port}
    for host in ("127.0.0.1", "localhost", str(listener.folder), f"gone.invalid,{listener.folder},127.1"):
        assert check_postgres(both, host=host, **login) == ("connection_closed", "port")
        assert listener.reached(), host


# ---------------------------------------------------------------- a name that answers differently


@pytest.fixture
def turning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name “turning.example” is public when it is asked first, and leads to this machine afterwards."""
    answers = iter(["8.8.8.8"])

    def getaddrinfo(host: str, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        address = next(answers, "127.0.0.1") if host == "turning.example" else host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_target_connects_to_the_address_that_was_checked(
    turning: None, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, opened = grpc.insecure_channel, []

    def insecure_channel(target: str, options: Any) -> grpc.Channel:
        opened.append((target, dict(options)["grpc.default_authority"]))
        return real("ipv4:127.0.0.1:1", options)  # a closed port instead of the internet

    monkeypatch.setattr(grpc, "insecure_channel", insecure_channel)
    uri = f"turning.example:{listener.port}"
    assert check_milvus(f"http://{uri}", PUBLIC_ONLY) == (PRIVATE, "uri")  # the diagnosis resolves it again
    assert opened == [(f"ipv4:8.8.8.8:{listener.port}", uri)]
    assert listener.reached() == []


def test_a_source_connects_to_the_address_that_was_checked(
    turning: None, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def connect(conninfo: str, **kwargs: Any) -> None:
        parts = psycopg.conninfo.conninfo_to_dict(conninfo)
        opened.append((parts["host"], parts["hostaddr"]))
        raise psycopg.OperationalError("Connection refused")

    monkeypatch.setattr(psycopg, "connect", connect)
    settings = PostgresSettings(host="turning.example", port=listener.port, database="x", user="u")
    with PostgresSource(settings) as source:
        source.address_policy = PUBLIC_ONLY
        for code in ("connection_refused", PRIVATE):
            with pytest.raises(ConnectionFailed) as caught:
                source.check(ReadContext())
            assert caught.value.code == code
    assert opened == [("turning.example", "8.8.8.8")]
    assert listener.reached() == []
