"""A Milvus that stops answering: nothing waits for it longer than its stop or its time limit."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from migrations_app import endpoints
from migrations_app.engine.errors import Canceled, ConnectTimeout
from migrations_app.engine.milvus import server
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.targets.milvus.target import MilvusTarget
from tests.emulators.milvus import MilvusEmulator
from tests.integration.relays import as_a_silent_server, listening

pytest.importorskip("milvus_lite")

Question = Callable[[MilvusTarget, ReadContext], Any]


def obeying(ask: Callable[[MilvusTarget], Any]) -> Question:
    """Return a question that takes no context, so that the target has to obey its stop."""

    def question(target: MilvusTarget, ctx: ReadContext) -> Any:
        with target.obeying(ctx.stop):
            return ask(target)

    return question


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a program that accepts connections and says nothing."""
    with listening(as_a_silent_server) as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("seconds", [0.5, 3.0], ids=["our limit", "the limit of gRPC"])
def test_a_server_that_accepts_and_says_nothing_is_reported_as_a_timeout(
    silent: str, monkeypatch: pytest.MonkeyPatch, scheme: str, seconds: float
) -> None:
    monkeypatch.setattr(server, "CONNECT_SECONDS", seconds)
    monkeypatch.setattr("migrations_app.engine.milvus.diagnose.TIMEOUT_SECONDS", 0.5)
    with (
        MilvusTarget(MilvusSettings(uri=f"{scheme}://{silent}")) as target,
        pytest.raises(ConnectTimeout) as caught,
    ):
        target.check(ReadContext())
    assert (caught.value.code, caught.value.field) == ("connect_timeout", "uri")
    assert caught.value.hint


def test_a_page_does_not_wait_for_such_a_server(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "LOOK_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(ConnectTimeout) as caught:
        endpoints.check("milvus", {"uri": silent}, is_target=True)
    assert time.monotonic() - began < 2.5
    assert (caught.value.code, caught.value.field) == ("target_timeout", "uri")


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("ShowCollections", obeying(lambda target: target.collections())),
        ("DescribeCollection", obeying(lambda target: target.describe("items"))),
        ("Query", obeying(lambda target: target.count("items"))),
        ("DescribeCollection", lambda target, ctx: target.identity("items", ctx)),
        ("Connect", lambda target, ctx: target.check(ctx)),
        ("GetCollectionStatistics", obeying(lambda target: target.row_statistics("items"))),
    ],
)
def test_a_stop_ends_a_call_that_is_not_answered(tmp_path: Any, method: str, ask: Question) -> None:
    answered = threading.Event()
    with (
        MilvusEmulator(tmp_path).running() as emulator,
        MilvusTarget(MilvusSettings(uri=emulator.uri)) as target,
    ):
        target.check(ReadContext())
        emulator.answer(method, lambda request, context: answered.wait(20))
        ctx = ReadContext()
        threading.Timer(0.3, ctx.stop.stop, [Canceled("Stopped by the test.")]).start()
        began = time.monotonic()
        with pytest.raises(Canceled):
            ask(target, ctx)
        assert 0.25 <= time.monotonic() - began < 1.8
        answered.set()
