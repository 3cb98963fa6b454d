"""Options of the mapping: truncated texts, values for NULL, opened columns, added fields."""

import json

import pytest

pytestmark = pytest.mark.django_db(transaction=True)

VECTOR = {"source": "v"}


@pytest.fixture
def table(mover):
    """Create a table with an id, a vector and the given columns, and fill it."""

    def create(columns, *rows):
        mover.postgres("DROP TABLE IF EXISTS things")
        mover.postgres(f"CREATE TABLE things (id int PRIMARY KEY, v vector(2), {columns})")
        for number, row in enumerate(rows):
            places = ", ".join(["%s"] * len(row))
            mover.postgres(f"INSERT INTO things VALUES ({number}, '[1,2]', {places})", row)

    return create


def move(mover, *fields, **plan):
    moved = mover.move("public.things", fields=[{"source": "id"}, VECTOR, *fields], **plan)
    assert moved.report["error"] is None
    assert moved.counts["verified"] is True
    return moved


def column(moved, name):
    """The values of one field or key by row; rows that lack it are left out."""
    return {key: row[name] for key, row in moved.rows().items() if name in row}


def codes_and_paths(faults):
    return [(fault["code"], fault["path"]) for fault in faults]


# ---------------------------------------------------------------- too_long


def test_long_texts_are_truncated_at_a_character_and_counted(mover, table):
    table(
        "t text, tags text[]",
        ("aé€", ["abcd", "é€"]),
        ("abcdef", []),
        ("abc", ["x"]),
        ("", ["😀"]),
    )
    moved = move(
        mover,
        {"source": "t", "max_length": 3, "too_long": "truncate"},
        {"source": "tags", "type": "ARRAY", "max_length": 3, "too_long": "truncate", "fill_null": []},
    )
    assert column(moved, "t") == {0: "aé", 1: "abc", 2: "abc", 3: ""}
    assert column(moved, "tags") == {0: ["abc", "é"], 1: [], 2: ["x"], 3: [""]}
    assert moved.counts["values_cut"] == 4
    assert (
        f"{moved.target}: 4 values truncated to the length of the field, as the plan requests." in moved.log
    )


def test_long_texts_are_rejected_unless_the_plan_says_otherwise(mover, table):
    table("t text", ("aé€",), ("abc",))
    moved = move(mover, {"source": "t", "max_length": 3})
    assert [(r["locator"], r["field"], r["code"]) for r in moved.rejected] == [("0", "t", "too_long")]
    assert moved.counts["values_cut"] == 0


def test_a_key_is_never_truncated(mover, table):
    table("t text NOT NULL UNIQUE", ("aé€",))
    found = mover.refused("public.things", key="t", fields=[VECTOR, {"source": "t", "too_long": "truncate"}])
    assert codes_and_paths(found) == [("option_misplaced", "collections[0].fields[1].too_long")]


# ---------------------------------------------------------------- fill_null


FILLS = {
    "int2": -7,
    "int4": 7,
    "int8": 2**53 + 1,
    "float4": 0.5,
    "float8": 0.1,
    "bool": True,
    "text": "–",
    "numeric": "0",
    "uuid": "none",
    "jsonb": {"a": [1, "x"]},
    "text[]": ["a", ""],
    "int8[]": [1, -1],
    "bool[]": [],
}


def test_null_is_filled_in_every_type(mover, table):
    table(", ".join(f"c{n} {native}" for n, native in enumerate(FILLS)), [None] * len(FILLS))
    fields = [
        {"source": f"c{n}", "target": f"c{n}", "fill_null": value} for n, value in enumerate(FILLS.values())
    ]
    [row] = move(mover, *fields).rows().values()
    assert {name: row[name] for name in row if name.startswith("c")} == {
        f"c{n}": value for n, value in enumerate(FILLS.values())
    }


def test_null_in_the_dynamic_field_stays_or_is_filled(mover, table):
    table("a int, b text", (None, None), (1, "x"))
    moved = move(
        mover,
        {"source": "a", "dynamic": True},
        {"source": "b", "dynamic": True, "as": "bee", "fill_null": "–"},
    )
    assert column(moved, "bee") == {0: "–", 1: "x"}
    assert column(moved, "a") == {0: None, 1: 1}


# ---------------------------------------------------------------- opened columns


