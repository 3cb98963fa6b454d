"""JSON documents: they are split and put together again without losing a value or a digit."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orjson import Fragment

from migrations_app.engine.mapping.values.convert import convert_values
from migrations_app.engine.model.json_documents import (
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
from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type

T = MilvusType
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


# ---------------------------------------------------------------- values


def converted(texts, spec):
    """Convert JSON values to a type; return the values and the reasons of the type mismatches."""
    document = members(("{" + ",".join(f'"{n}":{text}' for n, text in enumerate(texts)) + "}").encode())
    column, found = convert_values([find(document, [str(n)]) for n in range(len(texts))], spec, "m.x")
    column.validate(full=True)
    assert column.type == arrow_type(spec)
    return column.to_pylist(), [finding.reason(row) for finding in found for row in finding.rows.tolist()]


INT64, DOUBLE = TypeSpec(T.INT64), TypeSpec(T.DOUBLE)
ARRAY = TypeSpec(T.ARRAY, element_type=T.INT64, max_capacity=9)


@pytest.mark.parametrize(
    ("spec", "texts", "values"),
    [
        (INT64, ["-9223372036854775808", "9223372036854775807", "null"], [-(2**63), 2**63 - 1, None]),
        (INT64, ["1.0", "1e3", "9007199254740993.0", "12.50e1"], [1, 1000, 9007199254740993, 125]),
        (TypeSpec(T.INT8), ["-128", "127"], [-128, 127]),
        (DOUBLE, ["1", "0.1", "-0.0", "9007199254740992"], [1.0, 0.1, -0.0, 2.0**53]),
        (DOUBLE, ["100000000000000000000000"], [1e23]),
        (DOUBLE, ["0.1000000000000000055511151231257827"], [0.1]),
        (TypeSpec(T.FLOAT), ["0.5", "16777216"], [0.5, 2.0**24]),
        (TypeSpec(T.BOOL), ["true", "false", "null"], [True, False, None]),
        (TypeSpec(T.VARCHAR), ['"a"', '"\\u00e9\\n"', '""'], ["a", "é\n", ""]),
        (TypeSpec(T.JSON), ['{"a": 1.10}', "[1,  2]", "null"], ['{"a":1.10}', "[1,2]", None]),
        (ARRAY, ["[1, 2]", "[]", "null", "[3.0]"], [[1, 2], [], None, [3]]),
        (TypeSpec(T.ARRAY, element_type=T.VARCHAR), ['["a", "b"]'], [["a", "b"]]),
    ],
)
def test_a_value_arrives_exactly(spec, texts, values):
    assert repr(converted(texts, spec)) == repr((values, []))


@pytest.mark.parametrize(
    ("spec", "text", "words"),
    [
        (INT64, "9223372036854775808", "does not fit INT64"),
        (INT64, "1.5", "is not a whole number"),
        (INT64, "9007199254740992.5", "is not a whole number"),
        (INT64, '"1"', "is not a number"),
        (INT64, "true", "is not a number"),
        (TypeSpec(T.INT32), "2147483648", "does not fit INT32"),
        (DOUBLE, "9007199254740993", "a DOUBLE would round"),
        (DOUBLE, '"0.5"', "is not a number"),
        (DOUBLE, "false", "is not a number"),
        (TypeSpec(T.FLOAT), "16777217", "a FLOAT would round"),
        (TypeSpec(T.FLOAT), "1e39", "is too large for a FLOAT"),
        (TypeSpec(T.FLOAT), "-3.4028236e38", "is too large for a FLOAT"),
        (TypeSpec(T.BOOL), "1", "is neither true nor false"),
        (TypeSpec(T.VARCHAR), "12", "is not text"),
        (TypeSpec(T.VARCHAR), '{"a": 1.10}', "is not text"),
        (ARRAY, "1", "is not a list"),
        (ARRAY, "[1, null]", "has an element that is null"),
        (ARRAY, '[1, "a"]', "has an element that is not a number"),
        (ARRAY, "[[1]]", "has an element that is not a number"),
    ],
)
def test_a_value_that_its_type_cannot_hold_is_a_type_mismatch(spec, text, words):
    values, reasons = converted(["null", text], spec)
    assert values == [None, None]
    assert len(reasons) == 1
    assert reasons[0].startswith("“m.x” is ")
    assert words in reasons[0]


def test_the_usual_short_form_of_the_largest_float_is_accepted():
    values, reasons = converted(["-3.4028235e38"], TypeSpec(T.FLOAT))
    assert (values, reasons) == ([-3.4028234663852886e38], [])


@given(
    st.lists(VALUES, max_size=5),
    st.sampled_from([TypeSpec(t) for t in (T.INT64, T.INT8, T.DOUBLE, T.VARCHAR, T.BOOL)] + [ARRAY]),
)
def test_a_type_mismatch_does_not_change_the_other_values(texts, spec):
    together, reasons = converted(texts, spec)
    alone = [converted([text], spec) for text in texts]
    assert repr(together) == repr([values[0] for values, _ in alone])
    assert len(reasons) == sum(len(found) for _, found in alone)


@pytest.mark.parametrize(
    ("number", "whole", "double"),
    [
        ("1e-99999999999999999999", None, 0.0),
        ("-1E-99999999999999999999", None, -0.0),
        ("0e99999999999999999999", 0, 0.0),
        (str(2**60), 2**60, 2.0**60),
        ("-9223372036854775808", -(2**63), -(2.0**63)),
        ("9007199254740993", 9007199254740993, None),
    ],
)
def test_numbers_near_zero_and_above_53_bits_are_accepted_if_the_type_can_hold_them(number, whole, double):
    value = members(f'{{"k": {number}}}'.encode())["k"]
    for type_, expected in ((T.INT64, whole), (T.DOUBLE, double)):
        column, found = convert_values([value], TypeSpec(type_), "k")
        assert column.to_pylist() == [expected]
        assert bool(found) == (expected is None)
