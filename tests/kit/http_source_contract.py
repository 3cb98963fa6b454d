"""The contract of sources that speak HTTP: ``SourceContract``, and faults of the server.

Between the source and its server stands ``faults`` (``tests/emulators/http_faults.py``), whose ``usual``
answer is that of the server, for example through ``forward``::

    class TestQdrant(HttpSourceContract):
        @pytest.fixture
        def faults(self, qdrant_port) -> Iterator[HttpServer]:
            with http_faults() as server:
                server.usual = forward(qdrant_port)
                yield server

        @pytest.fixture
        def case(self, faults) -> SourceCase:
            return SourceCase(QdrantSource, {"url": faults.url, …}, …)
"""

from __future__ import annotations

import threading
import time

import pytest

from migrations_app.engine.errors import Canceled, SourceBusy, SourceUnavailable
from migrations_app.engine.model.batch import Batch, Cursor, ReadPlan, Slice
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import Source
from migrations_app.engine.stop_token import StopToken
from tests.emulators.http_faults import Answer, HttpServer, busy, cut, raw, reply, stall
from tests.kit.source_case import SourceCase, locators_of, plan_of, read_all, slices_of, stored
from tests.kit.source_contract import SourceContract

# Faults in the first request of a read, and in later ones.
PLACES = (0, 1, 3)
STORM = 15


class HttpSourceContract(SourceContract):
    """Inherit it under a name that begins with ``Test`` and give it the fixtures ``faults`` and ``case``."""

    @pytest.fixture
    def faults(self) -> HttpServer:
        raise NotImplementedError("give the class a fixture named faults")

    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
    def test_a_stop_ends_a_read_that_hangs(
        self, case: SourceCase, source: Source, faults: HttpServer, place: int, sent: bytes
    ) -> None:
        part, plan = slices_of(case, source)[0], plan_of(case, source)
        stop, reason, stopped_at = StopToken(), Canceled("Stopped by the test."), [0.0]
        hangs = threading.Event()

        def hang(server: HttpServer, *connection: object) -> None:
            hangs.set()
            stall(sent)(server, *connection)  # type: ignore[arg-type]

        def request_stop() -> None:
            hangs.wait(10)
            time.sleep(0.01)
            stopped_at[0] = time.monotonic()
            stop.stop(reason)

        faults.answers += [faults.usual] * place + [hang]
        threading.Thread(target=request_stop).start()
        with pytest.raises(Canceled) as caught:
            list(source.read(case.full, part, None, plan, ReadContext(stop)))
        assert time.monotonic() - stopped_at[0] < 0.5
        assert caught.value is reason
        assert len(locators_of(read_all(case, source, case.full))) == case.rows, "it can be used again"

    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize(
        "fault",
        [cut(b'{"half": "a pa'), raw(b"HTTP/1.1 200 OK\r\nConte"), reply(b"<h1>Bad gateway</h1>", 502)],
        ids=["body", "headers", "502"],
    )
    def test_a_read_that_breaks_off_continues_after_its_last_cursor(
        self, case: SourceCase, source: Source, faults: HttpServer, place: int, fault: Answer
    ) -> None:
        part, plan = slices_of(case, source)[0], plan_of(case, source)
        whole = locators_of(_read_on(case, source, part, plan))
        faults.answers += [faults.usual] * place + [fault]
        batches = _read_on(case, source, part, plan)
        assert locators_of(batches) == whole
        assert not faults.answers, "the fault did not happen"

    def test_a_storm_of_429_is_busy_and_loses_no_row(
        self, case: SourceCase, source: Source, faults: HttpServer
    ) -> None:
        part, plan = slices_of(case, source)[0], plan_of(case, source)
        whole = locators_of(_read_on(case, source, part, plan))
        faults.answers += [faults.usual, *[busy("0.001")] * STORM]
        failures: list[SourceUnavailable] = []
        assert locators_of(_read_on(case, source, part, plan, failures)) == whole
        assert not faults.answers, "the storm did not happen"
        assert all(isinstance(error, SourceBusy) for error in failures)
        assert {error.retry_after_seconds for error in failures} <= {0.001}


def _read_on(
    case: SourceCase,
    source: Source,
    part: Slice,
    plan: ReadPlan,
    failures: list[SourceUnavailable] | None = None,
) -> list[Batch]:
    """Read a slice as the pipeline does: after a retryable failure, continue after the last cursor."""
    batches: list[Batch] = []
    after: Cursor | None = None
    for _ in range(STORM + 5):
        try:
            for batch in source.read(case.full, part, after, plan, ReadContext()):
                batches.append(batch)
                after = stored(batch.after)
            return batches
        except SourceUnavailable as error:
            if failures is not None:
                failures.append(error)
            if not part.resumable:
                batches, after = [], None
    raise AssertionError("the read did not recover")
