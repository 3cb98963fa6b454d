"""Selection of rows and collections: conditions, row limits, and replacement of existing collections."""

import pytest


@pytest.fixture
def items(mover):
    """300 rows; every third row has no price."""
    mover.postgres(
        "CREATE TABLE items (id bigint PRIMARY KEY, v vector(2), price numeric, title text NOT NULL);"
        "INSERT INTO items SELECT g, ('[' || g || ',1]')::vector, NULLIF(g % 3, 0), 'item ' || g"
        " FROM generate_series(1, 300) g"
    )
    yield
    mover.postgres("DROP TABLE items CASCADE")


def test_only_rows_that_meet_the_condition_are_moved_and_counted(mover, items):
    moved = mover.move("public.items", select={"where": "price > 1 OR title LIKE '%00'"})
    assert moved.report["status"] == "Successful", moved.log
    expected = {n for n in range(1, 301) if n % 3 == 2 or n % 100 == 0}
    assert moved.rows().keys() == expected
    counts = moved.counts
    assert (counts["rows_source"], counts["rows_read"], counts["verified"]) == (len(expected),) * 2 + (True,)


def test_an_invalid_condition_is_refused_before_anything_is_created(mover, items):
    where = {
        "pric > 1": "where_invalid",
        "random() < 2": "where_volatile",
        "id > 1) OR (true": "value_invalid",
        "id IN (SELECT 1)": "value_invalid",
    }
    for condition, code in where.items():
        [fault] = mover.refused("public.items", select={"where": condition})
        assert (fault["code"], fault["path"]) == (code, "collections[0].select.where")
    [fault] = mover.refused("public.items", select={"where": "id < 0"})
    assert fault["code"] == "no_rows"
    assert not set(mover.targets) & set(mover.client.list_collections())


def test_only_the_first_rows_are_moved_and_the_check_respects_the_limit(mover, items):
    fields = [{"source": "id"}, {"source": "v"}, {"source": "title", "type": "VARCHAR", "max_length": 7}]
    moved = mover.move("public.items", {"limit_rows": 120}, fields=fields)
    assert moved.report["status"] == "Successful", moved.log
    # “item 100” is too long for its field: it is rejected, but counts as one of the first rows.
    assert moved.rows().keys() == set(range(1, 100))
    counts = moved.counts
    assert (counts["rows_source"], counts["limit_rows"], counts["rows_read"]) == (300, 120, 120)
    assert (counts["rows_rejected"], counts["rows_target"], counts["verified"]) == (21, 99, True)
    assert "the plan asks for the first 120" in counts["checks"][0]["message"]


def test_the_row_limit_also_applies_to_a_view_without_a_key(mover, items):
    mover.postgres("CREATE VIEW cheap AS SELECT v, title FROM items WHERE price = 1")
    moved = mover.move("public.cheap", {"limit_rows": 30})
    assert moved.report["status"] == "Successful", moved.log
    assert len(moved.rows()) == 30


def test_a_collection_is_replaced_completely(mover, items):
    first = mover.move("public.items", {"create_index": True, "load": True})
    assert first.report["status"] == "Successful", first.log
    fields = [{"source": "id"}, {"source": "v"}, {"source": "title", "target": "name"}]
    second = mover.move(
        "public.items",
        {"limit_rows": 10},
        target=first.target,
        if_exists="replace",
        fields=fields,
        dynamic_field=False,
    )
    assert second.report["status"] == "Successful", second.log
    assert second.rows()[3] == {"id": 3, "v": [3.0, 1.0], "name": "item 3"}
    assert second.rows().keys() == set(range(1, 11))
    assert second.counts["verified"] is True


def test_a_collection_with_an_alias_is_not_replaced(mover, items):
    moved = mover.move("public.items", {"limit_rows": 5})
    alias = f"{moved.target}_alias"
    mover.client.create_alias(moved.target, alias)
    try:
        for target, code in ((moved.target, "target_has_alias"), (alias, "target_is_alias")):
            [fault] = mover.refused("public.items", target=target, if_exists="replace")
            assert fault["code"] == code
        assert len(moved.rows()) == 5
    finally:
        mover.client.drop_alias(alias)
