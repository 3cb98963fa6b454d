"""Counting the rows that would not be moved: its time limit, and what is said of rows not looked at."""

import time
from typing import LiteralString

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
    return checked_plan(database, {"source": "public.long_tail", "fields": fields}, budget)


def checked_plan(database: Database, collection: dict[str, object], budget: ScanBudget) -> Preflight:
    plan = {
        "version": 1,
        "source": {"kind": "postgresql"},
        "target": {"kind": "memory"},
        "collections": [collection],
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
    assert (
        "The job stops after 1,000 rejected rows (max_rejected), and 5,000 would be rejected. To move the "
        "others, allow it. In the plan file, write “options: {max_rejected: 5000}”."
    ) in one.notes
    assert any(note.endswith("or “{source: t, include: false}”.") for note in one.notes)


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


TABLE_OF_LISTS: LiteralString = """
CREATE TABLE lists (id bigint PRIMARY KEY, e vector(2), words text, numbers real[], listed jsonb,
    doc jsonb)"""
HOSTILE_LISTS: LiteralString = """
INSERT INTO lists SELECT n, '[1,2]',
    CASE n %% 10 WHEN 0 THEN 'abc' WHEN 1 THEN '[NaN,1]' ELSE '[1,2]' END,
    CASE n %% 10 WHEN 0 THEN '{NaN,1}' WHEN 1 THEN '{1,NULL}' WHEN 2 THEN '{1}' ELSE '{1,2}' END::real[],
    CASE n %% 10 WHEN 0 THEN '[1e39,1]' WHEN 1 THEN '[1,"2"]' ELSE '[1,2]' END::jsonb,
    CASE n %% 10 WHEN 0 THEN '{"a": 1e400}' ELSE '{}' END::jsonb
FROM generate_series(1, %s) n"""


def hostile_lists(pg: Database, rows: int) -> None:
    pg.execute("DROP TABLE IF EXISTS lists")
    pg.execute(TABLE_OF_LISTS)
    pg.execute(HOSTILE_LISTS, (rows,))


def lost(found: Preflight) -> dict[str, int]:
    return {
        f.message.partition("” ")[2]: int(f.message.split()[0]) for f in found.faults if f.code == "rows_lost"
    }


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("words", {"is not a list of as many numbers as the vector has.": 20, "is NaN or infinite.": 20}),
        ("numbers", {"is not a list of 2 numbers.": 40, "is NaN or infinite.": 20}),
        ("listed", {"is not a list of 2 numbers.": 20, "is NaN or infinite.": 20}),
        ("doc", {"has a number that is too large for a double.": 20}),
    ],
)
def test_values_that_only_a_look_at_each_can_tell_are_counted_in_small_tables(
    pg: Database, name: str, reasons: dict[str, int]
) -> None:
    hostile_lists(pg, 200)
    field = {"source": name} if name == "doc" else {"source": name, "type": "FLOAT_VECTOR", "dim": 2}
    plan = {"source": "public.lists", "fields": [{"source": "id"}, {"source": "e"}, field]}
    found = checked_plan(pg, plan, ScanBudget())
    assert lost(found) == reasons
    (one,) = found.collections
    assert one.looked == "All 200 rows were checked for NULL, lengths and sizes."


def test_in_a_large_table_the_sample_shows_what_was_not_counted(pg: Database) -> None:
    hostile_lists(pg, 10_001)
    plan = {"source": "public.lists", "fields": [{"source": "id"}, {"source": "e"}, {"source": "doc"}]}
    (one,) = checked_plan(pg, plan, ScanBudget()).collections
    assert "Other reasons are not counted. Of " in one.looked
    assert "“doc” has a number that is too large for a double" in one.looked


def test_a_joined_key_that_is_too_long_is_not_a_fault_of_its_first_part(pg: Database) -> None:
    pg.execute("CREATE TABLE joined (a text, b text, e vector(2), PRIMARY KEY (a, b))")
    pg.execute("INSERT INTO joined VALUES ('a', 'b', '[1,2]'), ('a', repeat('b', 9), '[1,2]')")
    plan = {"source": "public.joined", "key": ["a", "b"], "key_max_length": 8}
    (fault,) = [f for f in checked_plan(pg, plan, ScanBudget()).faults if f.code == "rows_lost"]
    assert fault.path == "collections[0].key_max_length"
    assert fault.typed == ("key_max_length: 65535", "key: auto")
