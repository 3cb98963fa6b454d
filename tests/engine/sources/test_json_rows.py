"""JSON documents as rows: exact values or rejected rows, one trap after another, and a property over all."""

import json
from decimal import Decimal

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrations_app.engine.model.batch import ReadColumn, ReadPlan
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources.json_rows import (
    MISSING,
    JsonColumn,
    columns_of,
    read_answer,
    read_exactly,
    rows_of_documents,
    rows_of_texts,
)

T = MilvusType
BIG = 2**64 + 1
VECTOR = TypeSpec(T.FLOAT_VECTOR, dim=2)


def array_of(element):
    return TypeSpec(T.ARRAY, element_type=element, max_capacity=9)


def column(spec, *place, without=()):
    spec = spec if isinstance(spec, TypeSpec) else TypeSpec(spec)
    return JsonColumn(ReadColumn("v", spec), place or ("v",), frozenset(without))


def of_texts(spec, *texts):
    """The rows of documents with these texts as the value of ``v``."""
    documents = [f'{{"v":{text}}}'.encode() for text in texts]
    return checked(rows_of_texts([column(spec)], documents, numbered(documents)))


def of_answer(spec, *texts):
    """The same documents, decoded as one answer."""
    answer = ("[" + ",".join('{"v":' + text + "}" for text in texts) + "]").encode()
    documents = read_answer(answer)
    rows = rows_of_documents(
        [column(spec)], documents, numbered(documents), exact=lambda: read_exactly(answer)
    )
    return checked(rows)


def numbered(documents):
    return [f"line {number}" for number in range(1, len(documents) + 1)]


def checked(result):
    result.rows.validate(full=True)
    assert len(result.locators) == result.rows.num_rows
    return result


def values(result, name="v"):
    return result.rows.column(name).to_pylist()


BOTH = pytest.mark.parametrize("read", [of_texts, of_answer])


# ---------------------------------------------------------------- exact values


@BOTH
@pytest.mark.parametrize(
    ("spec", "texts", "expected"),
    [
        (T.INT64, ["-9223372036854775808", "9223372036854775807", "null"], [-(2**63), 2**63 - 1, None]),
        (T.INT64, ["9007199254740993"], [2**53 + 1]),
        (T.INT8, ["-128", "127"], [-128, 127]),
        (T.DOUBLE, ["1", "1.0", "0.1", "-0.0", "9007199254740992"], [1.0, 1.0, 0.1, -0.0, 2.0**53]),
        (T.DOUBLE, ["1e300", "18446744073709551616"], [1e300, 2.0**64]),
        (T.FLOAT, ["0.5", "16777216", "1"], [0.5, 2.0**24, 1.0]),
        (T.FLOAT, ["-3.4028235e38"], [-3.4028234663852886e38]),
        (T.BOOL, ["true", "false", "null"], [True, False, None]),
        (T.VARCHAR, ['"a"', '"\\u00e9\\n\\ud83e\\udd8a"', '""', "null"], ["a", "é\n🦊", "", None]),
        (T.VARCHAR, ["7", '"7a"', "-0", str(BIG), str(-BIG)], ["7", "7a", "0", str(BIG), str(-BIG)]),
        (array_of(T.INT64), ["[1,2]", "[]", "null", "[3]"], [[1, 2], [], None, [3]]),
        (array_of(T.FLOAT), ["[1,0.5]"], [[1.0, 0.5]]),
        (array_of(T.BOOL), ["[true]"], [[True]]),
        (array_of(T.VARCHAR), ['["a"]', f"[{BIG}]"], [["a"], [str(BIG)]]),
        (VECTOR, ["[1,0.5]", "null", "[-0.25,1e-3]"], [[1.0, 0.5], None, [-0.25, 0.0010000000474974513]]),
        (TypeSpec(T.FLOAT_VECTOR), ["[1]", "null", "[0.5,2]"], [[1.0], None, [0.5, 2.0]]),
        (TypeSpec(T.INT8_VECTOR, dim=2), ["[-128,127]", "null"], [[-128, 127], None]),
        (TypeSpec(T.FLOAT16_VECTOR, dim=2), ["[1,-2]", "null"], [b"\x00\x3c\x00\xc0", None]),
        (TypeSpec(T.BFLOAT16_VECTOR, dim=2), ["[1,-2]"], [b"\x80\x3f\x00\xc0"]),
        # Halfway between two bfloat16 numbers: the even one counts.
        (TypeSpec(T.BFLOAT16_VECTOR, dim=2), ["[1.00390625,1.01171875]"], [b"\x80\x3f\x82\x3f"]),
        (TypeSpec(T.BINARY_VECTOR, dim=16), ["[-1,1]", "[255,0]", "null"], [b"\xff\x01", b"\xff\x00", None]),
    ],
)
def test_a_value_arrives_exactly(read, spec, texts, expected):
    result = read(spec, *texts)
    assert repr(values(result)) == repr(expected)
    assert (result.rejected, result.missing) == ((), {})


