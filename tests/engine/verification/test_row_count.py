"""Row count: counts a collection and then restores its indexes and its load state, even after a crash."""

import json
import threading
from dataclasses import replace

import pytest

from migrations_app.engine.errors import (
    Canceled,
    Draining,
    PrivilegeMissing,
    TargetChanged,
    TargetUnavailable,
)
from migrations_app.engine.model.target_schema import IndexSpec, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.base import LoadState
from migrations_app.engine.verification.row_count import CountState, RowCount, temporary_index
from tests.engine.milvus.rows import batch_of
from tests.kit.memory_target import EVERYTHING, MemoryDatabase, MemoryTarget, memory_database

KEY = TargetField("id", TypeSpec(MilvusType.INT64), is_key=True)
DENSE = TargetField("dense", TypeSpec(MilvusType.FLOAT_VECTOR, dim=2))
SPARSE = TargetField("sparse", TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR))
THINGS = TargetSchema("things", (KEY, DENSE, SPARSE), dynamic=False)
ROWS = [{"id": i, "dense": [i, 1], "sparse": {1: 0.5}} for i in range(10)]


class SlowTarget(MemoryTarget):
    """A target whose load takes a few polls, like that of a real server."""

    polls = 0

    def load_state(self, name):
        found = super().load_state(name)
        type(self).polls += found.is_loaded
        return LoadState("loading", 50) if found.is_loaded and self.polls < 3 else found


@pytest.fixture
def target():
    with memory_database(MemoryDatabase()) as settings:
        target = MemoryTarget(settings)
        target.create(THINGS)
        channel = target.channel(THINGS, upsert=True)
        request = channel.encode(batch_of(THINGS, ROWS))
        channel.send(request, 1)
        channel.send(request, 1)
        yield target


def stored(target):
    return target.store.collections["things"]


def count(target, stop=None, **options) -> CountState:
    return RowCount(target, "things", **options).run(stop or StopToken(), Deadline())


def assert_untouched(target):
    assert stored(target).indexes == {}
    assert not stored(target).is_loaded


def test_statistics_are_enough_if_no_key_was_sent_twice(target):
    found = count(target, statistics_are_exact=True)

    assert (found.rows, found.method) == (20, "statistics")
    assert_untouched(target)


def test_otherwise_the_collection_is_indexed_and_loaded_temporarily(target):
    found = count(target)

    assert (found.rows, found.method, found.is_done) == (10, "count(*)", True)
    assert_untouched(target)


def test_a_target_that_needs_no_load_is_counted_without_loading(target):
    target.store.capabilities = replace(EVERYTHING, count_needs_load=False, flush_before_count=False)

    assert count(target, statistics_are_exact=True).method == "count(*)"
    assert not stored(target).is_loaded


def test_existing_indexes_and_loads_are_left_unchanged(target):
    target.create_index("things", IndexSpec("dense", "HNSW", "L2"))
    target.create_index("things", IndexSpec("sparse", metric="IP"))
    target.load("things")

    assert count(target).rows == 10
    assert stored(target).is_loaded
    assert set(stored(target).indexes) == {"dense", "sparse"}
    assert stored(target).indexes["dense"].type == "HNSW"


def test_an_existing_index_stays_when_a_temporary_one_is_removed(target):
    target.create_index("things", IndexSpec("dense", "HNSW", "L2"))

    count(target)

    assert set(stored(target).indexes) == {"dense"}
    assert not stored(target).is_loaded


def test_requested_indexes_and_loads_are_not_undone(target):
    wanted = IndexSpec("dense", "HNSW", "L2")

    count(target, indexes=[wanted], keep_loaded=True)

    assert stored(target).indexes == {"dense": wanted}
    assert stored(target).is_loaded


@pytest.mark.parametrize("kind", [t for t in MilvusType if t.is_vector])
def test_the_temporary_index_has_a_metric_that_suits_its_type(kind):
    metric = temporary_index(TargetField("v", TypeSpec(kind, dim=8))).metric

    assert metric == {"BINARY_VECTOR": "HAMMING", "SPARSE_FLOAT_VECTOR": "IP"}.get(kind, "COSINE")


def test_the_output_field_of_full_text_search_has_the_metric_bm25():
    words = TargetField("words", TypeSpec(MilvusType.SPARSE_FLOAT_VECTOR))

    assert temporary_index(words, is_output=True).metric == "BM25"


def test_another_process_continues_a_count_that_was_interrupted_after_any_step(target):
    """The process dies after each step; the next one gets the saved state through JSON."""
    states = [CountState()]
    while not states[-1].is_done:
        saved = CountState.from_dict(json.loads(json.dumps(states[-1].as_dict())))
        dying = RowCount(target, "things", state=saved, save=states.append)
        dying._step(StopToken(), Deadline())

    assert states[-1].rows == 10
    assert_untouched(target)


@pytest.mark.parametrize("crash_at", range(5))
def test_a_count_that_is_killed_while_saving_is_continued_and_restores_the_collection(target, crash_at):
    saved = [CountState()]

    def save(state):
        saved.append(state)
        if len(saved) == crash_at + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count(target, save=save)
    found = count(target, state=saved[-1])

    assert found.rows == 10
    assert_untouched(target)


