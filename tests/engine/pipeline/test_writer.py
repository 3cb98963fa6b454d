"""Writer: sends batches to the target, splits them, rejects refused rows and repeats requests."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrations_app.engine.errors import (
    Canceled,
    TargetError,
    TargetUnavailable,
    TooManyRejected,
    UncleanStop,
)
from migrations_app.engine.log import silent
from migrations_app.engine.pipeline.concurrency_limit import ConcurrencyLimit
from migrations_app.engine.pipeline.ledger import Allowance
from migrations_app.engine.pipeline.writer import MAX_REQUEST_BYTES, Outcome, Piece, Writer
from migrations_app.engine.stop_token import StopToken
from migrations_app.engine.targets.base import Channel, Request
from tests.engine.pipeline.moves import QUICK, books, books_mapping
from tests.kit import MemoryChannel, MemoryDatabase, MemoryRows, Mishap


@dataclass
class WriterSetup:
    """A writer that sends books to a memory target."""

    upsert: bool = True
    allowed: int | None = None
    max_request_bytes: int = MAX_REQUEST_BYTES
    store: MemoryDatabase = field(default_factory=MemoryDatabase)
    stop: StopToken = field(default_factory=StopToken)
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        schema = books_mapping(auto_id=not self.upsert).target
        self.store.collections["books"] = MemoryRows(schema)

    def channel(self) -> Channel:
        return MemoryChannel(self.store, "books", self.upsert)

    def write(self, rows: int) -> Outcome:
        writer = Writer(
            self.channel(),
            ConcurrencyLimit(4, QUICK, self.stop, silent),
            Allowance(self.allowed),
            upsert=self.upsert,
            timeout_seconds=5,
            tries=QUICK.tries,
            max_request_bytes=self.max_request_bytes,
        )
        piece = Piece(books(rows), pa.array([f"row {n}" for n in range(rows)]))
        self.outcome = Outcome()
        writer.write(writer.enqueue(), [piece], self.outcome)
        return self.outcome

    def written(self) -> list[int]:
        return sorted(row["id"] for row in self.store.collections["books"].rows.values())

    def refuse(self, bad: set[int]) -> None:
        self.store.refuse = lambda row: f"Book {row['id']} is too long." if row["id"] in bad else ""


@pytest.fixture(params=[True, False], ids=["upsert", "insert"])
def setup(request: pytest.FixtureRequest) -> WriterSetup:
    return WriterSetup(upsert=request.param)


def test_a_batch_is_sent_as_one_request(setup: WriterSetup) -> None:
    outcome = setup.write(100)
    assert (outcome.written, outcome.rejected, outcome.repeated) == (100, [], False)
    assert outcome.bytes_written == setup.store.largest_request_bytes
    assert setup.store.requests == 1


def test_an_empty_batch_sends_nothing(setup: WriterSetup) -> None:
    assert setup.write(0) == Outcome()
    assert setup.store.requests == 0


# ---------------------------------------------------------------- size


@pytest.mark.parametrize("limit", [1_000, 5_000, 20_000])
def test_a_batch_that_is_too_large_is_split_by_rows(limit: int) -> None:
    setup = WriterSetup(max_request_bytes=limit)
    assert setup.write(1000).written == 1000
    assert setup.written() == list(range(1000))
    assert setup.store.largest_request_bytes <= limit


def test_a_single_row_that_is_too_large_is_sent_anyway(setup: WriterSetup) -> None:
    setup.max_request_bytes = 10
    assert setup.write(3).written == 3
    assert setup.store.requests == 3


def test_requests_stay_far_below_the_limit_of_a_server() -> None:
    assert MAX_REQUEST_BYTES <= 64 * 1024 * 1024 / 4


# ---------------------------------------------------------------- refused rows


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 200), data=st.data(), upsert=st.booleans())
def test_exactly_the_refused_rows_are_rejected_and_the_others_are_written(
    rows: int, data: st.DataObject, upsert: bool
) -> None:
    bad = data.draw(st.sets(st.integers(0, rows - 1), max_size=20))
    setup = WriterSetup(upsert=upsert)
    setup.refuse(bad)
    outcome = setup.write(rows)
    assert [row.locator for row in outcome.rejected] == [f"row {n}" for n in sorted(bad)]
    assert [row.reason for row in outcome.rejected] == [f"Book {n} is too long." for n in sorted(bad)]
    assert setup.written() == [n for n in range(rows) if n not in bad]
    assert outcome.written == rows - len(bad)
    assert setup.store.collections["books"].sent == outcome.written, "no accepted row is sent again"


def test_one_bad_row_among_thousands_is_found_in_few_requests(setup: WriterSetup) -> None:
    setup.refuse({3_777})
    assert setup.write(4_096).written == 4_095
    assert setup.store.requests <= 1 + 4 * 6


def test_a_rejected_row_is_stored_with_its_code_and_its_values(setup: WriterSetup) -> None:
    setup.refuse({1})
    (rejected,) = setup.write(3).rejected
    assert rejected.code == "rows_refused"
    assert '"id":1' in rejected.row


@pytest.mark.parametrize("allowed", [0, 1, 10, 100])
def test_if_every_row_is_refused_only_few_more_are_tried_than_allowed(
    setup: WriterSetup, allowed: int
) -> None:
    setup.allowed = allowed
    setup.refuse(set(range(4_096)))
    with pytest.raises(TooManyRejected):
        setup.write(4_096)
    assert setup.store.requests <= 2 * allowed + 30


# ---------------------------------------------------------------- errors of the target


def test_requests_to_a_busy_target_are_repeated_without_limit(setup: WriterSetup) -> None:
    setup.store.mishaps += [Mishap.BUSY] * 30
    outcome = setup.write(10)
    assert (outcome.written, outcome.repeated) == (10, False)
    assert setup.store.requests == 31


def test_a_request_that_did_not_arrive_is_sent_again_in_both_modes(setup: WriterSetup) -> None:
    setup.store.mishaps += [Mishap.UNAVAILABLE] * (QUICK.tries - 1)
    outcome = setup.write(10)
    assert (outcome.written, outcome.repeated) == (10, False)


def test_an_unavailable_target_fails_the_write_after_the_last_try(setup: WriterSetup) -> None:
    setup.store.mishaps += [Mishap.UNAVAILABLE] * 100
    with pytest.raises(TargetUnavailable) as caught:
        setup.write(10)
    assert setup.store.requests == QUICK.tries
    assert "did not accept 10 rows in 5 attempts" in caught.value.message
    assert caught.value.retryable
    assert caught.value.hint


@pytest.mark.parametrize("mishap", [Mishap.LOST, Mishap.LOST_BUT_LANDED])
def test_an_upsert_whose_answer_was_lost_is_sent_again(mishap: Mishap) -> None:
    setup = WriterSetup()
    setup.store.mishaps += [mishap] * 2
    outcome = setup.write(10)
    assert outcome.repeated
    assert outcome.written == 10
    assert setup.written() == list(range(10))


def test_upserts_whose_answers_are_always_lost_fail_as_unavailable() -> None:
    setup = WriterSetup()
    setup.store.mishaps += [Mishap.LOST_BUT_LANDED] * 100
    with pytest.raises(TargetUnavailable):
        setup.write(10)
    assert setup.store.requests == QUICK.tries


@pytest.mark.parametrize("mishap", [Mishap.LOST, Mishap.LOST_BUT_LANDED])
def test_an_insert_whose_answer_was_lost_is_never_sent_again(mishap: Mishap) -> None:
    setup = WriterSetup(upsert=False)
    setup.store.mishaps.append(mishap)
    with pytest.raises(UncleanStop) as caught:
        setup.write(10)
    assert setup.store.requests == 1
    assert "10 rows" in caught.value.message
    assert "Auto ID" in caught.value.hint


def test_the_writer_waits_for_a_request_no_longer_than_its_timeout() -> None:
    setup = WriterSetup(upsert=False)
    setup.store.gate.clear()
    writer = Writer(
        setup.channel(),
        ConcurrencyLimit(1, QUICK, setup.stop, silent),
        Allowance(None),
        upsert=False,
        timeout_seconds=0.01,
        tries=1,
    )
    with pytest.raises(UncleanStop, match="No answer came within"):
        writer.write(writer.enqueue(), [Piece(books(1), pa.array(["row 0"]))], Outcome())


def test_a_target_that_accepts_fewer_rows_than_it_was_sent_is_an_error(setup: WriterSetup) -> None:
    class LosingChannel(MemoryChannel):
        def send(self, request: Request, timeout_seconds: float) -> int:
            return super().send(request, timeout_seconds) - 1

    setup.channel = lambda: LosingChannel(setup.store, "books", setup.upsert)  # type: ignore[method-assign]
    with pytest.raises(TargetError, match="accepted 9 of 10 rows") as caught:
        setup.write(10)
    assert caught.value.code == "rows_missing"


def test_after_a_stop_nothing_is_sent(setup: WriterSetup) -> None:
    setup.stop.stop(Canceled("Stopped by the test."))
    with pytest.raises(Canceled):
        setup.write(10)
    assert setup.store.requests == 0


def test_a_stop_in_the_middle_of_a_bisection_ends_it() -> None:
    setup = WriterSetup()
    setup.refuse({7})
    setup.store.on_request = lambda number: setup.stop.stop(Canceled("Now.")) if number == 3 else None
    with pytest.raises(Canceled):
        setup.write(1000)
    assert setup.store.requests == 3