@BOTH
def test_sparse_indices_become_ascending(read):
    result = read(
        T.SPARSE_FLOAT_VECTOR,
        '{"indices":[4294967295,0,7],"values":[1,-0.5,2.5]}',
        '{"indices":[],"values":[]}',
        "null",
        '{"values":[0.5],"indices":[3]}',
    )
    assert values(result) == [
        [{"index": 0, "value": -0.5}, {"index": 7, "value": 2.5}, {"index": 2**32 - 1, "value": 1.0}],
        [],
        None,
        [{"index": 3, "value": 0.5}],
    ]


@BOTH
def test_a_rejected_sparse_vector_leaves_its_neighbours_unchanged(read):
    bad = '{"indices":[5,5],"values":[1,2]}'
    result = read(T.SPARSE_FLOAT_VECTOR, '{"indices":[1],"values":[1]}', bad, '{"indices":[2],"values":[2]}')
    assert values(result) == [[{"index": 1, "value": 1.0}], [{"index": 2, "value": 2.0}]]


# ---------------------------------------------------------------- rejected rows


MISMATCHES = [
    (T.INT64, "1.0", "is 1.0, which is a float, not an integer"),
    (T.INT64, "1e3", "is a float, not an integer"),
    (T.INT64, "1.5", "is a float, not an integer"),
    (T.INT64, "true", "is true, which is not a number"),
    (T.INT64, '"1"', "is not a number"),
    (T.INT64, "9223372036854775808", "does not fit INT64"),
    (T.INT64, str(BIG), f"is {BIG}, which does not fit INT64"),
    (T.INT8, "128", "does not fit INT8"),
    (T.DOUBLE, "true", "is not a number"),
    (T.DOUBLE, "9007199254740993", "a DOUBLE would round"),
    (T.DOUBLE, str(BIG), f"is {BIG}, which a DOUBLE would round"),
    (T.DOUBLE, "-9223372036854775809", "is -9223372036854775809, which a DOUBLE would round"),
    (T.FLOAT, "true", "is not a number"),
    (T.FLOAT, "16777217", "a FLOAT would round"),
    (T.FLOAT, "1e39", "is too large for a FLOAT"),
    (T.FLOAT, str(BIG), f"is {BIG}, which a DOUBLE would round"),
    (T.BOOL, "1", "is neither true nor false"),
    (T.VARCHAR, "1.0", "is not text"),
    (T.VARCHAR, "true", "is not text"),
    (T.VARCHAR, "[]", "is not text"),
    (array_of(T.INT64), "[1,1.5]", "has an element that is 1.5, which is a float"),
    (array_of(T.INT64), "[1,true]", "has an element that is true, which is not a number"),
    (array_of(T.FLOAT), "[true]", "has an element that is true"),
    (array_of(T.DOUBLE), f"[0.5,{BIG}]", f"has an element that is {BIG}, which a DOUBLE would round"),
    (array_of(T.INT64), "[1,null]", "has an element that is null"),
    (array_of(T.INT64), "7", "is 7, which is not a list"),
    (VECTOR, "[0.5,true]", "has an element that is true, which is not a number"),
    (VECTOR, "[true,true]", "has an element that is true"),
    (VECTOR, '[0.5,"1"]', 'has an element that is "1", which is not a number'),
    (VECTOR, "[0.5,null]", "has an element that is null"),
    (VECTOR, "[[0.5,1]]", "has an element that is [0.5,1]"),
    (VECTOR, '"0.5,1"', "is not a list of numbers"),
    (TypeSpec(T.INT8_VECTOR, dim=2), "[1,1.0]", "has an element that is 1.0, which is not an integer"),
    (TypeSpec(T.INT8_VECTOR, dim=2), "[1,128]", "has an element that does not fit INT8_VECTOR"),
    (TypeSpec(T.BINARY_VECTOR, dim=16), "[256,1]", "has an element that does not fit BINARY_VECTOR"),
    (T.SPARSE_FLOAT_VECTOR, '{"indices":[1,1],"values":[1,2]}', "has the index 1 twice"),
    (T.SPARSE_FLOAT_VECTOR, '{"indices":[-1],"values":[1]}', "has the index -1"),
    (T.SPARSE_FLOAT_VECTOR, '{"indices":[4294967296],"values":[1]}', "has the index 4294967296"),
    (T.SPARSE_FLOAT_VECTOR, '{"indices":[1.0],"values":[1]}', "has the index 1.0"),
    (T.SPARSE_FLOAT_VECTOR, '{"indices":[true],"values":[1]}', "has the index true"),
    (T.SPARSE_FLOAT_VECTOR, '{"indices":[1],"values":[true]}', "has the value true"),
    (T.SPARSE_FLOAT_VECTOR, '{"indices":[1,2],"values":[1]}', "has 2 indices, but 1 values"),
    (T.SPARSE_FLOAT_VECTOR, "[1]", "is not an object with “indices” and “values”"),
]
OTHERS = [
    (VECTOR, "[0.5]", "dimension_mismatch", "has 1 dimensions; the field takes 2"),
    (VECTOR, "[]", "dimension_mismatch", "has 0 dimensions"),
    (VECTOR, "[0.5,1e39]", "not_finite", "a number that is too large"),
    (TypeSpec(T.FLOAT_VECTOR), "[1e39]", "not_finite", "a number that is too large"),
    (TypeSpec(T.FLOAT16_VECTOR, dim=2), "[1,65520]", "not_finite", "a number that is too large"),
    (TypeSpec(T.BFLOAT16_VECTOR, dim=2), "[1,3.4e38]", "not_finite", "a number that is too large"),
    (TypeSpec(T.BINARY_VECTOR, dim=16), "[1]", "dimension_mismatch", "has 8 dimensions; the field takes 16"),
    (T.SPARSE_FLOAT_VECTOR, '{"indices":[1],"values":[1e39]}', "not_finite", "too large"),
]
REJECTED = [(spec, text, "misfit", words) for spec, text, words in MISMATCHES] + OTHERS


