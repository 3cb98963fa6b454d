"""Appending to an existing collection: the added rows are counted; index and load state do not change."""

import pytest


@pytest.fixture
def items(mover):
    """100 rows with keys 1 to 100."""
    mover.postgres(
        "CREATE TABLE items (id bigint PRIMARY KEY, v vector(2) NOT NULL, price numeric,"
        " title text NOT NULL);"
        "INSERT INTO items SELECT g, ('[' || g || ',1]')::vector, NULLIF(g % 3, 0), 'item ' || g"
        " FROM generate_series(1, 100) g"
    )
    yield
    mover.postgres("DROP TABLE items CASCADE")


def replace_rows(mover, first, last):
    """Replace the rows of the source."""
    mover.postgres("TRUNCATE items")
    mover.postgres(
        "INSERT INTO items SELECT g, ('[' || g || ',2]')::vector, NULL, 'more ' || g"
        " FROM generate_series(%s::int, %s::int) g",
        (first, last),
    )


def test_rows_are_added_and_the_check_counts_the_difference(mover, items):
    moved = mover.move("public.items")
    assert moved.report["status"] == "Successful", moved.log
    replace_rows(mover, 101, 150)
    added = mover.move("public.items", target=moved.target, if_exists="append")
    assert added.report["status"] == "Successful", added.log
    assert added.rows().keys() == set(range(1, 151))
    assert (added.rows()[7]["title"], added.rows()[120]["title"]) == ("item 7", "more 120")
    assert (added.counts["rows_target"], added.counts["verified"]) == (150, True)
    assert added.counts["checks"][1]["message"] == "50 rows sent; the target has 50 new rows."
    assert f"{moved.target} contains 100 rows before this job adds rows." in added.log


def test_rows_that_replace_others_are_verified_by_their_keys(mover, items):
    moved = mover.move("public.items")
    replace_rows(mover, 81, 130)
    added = mover.move("public.items", target=moved.target, if_exists="append")
    assert added.report["status"] == "Successful", added.log
    rows = added.rows()
    assert rows.keys() == set(range(1, 131))
    assert (rows[80]["title"], rows[81]["title"]) == ("item 80", "more 81")
    assert (added.counts["rows_target"], added.counts["verified"]) == (130, True)
    assert "the target has every key" in added.counts["checks"][1]["message"]


def test_text_keys_of_every_kind_are_found_again(mover):
    keys = ["a", "it's", 'q"q', "back\\slash", "new\nline", "\r", "tab\t", "\x01", " ", "é漢😀", "\\n", "%"]
    mover.postgres("CREATE TABLE notes (k text PRIMARY KEY, v vector(2))")
    for key in keys:
        mover.postgres("INSERT INTO notes VALUES (%s, '[1,2]')", (key,))
    moved = mover.move("public.notes")
    mover.postgres("INSERT INTO notes VALUES ('b', '[1,2]')")
    added = mover.move("public.notes", target=moved.target, if_exists="append")
    assert added.report["status"] == "Successful", added.log
    assert added.rows().keys() == {*keys, "b"}
    assert added.counts["verified"] is True, added.counts
    mover.postgres("DROP TABLE notes")


def test_the_smallest_and_largest_integer_keys_are_found_again(mover):
    keys = [-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 2, 2**63 - 1]
    mover.postgres("CREATE TABLE ends (k bigint PRIMARY KEY, v vector(2))")
    for key in keys:
        mover.postgres("INSERT INTO ends VALUES (%s, '[1,2]')", (key,))
    moved = mover.move("public.ends")
    added = mover.move("public.ends", target=moved.target, if_exists="append")
    assert added.report["status"] == "Successful", added.log
    assert (added.counts["rows_target"], added.counts["verified"]) == (len(keys), True)
    mover.postgres("DROP TABLE ends")


def test_appended_rows_with_auto_id_are_verified_by_their_count(mover, items):
    moved = mover.move("public.items", key="auto")
    added = mover.move("public.items", {"limit_rows": 30}, target=moved.target, if_exists="append")
    assert added.report["status"] == "Successful", added.log
    assert len(added.rows()) == added.counts["rows_target"] == 130
    assert added.counts["verified"] is True


@pytest.mark.parametrize("loads", [True, False])
def test_index_and_load_state_do_not_change(mover, items, loads):
    moved = mover.move("public.items", {"create_index": loads, "load": loads})
    before = mover.client.list_indexes(moved.target), mover.client.get_load_state(moved.target)
    added = mover.move("public.items", target=moved.target, if_exists="append")
    assert added.counts["verified"] is True, added.log
    assert (mover.client.list_indexes(moved.target), mover.client.get_load_state(moved.target)) == before


