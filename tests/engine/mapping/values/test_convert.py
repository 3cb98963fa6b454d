"""Values of documents as columns: exactly, or as findings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.mapping.values.convert import convert_values
from migrations_app.engine.model.json.documents import find, members
from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type
from tests.engine.model.json.test_documents import VALUES

T = MilvusType


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