@BOTH
@pytest.mark.parametrize(("spec", "text", "code", "words"), REJECTED)
def test_a_value_that_its_type_cannot_hold_is_one_rejected_row(read, spec, text, code, words):
    result = read(spec, "null", text, "null")
    assert values(result) == [None, None]
    assert result.locators.to_pylist() == ["line 1", "line 3"]
    (rejected,) = result.rejected
    assert (rejected.locator, rejected.field, rejected.code) == ("line 2", "v", code)
    assert rejected.reason.startswith("“v” ")
    assert words in rejected.reason
    assert "v" in json.loads(rejected.row)


@pytest.mark.parametrize("spec", [T.INT64, T.DOUBLE, T.FLOAT, T.VARCHAR, T.JSON, VECTOR, array_of(T.DOUBLE)])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1e400", "number is infinity"),
        ("[1e400]", "number is infinity"),
        ("9" * 5000, "number is infinity"),
        ('"\\ud800"', "surrogate"),
        ("NaN", "unexpected character"),
        ("[1", "line 1 column"),
        ("[" * 1500 + "]" * 1500, "depth limit"),
    ],
)
def test_a_document_that_does_not_parse_is_one_rejected_row(spec, text, reason):
    result = of_texts(spec, "null", text, "null")
    assert values(result) == [None, None]
    (rejected,) = result.rejected
    assert (rejected.locator, rejected.field, rejected.code) == ("line 2", "", "json_invalid")
    assert reason in rejected.reason
    assert rejected.row == f'{{"v":{text}}}'


