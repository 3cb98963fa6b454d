"""Names: which ones Milvus accepts, and suggestions for the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.model.names import (
    MAX_BYTES,
    duplicates,
    free_name,
    name_problem,
    new_key_name,
    suggest,
)


@pytest.mark.parametrize("name", ["id", "_x", "Title2", "a" * 255, "timestamp", "rowid", "liked"])
def test_a_legal_name_has_no_problem(name):
    assert name_problem(name) is None
    assert suggest(name) == name


@pytest.mark.parametrize(
    ("name", "code", "instead"),
    [
        ("like", "name_reserved", "like_"),
        ("LIKE", "name_reserved", "LIKE_"),
        ("JSON_Contains_All", "name_reserved", "JSON_Contains_All_"),
        ("Timestamp", "name_reserved", "Timestamp_"),
        ("$meta", "name_reserved", "_meta"),
        ("my-table", "name_illegal", "my_table"),
        ("a.b c", "name_illegal", "a_b_c"),
        ("9lives", "name_illegal", "_9lives"),
        ("größe", "name_illegal", "grosse"),
        ("документы", "name_illegal", "dokumenty"),
        ("価格", "name_illegal", "SiGe"),
        ("٣", "name_illegal", "_3"),
        ("\u0378", "name_illegal", "_"),
        ("id\n", "name_illegal", "id_"),
        ("", "name_empty", "_"),
        ("a" * 256, "name_too_long", "a" * 255),
    ],
)
def test_a_name_that_milvus_refuses_gets_a_suggestion(name, code, instead):
    problem = name_problem(name)
    assert problem is not None
    assert problem.code == code
    assert problem.message
    assert problem.hint
    assert suggest(name) == instead


def test_reserved_words_are_allowed_for_collections():
    assert name_problem("like", "collection") is None
    assert suggest("like", of="collection") == "like"
    assert name_problem("my-table", "collection").message == (
        "“my-table” is not a valid collection name: "
        "Milvus allows English letters, digits and _, with no digit first."
    )


def test_a_message_escapes_control_characters_and_shortens_long_names():
    assert "\x00" not in name_problem("a\x00b").message
    assert len(name_problem("é" * 5000).message) < 200


def test_a_suggestion_avoids_names_that_are_taken():
    assert suggest("my-table", {"my_table", "my_table_2"}) == "my_table_3"
    assert suggest("like", {"like_"}) == "like__2"
    assert free_name("a" * 255, {"a" * 255}) == "a" * 253 + "_2"


def test_an_auto_id_key_is_named_id_unless_the_name_is_taken():
    assert new_key_name(()) == "id"
    assert new_key_name({"id"}) == "auto_id"
    assert new_key_name({"id", "auto_id", "auto_id_2"}) == "auto_id_3"


def test_a_joined_key_is_not_called_auto_id():
    assert new_key_name((), is_joined=True) == "id"
    assert new_key_name({"id", "key"}, is_joined=True) == "key_2"


def test_duplicates_are_the_names_that_occur_twice():
    assert duplicates(["a", "b", "a", "c", "a"]) == {"a"}


@given(st.text(max_size=600), st.sets(st.text(max_size=8), max_size=5))
def test_a_suggestion_is_always_legal_and_free_and_stable(name, taken):
    for of in ("field", "collection", "partition"):
        first = suggest(name, taken, of)
        assert name_problem(first, of) is None
        assert len(first.encode()) <= MAX_BYTES
        assert first not in taken
        assert suggest(first, taken, of) == first
        if name_problem(name, of) is None and name not in taken:
            assert first == name


@given(st.text("ab_", min_size=1, max_size=3), st.integers(0, 12))
def test_repeated_suggestions_are_all_different(name, rounds):
    taken: set[str] = set()
    for _ in range(rounds):
        taken.add(suggest(name, taken))
    assert len(taken) == rounds
