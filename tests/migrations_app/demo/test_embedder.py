"""Embedder of the demo: turns texts into vectors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.demo.embedder import DIMENSIONS, embed


@given(st.lists(st.text(), max_size=5))
def test_every_text_gets_one_row_of_unit_length(texts):
    vectors = embed(texts)
    assert vectors.shape == (len(texts), DIMENSIONS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_the_same_text_gets_the_same_vector_in_every_process():
    (vector,) = embed(["Open a file and return a stream"])
    assert vector.nonzero()[0].tolist() == [14, 135, 264, 289, 310, 338]


def test_texts_that_share_words_are_nearer_than_texts_that_do_not():
    query, near, far = embed(["read a csv file", "csv file reader: read rows", "colour of the sky"])
    assert query @ near > query @ far