@pytest.mark.parametrize(
    ("spec", "text", "code"),
    [
        (T.DOUBLE, "1e400", "not_finite"),
        (T.FLOAT, "NaN", "not_finite"),
        (T.VARCHAR, '"\\ud800"', "json_surrogate"),
        (T.JSON, '{"a":[1e400]}', "not_finite"),
        (T.JSON, "[null,-Infinity]", "not_finite"),
        (T.JSON, '{"a":"\\udc00"}', "json_surrogate"),
        (T.JSON, "9" * 5000, "not_finite"),
        (VECTOR, "[0.5,NaN]", "not_finite"),
        (array_of(T.DOUBLE), "[Infinity]", "not_finite"),
        (array_of(T.VARCHAR), '["\\ud800"]', "json_surrogate"),
        (T.SPARSE_FLOAT_VECTOR, '{"indices":[1],"values":[NaN]}', "not_finite"),
    ],
)
def test_such_a_value_in_an_answer_fails_neither_the_page_nor_the_other_documents(spec, text, code):
    result = of_answer(spec, "null", text, "null")
    assert values(result) == [None, None]
    (rejected,) = result.rejected
    assert (rejected.locator, rejected.field, rejected.code) == ("line 2", "v", code)
    json.loads(rejected.row)


@BOTH
@pytest.mark.parametrize("spec", [T.INT64, T.DOUBLE, T.VARCHAR, T.JSON, VECTOR, array_of(T.DOUBLE)])
def test_deep_nesting_is_at_most_one_rejected_row(read, spec):
    deep = "[" * 900 + f"1e20,{BIG}" + "]" * 900
    result = read(spec, "null", deep)
    assert result.rows.num_rows + len(result.rejected) == 2
    if spec is not T.JSON:
        assert len(result.rejected) == 1


def test_a_document_that_is_not_an_object_is_one_rejected_row():
    result = rows_of_texts([column(T.INT64)], [b"[1]", b'{"v":1}', b"null", b""], ["a", "b", "c", "d"])
    assert values(result) == [1]
    assert [(r.locator, r.code) for r in result.rejected] == [
        ("a", "json_not_object"),
        ("c", "json_not_object"),
        ("d", "json_invalid"),
    ]
    assert result.rejected[0].reason == "The document is [1], which is not a JSON object."
    assert values(rows_of_documents([column(T.INT64)], [{"v": 1}, [1]], ["a", "b"])) == [1]


def test_two_halves_of_documents_are_not_joined():
    result = rows_of_texts([column(T.INT64)], [b'{"v":1', b'"w":2}', b'{"v":1},{"v":2}'], ["a", "b", "c"])
    assert result.rows.num_rows == 0
    assert [r.locator for r in result.rejected] == ["a", "b", "c"]


def test_a_row_with_two_problems_is_rejected_once_for_its_first_column():
    columns = columns_of(
        ReadPlan(
            (ReadColumn("a", TypeSpec(T.INT64)), ReadColumn("b", TypeSpec(T.BOOL)), ReadColumn("c", VECTOR))
        )
    )
    result = rows_of_texts(columns, [b'{"a":"x","b":7,"c":[1,2]}', b'{"a":1,"b":true,"c":[1,2]}'], ["1", "2"])
    assert [(r.field, r.locator) for r in result.rejected] == [("a", "1")]
    assert result.rows.to_pylist() == [{"a": 1, "b": True, "c": [1.0, 2.0]}]


