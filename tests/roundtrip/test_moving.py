"""Mover: the simplest round trips, on which the other tests rely."""

import math


def test_each_row_is_read_back_with_its_values(mover):
    mover.postgres("CREATE TABLE items (id bigint PRIMARY KEY, v vector(2), title text, note text)")
    mover.postgres("INSERT INTO items VALUES (1, '[1,-0]', 'one', 'x'), (2, '[0.5,1e-45]', 'two', NULL)")
    moved = mover.move("public.items")
    assert moved.report["status"] == "Successful", moved.log
    assert moved.counts["rows_written"] == 2
    rows = moved.rows()
    assert rows[1]["title"] == "one"
    assert rows[2]["v"] == [0.5, 2.0**-149]
    assert math.copysign(1, rows[1]["v"][1]) == -1
    assert rows[1]["note"] == "x"
    assert rows[2].get("note") is None
    assert not moved.rejected
    mover.postgres("DROP TABLE items")


def test_a_rejected_row_is_reported_with_its_field_and_code(mover):
    mover.postgres("CREATE TABLE items (id bigint PRIMARY KEY, v vector(2), title text NOT NULL)")
    mover.postgres("INSERT INTO items VALUES (1, '[1,2]', 'short'), (2, '[1,2]', 'too long')")
    fields = [
        {"source": "id"},
        {"source": "v"},
        {"source": "title", "type": "VARCHAR", "max_length": 5},
    ]
    moved = mover.move("public.items", fields=fields)
    assert moved.rows().keys() == {1}
    [rejected] = moved.rejected
    assert (rejected["locator"], rejected["field"], rejected["code"]) == ("2", "title", "too_long")
    mover.postgres("DROP TABLE items")


def test_a_fault_of_preflight_is_reported_with_its_path(mover):
    mover.postgres("CREATE TABLE items (id bigint PRIMARY KEY, v vector(2))")
    faults = mover.refused("public.items", target="not a name")
    assert ("name_illegal", "collections[0].target") in {(fault["code"], fault["path"]) for fault in faults}
    mover.postgres("DROP TABLE items")
