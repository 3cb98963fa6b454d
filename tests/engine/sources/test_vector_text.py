"""Vectors written as text."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.sources.vector_text import parse_vectors, usual_dim

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.none() | st.lists(FLOATS, min_size=3, max_size=3)), st.sampled_from(["[1]", "1", ", "]))
def test_lists_of_numbers_are_parsed_exactly(rows, form):
    texts = [None if row is None else json.dumps(row) for row in rows]
    if form == "1":
        texts = [text and text.strip("[]").replace(" ", "") for text in texts]
    parsed = parse_vectors(pa.array(texts, pa.string()), 3)
    assert parsed.fits.tolist() == [row is not None for row in rows]
    expected = np.array([row for row in rows if row is not None], np.float32).ravel()
    assert parsed.numbers.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "text",
    [
        *("[1,2]", "[1,2,3,4]", "[1,2,3", "1,2,3]", "[1 2,3]", ",1 2,3", "1,,2 3", "[[1,2,3]]", "[1],[2],3"),
        *("", "[]", "null", "1,2,x", "1,2,3x", '["1","2","3"]', "1,2,0x1", "(1,2,3)", "1,2,3,", "1;2;3"),
        *("[1,2],3[", "[1,2,3]]", "1,2,3 4", "[1,é,3]", "]1,2,3["),
    ],
)
def test_other_texts_do_not_fit(text):
    parsed = parse_vectors(pa.array(["[1,2,3]", text, " 4, 5,6e0 "]), 3)
    assert parsed.fits.tolist() == [True, False, True]
    assert parsed.numbers.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_part_of_a_column_is_parsed():
    column = pa.array(["x", "1,2", None, "3,4", "y"]).slice(1, 3)
    assert parse_vectors(column, 2).numbers.tolist() == [1, 2, 3, 4]


def test_the_usual_dimension_is_that_of_most_texts():
    texts = ["[1,2]", None, "3,4", "5,6,7", "a,b", "8"]
    assert usual_dim(pa.array(texts)) == (2, 2)
    for others in (["1"], ["a,b"], [None], []):
        assert usual_dim(pa.array(others, pa.string())) == (0, 0)
