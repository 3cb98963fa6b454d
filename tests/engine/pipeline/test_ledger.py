"""Ledger: the checkpoint, counters and rejected rows of a slice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from migrations_app.engine.errors import TooManyRejected
from migrations_app.engine.model.batch import Rejected
from migrations_app.engine.model.counters import Counters
from migrations_app.engine.pipeline.ledger import Allowance, BeyondCheckpoint, Checkpoint, Ledger


def rejected(*locators: str) -> tuple[Rejected, ...]:
    return tuple(Rejected(locator, "title", "bad", "It is bad.") for locator in locators)


@given(st.permutations(range(8)))
def test_the_checkpoint_is_the_last_batch_without_a_gap_in_any_order_of_acknowledgement(
    order: list[int],
) -> None:
    ledger = Ledger()
    numbers = [ledger.begin(f"after {n}", Counters(read=10)) for n in range(8)]
    done: set[int] = set()
    for n in order:
        ledger.acknowledge(numbers[n], 10, 100)
        done.add(n)
        gapless = next(k for k in range(9) if k not in done)
        found = ledger.checkpoint()
        assert found.after == (f"after {gapless - 1}" if gapless else None)
        assert found.counters == Counters(
            read=10 * gapless, written=10 * gapless, bytes_written=100 * gapless
        )
        assert ledger.in_flight_rows == 10 * (8 - len(done))


class LedgerMachine(RuleBasedStateMachine):
    """A ledger, and the database into which a heartbeat stores its checkpoints; neither of them crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.batches: list[list[str]] = []
        self.in_flight: dict[int, int] = {}
        self.done: set[int] = set()
        self.stored: list[str] = []
        self.unsaved: list[Checkpoint] = []

    @rule(bad=st.integers(0, 3))
    def begin(self, bad: int) -> None:
        batch = len(self.batches)
        locators = [f"{batch}/read/{n}" for n in range(bad)]
        self.batches.append(locators)
        self.in_flight[batch] = self.ledger.begin(batch, Counters(read=10), rejected(*locators))

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), bad=st.integers(0, 2))
    def acknowledge(self, data: st.DataObject, bad: int) -> None:
        batch = data.draw(st.sampled_from(sorted(self.in_flight)))
        locators = [f"{batch}/sent/{n}" for n in range(bad)]
        self.batches[batch] += locators
        written = 10 - len(self.batches[batch])
        self.ledger.acknowledge(self.in_flight.pop(batch), written, rejected=rejected(*locators))
        self.done.add(batch)

    @rule()
    def take_checkpoint(self) -> None:
        self.unsaved.append(self.ledger.checkpoint())

    @precondition(lambda self: self.unsaved)
    @rule()
    def store(self) -> None:
        """Checkpoints are stored in order: a heartbeat stores one after the other."""
        checkpoint = self.unsaved.pop(0)
        self.stored += [row.locator for row in checkpoint.rejected if row.locator not in self.stored]
        self.ledger.saved(checkpoint)

    @invariant()
    def no_rejected_row_is_lost_or_stored_twice(self) -> None:
        gapless = next(k for k in range(len(self.batches) + 1) if k not in self.done)
        covered = [locator for batch in self.batches[:gapless] for locator in batch]
        found = self.ledger.checkpoint()
        waiting = [row.locator for row in found.rejected]
        assert len(set(waiting)) == len(waiting)
        assert sorted(set(self.stored) | set(waiting)) == sorted(covered)
        assert found.counters.rejected == len(covered)
        assert found.counters.read == 10 * gapless == found.counters.written + len(covered)


TestLedgerMachine = LedgerMachine.TestCase


def test_stored_rejected_rows_are_not_returned_again() -> None:
    ledger = Ledger()
    ledger.acknowledge(ledger.begin(1, Counters(read=2), rejected("a")), 1)
    first = ledger.checkpoint()
    ledger.acknowledge(ledger.begin(2, Counters(read=2), rejected("b")), 1)
    ledger.saved(first)
    assert [row.locator for row in ledger.checkpoint().rejected] == ["b"]


