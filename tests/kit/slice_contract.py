"""Slice contract: slices and reads. The part of the source contract that needs no key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from migrations_app.engine.errors import Canceled
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import MAX_SLICES, Source
from migrations_app.engine.stop_token import Deadline, StopToken
from tests.kit.source_case import (
    SourceCase,
    locators_of,
    plan_of,
    read,
    read_all,
    slices_of,
    stored,
    table_of,
)


class SliceContract:
    """Subclass this under a name that begins with ``Test`` and add a ``case`` fixture."""

    @pytest.fixture
    def case(self) -> SourceCase:
        raise NotImplementedError("add a fixture named case to the class")

    @pytest.fixture
    def source(self, case: SourceCase) -> Iterator[Source]:
        with case.open() as source:
            yield source

    def test_slices_contain_each_row_once(self, case: SourceCase, source: Source) -> None:
        plan = plan_of(case, source)
        for wanted in case.wanted_slices:
            parts = slices_of(case, source, wanted=wanted)
            assert len({part.id for part in parts}) == len(parts)
            locators = [n for part in parts for n in locators_of(read(case, source, part, plan=plan))]
            assert len(locators) == len(set(locators)) == case.rows

    def test_more_slices_than_rows_may_be_wanted(self, case: SourceCase, source: Source) -> None:
        assert len(slices_of(case, source, wanted=2 * case.rows)) <= min(2 * case.rows, MAX_SLICES)
        plan = plan_of(case, source, case.empty)
        for part in slices_of(case, source, case.empty, max(case.wanted_slices)):
            assert not list(source.read(case.empty, part, None, plan, ReadContext()))

    def test_a_stop_ends_the_planning_of_slices(self, case: SourceCase, source: Source) -> None:
        stop = StopToken()
        parts = source.slices(case.full, max(case.wanted_slices), ReadContext(stop))
        stop.stop(Canceled("Stopped by the test."))
        with pytest.raises(Canceled):
            list(parts)

    def test_a_read_returns_rows_in_a_stable_order(self, case: SourceCase, source: Source) -> None:
        for part in slices_of(case, source):
            assert locators_of(read(case, source, part)) == locators_of(read(case, source, part))

    def test_another_process_resumes_after_every_cursor_with_exactly_the_rest(
        self, case: SourceCase, source: Source
    ) -> None:
        plan = plan_of(case, source)
        for wanted in case.wanted_slices:
            batches_in_all = 0
            for part in slices_of(case, source, wanted=wanted):
                batches = read(case, source, part, plan=plan)
                batches_in_all += len([batch for batch in batches if batch.rows.num_rows])
                for number, batch in enumerate(batches if part.resumable else ()):
                    with case.open() as another:
                        rest = read(case, another, part, stored(batch.after), plan)
                    assert locators_of(rest) == locators_of(batches[number + 1 :])
                    assert table_of(rest, batch) == table_of(batches[number + 1 :], batch)
            assert batches_in_all >= 4, "too few batches to prove anything: use a smaller batch_bytes"

    def test_a_limit_returns_only_the_first_rows(self, case: SourceCase, source: Source) -> None:
        plan = plan_of(case, source)
        for part in slices_of(case, source):
            batches = read(case, source, part)
            whole, first = locators_of(batches), batches[0].rows.num_rows
            for limit in (1, first, first + 1, len(whole) + 1):
                some = read(case, source, part, plan=replace(plan, limit=limit))
                assert locators_of(some) == whole[:limit]
            if part.resumable:
                after = stored(batches[0].after)
                some = read(case, source, part, after, replace(plan, limit=3))
                assert locators_of(some) == whole[first : first + 3]

    def test_a_read_is_not_cut_short_by_the_deadline(self, case: SourceCase, source: Source) -> None:
        """Only the pipeline pauses a slice: the end of the iterator means the end of the slice."""
        ctx = ReadContext(deadline=Deadline(0))
        plan = plan_of(case, source)
        read_all(case, source, case.full)  # after what interrupts only a first read
        batches = [
            b for part in slices_of(case, source) for b in source.read(case.full, part, None, plan, ctx)
        ]
        assert len(locators_of(batches)) == case.rows

    def test_a_stopped_read_raises_the_reason(self, case: SourceCase, source: Source) -> None:
        stop = StopToken()
        part = slices_of(case, source)[0]
        stream = source.read(case.full, part, None, plan_of(case, source), ReadContext(stop))
        next(stream)
        stop.stop(Canceled("Stopped by the test."))
        with pytest.raises(Canceled):
            next(stream)

    def test_a_read_that_ends_early_leaves_the_source_usable(self, case: SourceCase, source: Source) -> None:
        stream = source.read(
            case.full, slices_of(case, source)[0], None, plan_of(case, source), ReadContext()
        )
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert len(locators_of(read_all(case, source, case.full))) == case.rows
