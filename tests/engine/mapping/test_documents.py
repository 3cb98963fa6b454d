"""Documents of a column: keys are taken out as if each document were read by itself, digit by digit."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.mapping import documents
from migrations_app.engine.mapping.documents import take_keys
from migrations_app.engine.model.json.documents import MISSING, find, members, remove, to_json
from tests.engine.model.json.test_documents import DOCUMENTS, exactly

PATHS = st.lists(st.sampled_from([("a",), ("b",), ("a", "b"), ("a", "a"), ("b", "b", "a")]), max_size=3)


def column(texts):
    return pa.array(texts, pa.string())


def taken_one_by_one(text, paths):
    """Return the values and the rest of one document, read with each number as its text."""
    document = members(text.encode())
    values = [find(document, path, MISSING) for path in paths]
    values = [value if value is MISSING else exactly(to_json(value)) for value in values]
    for path in paths:
        remove(document, path)
    return values, exactly(to_json(document))


@given(st.lists(DOCUMENTS, min_size=1, max_size=8), PATHS, st.integers(1, 4))
def test_keys_are_taken_as_from_each_document_by_itself(texts, paths, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_CHUNK", chunk)
        taken = take_keys(column(texts), "m", [(path, MISSING) for path in paths], keeps_rest=True)
    assert taken.findings == ()
    expected = [taken_one_by_one(text, paths) for text in texts]
    assert [exactly(rest) for rest in taken.rest] == [rest for _, rest in expected]
    for place, values in enumerate(taken.values):
        found = [value if value is MISSING else exactly(to_json(value)) for value in values]
        assert found == [values[place] for values, _ in expected]
    assert taken.names == set().union(*(rest for _, rest in expected))


@pytest.mark.parametrize(
    "number",
    [
        *(
            "12345678901234567890123",
            "18446744073709551616",
            "-9223372036854775809",
            "9007199254740993",
            "1.0",
        ),
        *("-0", "0.10", "1e5", "1E+2", "13.450", "0.00001", "123456789012345.67", "0.1234567890123456789"),
        *("100000000000000000000.5", "1.00", "0.000012", "123456789.123456789", "-0.0", "1e-7", "0.1e3"),
    ],
)
@pytest.mark.parametrize("form", ['{"n":%s}', '{"a": [1, %s ], "b": {"c":%s}}', '{"a":[[%s,\n%s]]}'])
def test_every_digit_is_kept(number, form):
    text = form.replace("%s", number)
    taken = take_keys(column(['{"x": 1}', text]), "m", [], keeps_rest=True)
    assert taken.rest[1].decode() == "".join(text.split())


def test_documents_that_cannot_be_read_do_not_disturb_the_others():
    texts = [json.dumps({"n": n, "rest": str(n)}) for n in range(600)]
    odd = {3: "[1]", 255: None, 256: '{"n": ', 257: " null ", 400: '{"n": "\\ud800"}', 401: '{"n": 1e400}'}
    odd[599] = '{"n": ' + "[" * 300 + "]" * 300 + "}"
    taken = take_keys(
        column([odd.get(n, text) for n, text in enumerate(texts)]), "m", [(("n",), None)], keeps_rest=True
    )
    assert taken.values[0] == [None if n in odd else n for n in range(600)]
    assert taken.rest == [b"{}" if n in odd else b'{"rest":"%d"}' % n for n in range(600)]
    found = {row: (f.code, f.reason(row)) for f in taken.findings for row in f.rows.tolist()}
    assert {row: code for row, (code, _) in found.items()} == {
        3: "opened_not_object",
        256: "opened_not_object",
        400: "json_surrogate",
        401: "json_number",
        599: "json_too_deep",
    }
    assert found[256][1] == "“m” is not JSON; only the keys of an object can be opened."