def test_counts_continue_from_the_stored_counters() -> None:
    ledger = Ledger(40, Counters(read=40, written=38, rejected=2))
    assert ledger.checkpoint() == Checkpoint(40, Counters(read=40, written=38, rejected=2))
    ledger.acknowledge(ledger.begin(50, Counters(read=10, skipped=3, collapsed=1)), 6, 60)
    expected = Counters(read=50, written=44, rejected=2, skipped=3, collapsed=1, bytes_written=60)
    assert ledger.checkpoint().counters == expected


def test_a_reset_empties_the_ledger_and_counts_as_a_restart() -> None:
    ledger = Ledger()
    ledger.acknowledge(ledger.begin(1, Counters(read=2), rejected("a")), 1)
    ledger.reset()
    assert ledger.checkpoint() == Checkpoint(None, Counters(), (), 1, repeated=True, restarts=1)
    ledger.acknowledge(ledger.begin(1, Counters(read=2), rejected("a")), 1)
    assert [row.locator for row in ledger.checkpoint().rejected] == ["a"]


def test_batches_abandoned_before_they_were_sent_are_not_repeated() -> None:
    ledger = Ledger()
    ledger.begin(1, Counters(read=2))
    ledger.abandon()
    assert not ledger.checkpoint().repeated
    assert ledger.in_flight_rows == 0


@pytest.mark.parametrize("is_acknowledged", [True, False])
def test_a_batch_beyond_the_checkpoint_that_may_be_in_the_target_will_be_repeated(
    is_acknowledged: bool,
) -> None:
    ledger = Ledger()
    ledger.begin(1, Counters(read=2))
    second = ledger.begin(2, Counters(read=2))
    if is_acknowledged:
        ledger.acknowledge(second, 2)
    else:
        ledger.broke_off(second, 0, in_doubt=2)
    ledger.abandon()
    assert ledger.checkpoint().repeated
    assert ledger.checkpoint().after is None


def test_an_interrupted_run_reports_the_batches_beyond_the_checkpoint() -> None:
    ledger = Ledger()
    ledger.acknowledge(ledger.begin("a", Counters(read=10)), 10)
    ledger.begin("b", Counters(read=10))
    broken = ledger.begin("c", Counters(read=10, skipped=1, cut=3), rejected("c/read"))
    done = ledger.begin("d", Counters(read=10, cut=2))
    ledger.broke_off(broken, 4, 40, rejected("c/sent"), in_doubt=3)
    ledger.acknowledge(done, 10, 100)
    assert ledger.checkpoint().beyond == BeyondCheckpoint()
    ledger.abandon()
    found = ledger.checkpoint()
    assert (found.after, found.counters) == ("a", Counters(read=10, written=10))
    assert found.beyond.counters == Counters(17, 14, 2, skipped=1, bytes_written=140, cut=2)
    assert [row.locator for row in found.beyond.rejected] == ["c/read", "c/sent"]
    assert found.beyond.in_doubt == ledger.in_flight_rows == 3


def test_idle_time_ends_with_every_batch_read_or_accepted() -> None:
    now = [100.0]
    ledger = Ledger(clock=lambda: now[0])
    now[0] = 130.0
    assert ledger.idle_seconds == 30
    number = ledger.begin(1, Counters(read=1))
    assert ledger.idle_seconds == 0
    now[0] = 150.0
    assert ledger.idle_seconds == 20
    ledger.acknowledge(number, 1)
    assert ledger.idle_seconds == 0


@pytest.mark.parametrize(("allowed", "fits"), [(0, 0), (1, 1), (5, 5), (None, 1000)])
def test_the_allowance_permits_exactly_its_number_of_rejected_rows(allowed: int | None, fits: int) -> None:
    allowance = Allowance(allowed)
    for number in range(fits):
        allowance.spend(rejected(str(number)))
    if allowed is not None:
        with pytest.raises(TooManyRejected, match="row 99: It is bad"):
            allowance.spend(rejected("98", "99"))


def test_an_empty_list_of_rejected_rows_uses_no_allowance() -> None:
    allowance = Allowance(1)
    allowance.spend(())
    allowance.spend(rejected("1"))
    with pytest.raises(TooManyRejected):
        allowance.spend(rejected("2"))
