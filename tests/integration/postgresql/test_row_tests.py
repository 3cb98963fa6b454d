"""Counting the rows that would not be moved: its time limit, and what is said of rows not looked at."""

import time

import pytest

from migrations_app.engine.errors import TimeIsUp
from migrations_app.engine.model.batch import CollectionRef, ReadColumn
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.row_tests import RowTest
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.preflight import Preflight, check_plan
from migrations_app.engine.preflight.scans.all_rows import ScanBudget
from migrations_app.engine.read_context import ReadContext, time_limit
from migrations_app.engine.sources.base import MeasureRequest
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened
from tests.kit import MemoryDatabase, MemoryTarget, memory_database

TEXT = ReadColumn("t", TypeSpec(MilvusType.VARCHAR, max_length=64))


def checked(database: Database, budget: ScanBudget, **field: object) -> Preflight:
    fields = [{"source": "id"}, {"source": "v"}, {"source": "t", **field}]
    plan = {
        "version": 1,
        "source": {"kind": "postgresql"},
        "target": {"kind": "memory"},
        "collections": [{"source": "public.long_tail", "fields": fields}],
    }
    with opened(database) as source, memory_database(MemoryDatabase()) as settings:
        target = MemoryTarget(settings, "default")
        return check_plan(Plan.model_validate(plan), source, target, ReadContext(), budget=budget)


@pytest.fixture(scope="module")
def long_tail(pg: Database) -> Database:
    """30,000 texts; those of the last 5,000 rows are longer."""
    pg.execute("CREATE TABLE long_tail (id bigint PRIMARY KEY, v vector(2), t text)")
    pg.execute(
        "INSERT INTO long_tail SELECT n, '[1,2]', repeat('x', CASE WHEN n > 25000 THEN 900 ELSE 9 END)"
        " FROM generate_series(1, 30000) n"
    )
    return pg


def test_long_texts_at_the_end_of_a_table_are_counted(long_tail: Database) -> None:
    found = checked(long_tail, ScanBudget(), max_length=128)
    (fault,) = [fault for fault in found.faults if fault.code == "rows_lost"]
    assert fault.message == "5,000 of 30,000 rows would be rejected: “t” is longer than 128 bytes."
    assert (fault.path, fault.field) == ("collections[0].fields[2].max_length", "t")
    assert [fix.label for fix in fault.fixes][:1] == ["Raise to 65,535"]
    (one,) = found.collections
    assert one.looked == "All 30,000 rows were checked for NULL, lengths and sizes."
    assert "The job stops after 1,000 rejected rows (max_rejected), and 5,000 would be rejected." in one.notes


def test_what_was_not_looked_at_in_time_is_said(long_tail: Database) -> None:
    found = checked(long_tail, ScanBudget(0.0, counts_nulls=False), max_length=128)
    (one,) = found.collections
    assert one.losses is None
    assert one.looked.startswith("Not all rows were checked for NULL, lengths and sizes")
    assert "Only the 100 sampled rows were checked: " in one.looked


def test_the_time_limit_cancels_the_statement_on_the_server(pg: Database) -> None:
    pg.execute("CREATE VIEW sleeping AS SELECT 'x' AS t FROM pg_sleep(600)")
    wanted = MeasureRequest(rows_with=(RowTest("too_long", "t", (TEXT,), 64),))
    start = time.monotonic()
    with opened(pg) as source, pytest.raises(TimeIsUp), time_limit(ReadContext(), 0.3) as ctx:
        source.measure(CollectionRef("public.sleeping"), wanted, ctx)
    assert time.monotonic() - start < 3
    question = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%public%%sleeping%%'"
    )
    assert pg.execute(question + " AND pid <> pg_backend_pid()") == [(0,)]