def test_a_rejected_row_carries_its_text_and_a_very_long_one_is_cut():
    text = b'{ "v": "x", "price": 1.10 }'
    (rejected,) = rows_of_texts([column(T.INT64)], [text], ["1"]).rejected
    assert rejected.row == text.decode()
    long = orjson.dumps({"v": "x", "vector": [0.5] * 100_000, "text": {"inner": "y" * 5000}})
    for result in (
        rows_of_texts([column(T.INT64)], [long], ["1"]),
        rows_of_documents([column(T.INT64)], [orjson.loads(long)], ["1"]),
    ):
        row = json.loads(result.rejected[0].row)
        assert row["v"] == "x"
        assert row["vector"][-1] == "… (100,000 items)"
        assert row["text"]["inner"].endswith("… (5,000 characters)")
    (rejected,) = rows_of_texts([column(T.INT64)], [b'{"v":"\xff"}'], ["1"]).rejected
    assert rejected.row == '{"v":"\\xff"}'


# ---------------------------------------------------------------- places, null and missing


def test_a_null_is_null_and_a_missing_key_is_null_and_marked():
    texts = [b'{"v":null}', b"{}", b'{"v":"x"}', b'{"v":1}']
    result = checked(rows_of_texts([column(T.INT64)], texts, numbered(texts)))
    assert values(result) == [None, None, 1]
    assert result.missing["v"].tolist() == [False, True, False]
    assert of_texts(T.INT64, "null").missing == {}


@pytest.mark.parametrize("spec", [T.VARCHAR, T.JSON, VECTOR, array_of(T.INT8), T.SPARSE_FLOAT_VECTOR])
def test_a_page_without_any_value_is_all_null(spec):
    texts = [b"{}", b'{"v":null}']
    result = checked(rows_of_texts([column(spec)], texts, numbered(texts)))
    assert values(result) == [None, None]
    assert result.missing["v"].tolist() == [True, False]
    empty = rows_of_texts([column(spec)], [], [])
    assert (empty.rows.num_rows, empty.rows.schema) == (0, result.rows.schema)


def test_a_place_is_a_path_or_a_function_and_a_column_without_one_is_read_from_its_path():
    specs = {'a."b.c"': T.INT64, "title": T.VARCHAR, "first": T.INT64, "root": T.JSON, "a..b": T.BOOL}
    plan = ReadPlan(tuple(ReadColumn(name, TypeSpec(type_)) for name, type_ in specs.items()))
    columns = columns_of(
        plan,
        {
            "title": ("_source", "title"),
            "first": lambda document: document["list"][0] if document["list"] else MISSING,
            "root": (),
        },
    )
    texts = [
        b'{"a":{"b.c":1},"_source":{"title":"x"},"list":[7],"a..b":true}',
        b'{"a":[],"_source":null,"list":[]}',
        b'{"a":{"b.c":null},"_source":{"title":null},"list":[null]}',
    ]
    result = checked(rows_of_texts(columns, texts, numbered(texts)))
    assert values(result, 'a."b.c"') == [1, None, None]
    assert values(result, "title") == ["x", None, None]
    assert values(result, "first") == [7, None, None]
    assert values(result, "a..b") == [True, None, None]
    assert values(result, "root") == [text.decode() for text in texts]
    missing = {name: mask.tolist() for name, mask in result.missing.items()}
    assert missing == {
        'a."b.c"': [False, True, False],
        "title": [False, True, False],
        "first": [False, True, False],
        "a..b": [False, True, True],
    }
    assert [field.name for field in result.rows.schema] == list(specs)


def test_a_function_gets_the_integers_exactly_too():
    texts = [b'{"ids":["a",18446744073709551617]}']
    read = ReadColumn("v", TypeSpec(T.VARCHAR))
    place = JsonColumn(read, lambda document: document["ids"][1])
    assert values(rows_of_texts([place], texts, ["1"])) == ["18446744073709551617"]
    as_json = JsonColumn(ReadColumn("v", TypeSpec(T.JSON)), place.place)
    assert values(rows_of_texts([as_json], texts, ["1"])) == ["18446744073709551617"]


def test_numpy_vectors_are_taken_without_a_list():
    vectors = [np.array([0.5, 1], ">f4"), None, np.array([2, 3], np.float64), np.array([1.0])]
    result = checked(
        rows_of_documents([column(VECTOR)], [{"v": vector} for vector in vectors], numbered(vectors))
    )
    assert values(result) == [[0.5, 1.0], None, [2.0, 3.0]]
    assert [r.code for r in result.rejected] == ["dimension_mismatch"]
    mixed = [
        {"v": [0.5, 1]},
        {"v": np.array([0.5, 1])},
        {"v": np.array([[1, 2]])},
        {"v": np.array(["a", "b"])},
    ]
    result = checked(rows_of_documents([column(VECTOR)], mixed, numbered(mixed)))
    assert values(result) == [[0.5, 1.0], [0.5, 1.0]]
    assert len(result.rejected) == 2