def test_fields_that_the_source_lacks_stay_null_or_get_their_default(mover, items):
    """Milvus 2.3.5 has neither NULL nor defaults, so its plan must fill such a field."""
    fields = [
        {"source": "id"},
        {"source": "v"},
        {"source": "title"},
        {"source": "price", "type": "DOUBLE"} | ({} if mover.is_lite else {"fill_null": 0}),
        {"added": True, "target": "origin", "type": "VARCHAR", "max_length": 20, "default": "first"},
    ]
    moved = mover.move("public.items", fields=fields, dynamic_field=False)
    assert moved.report["status"] == "Successful", moved.log
    mover.postgres("ALTER TABLE items DROP COLUMN price")
    mover.postgres("UPDATE items SET id = id + 1000")
    append = {"target": moved.target, "if_exists": "append"}
    if not mover.is_lite:
        faults = mover.refused("public.items", **append)
        assert [fault["code"] for fault in faults] == ["field_not_mapped", "field_not_mapped"]
        filled = {"added": True, "target": "price", "type": "DOUBLE", "fill_null": -1.0}
        append["fields"] = [*fields[:3], filled, fields[4]]
    added = mover.move("public.items", **append)
    assert added.report["status"] == "Successful", added.log
    row = added.rows()[1001]
    assert (row["price"], row["origin"], row["title"]) == (None if mover.is_lite else -1.0, "first", "item 1")
    assert added.counts["verified"] is True


def test_each_schema_difference_is_refused_on_its_field_and_nothing_changes(mover, items):
    fields = [{"source": "id"}, {"source": "v"}, {"source": "title", "type": "VARCHAR", "max_length": 30}]
    moved = mover.move("public.items", fields=fields, dynamic_field=False)
    assert moved.report["status"] == "Successful", moved.log
    append = {"target": moved.target, "if_exists": "append"}
    longer = [*fields[:2], fields[2] | {"max_length": 60}]
    renamed = [*fields[:2], fields[2] | {"target": "name"}]
    tables = {
        "limit_differs": ({"fields": longer}, "fields[2].max_length"),
        "field_not_there": ({"fields": renamed}, "fields[2].target"),
        "key_differs": ({"fields": fields[1:], "key": "auto"}, "key"),
        "partition_key_differs": ({"fields": fields, "partition_key": "title"}, "partition_key"),
    }
    for code, (plan, path) in tables.items():
        found = {(f["code"], f["path"]) for f in mover.refused("public.items", **append, **plan)}
        assert (code, f"collections[0].{path}") in found
    assert len(moved.rows()) == 100


def test_keys_of_an_opened_column_go_into_their_existing_fields(mover):
    mover.postgres("""
        CREATE TABLE facts (id bigint PRIMARY KEY, v vector(2), m jsonb);
        INSERT INTO facts VALUES (1, '[1,2]', '{"price": 1, "a": {"b.c": "x"}}')
    """)
    plan = {
        "open": ["m"],
        "fields": [
            {"source": "id"},
            {"source": "v"},
            {"source": "m.price", "type": "INT64", "fill_null": 0},
            {"source": 'm.a."b.c"', "target": "c", "type": "VARCHAR", "max_length": 9, "fill_null": ""},
        ],
    }
    moved = mover.move("public.facts", **plan)
    mover.postgres("UPDATE facts SET id = 2, m = '{\"price\": 2}'")
    added = mover.move("public.facts", target=moved.target, if_exists="append", **plan)
    assert added.report["status"] == "Successful", added.log
    assert [(row["price"], row["c"]) for _, row in sorted(added.rows().items())] == [(1, "x"), (2, "")]
    mover.postgres("DROP TABLE facts")


def test_a_row_that_replaces_another_does_not_keep_its_dynamic_field(mover):
    """The upsert of Milvus Lite itself would keep the old keys."""
    mover.postgres("""
        CREATE TABLE facts (id bigint PRIMARY KEY, v vector(2), m jsonb);
        INSERT INTO facts VALUES (1, '[1,2]', '{"old": 1, "both": 1}'), (2, '[1,2]', '{"stays": 1}')
    """)
    moved = mover.move("public.facts", open=["m"])
    mover.postgres('DELETE FROM facts WHERE id = 2; UPDATE facts SET m = \'{"new": 2, "both": 2}\'')
    added = mover.move("public.facts", open=["m"], target=moved.target, if_exists="append")
    mover.postgres("DROP TABLE facts")
    assert added.report["status"] == "Successful", added.log
    rows = {key: {n: v for n, v in row.items() if n not in ("id", "v")} for key, row in added.rows().items()}
    assert rows == {1: {"new": 2, "both": 2}, 2: {"stays": 1}}
