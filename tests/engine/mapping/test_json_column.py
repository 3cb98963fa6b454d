"""Opened columns: keys become fields, the rest goes into the dynamic field, and nothing is lost."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.mapping.json_column import OpenedColumn
from migrations_app.engine.model.json.documents import MAX_DEPTH
from tests.engine.mapping.mappings import applied, array, codes, dynamic, mapping_of, text
from tests.engine.model.json.test_documents import DOCUMENTS, exactly


def opened(*fields, **options):
    return mapping_of(*fields, **{"open": ["m"]} | options)


def key(path, type_, **options):
    """Return a field for a document key, named like the last part of its path."""
    return {"source": f"m.{path}", "target": path.split(".")[-1], "type": type_, "nullable": True} | options


def metas(mapped):
    return mapped.rows.column("$meta").to_pylist()


# ---------------------------------------------------------------- fields and the rest


def test_keys_become_fields_and_the_rest_goes_into_the_dynamic_field():
    mapping = opened(
        key("price", "DOUBLE"),
        key("lang", "VARCHAR", max_length=8),
        key("tags", "ARRAY", element_type="VARCHAR", max_capacity=4, max_length=8),
        key("size", "JSON"),
        key("is_new", "BOOL"),
        key("owner.id", "INT64", target="owner_id"),
    )
    document = {
        "price": 9.5,
        "lang": "de",
        "tags": ["a", "b"],
        "size": {"w": 1},
        "is_new": True,
        "owner": {"id": 7, "name": "Ida"},
        "note": "hello",
    }
    mapped = applied(mapping, m=[json.dumps(document), '{"owner": {"id": 8}}', None])
    assert mapped.rejected == ()
    first, second, third = mapped.rows.to_pylist()
    assert (first["price"], first["lang"], first["tags"], first["is_new"]) == (9.5, "de", ["a", "b"], True)
    assert (first["size"], first["owner_id"]) == ('{"w":1}', 7)
    assert json.loads(first["$meta"]) == {"owner": {"name": "Ida"}, "note": "hello"}
    assert (second["owner_id"], second["price"], second["$meta"]) == (8, None, "{}")
    assert (third["owner_id"], third["$meta"]) == (None, "{}")


def test_the_opened_column_is_read_once_even_if_it_is_used_several_times():
    whole = {"source": "m", "target": "m", "type": "JSON", "nullable": True}
    mapping = opened(whole, key("price", "DOUBLE"), dynamic("m2", "JSON"))
    assert [(c.path, c.spec.type) for c in mapping.read_plan.columns] == [
        ("id", "INT64"), ("v", "FLOAT_VECTOR"), ("m", "JSON"), ("m2", "JSON")
    ]  # fmt: skip
    [row] = applied(mapping, m=['{"price": 1.50, "x": 2}'], m2=['{"y": 1}']).rows.to_pylist()
    assert (row["m"], row["price"], row["$meta"]) == ('{"price": 1.50, "x": 2}', 1.5, '{"m2":{"y": 1},"x":2}')


def test_null_keys_stay_null_and_missing_keys_stay_missing_in_the_dynamic_field():
    mapped = applied(opened(), m=['{"a": null, "b": {"c": null}}', "{}", None, " null "])
    assert metas(mapped) == ['{"a":null,"b":{"c":null}}', "{}", "{}", "{}"]


@pytest.mark.parametrize(
    ("options", "value"),
    [({}, None), ({"fill_null": 5}, 5), ({"default": 6}, 6), ({"default": 6, "fill_null": 5}, 5)],
)
def test_null_and_missing_keys_are_the_same_in_a_field(options, value):
    mapped = applied(opened(key("n", "INT32", **options)), m=['{"n": null}', "{}", None, '{"n": 1}'])
    assert mapped.rows.column("n").to_pylist() == [value, value, value, 1]


def test_rows_with_null_or_missing_keys_are_rejected_if_the_field_is_not_nullable():
    mapped = applied(opened(key("n", "INT32", nullable=False)), m=['{"n": null}', "{}", None, '{"n": 1}'])
    assert codes(mapped) == [(f"row {n}", "m.n", "null") for n in range(3)]


def test_every_number_of_the_rest_keeps_its_digits():
    text = '{"a":[12345678901234567890123,1.10],"b":1e2,"c":{"d":0.1000000000000000055,"e":[-0.0,-0]}}'
    assert metas(applied(opened(), m=[text])) == [text]


def test_the_last_of_equal_keys_in_a_document_wins():
    [row] = applied(
        opened(key("a", "INT64")), m=['{"a": 1, "b": 1, "a": 2, "b": {"c": 1}, "b": 3}']
    ).rows.to_pylist()
    assert (row["a"], row["$meta"]) == (2, '{"b":3}')


def test_the_rest_is_dropped_if_the_plan_says_so():
    mapping = opened(key("a", "INT64"), {"source": "m.k", "dynamic": True, "as": "kept"}, rest="drop")
    mapped = applied(mapping, m=['{"a": 1, "b": 2, "k": 3, "v": 4}', "{}"])
    assert (mapped.rows.column("a").to_pylist(), metas(mapped)) == ([1, None], ['{"kept":3}', "{}"])


def test_without_a_dynamic_field_the_rest_is_dropped_even_from_a_large_document():
    mapping = opened(key("a", "INT64"), rest="drop", dynamic_field=False)
    mapped = applied(mapping, m=['{"a": 1, "text": "%s"}' % ("x" * 10**6)])
    assert (mapped.rows.schema.names, mapped.rows.column("a").to_pylist()) == (["id", "v", "a"], [1])


def test_a_key_is_moved_unchanged_under_another_name():
    mapping = opened({"source": "m.t", "dynamic": True, "as": "t_of_m"}, text())
    mapped = applied(mapping, m=['{"t": 1.10, "x": 1}', '{"t": null}', "{}"], t=["a"] * 3)
    assert metas(mapped) == ['{"x":1,"t_of_m":1.10}', '{"t_of_m":null}', "{}"]


def test_a_column_named_like_a_path_is_a_column():
    column = {"source": "m.a", "target": "n", "type": "INT64", "column": True}
    [row] = applied(opened(column), m=['{"a": 2}'], **{"m.a": [1]}).rows.to_pylist()
    assert (row["n"], row["$meta"]) == (1, '{"a":2}')


# ---------------------------------------------------------------- type mismatches


MISMATCHES = ['{"n": 1}', '{"n": "x"}', '{"n": 1.5, "o": 1}', '{"n": 9223372036854775808}']


def test_a_type_mismatch_is_rejected_with_the_value_in_the_reason():
    mapped = applied(opened(key("n", "INT64")), m=MISMATCHES)
    assert codes(mapped) == [(f"row {n}", "m.n", "misfit") for n in (1, 2, 3)]
    assert [r.reason for r in mapped.rejected] == [
        '“m.n” is "x", which is not a number.',
        "“m.n” is 1.5, which is not a whole number.",
        "“m.n” is 9223372036854775808, which does not fit INT64: -9,223,372,036,854,775,808 to "
        "9,223,372,036,854,775,807.",
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["{}", '{"n":"x"}', '{"n":1.5,"o":1}', '{"n":9223372036854775808}']),
        ({"rest": "drop"}, ["{}", '{"n":"x"}', '{"n":1.5}', '{"n":9223372036854775808}']),
    ],
)
def test_a_type_mismatch_stays_under_its_key_in_the_dynamic_field_if_the_plan_says_so(options, expected):
    mapping = opened(key("n", "INT64", target="number", misfit="dynamic"), **options)
    mapped = applied(mapping, m=MISMATCHES)
    assert mapped.rows.column("number").to_pylist() == [1, None, None, None]
    assert metas(mapped) == expected


@pytest.mark.parametrize("rest", ["dynamic", "drop"])
def test_a_type_mismatch_of_a_nested_key_stays_there_or_goes_under_another_name(rest):
    documents = ['{"a": {"n": "x", "o": 1}}', '{"a": {"n": 2}}']
    mapped = applied(opened(key("a.n", "INT64", target="b", misfit="dynamic"), rest=rest), m=documents)
    kept = '{"a":{"n":"x","o":1}}' if rest == "dynamic" else '{"a":{"n":"x"}}'
    assert metas(mapped) == [kept, "{}"]
    mapped = applied(opened(key("a.n", "INT64", misfit="dynamic", **{"as": "odd"}), rest=rest), m=documents)
    kept = '{"a":{"o":1},"odd":"x"}' if rest == "dynamic" else '{"odd":"x"}'
    assert metas(mapped) == [kept, "{}"]


@pytest.mark.parametrize("rest", ["dynamic", "drop"])
def test_type_mismatches_in_one_object_stay_together(rest):
    fields = [key(f"a.{name}", "INT64", target=name, misfit="dynamic") for name in ("n", "o")]
    mapped = applied(
        opened(*fields, rest=rest), m=['{"a": {"n": "x", "o": "y"}}', '{"a": {"n": 1, "o": "z"}}']
    )
    assert mapped.rejected == ()
    assert metas(mapped) == ['{"a":{"n":"x","o":"y"}}', '{"a":{"o":"z"}}']


@pytest.mark.parametrize("order", [1, -1])
def test_a_key_and_a_key_nested_in_it_are_both_moved_completely_in_any_order(order):
    moves = [dynamic("m.a", None, "a"), dynamic("m.a.n", None, "n")][::order]
    mapped = applied(
        opened(*({k: v for k, v in m.items() if k != "type"} for m in moves)), m=['{"a": {"n": 1}}']
    )
    assert [json.loads(meta) for meta in metas(mapped)] == [{"a": {"n": 1}, "n": 1}]


def key_with_mismatch_name(path, type_, **options):
    """Return a key whose type mismatches go into the dynamic field under another name."""
    return key(path, type_, misfit="dynamic", **options) | {"as": f"{path}2"}


def test_every_other_value_that_a_field_refuses_is_a_type_mismatch_too():
    fields = (
        key("t", "VARCHAR", max_length=2, misfit="dynamic", **{"as": "t2"}),
        key(
            "a", "ARRAY", element_type="INT64", max_capacity=1, misfit="dynamic", **{"as": "a2"}, fill_null=[]
        ),
        key("j", "JSON", misfit="dynamic", **{"as": "j2"}),
    )
    mapped = applied(opened(*fields), m=['{"t": "abc", "a": [1, 2], "j": 3}', '{"a": [null], "j": [1]}'])
    assert mapped.rejected == ()
    assert mapped.rows.select(["t", "a", "j"]).to_pylist() == [
        {"t": None, "a": [], "j": None},
        {"t": None, "a": [], "j": "[1]"},
    ]
    assert metas(mapped) == ['{"t2":"abc","a2":[1,2],"j2":3}', '{"a2":[null]}']


def test_texts_of_a_key_are_cut_and_counted_if_the_plan_says_so():
    mapping = opened(key_with_mismatch_name("t", "VARCHAR", max_length=3, too_long="truncate"))
    mapped = applied(mapping, m=['{"t": "abcé"}', '{"t": "ab"}', '{"t": 1}', '{"t": "aéé"}'])
    assert mapped.rows.column("t").to_pylist() == ["abc", "ab", None, "aé"]
    assert (mapped.cut, metas(mapped)) == (2, ["{}", "{}", '{"t2":1}', "{}"])


# ---------------------------------------------------------------- documents that cannot be moved


def test_only_objects_are_opened():
    mapped = applied(opened(), m=["[1]", '"a"', "3", "true", "-1", "{}"])
    assert codes(mapped) == [(f"row {n}", "m", "opened_not_object") for n in range(5)]
    assert mapped.rejected[0].reason == "“m” is a list; only the keys of an object can be opened."


def test_a_key_of_the_dynamic_field_must_not_hide_a_field_or_another_key():
    mapping = opened(text(), dynamic("note", "VARCHAR"), open=["m", "n"])
    mapped = applied(
        mapping,
        m=['{"t": 1}', '{"$meta": 1}', '{"note": 1}', '{"x": 1}', '{"id": 1}', "{}"],
        n=["{}", "{}", "{}", '{"x": 2}', "{}", '{"x": 2}'],
        note=["n"] * 6,
        t=["a"] * 6,
    )
    assert codes(mapped) == [(f"row {n}", "n" if n == 3 else "m", "dynamic_key_taken") for n in range(5)]
    assert "“t” of “m”" in mapped.rejected[0].reason
    assert metas(mapped) == ['{"note":"n","x":2}']


def test_a_key_of_the_dynamic_field_must_not_hide_an_auto_id_key():
    mapped = applied(opened(key="auto", key_name="pk"), m=['{"pk": 1}', '{"x": 1}'])
    assert codes(mapped) == [("row 0", "m", "dynamic_key_taken")]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ('{"a": "\\ud800"}', "json_surrogate"),
        ('{"a": ' + "9" * 400 + "}", "json_number"),
        ('{"a": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", "json_too_deep"),
        ('{"a": ' + "[" * 40_000 + "]" * 40_000 + "}", "json_too_deep"),
    ],
)
def test_documents_that_milvus_cannot_store_are_rejected(document, code):
    mapped = applied(opened(key("b", "INT64")), m=[document, '{"b": 1}'])
    assert codes(mapped) == [("row 0", "m", code)]
    assert mapped.rows.column("b").to_pylist() == [1]


def test_a_deep_document_is_moved():
    inner = "[" * (MAX_DEPTH - 1) + "1.10" + "]" * (MAX_DEPTH - 1)
    assert metas(applied(opened(), m=['{"a": ' + inner + "}"])) == ['{"a":' + inner + "}"]


def test_documents_too_large_for_the_dynamic_field_are_rejected():
    mapped = applied(opened(), m=['{"a": "%s"}' % ("x" * 65_536), '{"a": "%s"}' % ("x" * 65_528)])
    assert codes(mapped) == [("row 0", "$meta", "dynamic_too_large")]


# ---------------------------------------------------------------- nothing is lost


TYPES = ["INT64", "DOUBLE", "BOOL", "VARCHAR", "JSON", "ARRAY"]


@st.composite
def plans(draw):
    names = draw(st.lists(st.sampled_from("ab"), unique=True, max_size=2))
    fields = []
    for name in names:
        type_ = draw(st.sampled_from(TYPES))
        field = key(name, type_, target=f"f_{name}", misfit=draw(st.sampled_from(["reject", "dynamic"])))
        if type_ == "VARCHAR":
            field |= {"max_length": draw(st.integers(1, 20))}
        if type_ == "ARRAY":
            field |= {"element_type": "INT64", "max_capacity": 2}
        if field["misfit"] == "dynamic" and draw(st.booleans()):
            field |= {"as": f"odd_{name}"}
        fields.append(field)
    return opened(*fields)


@given(plans(), st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_the_fields_and_the_rest_together_give_the_document(mapping, documents):
    mapped = applied(mapping, m=documents)
    assert mapped.rows.num_rows + len(mapped.rejected) + mapped.skipped + mapped.collapsed == len(documents)
    assert {r.code for r in mapped.rejected} <= {"misfit", "too_long", "too_many_items", "json_not_object"}
    column = next(c for c in mapping.columns if isinstance(c, OpenedColumn))
    for locator, row in zip(mapped.locators.to_pylist(), mapped.rows.to_pylist(), strict=True):
        rebuilt = exactly(row["$meta"])
        for fixed in column.fixed:
            value, name = row[fixed.target.name], fixed.parts[0]
            if value is not None:
                is_json = fixed.target.spec.type == "JSON"
                rebuilt[name] = exactly(value) if is_json else value
            elif fixed.mismatch_key and fixed.mismatch_key in rebuilt:
                rebuilt[name] = rebuilt.pop(fixed.mismatch_key)
        given_document = exactly(documents[int(locator.split()[1])])
        nulls = {f.parts[0] for f in column.fixed if given_document.get(f.parts[0], 0) is None}
        assert rounded(rebuilt) == rounded({k: v for k, v in given_document.items() if k not in nulls})


def rounded(value):
    """Round fractions to doubles, as fields store them; whole numbers stay exact."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, (float, Decimal)) and value != int(value):
        return float(value)
    return value


