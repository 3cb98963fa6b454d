"""Full-text search: plain pymilvus finds moved texts by their words on Milvus Lite; for Milvus 2.3.5 such a
plan is refused.
"""

import pytest

from tests.roundtrip.mover import moving

TABLE = """
    CREATE TABLE books (id int PRIMARY KEY, v vector(2), title text, price int);
    INSERT INTO books SELECT g, ('[' || g || ',1]')::vector, CASE WHEN g % 10 <> 0 THEN
        (ARRAY['The red fox', 'A quiet river', 'River of stars', 'Café at the fjord'])[1 + g % 4] END, g
    FROM generate_series(1, 200) g
"""
INDEXED = {"create_index": True, "load": True}
WORDS = [{"field": "title", "output": "words"}]


@pytest.fixture
def mover(pg, milvus_lite_uri, tmp_path, transactional_db):
    """A mover to Milvus Lite, with a table of books in which every tenth book has no title."""
    for mover in moving(pg, milvus_lite_uri, tmp_path, is_lite=True):
        mover.postgres(TABLE)
        yield mover
        mover.postgres("DROP TABLE books")


def test_a_plan_for_a_server_without_full_text_search_is_refused(
    pg, milvus_235_uri, tmp_path, transactional_db
):
    for mover in moving(pg, milvus_235_uri, tmp_path, is_lite=False):
        mover.postgres(TABLE)
        [fault] = mover.refused("public.books", full_text=WORDS)
        mover.postgres("DROP TABLE books")

    assert (fault["code"], fault["path"]) == ("full_text_unavailable", "collections[0].full_text")
    assert "needs Milvus 2.5 or later" in fault["message"]


def search(moved, text, field="words"):
    (hits,) = moved.client.search(
        moved.target,
        data=[text],
        anns_field=field,
        limit=300,
        output_fields=["title"],
        consistency_level="Strong",
    )
    return {hit["id"]: hit["entity"]["title"] for hit in hits}


def titles(mover, word):
    rows = mover.postgres("SELECT id, title FROM books WHERE title ILIKE %s", (f"%{word}%",))
    return dict(rows)


def test_a_search_for_a_word_finds_the_rows_that_have_it(mover):
    moved = mover.move("public.books", INDEXED, full_text=WORDS)

    assert moved.report["status"] == "Successful", moved.log
    for word in ("river", "FOX", "fjord"):
        assert search(moved, word) == titles(mover, word), word
    assert search(moved, "elephant") == {}
    assert moved.counts["rows_target"] == moved.count() == 200
    assert moved.fields["title"]["nullable"] is True
    assert moved.fields["words"]["is_function_output"] is True
    (made,) = moved.schema["functions"]
    assert (made["type"].name, made["input_field_names"], made["output_field_names"]) == (
        "BM25",
        ["title"],
        ["words"],
    )
    index = moved.client.describe_index(moved.target, "words")
    assert (index["index_type"], index["metric_type"]) == ("SPARSE_INVERTED_INDEX", "BM25")


def test_a_default_that_replaces_null_is_found_by_its_words(mover):
    """Milvus Lite itself would store a default without indexing its words."""
    fields = [{"source": "id"}, {"source": "v"}, {"source": "title", "nullable": False, "default": "no name"}]

    moved = mover.move("public.books", INDEXED, full_text=WORDS, fields=fields)

    assert moved.report["status"] == "Successful", moved.log
    assert set(search(moved, "name")) == set(range(10, 201, 10))


def test_a_table_without_vectors_can_be_moved_for_full_text_search(mover):
    fields = [{"source": "id"}, {"source": "title", "fill_null": ""}]

    moved = mover.move("public.books", INDEXED, full_text=WORDS, fields=fields)

    assert moved.report["status"] == "Successful", moved.log
    assert set(moved.fields) == {"id", "title", "words"}
    assert search(moved, "river") == titles(mover, "river")


@pytest.mark.parametrize("plan_keys", [{}, {"full_text": WORDS}])
def test_rows_added_later_are_found_by_their_words_too(mover, plan_keys):
    """The plan may request full-text search or leave that to the collection."""
    moved = mover.move("public.books", INDEXED, full_text=WORDS)
    mover.postgres("CREATE TABLE more AS SELECT id + 1000 AS id, v, 'A whale' AS title, price FROM books")
    mover.postgres("ALTER TABLE more ADD PRIMARY KEY (id)")

    again = mover.move("public.more", target=moved.target, if_exists="append", **plan_keys)

    mover.postgres("DROP TABLE more")
    assert again.report["status"] == "Successful", again.log
    assert again.counts["verified"] is True
    assert set(search(moved, "whale")) == set(range(1001, 1201))
    assert search(moved, "river") == titles(mover, "river")


def test_a_full_text_field_that_the_collection_lacks_is_refused(mover):
    moved = mover.move("public.books", INDEXED, full_text=WORDS)
    differs = [WORDS[0] | {"output": "others"}]

    faults = mover.refused("public.books", target=moved.target, if_exists="append", full_text=differs)

    assert [fault["code"] for fault in faults] == ["full_text_differs"]


@pytest.mark.parametrize("analyzer", ["english", "chinese"])
def test_an_analyzer_that_the_target_lacks_is_refused(mover, analyzer):
    [fault] = mover.refused("public.books", full_text=[WORDS[0] | {"analyzer": analyzer}])

    assert (fault["code"], fault["hint"]) == ("analyzer_unknown", "Use standard.")
