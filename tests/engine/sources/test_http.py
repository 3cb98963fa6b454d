from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from migrations_app.engine.address_guard import AddressPolicy
from migrations_app.engine.errors import (
    AnswerTooLarge,
    AuthRefused,
    Canceled,
    ConnectionFailed,
    ConnectionRefused,
    ConnectTimeout,
    FerryError,
    HostUnknown,
    PrivilegeMissing,
    SettingsError,
    SourceBusy,
    SourceChanged,
    SourceDataError,
    SourceError,
    SourceUnavailable,
    TlsFailed,
)
from migrations_app.engine.sources.http import HttpClient, HttpSettings
from migrations_app.engine.sources.http_failures import HttpFields
from migrations_app.engine.sources.http_statuses import HttpRefusal, retry_after_seconds
from migrations_app.engine.stop_token import Deadline, StopToken
from tests.emulators.http_faults import (
    Answer,
    HttpServer,
    busy,
    cut,
    drip,
    endless,
    head,
    http_faults,
    raw,
    reply,
    stall,
)
from tests.kit.certificates import Certificate

SECRET = "s3cret-t0ken"
FIELDS = HttpFields("uri", "token", "ca")


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_faults() as server:
        yield server


def client_of(url: str, **options: Any) -> HttpClient:
    """A client with a secret. ``silence_seconds`` and the like are settings, the others are its own."""
    resolve = options.pop("resolve", lambda host: AddressPolicy().resolve(host, FIELDS.address))
    explain = options.pop("explain", lambda refusal: None)
    headers = {"Authorization": f"Bearer {SECRET}"}
    return HttpClient(HttpSettings(url, headers, fields=FIELDS, **options), resolve, explain=explain)


@pytest.fixture
def client(server: HttpServer) -> Iterator[HttpClient]:
    with client_of(server.url) as client:
        yield client


def failure(client: HttpClient, error: type[FerryError], **options: Any) -> FerryError:
    """The error of one request, which shows no secret."""
    with pytest.raises(error) as caught:
        client.request("GET", "/page", **options)
    found = caught.value
    assert type(found) is error
    assert SECRET not in f"{found}{found!r}{found.message}{found.hint}{found.__cause__!r}"
    return found


# ---------------------------------------------------------------- requests and answers


def test_a_request_carries_its_parts_and_the_answer_comes_back(server: HttpServer) -> None:
    server.answers += [reply(b'{"ok": true}'), reply(b"")]
    with client_of(server.url + "/prefix/") as client:
        assert client.request("POST", "/page", json={"n": 1}, params={"q": "a b"}) == b'{"ok": true}'
        assert client.request("PUT", "/raw", body=b"\x00", headers={"X-Own": "1"}) == b""
    first, second = server.requests
    assert (first.method, first.path, first.body) == ("POST", "/prefix/page?q=a+b", b'{"n":1}')
    assert first.headers["authorization"] == f"Bearer {SECRET}"
    assert (second.body, second.headers["x-own"]) == (b"\x00", "1")
    assert server.connections == 1, "the connection was used again"


def test_answers_in_chunks_and_compressed_arrive_whole(server: HttpServer, client: HttpClient) -> None:
    page = bytes(range(256)) * 4096
    chunked = head(200, None, Transfer_Encoding="chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    members = gzip.compress(page) + gzip.compress(b"end")
    server.answers += [raw(chunked), reply(page), reply(members, Content_Encoding="gzip")]
    assert client.request("GET", "/page") == b"abcde"
    assert client.request("GET", "/page") == page
    assert client.request("GET", "/page") == page + b"end"


@pytest.mark.parametrize("closes_after_seconds", [0, 0.02])
def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(
    server: HttpServer, client: HttpClient, closes_after_seconds: float
) -> None:
    for _ in range(20):
        server.answers.append(raw(head(200, 2) + b"{}"))
        assert client.request("GET", "/page") == b"{}"
    time.sleep(closes_after_seconds)
    assert client.request("GET", "/page") == b"{}"
    client.close()
    assert client.request("GET", "/page") == b"{}"
    assert server.connections == 22


def test_a_request_on_an_idle_connection_that_is_closed_unanswered_is_sent_again_once(
    server: HttpServer, client: HttpClient
) -> None:
    server.answers += [reply(b"1"), raw(b""), reply(b"2"), raw(b""), raw(b"")]
    assert client.request("GET", "/page") == b"1"
    assert client.request("GET", "/page") == b"2"
    failure(client, SourceUnavailable)
    assert (len(server.requests), server.connections) == (5, 3)


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"x" * 1001),
        endless(),
        endless(gzip.compress(bytes(64 * 1024 * 1024), 9), Content_Encoding="gzip"),
    ],
    ids=["known length", "chunked", "small only as long as it is compressed"],
)
def test_an_answer_that_is_too_large_is_refused_before_it_is_held(
    server: HttpServer, client: HttpClient, answer: Answer
) -> None:
    server.answers += [answer, reply(b"x" * 1000)]
    found = failure(client, AnswerTooLarge, max_bytes=1000)
    assert "1,000 bytes" in found.message
    assert not found.retryable
    assert len(client.request("GET", "/page", max_bytes=1000)) == 1000


