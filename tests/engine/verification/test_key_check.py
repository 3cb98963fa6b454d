"""Looking in the target for the keys that were sent."""

import json
from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa
import pytest

from migrations_app.engine.errors import Canceled, SourceUnavailable
from migrations_app.engine.model.target_schema import IndexSpec
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.verification.key_check import KeyCheck, KeyCheckState, SentRows
from tests.engine.pipeline.moving import BOOKS, Move, books_on_the_move

ROWS = 200


@pytest.fixture
def moved() -> Iterator[Move]:
    """200 books that were moved, and can be asked for."""
    with books_on_the_move(ROWS) as move:
        move.run()
        move.target.create_index("books", IndexSpec("embedding"))
        move.target.load("books")
        yield move


def search(move: Move, *, state: KeyCheckState | None = None, **more) -> KeyCheck:
    parts = list(move.source.slices(BOOKS, 3))
    return KeyCheck(move.source, move.target, SentRows(BOOKS, parts, move.mapping, **more), state=state)


def through(searched: KeyCheck) -> tuple[int, int]:
    assert searched.run(StopToken(), Deadline())
    return searched.state.asked, searched.state.found


def test_every_key_that_was_sent_is_asked_for_and_found(moved: Move) -> None:
    assert through(search(moved)) == (ROWS, ROWS)


def test_a_key_that_is_not_there_is_missed(moved: Move) -> None:
    del moved.target_store.collections["books"].rows[7], moved.target_store.collections["books"].rows[199]
    assert through(search(moved)) == (ROWS, ROWS - 2)


def test_only_the_first_rows_are_asked_for_where_only_they_were_sent(moved: Move) -> None:
    assert through(search(moved, limit=70)) == (70, 70)
    assert through(search(moved, limit=0)) == (0, 0)


def test_rows_that_were_rejected_are_not_asked_for(moved: Move) -> None:
    assert through(search(moved, rejected=pa.array(["3", "150"]))) == (ROWS - 2, ROWS - 2)


def test_rows_that_the_mapping_leaves_out_are_not_asked_for(moved: Move) -> None:
    moved.spoil(reject=(5,), skip=(6, 7))
    assert through(search(moved)) == (ROWS - 3, ROWS - 3)


@pytest.mark.parametrize(("resumable", "seconds"), [(True, 0), (False, None)])
def test_a_search_that_is_interrupted_anywhere_is_gone_on_with(
    moved: Move, resumable: bool, seconds: float | None
) -> None:
    moved.collection.resumable = resumable
    moved.collection.breaks = [30, 90, 91, 180]
    state, turns = KeyCheckState(), 0
    while not state.is_done:
        turns += 1
        assert turns < 50
        going = search(moved, state=KeyCheckState(**json.loads(json.dumps(state.as_dict()))))
        with suppress(SourceUnavailable):
            going.run(StopToken(), Deadline(seconds))
        state = going.state
    assert (state.asked, state.found) == (ROWS, ROWS)


def test_a_search_that_cannot_be_gone_on_with_holds_nobody_up_for_long(moved: Move) -> None:
    moved.collection.resumable = False
    looking = search(moved)
    assert looking.run(StopToken(), Deadline(0)) is True
    assert looking.state.asked < ROWS
    assert "no key after which reading can continue" in looking.state.reason


def test_a_stop_ends_the_search_with_its_reason(moved: Move) -> None:
    stop = StopToken()
    stop.stop(Canceled("Enough."))
    with pytest.raises(Canceled):
        search(moved).run(stop, Deadline())
