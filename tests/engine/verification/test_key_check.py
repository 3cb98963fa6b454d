"""Key check: searches the target for the keys that were sent."""

import json
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from migrations_app.engine.errors import Canceled
from migrations_app.engine.model.target_schema import IndexSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.reading.throttle import Throttle
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.verification.key_check import KeyCheck, KeyCheckState, SentRows
from tests.engine.pipeline.moves import BOOKS, QUICK, Move, move_of_books

ROWS = 200


@pytest.fixture
def moved() -> Iterator[Move]:
    """200 books that were moved, indexed and loaded."""
    with move_of_books(ROWS) as move:
        move.run()
        move.target.create_index("books", IndexSpec("embedding"))
        move.target.load("books")
        yield move


def key_check(move: Move, *, state: KeyCheckState | None = None, **more) -> KeyCheck:
    parts = list(move.source.slices(BOOKS, 3, ReadContext()))
    sent = SentRows(BOOKS, parts, move.mapping, **more)
    return KeyCheck(move.source, move.target, sent, state=state, retry=QUICK)


def run_to_end(check: KeyCheck) -> tuple[int, int]:
    assert check.run(StopToken(), Deadline())
    return check.state.asked, check.state.found


def test_every_sent_key_is_searched_and_found(moved: Move) -> None:
    assert run_to_end(key_check(moved)) == (ROWS, ROWS)


def test_a_key_that_the_target_lacks_is_not_found(moved: Move) -> None:
    del moved.target_store.collections["books"].rows[7], moved.target_store.collections["books"].rows[199]
    assert run_to_end(key_check(moved)) == (ROWS, ROWS - 2)


def test_only_the_first_rows_are_searched_if_only_they_were_sent(moved: Move) -> None:
    assert run_to_end(key_check(moved, limit=70)) == (70, 70)
    assert run_to_end(key_check(moved, limit=0)) == (0, 0)


def test_rejected_rows_are_not_searched(moved: Move) -> None:
    assert run_to_end(key_check(moved, rejected=pa.array(["3", "150"]))) == (ROWS - 2, ROWS - 2)


def test_rows_that_the_mapping_leaves_out_are_not_searched(moved: Move) -> None:
    moved.add_faults(reject=(5,), skip=(6, 7))
    assert run_to_end(key_check(moved)) == (ROWS - 3, ROWS - 3)


@pytest.mark.parametrize("resumable", [True, False])
def test_an_interrupted_search_is_continued(moved: Move, resumable: bool) -> None:
    moved.collection.resumable = resumable
    moved.collection.breaks = [30, 90, 91, 180]
    moved.collection.busy = [30, 30, 120]
    assert run_to_end(key_check(moved)) == (ROWS, ROWS)


@pytest.mark.parametrize("limit", [None, 150])
def test_another_process_continues_a_search_from_its_stored_state(moved: Move, limit: int | None) -> None:
    state, runs = KeyCheckState(), 0
    while not state.is_done:
        runs += 1
        stored = KeyCheckState.from_dict(json.loads(json.dumps(state.as_dict())))
        check = key_check(moved, state=stored, limit=limit)
        check.run(StopToken(), Deadline(0))
        state = check.state
    assert runs > 5
    assert (state.asked, state.found) == (limit or ROWS, limit or ROWS)


def test_a_search_whose_cursor_is_lost_starts_its_slice_over(moved: Move) -> None:
    check = key_check(moved, limit=150)
    assert not check.run(StopToken(), Deadline(0))
    moved.collection.lost_after.append(check.state.after)
    assert run_to_end(check) == (150, 150)


def test_a_search_that_starts_over_but_has_no_time_for_it_ends_with_the_reason(moved: Move) -> None:
    check = key_check(moved)
    assert not check.run(StopToken(), Deadline(0))
    moved.collection.lost_after.append(check.state.after)
    assert check.run(StopToken(), Deadline(0))
    assert "lost the place" in check.state.reason


def test_a_search_obeys_the_limit_of_rows_read_per_second(moved: Move) -> None:
    began = time.monotonic()
    sent = SentRows(BOOKS, list(moved.source.slices(BOOKS, 1, ReadContext())), moved.mapping)
    assert run_to_end(KeyCheck(moved.source, moved.target, sent, throttle=Throttle(400))) == (ROWS, ROWS)
    assert time.monotonic() - began > 0.8 * ROWS / 400


def test_a_search_that_cannot_be_continued_ends_at_its_deadline(moved: Move) -> None:
    moved.collection.resumable = False
    check = key_check(moved)
    assert check.run(StopToken(), Deadline(0)) is True
    assert check.state.asked < ROWS
    assert "no key order to continue from" in check.state.reason


def test_a_stop_ends_the_search_with_the_reason_of_the_stop(moved: Move) -> None:
    stop = StopToken()
    stop.stop(Canceled("Enough."))
    with pytest.raises(Canceled):
        key_check(moved).run(stop, Deadline())