OPEN = {"open": ["m"]}
DOCUMENTS = (
    '{"price": 9.5, "lang": "de", "owner": {"id": 7, "name": "Ida"}, "tags": ["a"], "big": 9007199254740993}',
    '{"price": 10, "note": null, "owner": {"id": 8}}',
    "{}",
    None,
)


def documents(table, *texts, native="jsonb"):
    table(f"m {native}", *((text,) for text in texts))


def test_document_keys_become_fields_and_the_rest_stays(mover, table):
    documents(table, *DOCUMENTS)
    moved = move(
        mover,
        {"source": "m.price", "type": "DOUBLE", "fill_null": -1},
        {"source": "m.owner.id", "target": "owner_id", "type": "INT64", "fill_null": 0},
        {"source": "m.tags", "type": "ARRAY", "fill_null": []},
        **OPEN,
    )
    assert column(moved, "price") == {0: 9.5, 1: 10.0, 2: -1.0, 3: -1.0}
    assert column(moved, "owner_id") == {0: 7, 1: 8, 2: 0, 3: 0}
    assert column(moved, "tags") == {0: ["a"], 1: [], 2: [], 3: []}
    assert column(moved, "owner") == {0: {"name": "Ida"}}
    assert (column(moved, "lang"), column(moved, "note")) == ({0: "de"}, {1: None})
    assert column(moved, "big") == {0: 9007199254740993}


def test_document_keys_go_into_the_dynamic_field_if_the_plan_lists_no_fields(mover, table):
    documents(table, *DOCUMENTS)
    moved = mover.move("public.things", **OPEN)
    rest = {key: {n: v for n, v in row.items() if n not in ("id", "v")} for key, row in moved.rows().items()}
    assert rest == {n: json.loads(text or "{}") for n, text in enumerate(DOCUMENTS)}


def test_the_rest_is_dropped_if_the_plan_says_so(mover, table):
    documents(table, *DOCUMENTS)
    price = {"source": "m.price", "type": "DOUBLE", "fill_null": 0}
    moved = move(mover, price, rest="drop", dynamic_field=False, **OPEN)
    assert {tuple(sorted(row)) for row in moved.rows().values()} == {("id", "price", "v")}
    moved = move(mover, price, {"source": "m.lang", "dynamic": True, "as": "language"}, rest="drop", **OPEN)
    assert column(moved, "language") == {0: "de"}
    assert column(moved, "owner") == {}


def test_a_type_mismatch_is_rejected_or_stays_in_the_dynamic_field(mover, table):
    documents(table, '{"n": 1}', '{"n": "two"}', '{"n": 1.5}', '{"n": 9223372036854775808}')
    number = {"source": "m.n", "type": "INT64", "fill_null": 0}
    moved = move(mover, number, **OPEN)
    assert [(r["locator"], r["field"], r["code"]) for r in moved.rejected] == [
        ("1", "m.n", "misfit"),
        ("2", "m.n", "misfit"),
        ("3", "m.n", "misfit"),
    ]
    assert moved.rejected[1]["reason"] == "“m.n” is 1.5, which is not a whole number."
    moved = move(mover, number | {"misfit": "dynamic"}, **OPEN)
    assert column(moved, "n") == {0: 1, 1: 0, 2: 0, 3: 0}
    assert column(moved, "n_misfit")[1] == "two"
    assert column(moved, "n_misfit")[2] == 1.5


def test_the_last_of_equal_keys_in_a_json_column_wins_as_in_jsonb(mover, table):
    documents(table, '{"a": 1, "b": 1, "a": 2, "b": {"c": 1.10}}', native="json")
    moved = move(mover, {"source": "m.a", "type": "INT64", "fill_null": 0}, **OPEN)
    assert (column(moved, "a"), column(moved, "b")) == ({0: 2}, {0: {"c": 1.1}})


def test_composite_values_are_opened_too(mover, table):
    mover.postgres("DROP TYPE IF EXISTS size CASCADE")
    mover.postgres("CREATE TYPE size AS (w int, h numeric, note text)")
    table("s size", ("(1,2.50,)",), (None,))
    moved = move(mover, {"source": "s.w", "type": "INT64", "fill_null": 0}, open=["s"])
    assert column(moved, "w") == {0: 1, 1: 0}
    assert (column(moved, "h"), column(moved, "note")) == ({0: 2.5}, {0: None})


