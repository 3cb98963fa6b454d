"""Reads by gRPC when the server is busy, breaks off, or hangs."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from migrations_app.engine.errors import Canceled, SourceBusy
from migrations_app.engine.model.batch import CollectionRef, ReadPlan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.qdrant import QdrantSource
from migrations_app.engine.stop_token import StopToken
from tests.emulators.qdrant import (
    Fault,
    QdrantEmulator,
    QdrantProcess,
    busy,
    cut,
    failing,
    proxy_error,
    stall,
)
from tests.integration.qdrant.points import fill, opened, plan_of
from tests.kit.source_case import locators_of, read_slice

FULL = CollectionRef("full")
PLACES = (0, 1, 3)


@pytest.fixture(scope="module")
def server(qdrant_process: QdrantProcess) -> Iterator[QdrantEmulator]:
    with qdrant_process.open() as server:
        fill(server)
        yield server


@pytest.fixture
def source(server: QdrantEmulator) -> Iterator[QdrantSource]:
    with opened(server, protocol="grpc") as source:
        yield source
    server.clear_faults()


def whole(source: QdrantSource, plan: ReadPlan) -> list[str]:
    [part] = source.slices(FULL, 1, ReadContext())
    return locators_of(read_slice(source, FULL, part, None, plan))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "fault", [cut("scroll"), failing("scroll"), failing("scroll", "UNAVAILABLE"), proxy_error("scroll")]
)
def test_a_read_that_breaks_off_continues_after_its_last_cursor(
    server: QdrantEmulator, source: QdrantSource, fault: Fault, place: int
) -> None:
    plan = plan_of(source, FULL)
    expected = whole(source, plan)
    before = len(server.calls("scroll"))
    server.fault(Fault(**{**vars(fault), "after": place}))
    assert whole(source, plan) == expected
    assert len(server.calls("scroll")) > before


def test_a_storm_of_busy_answers_loses_no_row(server: QdrantEmulator, source: QdrantSource) -> None:
    plan = plan_of(source, FULL)
    expected = whole(source, plan)
    server.fault(busy("scroll", after=1, times=12, retry_after=0.001))
    [part] = source.slices(FULL, 1, ReadContext())
    waits: list[float | None] = []
    seen: list[str] = []
    after: Any = None
    while True:
        try:
            for batch in source.read(FULL, part, after, plan, ReadContext()):
                seen += batch.locators.to_pylist()
                after = batch.after
            break
        except SourceBusy as error:
            waits.append(error.retry_after_seconds)
    assert seen == expected
    assert len(waits) == 12
    assert all(wait is not None and wait <= 1 for wait in waits)


@pytest.mark.parametrize("place", PLACES)
def test_a_stop_ends_a_read_that_hangs(server: QdrantEmulator, source: QdrantSource, place: int) -> None:
    plan = plan_of(source, FULL)
    [part] = source.slices(FULL, 1, ReadContext())
    server.fault(stall("scroll", after=place))
    stop, reason, stopped_at = StopToken(), Canceled("Stopped by the test."), [0.0]

    def request_stop() -> None:
        time.sleep(0.3)
        stopped_at[0] = time.monotonic()
        stop.stop(reason)

    threading.Thread(target=request_stop).start()
    with pytest.raises(Canceled) as caught:
        list(source.read(FULL, part, None, plan, ReadContext(stop)))
    assert time.monotonic() - stopped_at[0] < 0.5
    assert caught.value is reason
    server.clear_faults()
    assert len(whole(source, plan)) == 240


def test_a_lost_grpc_port_is_replaced_by_rest(server: QdrantEmulator) -> None:
    with opened(server) as source:
        plan = plan_of(source, FULL)
        expected = whole(source, plan)
    with opened(server, grpc_port=1) as source:
        assert "by REST" in str(source.check(ReadContext()))
        assert any("cannot be reached" in warning for warning in source.check(ReadContext()).warnings)
        assert whole(source, plan) == expected