# ---------------------------------------------------------------- texts of JSON columns

PAYLOADS = [
    '{"price": 1.10, "n":18446744073709551617,  "e": 1E5}',
    "[1.0,\t2.50 ]",
    '"a\\u00e9 \\" ] } \\\\"',
    "12345678901234567890.0",
    "-0",
    "true",
    '{"a":{"b":{"c":{"d":{"e":[{"f":"}]"}]}}}}}',
    "{}",
    "[]",
    '["]"]',
    '[{"a":[1,[2,[3,[4,[5.0]]]]]}]',
]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("blank", ["", " ", "\r\n\t"])
def test_a_json_column_keeps_the_documents_own_text(payload, blank):
    parts = ['"x"', ":", '{"payload":"other"}', ",", '"p\\u0061yload"', ":", payload, ",", '"y"', ":", "[1]"]
    text = blank + "{" + blank + blank.join(parts) + blank + "}" + blank
    columns = [column(T.JSON, "payload")]
    assert values(rows_of_texts(columns, [text.encode()], ["1"])) == [payload]
    outer = f'{{"outer":{text},"z":1}}'.encode()
    assert values(rows_of_texts([column(T.JSON, "outer", "payload")], [outer], ["1"])) == [payload]


def test_if_a_key_occurs_twice_the_last_one_counts():
    text = b'{"v":1.10,"v":{"a":1.20,"a":1.30}}'
    assert values(rows_of_texts([column(T.JSON)], [text], ["1"])) == ['{"a":1.20,"a":1.30}']
    assert values(rows_of_texts([column(T.JSON, "v", "a")], [text], ["1"])) == ["1.30"]


def test_keys_left_out_of_a_json_column_leave_the_rest_unchanged():
    text = b'{"id":1, "vector" : [0.5, 1], "price": 1.10,"n\\u0061me":"x", "o": {"id":null}}'
    rest = column(T.JSON, without=("id", "vector", "name", "absent"))
    rest = JsonColumn(rest.read, (), rest.without)
    assert values(rows_of_texts([rest], [text], ["1"])) == ['{"price": 1.10,"o": {"id":null}}']
    assert values(rows_of_documents([rest], [orjson.loads(text)], ["1"])) == ['{"price":1.1,"o":{"id":null}}']
    inner = JsonColumn(rest.read, ("list",), rest.without)
    assert values(rows_of_texts([inner], [b'{"list":[{"id":1}]}'], ["1"])) == ['[{"id":1}]']


def test_a_json_column_of_an_answer_keeps_integers_of_any_size():
    result = of_answer(T.JSON, f'{{"n":{BIG},"x":1.50}}', "null", '{"a":null}', "1e20")
    assert values(result) == [f'{{"n":{BIG},"x":1.5}}', None, '{"a":null}', "1e+20"]


def test_an_answer_is_read_again_only_if_an_integer_may_be_rounded():
    documents, asked = [{"v": 0.5, "w": [0.5]}, {"v": 1e300, "w": [1e300]}], []

    def exact():
        asked.append(1)
        return documents

    columns = [column(T.DOUBLE), JsonColumn(ReadColumn("w", array_of(T.DOUBLE)), ("w",))]
    rows_of_documents(columns, documents[:1], ["1"], exact)
    assert asked == []
    assert values(rows_of_documents(columns, documents, ["1", "2"], exact)) == [0.5, 1e300]
    assert asked == [1]
    assert values(rows_of_documents(columns, documents, ["1", "2"])) == [0.5, 1e300]


def test_a_rejected_row_of_an_answer_shows_the_exact_integer():
    (rejected,) = of_answer(T.INT64, str(BIG)).rejected
    assert rejected.row == f'{{"v": {BIG}}}'