@given(st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_opened_documents_arrive_exactly(documents):
    mapped = applied(opened(), m=documents)
    assert [exactly(meta) for meta in metas(mapped)] == [exactly(document) for document in documents]


# ---------------------------------------------------------------- added fields


def added(name, type_, **options):
    return {"added": True, "target": name, "type": type_} | options


def test_an_added_field_has_its_value_in_each_row():
    mapping = mapping_of(
        added("batch", "VARCHAR", max_length=8, default="2026"),
        added("n", "INT32", fill_null=7),
        added("later", "DOUBLE", nullable=True),
        array(),
        added("tags", "ARRAY", element_type="VARCHAR", max_capacity=2, max_length=3, fill_null=["a"]),
    )
    assert [c.path for c in mapping.read_plan.columns] == ["id", "v", "a"]
    batch, n, later = mapping.target.fields[2:5]
    assert (batch.default, n.default, later.default) == ("2026", None, None)
    assert (batch.nullable, n.nullable, later.nullable) == (False, False, True)
    mapped = applied(mapping, a=[[1], [2]])
    assert mapped.rows.schema == mapping.target.arrow_schema()
    assert mapped.rows.select(["batch", "n", "later", "tags"]).to_pylist() == 2 * [
        {"batch": "2026", "n": 7, "later": None, "tags": ["a"]}
    ]