def test_an_encoding_that_was_not_requested_is_refused(server: HttpServer, client: HttpClient) -> None:
    server.answers.append(reply(b"?", Content_Encoding="br"))
    assert "“br”" in failure(client, SourceDataError).message


def test_the_library_logs_no_request(client: HttpClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client.request("GET", "/page", params={"token": SECRET})
    assert caplog.records == []


# ---------------------------------------------------------------- stops


STALLS = {
    "before the headers": stall(),
    "in the headers": stall(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "in the body": stall(head(200, 1000) + b"half a pa"),
    "between two chunks": stall(head(200, None, Transfer_Encoding="chunked") + b"3\r\nabc\r\n"),
    "drip by drip": drip(),
}


def took(ask: Callable[[StopToken], object]) -> float:
    """The seconds from a stop to the end of the request that it ends."""
    stop, stopped_at = StopToken(), [0.0]

    def request_stop() -> None:
        stopped_at[0] = time.monotonic()
        stop.stop(Canceled("Stopped by the test."))

    timer = threading.Timer(0.05, request_stop)
    timer.start()
    with pytest.raises(Canceled):
        ask(stop)
    timer.join()
    return time.monotonic() - stopped_at[0]


@pytest.mark.parametrize("answer", STALLS.values(), ids=STALLS)
def test_a_stop_ends_a_request_that_hangs(server: HttpServer, client: HttpClient, answer: Answer) -> None:
    server.answers.append(answer)
    assert took(lambda stop: client.request("GET", "/page", stop=stop)) < 0.5
    assert client.request("GET", "/page") == b"{}", "the client can be used again"


def test_a_stop_ends_a_request_whose_body_the_server_does_not_read() -> None:
    with http_faults(is_mute=True) as server, client_of(server.url) as client:
        large = bytes(64 * 1024 * 1024)
        assert took(lambda stop: client.request("POST", "/page", body=large, stop=stop)) < 0.5


def test_a_stop_ends_a_tls_handshake_that_hangs() -> None:
    with http_faults(is_mute=True) as server, client_of(f"https://127.0.0.1:{server.port}") as client:
        assert took(lambda stop: client.request("GET", "/page", stop=stop)) < 0.5


def test_a_stop_ends_a_connection_that_is_not_accepted(full: int) -> None:
    with client_of(f"http://127.0.0.1:{full}") as client:
        assert took(lambda stop: client.request("GET", "/page", stop=stop)) < 0.5


def test_a_stop_ends_the_wait_for_a_name_server() -> None:
    is_over = threading.Event()

    def hanging(host: str) -> tuple[str, ...]:
        is_over.wait(10)
        return ()

    with client_of("http://example.test", resolve=hanging) as client:
        assert took(lambda stop: client.request("GET", "/page", stop=stop)) < 0.5
    is_over.set()


def test_after_a_stop_nothing_is_sent(server: HttpServer, client: HttpClient) -> None:
    stop = StopToken()
    stop.stop(Canceled("Stopped by the test."))
    with pytest.raises(Canceled):
        client.request("GET", "/page", stop=stop)
    assert server.connections == 0


@pytest.fixture
def full() -> Iterator[int]:
    """A port whose queue of connections is full: a further one is neither accepted nor refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


# ---------------------------------------------------------------- no complete answer


@pytest.mark.parametrize(
    "answer",
    [
        cut(b"half a pa"),
        cut(b""),
        raw(b""),
        raw(b"HTTP/1.1 200 OK\r\nConte"),
        raw(b"HTTP/1.1 200 OK\r\n\r\nwithout a length"),
        raw(head(200, None, Transfer_Encoding="chunked") + b"ff\r\nhalf"),
        reply(gzip.compress(bytes(1000))[:-9], Content_Encoding="gzip"),
        reply(b"no gzip", Content_Encoding="gzip"),
    ],
    ids=["body", "after headers", "no answer", "headers", "no length", "chunk", "gzip", "no gzip"],
)
def test_an_answer_that_breaks_off_is_a_retryable_error(
    server: HttpServer, client: HttpClient, answer: Answer
) -> None:
    server.answers.append(answer)
    found = failure(client, SourceUnavailable)
    assert found.retryable
    assert found.message.startswith(f"{server.url} broke off its answer to GET /page: ")
    assert client.request("GET", "/page") == b"{}"


def test_an_answer_that_does_not_come_is_a_retryable_error(server: HttpServer) -> None:
    server.answers += [stall(), stall(head(200, 9) + b"x"), drip()]
    with client_of(server.url, silence_seconds=0.1) as client:
        for options in ({}, {}, {"deadline": Deadline(0.1)}):
            found = failure(client, SourceUnavailable, **options)
            assert found.code == "source_timeout"
            assert found.retryable


def test_a_server_that_does_not_speak_http_is_reported_on_the_address(
    server: HttpServer, client: HttpClient
) -> None:
    server.answers.append(raw(b"SSH-2.0-OpenSSH_9.2\r\n"))
    found = failure(client, ConnectionFailed)
    assert (found.code, found.field) == ("not_http", "uri")


def test_a_port_on_which_nothing_listens_is_reported_on_the_address(full: int) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with client_of(f"http://localhost:{unused.getsockname()[1]}") as client:
            assert failure(client, ConnectionRefused).field == "uri"
    with client_of(f"http://127.0.0.1:{full}", connect_seconds=0.1) as client:
        found = failure(client, ConnectTimeout)
        assert found.field == "uri"
        assert "within 0.1 seconds" in found.message


def test_a_host_without_an_address_is_reported_on_the_address() -> None:
    with client_of(f"http://{'x' * 64}.test") as client:  # longer than a label of a name may be
        assert failure(client, HostUnknown).field == "uri"


def test_only_the_addresses_that_are_allowed_are_used(server: HttpServer) -> None:
    policy = AddressPolicy(allow_private=False)
    with client_of(server.url, resolve=lambda host: policy.resolve(host, "uri")) as client:
        found = failure(client, ConnectionFailed)
        assert (found.code, found.field) == ("address_private", "uri")
    assert server.connections == 0
    with client_of(f"http://books.test:{server.port}", resolve=lambda host: ("::1", "127.0.0.1")) as client:
        assert client.request("GET", "/page") == b"{}"
    assert server.requests[0].headers["host"] == f"books.test:{server.port}"


@pytest.mark.parametrize(
    "url",
    ["books.test", "ftp://books.test", "http://", "http://a b", "http://a:0", "http://a:x", "http://a:99999",
     "http://a?key=1", "http://[::1", f"http://me:{SECRET}@a", f"http://me:{SECRET}[@a", f"ftp://a?key={SECRET}"],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused_without_connecting(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        client_of(url)
    assert caught.value.field == "uri"
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("value", [f"{SECRET}\n", f"{SECRET}…"])
def test_credentials_that_cannot_be_sent_are_refused_without_showing_them(value: str) -> None:
    settings = HttpSettings("http://a", {"api-key": value}, fields=FIELDS)
    with pytest.raises(SettingsError) as caught:
        HttpClient(settings, AddressPolicy().resolve)
    assert caught.value.field == "token"
    assert SECRET not in caught.value.message


def test_secrets_do_not_show(server: HttpServer, client: HttpClient) -> None:
    settings = HttpSettings(server.url, {"api-key": SECRET}, ("0ther-secret",), ca_cert="PEM")
    assert not any(text in f"{settings}{client!r}" for text in (SECRET, "0ther-secret", "PEM"))
    server.answers.append(reply(f'{{"message": "Bearer {SECRET} is wrong"}}'.encode(), 401))
    assert "*** is wrong" in failure(client, AuthRefused).message


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> Certificate:
    return Certificate.authority("books")


@pytest.fixture
def tls_server(authority: Certificate) -> Iterator[HttpServer]:
    with http_faults(authority.server_context()) as server:
        yield server


def tls_url(server: HttpServer, host: str = "127.0.0.1") -> str:
    return f"https://{host}:{server.port}"


def test_a_certificate_is_checked_against_the_pasted_one(
    tls_server: HttpServer, authority: Certificate
) -> None:
    with client_of(tls_url(tls_server), ca_cert=authority.pem) as client:
        assert client.request("POST", "/page", json=["x" * 100_000]) == b"{}"
        tls_server.answers.append(stall(head(200, 9)))
        assert took(lambda stop: client.request("GET", "/page", stop=stop)) < 0.5
    with client_of(tls_url(tls_server), verify_tls=False) as client:
        assert client.request("GET", "/page") == b"{}"
    with client_of(tls_url(tls_server)) as client:
        assert failure(client, TlsFailed).field == "ca"
    with client_of(tls_url(tls_server, "localhost"), ca_cert=authority.pem) as client:
        found = failure(client, TlsFailed)
        assert (found.field, "another host name" in found.message) == ("uri", True)
    with pytest.raises(TlsFailed) as caught:
        client_of(tls_url(tls_server), ca_cert="not PEM")
    assert caught.value.field == "ca"


def test_tls_to_a_server_without_it_and_the_reverse_are_reported(
    server: HttpServer, tls_server: HttpServer
) -> None:
    with client_of(tls_url(server)) as client:
        found = failure(client, TlsFailed)
        assert (found.field, found.message) == ("uri", f"{client.server} does not use TLS.")
    with client_of(tls_server.url) as client, pytest.raises((ConnectionFailed, SourceUnavailable)):
        client.request("GET", "/page")
    with http_faults(is_mute=True) as mute, client_of(tls_url(mute), connect_seconds=0.1) as client:
        assert failure(client, ConnectTimeout).field == "uri"


# ---------------------------------------------------------------- statuses


@pytest.mark.parametrize(
    ("status", "error", "field", "retryable"),
    [
        (302, ConnectionFailed, "uri", False),
        (400, SourceError, "", False),
        (401, AuthRefused, "token", False),
        (403, PrivilegeMissing, "token", False),
        (404, SourceChanged, "", False),
        (408, SourceUnavailable, "", True),
        (413, AnswerTooLarge, "", False),
        (418, SourceError, "", False),
        (429, SourceBusy, "", True),
        (500, SourceUnavailable, "", True),
        (503, SourceUnavailable, "", True),
    ],
)
def test_each_status_has_its_error(
    server: HttpServer, client: HttpClient, status: int, error: type[FerryError], field: str, retryable: bool
) -> None:
    elsewhere = f"http://elsewhere.test/page?token={SECRET}"
    server.answers.append(reply(b'{"error": {"reason": "It does not like it."}}', status, Location=elsewhere))
    found = failure(client, error)
    assert (found.field, found.retryable) == (field, retryable)
    said = "http://elsewhere.test/page" if status == 302 else "It does not like it"
    assert f"{status}" in found.message
    assert said in found.message
    assert len(server.requests) == 1, "no redirect is followed"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"status": {"error": "Wrong input"}}', "Wrong input"),
        (b'{"error": {"root_cause": [{"reason": "root"}], "reason": "all shards failed"}}', "root"),
        (b"<html><head><title>x</title></head><h1>Bad\n gateway</h1></html>", "Bad gateway"),
        (b"\xff" * 100_000, "�" * 50),
        (b"[1]", "(502 Bad Gateway)"),
    ],
)
def test_the_message_of_the_server_is_found(
    server: HttpServer, client: HttpClient, body: bytes, said: str
) -> None:
    server.answers.append(reply(body, 502))
    found = failure(client, SourceUnavailable)
    assert said in found.message
    assert len(found.message) < 500


def test_a_source_can_replace_the_error_of_an_answer(server: HttpServer) -> None:
    def explain(refusal: HttpRefusal) -> FerryError | None:
        if b"circuit_breaking" in refusal.body:
            return AnswerTooLarge(refusal.said, retry_after_seconds=refusal.retry_after_seconds)
        return None

    server.answers += [busy("2", b'{"error": {"type": "circuit_breaking_exception"}}'), busy()]
    with client_of(server.url, explain=explain) as client:
        assert failure(client, AnswerTooLarge).retry_after_seconds == 2
        failure(client, SourceBusy)


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    until, date = format_datetime(now + timedelta(seconds=90), usegmt=True), format_datetime(now, usegmt=True)
    assert retry_after_seconds(until, date) == 90
    assert retry_after_seconds(date, until) == 0
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1))
    assert retry_after_seconds(in_an_hour) == pytest.approx(3600, abs=3)
    for value, seconds in {"120": 120, "1.5": 1.5, "-1": 0, "1e9": 86_400}.items():
        assert retry_after_seconds(value) == seconds
    for nonsense in (None, "", "soon", "nan", "inf"):
        assert retry_after_seconds(nonsense) is None


def test_a_storm_of_429_is_busy_each_time_with_its_wait(server: HttpServer, client: HttpClient) -> None:
    server.answers += [busy("0.1"), busy("7"), busy()]
    waits = [failure(client, SourceBusy).retry_after_seconds for _ in range(3)]
    assert waits == [0.1, 7, None]
    assert client.request("GET", "/page") == b"{}"
    assert server.connections == 1