@pytest.mark.parametrize("answer", [b"", b"{", b"[1,]", b"\xff", b"[" * 5000 + b"]" * 5000])
def test_an_answer_that_is_not_json_is_a_value_error(answer):
    with pytest.raises(ValueError):  # noqa: PT011 (the sentence is the caller's)
        read_answer(answer)


# ---------------------------------------------------------------- whatever comes

SPECS = [
    *map(TypeSpec, (T.BOOL, T.INT8, T.INT64, T.FLOAT, T.DOUBLE, T.VARCHAR, T.JSON, T.SPARSE_FLOAT_VECTOR)),
    *map(array_of, (T.INT64, T.FLOAT, T.DOUBLE, T.VARCHAR, T.BOOL)),
    VECTOR,
    TypeSpec(T.FLOAT_VECTOR),
    TypeSpec(T.INT8_VECTOR, dim=2),
]
EDGES = [
    0,
    1,
    127,
    128,
    2**24,
    2**24 + 1,
    2**31,
    2**53,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    BIG,
    10**23,
]
INTEGERS = st.sampled_from([*EDGES, *(-edge for edge in EDGES), 10**400]).map(str)
FLOATS = st.sampled_from(
    ["1.0", "-0.0", "0.1", "1e3", "1.10", "9007199254740993.0", "18446744073709551617.0", "3.5e38", "1e400"]
)
WORDS = st.sampled_from(['"a"', '""', '"\\u00e9"', '"\\ud800"', '"1"', '"é🦊"', '"}\\"]"', '"\\u0000"'])
SCALARS = st.one_of(INTEGERS, FLOATS, WORDS, st.sampled_from(["null", "true", "false", "NaN"]))
NUMBERS = INTEGERS | FLOATS
LISTS = st.lists(SCALARS, max_size=3) | st.lists(NUMBERS, min_size=2, max_size=2)
SPARSES = st.tuples(st.lists(INTEGERS, max_size=3), st.lists(NUMBERS, max_size=3))


def list_of(items):
    return "[" + ", ".join(items) + "]"


def object_of(pairs):
    return "{ " + ",".join(f'"{key}" :{value}' for key, value in pairs) + "}"


VALUES = st.one_of(
    SCALARS,
    LISTS.map(list_of),
    SPARSES.map(lambda pair: object_of(zip(("indices", "values"), map(list_of, pair), strict=True))),
    st.lists(st.tuples(st.sampled_from("abv"), SCALARS | LISTS.map(list_of)), max_size=2).map(object_of),
)
KEYS = st.sampled_from([str(number) for number in range(len(SPECS))] + ["other"])
DOCUMENTS = st.one_of(
    st.lists(st.tuples(KEYS, VALUES), max_size=4).map(object_of),
    st.sampled_from(["", "{", "[1]", "null", '{"0":true}x', "7"]),
)
COLUMNS = [JsonColumn(ReadColumn(str(n), spec), (str(n),)) for n, spec in enumerate(SPECS)]


def exactly(text):
    """The document, its numbers to the digit; None if it is not a JSON object that Unicode can hold."""

    def refuse(name):
        raise ValueError(name)

    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def is_same(value, exact, spec):
    """True if ``value``, from Arrow, is what the document says, as far as the type can tell."""
    if exact is None or value is None:
        return value is None and exact is None
    if spec.type is T.JSON:
        return json.loads(value, parse_float=Decimal) == exact
    if spec.type is T.ARRAY:
        pairs = zip(value, exact, strict=True)
        return all(v is not None and is_same(v, e, TypeSpec(spec.element_type)) for v, e in pairs)
    if spec.type is T.SPARSE_FLOAT_VECTOR:
        entries = dict(zip(exact["indices"], exact["values"], strict=True))
        assert [entry["index"] for entry in value] == sorted(entries)
        return all(entry["value"] == np.float32(float(entries[entry["index"]])) for entry in value)
    if spec.type is T.FLOAT_VECTOR:
        return [np.float32(float(number)) for number in exact] == value
    if spec.type is T.INT8_VECTOR:
        return all(type(item) is int for item in exact) and exact == value
    if spec.type is T.BOOL:
        return value is exact
    if type(exact) is bool or (spec.type is T.VARCHAR) != (type(value) is str):
        return False
    if spec.type is T.VARCHAR:
        return value == (str(exact) if type(exact) is int else exact)
    if spec.type in (T.INT8, T.INT64):
        return type(exact) is int and value == exact
    nearest = float(exact)
    if type(exact) is Decimal:
        return value == (np.float32(nearest) if spec.type is T.FLOAT else nearest)
    return int(value) == exact or Decimal(repr(value)) == exact


