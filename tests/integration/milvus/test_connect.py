"""Connection to Milvus: each failure is reported on the field that caused it."""

import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace

import grpc
import pytest
from cryptography.x509 import DNSName, SubjectAlternativeName
from pymilvus.grpc_gen import milvus_pb2
from pymilvus.grpc_gen.common_pb2 import ServerInfo, Status

from migrations_app.engine.errors import (
    AuthRefused,
    ConnectionFailed,
    ConnectionRefused,
    ConnectTimeout,
    DatabaseMissing,
    HostUnknown,
    PrivilegeMissing,
    TargetUnavailable,
    TlsFailed,
    VersionUnsupported,
)
from migrations_app.engine.milvus import server
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.targets.milvus.target import MilvusTarget
from tests.emulators.milvus import MilvusEmulator, aborting
from tests.integration.relays import not_accepting
from tests.kit.certificates import Certificate

pytest.importorskip("milvus_lite")


@pytest.fixture
def emulator(tmp_path):
    with MilvusEmulator(tmp_path).running() as running:
        yield running


@pytest.fixture(scope="module")
def certificate():
    return Certificate.authority("Milvus")


@pytest.fixture
def secure(tmp_path, certificate):
    with MilvusEmulator(tmp_path, certificate=certificate).running() as running:
        yield running


def target(uri, database="default", **login):
    return MilvusTarget(MilvusSettings(uri=uri, **login), database)


def refused(kind, field, uri, database="default", **login):
    with target(uri, database, **login) as milvus, pytest.raises(kind) as caught:
        milvus.check(ReadContext())
    assert type(caught.value) is kind
    assert caught.value.field == field
    assert caught.value.hint
    return caught.value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_host_that_does_not_exist_is_reported_on_the_uri():
    problem = refused(HostUnknown, "uri", "http://no-such-host.invalid:19530")

    assert "no-such-host.invalid" in problem.message


def test_a_port_where_nothing_listens_is_reported_on_the_uri():
    problem = refused(ConnectionRefused, "uri", f"http://127.0.0.1:{free_port()}")

    assert "nothing listens" in problem.message


def test_a_server_that_never_answers_is_reported_as_a_timeout(monkeypatch):
    monkeypatch.setattr(server, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr("migrations_app.engine.milvus.diagnose.TIMEOUT_SECONDS", 0.5)
    with not_accepting() as port:
        problem = refused(ConnectTimeout, "uri", f"http://127.0.0.1:{port}")

    assert "allow list" in problem.hint


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_program_on_the_port_is_reported_on_the_uri(scheme):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        threading.Thread(target=answer_as_a_web_server, args=(other,), daemon=True).start()
        address = f"{scheme}://127.0.0.1:{other.getsockname()[1]}"
        problem = refused(ConnectionFailed, "uri", address)
        other.shutdown(socket.SHUT_RDWR)
    assert problem.message == f"An HTTP server answers on {address}, but not as Milvus does."
    assert problem.code == "not_milvus"
    assert problem.details


def answer_as_a_web_server(listening):
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def test_http_to_a_server_with_tls_suggests_https(secure):
    problem = refused(TlsFailed, "uri", secure.uri.replace("https", "http"))

    assert f"https://127.0.0.1:{secure.port}" in problem.hint


def test_https_to_a_server_without_tls_suggests_http(emulator):
    problem = refused(TlsFailed, "uri", emulator.uri.replace("http", "https"))

    assert f"http://127.0.0.1:{emulator.port}" in problem.hint


def test_an_untrusted_certificate_is_reported_on_the_uri(secure):
    problem = refused(TlsFailed, "uri", secure.uri)

    assert "not trusted" in problem.message


def test_a_certificate_of_another_authority_is_reported_on_ca_cert(secure):
    other = Certificate.authority("another").pem

    refused(TlsFailed, "ca_cert", secure.uri, ca_cert=other)


def test_a_broken_certificate_is_reported_on_ca_cert(secure):
    broken = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"

    refused(TlsFailed, "ca_cert", secure.uri, ca_cert=broken)


def test_tls_with_the_right_authority_works(secure, certificate):
    with target(secure.uri, ca_cert=certificate.pem) as milvus:
        assert milvus.check(ReadContext()).product == "Milvus Lite"


def test_the_certificate_is_checked_against_the_name_that_was_typed(tmp_path):
    certificate = Certificate.authority("Milvus", SubjectAlternativeName([DNSName("localhost")]))
    ca_cert = certificate.pem
    with MilvusEmulator(tmp_path, certificate=certificate).running() as secure:
        with target(f"https://localhost:{secure.port}", ca_cert=ca_cert) as milvus:
            assert milvus.check(ReadContext()).product == "Milvus Lite"
        refused(TlsFailed, "ca_cert", f"https://127.0.0.1:{secure.port}", ca_cert=ca_cert)


def test_a_name_is_resolved_once_for_all_calls(emulator, monkeypatch):
    answers = iter(["127.0.0.1"])

    def getaddrinfo(host, port, *args, **kwargs):
        assert host == "milvus.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with target(f"http://milvus.example:{emulator.port}") as milvus:
        milvus.check(ReadContext())
        milvus.databases()


def test_each_address_of_a_name_is_tried(emulator, monkeypatch):
    """“localhost” is often ::1 and 127.0.0.1, and the server listens on one of them."""
    entries = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: entries)
    with target(f"http://milvus.example:{emulator.port}") as milvus:
        milvus.check(ReadContext())


