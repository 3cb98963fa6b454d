"""JSON checks: valid JSON that Milvus cannot store is rejected with the reason."""

import json

import pyarrow as pa
import pytest

from migrations_app.engine.mapping.checks.json_checks import MAX_JSON_DEPTH, check_json_text
from tests.engine.mapping.mappings import applied, codes, mapping_of


def found(*texts):
    return {
        int(row): finding.code
        for finding in check_json_text(pa.array(texts, pa.string()), "j")
        for row in finding.rows
    }


def nested(levels, opening='{"a":', closing="}"):
    return opening * levels + "1" + closing * levels


@pytest.mark.parametrize(
    "text",
    [
        r'{"k": "\ud800"}',
        r'{"k": "\uDC00\uD800"}',
        r'{"\udfff": 1}',
        r'{"k": "\\\ud83d x"}',
        r'{"k": "\ud83d\ud83d\ude00"}',
    ],
)
def test_half_a_surrogate_pair_is_found(text):
    assert found(None, text, "{}") == {1: "json_surrogate"}


@pytest.mark.parametrize(
    "text",
    [r'{"k": "\ud83d\ude00"}', r'{"k": "\\ud800"}', r'{"k": "\\\\ud800 \u0064"}', r'{"k": "\ud83D\uDE00\n"}'],
)
def test_complete_pairs_and_escaped_backslashes_are_accepted(text):
    json.loads(text)["k"].encode()
    assert found(text) == {}


@pytest.mark.parametrize(
    "number", ["1e400", "-1E+999", "1" + "0" * 400, "-" + "9" * 309 + ".5", "1.5e0309", "1" * 211 + "e99"]
)
def test_a_number_too_large_for_a_double_is_found(number):
    assert found(f'{{"a": [0, {number}]}}', number) == {0: "json_number", 1: "json_number"}


@pytest.mark.parametrize(
    "value", ["1e308", "1e-400", '"1e400"', '": 1e400"', "1" + "0" * 300, "12345678901234567890"]
)
def test_rounded_numbers_and_numbers_in_texts_are_accepted(value):
    assert found(f'{{"a": {value}}}') == {}


def test_nesting_is_counted_only_outside_of_texts():
    assert found(
        nested(MAX_JSON_DEPTH), nested(MAX_JSON_DEPTH + 1), nested(MAX_JSON_DEPTH + 1, "[", "]")
    ) == {
        1: "json_too_deep",
        2: "json_too_deep",
    }
    brackets = "[{" * MAX_JSON_DEPTH
    assert found(json.dumps({"text": brackets}), json.dumps([[]] * MAX_JSON_DEPTH * 2)) == {}


@pytest.mark.parametrize("field", [{"target": "j"}, {"dynamic": True, "as": "j"}], ids=["field", "dynamic"])
def test_rows_with_such_json_are_rejected_and_the_others_are_moved(field):
    mapping = mapping_of({"source": "j", "type": "JSON", **field})
    mapped = applied(mapping, j=["{}", r'{"k": "\ud800"}', '{"k": 1e400}', nested(5000), '{"k": 1}'])
    assert codes(mapped) == [
        ("row 1", "j", "json_surrogate"),
        ("row 2", "j", "json_number"),
        ("row 3", "j", "json_too_deep"),
    ]
    assert mapped.rows.num_rows == 2
