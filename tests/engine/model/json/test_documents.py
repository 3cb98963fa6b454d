"""JSON documents: they are split and put together again without losing a value or a digit."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orjson import Fragment

from migrations_app.engine.model.json.documents import (
    MAX_DEPTH,
    MISSING,
    TooDeep,
    find,
    members,
    place,
    remove,
    to_json,
)
from migrations_app.engine.model.key_paths import OpenedPath, opened_path, parse_path, path_of

KEYS = st.text('ab.é"\\\n ', max_size=3)
FRACTIONS = st.from_regex(r"-?(0|[1-9][0-9]{0,20})\.[0-9]{1,20}([eE][+-]?[0-9]{1,2})?", fullmatch=True)
NUMBERS = st.integers(-(10**25), 10**25).map(str) | FRACTIONS
SCALARS = st.one_of(NUMBERS, st.sampled_from(["null", "true", "false"]), st.text(max_size=5).map(json.dumps))
BLANKS = st.sampled_from(["", " ", "\n\t "])


@st.composite
def json_texts(draw, inner):
    """A list or object of such texts, with any blanks and possibly with equal keys."""
    space = draw(BLANKS)
    if draw(st.booleans()):
        return f"[{space}{f',{space}'.join(draw(st.lists(inner, max_size=3)))}]"
    return object_of(draw(st.lists(st.tuples(KEYS, inner), max_size=4)), space)


def object_of(pairs, space):
    return "{" + space + ",".join(f"{json.dumps(k)}{space}:{v}{space}" for k, v in pairs) + "}" + space


VALUES = st.recursive(SCALARS, json_texts, max_leaves=12)
DOCUMENTS = st.builds(object_of, st.lists(st.tuples(KEYS, VALUES), max_size=5), BLANKS)


def exactly(text):
    """Parse a text and keep all digits of its numbers."""
    return json.loads(text, parse_float=Decimal)


# ---------------------------------------------------------------- documents


@given(DOCUMENTS)
def test_a_document_is_written_as_it_was_read(text):
    assert exactly(to_json(members(text.encode()))) == exactly(text)


@given(DOCUMENTS, st.lists(st.lists(KEYS, min_size=1, max_size=3), max_size=4))
def test_the_removed_values_and_the_rest_together_give_the_document(text, paths):
    document = members(text.encode())
    taken = {}
    for path in paths:
        value = find(document, path, MISSING)
        if value is not MISSING:
            taken[tuple(path)] = to_json(value)
            remove(document, path)
            assert find(document, path, MISSING) is MISSING
    for path, value in reversed(taken.items()):
        is_object = value.startswith(b"{")
        place(document, path, members(value) if is_object else Fragment(value))
    assert exactly(to_json(document)) == exactly(text)


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "null",
        '"a"',
        "3",
        "",
        "{",
        '{"a"}',
        '{"a":}',
        '{"a" 1}',
        '{"a":1,}',
        '{"a":1}x',
        "{1:2}",
        '{"a":NaN}',
    ],
)
def test_a_text_that_is_not_an_object_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 (the caller writes the message)
        members(text.encode())


def test_objects_that_become_empty_are_removed_and_originally_empty_ones_stay():
    document = members(b'{"a": {"b": {"c": 1}, "d": {}}, "e": {"f": 1.10}}')
    for path in (["a", "b", "c"], ["e", "f"], ["a", "x", "y"], ["z"]):
        remove(document, path)
    assert to_json(document) == b'{"a":{"d":{}}}'


@pytest.mark.parametrize("number", ["1", "1.10"])
def test_a_document_can_be_written_up_to_the_maximum_depth(number):
    def nested(levels):
        return '{"a":' + "[" * (levels - 1) + number + "]" * (levels - 1) + "}"

    assert to_json(members(nested(MAX_DEPTH).encode())).decode() == nested(MAX_DEPTH)
    for levels in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(TooDeep):
            members(nested(levels).encode())


# ---------------------------------------------------------------- paths


@given(st.lists(st.text('a."é ', max_size=4), min_size=1, max_size=4))
def test_a_path_is_read_as_it_was_written(parts):
    assert parse_path(path_of(parts)) == tuple(parts)


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", 'a."b', 'a."b"c', '"a"b'])
def test_a_text_that_is_not_a_path_gives_none(path):
    assert parse_path(path) is None


def test_a_path_must_begin_with_an_opened_column():
    opened = ("m", "my.meta")
    assert opened_path("m.a.b", opened) == OpenedPath("m", ("a", "b"))
    assert opened_path('"my.meta"."x.y"', opened) == OpenedPath("my.meta", ("x.y",))
    assert [opened_path(path, opened) for path in ("m", "n.a", "my.meta.a", None)] == [None] * 4
