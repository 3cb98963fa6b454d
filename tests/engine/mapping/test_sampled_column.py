"""Sampled column: values that fit become the field, the others go into the dynamic field, exactly."""

import json

import pytest

from tests.engine.mapping.mappings import applied, codes, mapping_of


def sampled(type_, **options):
    field = {"source": "tags", "target": "tags", "type": type_, "misfit": "dynamic", "as": "tags_misfit"}
    return mapping_of(field | {"nullable": True} | options)


@pytest.mark.parametrize(
    ("type_", "options", "good", "odd"),
    [
        ("VARCHAR", {"max_length": 3}, ['"a"', '"ü"'], ['"four"', "1", '["a"]', '{"a": 1}', "true"]),
        ("INT64", {}, ["1", "-9223372036854775808"], ["1.5", "9223372036854775808", '"1"', "[1]", "false"]),
        ("DOUBLE", {}, ["1.0", "1.5"], ["9007199254740993", '"1"', "[1.5]"]),
        ("BOOL", {}, ["true", "false"], ["0", '"true"', "[true]"]),
        (
            *("ARRAY", {"element_type": "VARCHAR", "max_length": 3, "max_capacity": 2}),
            ['["a", "b"]', "[]"],
            ['"a"', '["a", null]', '["a", "b", "c"]', "[1]"],
        ),
    ],
)
def test_a_value_that_does_not_fit_goes_into_the_dynamic_field_unchanged(type_, options, good, odd):
    texts = [*good, *odd, "null", None]
    mapped = applied(sampled(type_, **options), tags=texts)
    assert (mapped.rejected, mapped.rows.num_rows) == ((), len(texts))
    fields, dynamic = (mapped.rows.column(name).to_pylist() for name in ("tags", "$meta"))
    assert [json.dumps(value, ensure_ascii=False) for value in fields[: len(good)]] == good
    assert fields[len(good) :] == [None] * (len(odd) + 2)
    kept = [f'{{"tags_misfit":{text.replace(": ", ":").replace(", ", ",")}}}' for text in odd]
    assert dynamic == [*["{}"] * len(good), *kept, "{}", "{}"]


def test_without_the_rule_the_source_delivers_the_type_and_decides_what_fits():
    mapping = mapping_of({"source": "tags", "target": "tags", "type": "INT64"})
    assert mapping.read_plan.columns[-1].spec.type == "INT64"
    assert sampled("INT64").read_plan.columns[-1].spec.type == "JSON"


def test_a_key_of_a_document_may_not_take_the_place_of_a_mismatch():
    field = {
        "source": "tags",
        "target": "t",
        "type": "INT64",
        "misfit": "dynamic",
        "as": "a",
        "nullable": True,
    }
    mapped = applied(mapping_of(field, open=["m"]), tags=['"x"', "1"], m=['{"a": 1}', '{"a": 1}'])
    assert codes(mapped) == [("row 0", "m", "dynamic_key_taken")]
