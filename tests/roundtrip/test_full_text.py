"""Texts made searchable by their words on the way: searched with plain pymilvus on Milvus Lite; Milvus 2.3.5
refuses it."""

import pytest

from tests.roundtrip.moving import moving

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
    """To Milvus Lite alone, with a table of books, whose every tenth has no title."""
    for mover in moving(pg, milvus_lite_uri, tmp_path, is_lite=True):
        mover.postgres(TABLE)
        yield mover
        mover.postgres("DROP TABLE books")


def test_a_server_without_it_refuses_it(pg, milvus_235_uri, tmp_path, transactional_db):
    for mover in moving(pg, milvus_235_uri, tmp_path, is_lite=False):
        mover.postgres(TABLE)
        [fault] = mover.refused("public.books", full_text=WORDS)
        mover.postgres("DROP TABLE books")

    assert (fault["code"], fault["path"]) == ("full_text_unavailable", "collections[0].full_text")
    assert "needs Milvus 2.5 or later" in fault["message"]


def found(moved, text, field="words"):
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
        assert found(moved, word) == titles(mover, word), word
    assert found(moved, "elephant") == {}
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


def test_a_text_that_stands_for_null_is_found_by_its_words(mover):
    """Milvus Lite would store a default of its own without looking at its words."""
    fields = [{"source": "id"}, {"source": "v"}, {"source": "title", "nullable": False, "default": "no name"}]

    moved = mover.move("public.books", INDEXED, full_text=WORDS, fields=fields)

    assert moved.report["status"] == "Successful", moved.log
    assert set(found(moved, "name")) == set(range(10, 201, 10))


def test_a_table_of_texts_alone_can_be_moved_by_its_words(mover):
    fields = [{"source": "id"}, {"source": "title", "fill_null": ""}]

    moved = mover.move("public.books", INDEXED, full_text=WORDS, fields=fields)

    assert moved.report["status"] == "Successful", moved.log
    assert set(moved.fields) == {"id", "title", "words"}
    assert found(moved, "river") == titles(mover, "river")


@pytest.mark.parametrize("said", [{}, {"full_text": WORDS}])
def test_rows_added_later_are_found_by_their_words_too(mover, said):
    """Whether the plan speaks of it or leaves that to the collection."""
    moved = mover.move("public.books", INDEXED, full_text=WORDS)
    mover.postgres("CREATE TABLE more AS SELECT id + 1000 AS id, v, 'A whale' AS title, price FROM books")
    mover.postgres("ALTER TABLE more ADD PRIMARY KEY (id)")

    again = mover.move("public.more", target=moved.target, if_exists="append", **said)

    mover.postgres("DROP TABLE more")
    assert again.report["status"] == "Successful", again.log
    assert again.counts["verified"] is True
    assert set(found(moved, "whale")) == set(range(1001, 1201))
    assert found(moved, "river") == titles(mover, "river")


def test_words_that_the_collection_does_not_have_are_refused(mover):
    moved = mover.move("public.books", INDEXED, full_text=WORDS)
    differs = [WORDS[0] | {"output": "others"}]

    faults = mover.refused("public.books", target=moved.target, if_exists="append", full_text=differs)

    assert [fault["code"] for fault in faults] == ["full_text_differs"]


@pytest.mark.parametrize("analyzer", ["english", "chinese"])
def test_an_analyzer_that_the_target_cannot_be_asked_for_is_refused(mover, analyzer):
    [fault] = mover.refused("public.books", full_text=[WORDS[0] | {"analyzer": analyzer}])

    assert (fault["code"], fault["hint"]) == ("analyzer_unknown", "Use standard.")