def can_hold(exact, spec):
    """True if a column of scalars or the vector column takes the value. None: not decided here."""
    is_number = type(exact) in (int, Decimal)
    if spec.type in (T.INT8, T.INT64):
        end = 2**7 if spec.type is T.INT8 else 2**63
        return type(exact) is int and -end <= exact < end
    if spec.type is T.DOUBLE and is_number:
        return type(exact) is Decimal or float(exact) == exact or Decimal(repr(float(exact))) == exact
    if spec.type is T.FLOAT and is_number:
        rounded = np.float32(float(exact)) if abs(exact) < 2**127 else np.float32("inf")
        return bool(np.isfinite(rounded)) and (type(exact) is Decimal or int(rounded) == exact)
    if spec is VECTOR and isinstance(exact, list):
        return len(exact) == 2 and all(type(n) in (int, Decimal) and abs(n) < 2**127 for n in exact)
    if spec.type in (T.BOOL, T.VARCHAR):
        return type(exact) is bool if spec.type is T.BOOL else type(exact) in (str, int)
    return False if spec.type in (T.DOUBLE, T.FLOAT) or spec is VECTOR else None


@settings(max_examples=300)
@given(st.lists(DOCUMENTS, max_size=5))
def test_each_document_is_in_the_batch_with_equal_values_or_rejected(texts):
    result = checked(rows_of_texts(COLUMNS, [text.encode() for text in texts], numbered(texts)))
    kept, rejected = result.locators.to_pylist(), [row.locator for row in result.rejected]
    assert sorted(kept + rejected, key=lambda name: int(name[5:])) == numbered(texts)
    assert set(kept) & set(rejected) == set()
    for index, (locator, row) in enumerate(zip(kept, result.rows.to_pylist(), strict=True)):
        document = exactly(texts[int(locator[5:]) - 1])
        assert document is not None
        for name, value in row.items():
            assert is_same(value, document.get(name), SPECS[int(name)]), (name, value, document.get(name))
            mask = result.missing.get(name)
            assert (mask is not None and bool(mask[index])) == (name not in document)
    for row in result.rejected:
        text = texts[int(row.locator[5:]) - 1]
        assert row.row == text
        assert row.reason
        assert row.code
        if row.field:
            value = exactly(text)[row.field]
            assert value is not None
            assert can_hold(value, SPECS[int(row.field)]) is not True


@settings(max_examples=200)
@given(st.lists(VALUES, max_size=4), st.sampled_from(SPECS))
def test_one_rejected_row_changes_nothing_of_the_others(texts, spec):
    for read in (of_texts, of_answer):
        together = read(spec, *texts)
        alone = [read(spec, text) for text in texts]
        assert values(together) == [value for result in alone for value in values(result)]
        assert [r.code for r in together.rejected] == [r.code for one in alone for r in one.rejected]


@settings(max_examples=200)
@given(st.lists(VALUES, max_size=4), st.sampled_from([spec for spec in SPECS if spec.type is not T.JSON]))
def test_an_answer_gives_the_same_rows_as_its_documents(texts, spec):
    one, other = of_texts(spec, *texts), of_answer(spec, *texts)
    valid = [row.locator for row in one.rejected if row.code == "json_invalid"]
    assert [row.locator for row in other.rejected if row.locator not in valid] == [
        row.locator for row in one.rejected if row.code != "json_invalid"
    ]
    rows = dict(zip(other.locators.to_pylist(), values(other), strict=True))
    for locator, value in zip(one.locators.to_pylist(), values(one), strict=True):
        assert repr(rows[locator]) == repr(value)