@pytest.mark.parametrize(("exception", "proxied"), [("", True), ("localhost", False)])
def test_a_proxy_is_asked_for_the_checked_address_except_for_names_in_no_proxy(
    emulator, monkeypatch, exception, proxied
):
    asked = []

    def answer(listening):
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                asked.append(connection.recv(1000).split(b"\r\n")[0])
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        threading.Thread(target=answer, args=(proxy,), daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", exception)
        with target(f"http://localhost:{emulator.port}") as milvus, suppress(ConnectionFailed):
            milvus.check(ReadContext())
        proxy.shutdown(socket.SHUT_RDWR)

    assert bool(asked) == proxied
    assert {b"localhost" in line for line in asked} <= {False}


@pytest.mark.parametrize(
    ("login", "field"),
    [
        ({"token": "wrong"}, "token"),
        ({"user": "root", "password": "wrong"}, "password"),
        ({}, "token"),
    ],
)
def test_a_wrong_login_is_reported_on_the_field_that_was_filled_in(emulator, login, field):
    emulator.login = "root:right"

    problem = refused(AuthRefused, field, emulator.uri, **login)

    assert "wrong" not in problem.message + problem.hint


@pytest.mark.parametrize("login", [{"token": "root:right"}, {"user": "root", "password": "right"}])
def test_the_right_login_is_sent_with_every_call(emulator, login):
    emulator.login = "root:right"

    with target(emulator.uri, **login) as milvus:
        milvus.check(ReadContext())
        milvus.databases()

    assert len({metadata["authorization"] for _, metadata in emulator.calls}) == 1


def test_a_login_without_the_privilege_to_list_collections_is_refused(emulator):
    emulator.answer(
        "ShowCollections", aborting(grpc.StatusCode.PERMISSION_DENIED, "PrivilegeShowCollections")
    )

    with target(emulator.uri) as milvus, pytest.raises(PrivilegeMissing):
        milvus.check(ReadContext())


def test_a_login_that_may_not_list_databases_sees_only_its_own(emulator):
    emulator.answer("ListDatabases", aborting(grpc.StatusCode.PERMISSION_DENIED, "PrivilegeListDatabases"))

    with target(emulator.uri, "default") as milvus:
        assert milvus.databases() == ("default",)


def version(text):
    return lambda request, context: milvus_pb2.GetVersionResponse(status=Status(), version=text)


def test_a_server_that_is_too_old_is_refused(emulator):
    emulator.answer("GetVersion", version("v2.2.16"))

    problem = refused(VersionUnsupported, "uri", emulator.uri)

    assert problem.message == "Milvus 2.2.16 is too old: 2.3 or later is needed."


def test_zilliz_cloud_is_recognized_by_its_answer_to_connect(emulator):
    emulator.answer("GetVersion", version("unknown-20260608-7ea6e3526"))
    tags = "Zilliz Cloud Vector Database(Compatible with Milvus 2.6)"
    hello = milvus_pb2.ConnectResponse(status=Status(), server_info=ServerInfo(build_tags=tags))
    emulator.answer("Connect", lambda request, context: hello)

    with target(emulator.uri) as milvus:
        assert str(milvus.check(ReadContext())) == "Zilliz Cloud 2.6"
        assert milvus.capabilities().null_vectors


def test_a_server_that_hides_its_version_is_treated_as_the_newest(emulator):
    emulator.answer("GetVersion", version("master-20260226-abcdef"))

    with target(emulator.uri) as milvus:
        found = milvus.check(ReadContext())

    assert "does not report its version" in found.warnings[0]


def test_a_server_that_is_starting_is_not_mistaken_for_another_program(emulator):
    starting = Status(code=1, error_code=56, reason="service not ready[proxy=1]: Initializing")
    emulator.answer("GetVersion", lambda request, context: milvus_pb2.GetVersionResponse(status=starting))

    with target(emulator.uri) as milvus, pytest.raises(TargetUnavailable, match="service not ready"):
        milvus.check(ReadContext())


def test_a_database_that_does_not_exist_is_reported_on_its_field(milvus_uri):
    problem = refused(DatabaseMissing, "database", milvus_uri, "no_such_database")

    assert "no_such_database" in problem.message


def test_a_real_server_reports_its_version_databases_and_host(milvus_uri):
    with target(milvus_uri) as milvus:
        assert str(milvus.check(ReadContext())) in ("Milvus Lite 3.2.2", "Milvus 2.3.5")
        assert "default" in milvus.databases()
        assert milvus.hosts() == ("127.0.0.1",)


def test_a_target_reconnects_to_a_server_that_comes_back(tmp_path):
    emulator = MilvusEmulator(tmp_path)
    with emulator.running():
        milvus = target(emulator.uri)
        milvus.check(ReadContext())
    with pytest.raises(TargetUnavailable):
        milvus.collections()
    with replace(emulator).running():
        for _ in range(20):
            try:
                milvus.collections()
            except TargetUnavailable:
                threading.Event().wait(0.2)
            else:
                break
        assert milvus.collections() == ()
    milvus.close()


FORKING = """
import os, sys
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.targets.milvus.target import MilvusTarget
milvus = MilvusTarget(MilvusTarget.Settings(uri=sys.argv[1]))
if sys.argv[2] == "used":
    milvus.collections()
if (child := os.fork()) == 0:
    milvus.collections()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
milvus.collections()
"""


@pytest.mark.parametrize("before", ["unused", "used"])
def test_a_target_reconnects_after_a_fork(emulator, before):
    """gRPC channels do not survive a fork."""
    result = subprocess.run([sys.executable, "-c", FORKING, emulator.uri, before], timeout=60)

    assert result.returncode == 0