def test_a_key_that_would_hide_a_field_is_refused_if_sampled_and_else_rejected(mover, table):
    table("m jsonb, title text", ('{"title": 1}', "a"))
    fields = [{"source": "id"}, VECTOR, {"source": "title", "fill_null": ""}]
    found = mover.refused("public.things", fields=fields, **OPEN)
    assert codes_and_paths(found) == [("dynamic_name_taken", "collections[0].rest")]
    # The last two rows are not in the sample.
    table("m jsonb, title text", *[('{"a": 1}', "a")] * 500, ('{"title": 1}', "a"), ('{"$meta": 1}', "a"))
    moved = move(mover, fields[2], **OPEN)
    assert [(r["locator"], r["code"]) for r in moved.rejected] == [
        ("500", "dynamic_key_taken"),
        ("501", "dynamic_key_taken"),
    ]
    assert moved.counts["rows_written"] == 500


def test_a_column_takes_precedence_over_a_path_of_the_same_name(mover, table):
    table('m jsonb, "m.n" int', ('{"n": 2}', 1))
    moved = move(mover, {"source": "m.n", "target": "n_column", "fill_null": 0}, **OPEN)
    assert (column(moved, "n_column"), column(moved, "n")) == ({0: 1}, {0: 2})


def test_only_columns_with_documents_can_be_opened(mover, table):
    table("t text, m jsonb", ("a", "{}"))
    found = mover.refused("public.things", open=["t", "x"])
    assert codes_and_paths(found) == [
        ("open_type", "collections[0].open[0]"),
        ("open_unknown", "collections[0].open[1]"),
    ]
    assert found[1]["hint"] == "Columns with JSON: m."


# ---------------------------------------------------------------- added fields, and columns moved


def test_an_added_field_has_its_value_in_every_row(mover, table):
    table("t text", ("a",), ("b",))
    moved = move(
        mover,
        {"added": True, "target": "batch", "type": "VARCHAR", "max_length": 16, "default": "2026-11"},
        {"added": True, "target": "tries", "type": "INT32", "default": 0},
        {"added": True, "target": "marks", "type": "ARRAY", "element_type": "INT64", "fill_null": [1]},
    )
    assert (column(moved, "batch"), column(moved, "tries")) == (
        dict.fromkeys([0, 1], "2026-11"),
        {0: 0, 1: 0},
    )
    assert column(moved, "marks") == {0: [1], 1: [1]}
    assert moved.fields["batch"]["params"]["max_length"] == 16


def test_a_column_goes_into_the_dynamic_field_under_another_name(mover, table):
    table('t text, "odd $name" int', ("a", 7))
    moved = move(
        mover,
        {"source": "t", "dynamic": True, "as": "the text"},
        {"source": "odd $name", "dynamic": True},
    )
    assert (column(moved, "the text"), column(moved, "odd $name")) == ({0: "a"}, {0: 7})


def test_equal_keys_are_collapsed_and_counted(mover, table):
    table("code text NOT NULL", *[(f"k{n % 3}",) for n in range(9)])
    moved = mover.move("public.things", key="code", fields=[VECTOR, {"source": "code"}, {"source": "id"}])
    assert moved.counts["rows_collapsed"] == 6
    assert {row["id"] for row in moved.rows().values()} == {6, 7, 8}


def test_the_last_row_with_equal_keys_in_different_batches_arrives_complete(mover, table):
    table("code text NOT NULL, m jsonb", *[(f"k{n % 3}", json.dumps({f"m{n}": n})) for n in range(9)])
    mover.postgres("ALTER TABLE things ADD COLUMN pad text")
    mover.postgres("UPDATE things SET pad = repeat('x', 60000)")
    mover.postgres("INSERT INTO things SELECT id + 100 * g, v, 'x' || g || id, '{}', pad"
                   " FROM things, generate_series(1, 40) g")  # fmt: skip
    mover.postgres("INSERT INTO things VALUES (9000, '[1,2]', 'k0', '{\"last\": 1}', '')")
    fields = [
        VECTOR,
        {"source": "code"},
        {"source": "pad", "type": "VARCHAR", "max_length": 65535, "fill_null": ""},
    ]
    moved = mover.move("public.things", key="code", fields=fields, **OPEN)
    assert moved.report["status"] == "Successful", moved.log
    assert moved.count() == moved.counts["rows_read"] - 7
    found = moved.client.query(moved.target, 'code == "k0"', output_fields=["*"], consistency_level="Strong")
    assert [{k: v for k, v in row.items() if k not in ("code", "v", "pad")} for row in found] == [{"last": 1}]