def test_a_count_stops_at_its_deadline_and_continues_later(target):
    unfinished = RowCount(target, "things").run(StopToken(), Deadline(0))

    assert not unfinished.is_done
    assert count(target, state=unfinished).rows == 10


def test_a_count_waits_for_a_slow_load(target, monkeypatch):
    monkeypatch.setattr("migrations_app.engine.verification.row_count.POLL_SECONDS", 0.01)
    slow = SlowTarget(target.settings)

    assert count(slow).rows == 10
    assert_untouched(target)


def test_a_canceled_count_is_undone_with_its_saved_state(target):
    class NeverLoaded(MemoryTarget):
        def load_state(self, name):
            return LoadState("loading", 1) if super().load_state(name).is_loaded else LoadState("not_loaded")

    stop = StopToken()
    threading.Timer(0.1, stop.stop, [Canceled("canceled")]).start()

    saved = []
    with pytest.raises(Canceled):
        count(NeverLoaded(target.settings), stop, save=saved.append)
    assert stored(target).is_loaded

    RowCount(target, "things", state=saved[-1]).undo()
    assert_untouched(target)


def test_after_a_drain_the_next_worker_restores_the_collection(target):
    class DrainedWhileLoading(MemoryTarget):
        def load(self, name):
            super().load(name)
            stop.stop(Draining("draining"))

    stop = StopToken()
    saved = []
    with pytest.raises(Draining):
        count(DrainedWhileLoading(target.settings), stop, save=saved.append)
    assert stored(target).is_loaded

    assert count(target, state=saved[-1]).rows == 10
    assert_untouched(target)


def test_a_refused_load_gives_no_count_but_a_reason(target):
    class Forbidden(MemoryTarget):
        def load(self, name):
            raise PrivilegeMissing("User “reader” may not load “things”.")

    found = count(Forbidden(target.settings))

    assert (found.rows, found.is_done) == (None, True)
    assert found.reason == "User “reader” may not load “things”."
    assert_untouched(target)


@pytest.mark.parametrize("may_load", [True, False])
def test_a_refused_release_is_reported_and_the_rest_is_restored(target, may_load):
    class Forbidden(MemoryTarget):
        def load(self, name):
            if not may_load:
                raise PrivilegeMissing("User “reader” may not load “things”.")
            super().load(name)

        def release(self, name):
            raise PrivilegeMissing("User “reader” may not release “things”.")

    found = count(Forbidden(target.settings))

    assert (found.rows, found.is_done) == (10 if may_load else None, True)
    assert "may not release “things”" in found.reason
    assert not target.indexes("things")


def test_the_count_gives_up_if_a_load_never_begins(target, monkeypatch):
    monkeypatch.setattr("migrations_app.engine.verification.row_count.POLL_SECONDS", 0.01)

    class Unloadable(MemoryTarget):
        def load(self, name):
            pass

    found = count(Unloadable(target.settings))

    assert found.rows is None
    assert "could not be loaded" in found.reason
    assert stored(target).indexes == {}


def test_the_count_gives_up_and_restores_the_collection_if_a_load_makes_no_progress(target, monkeypatch):
    monkeypatch.setattr("migrations_app.engine.verification.row_count.POLL_SECONDS", 0.01)

    class Stuck(MemoryTarget):
        def load_state(self, name):
            state = super().load_state(name)
            return LoadState("loading", 30) if state.is_loaded else state

    found = count(Stuck(target.settings), stall_seconds=0.05)

    assert found.rows is None
    assert "loading stayed at 30 %" in found.reason
    assert_untouched(target)


def test_further_checks_run_before_the_collection_is_released(target):
    seen = []

    def check_more(rows, stop, deadline):
        seen.append((rows, stored(target).is_loaded))
        return len(seen) == 3

    saved = []
    assert count(target, while_loaded=check_more, save=saved.append).rows == 10
    assert seen == [(10, True)] * 3
    assert_untouched(target)


def test_further_checks_may_continue_in_another_run(target, monkeypatch):
    monkeypatch.setattr("migrations_app.engine.verification.row_count.POLL_SECONDS", 0.01)
    counting = RowCount(target, "things", while_loaded=lambda rows, stop, deadline: False)
    counting.run(StopToken(), Deadline(0.2))
    assert (counting.state.rows, counting.state.is_done) == (10, False)
    assert stored(target).is_loaded

    assert count(target, state=counting.state).rows == 10
    assert_untouched(target)


def test_a_retryable_error_is_raised_and_the_count_can_be_retried(target):
    class Unreachable(MemoryTarget):
        def load(self, name):
            raise TargetUnavailable("The server is restarting.")

    saved = []
    with pytest.raises(TargetUnavailable):
        count(Unreachable(target.settings), save=saved.append)

    assert count(target, state=saved[-1]).rows == 10
    assert_untouched(target)


def test_a_missing_collection_raises_an_error(target):
    target.drop("things")

    with pytest.raises(TargetChanged):
        count(target)


def test_a_state_is_stored_as_json():
    state = CountState(is_prepared=True, unindexed=("v",), rows=3)

    assert CountState.from_dict(json.loads(json.dumps(state.as_dict()))) == state
