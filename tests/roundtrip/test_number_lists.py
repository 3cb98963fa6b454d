"""Vectors in arrays, JSON and text, and raw bytes: moved if the user chooses so, exactly or not at all."""

import base64

import pytest

NATIVES = {
    "real[]": ["{1,0.5}", "{-2,3}"],
    "double precision[]": ["{1,0.5}", "{-2,3}"],
    "jsonb": ["[1,0.5]", "[-2, 3]"],
    "json": ["[1,0.5]", "[-2, 3e0]"],
    "text": ["[1,0.5]", "-2,3"],
    "varchar(99)": ["1, 0.5", "[-2,3]"],
}
ODD = {
    "real[]": ["{1}", "{1,NULL}", "{{1,2}}"],
    "jsonb": ["[1]", '["1","2"]', '{"a": 1}', "null"],
    "text": ["[1,2,3]", "one,two", ""],
}
BYTES = [b"\x00\xff\x10", b"", bytes(range(90))]


@pytest.fixture(scope="module")
def lists(pg):
    """One table with a column of each type; its odd values come after the sample."""
    names = {native: f"c{number}" for number, native in enumerate(NATIVES)}
    columns = ", ".join(f"{name} {native}" for native, name in names.items())
    with pg.connect() as connection:
        connection.execute(f"CREATE TABLE lists (id int PRIMARY KEY, {columns})")
        for row, values in enumerate(zip(*NATIVES.values(), strict=True)):
            casts = ", ".join(f"%s::{native}" for native in NATIVES)
            connection.execute(f"INSERT INTO lists VALUES (%s, {casts})", (row, *values))
    return names


def test_lists_of_numbers_become_vectors_if_the_plan_says_so(mover, lists):
    natives = list(lists)
    # Milvus 2.3.5 stores one vector.
    for some in (natives[:4], natives[4:]) if mover.is_lite else (natives[:1], natives[-2:-1]):
        fields = [{"source": lists[native], "type": "FLOAT_VECTOR"} for native in some]
        moved = mover.move("public.lists", override=True, fields=fields)
        rows = moved.rows()
        for native in some:
            assert [rows[n][lists[native]] for n in (0, 1)] == [[1.0, 0.5], [-2.0, 3.0]], native
    assert rows[0][lists["jsonb"]] == [1, 0.5]
    (fault,) = mover.refused("public.lists")
    assert (fault["code"], fault["fixes"][0]["label"]) == ("no_vector", "Use “c0” as FLOAT_VECTOR")
    assert fault["hint"].endswith("“override: true” and “fields: [{source: c0, type: FLOAT_VECTOR}]”.")


@pytest.mark.parametrize("native", list(ODD))
def test_other_values_are_rejected_one_by_one(mover, native):
    mover.postgres(f"DROP TABLE IF EXISTS odd; CREATE TABLE odd (id int PRIMARY KEY, v {native})")
    mover.postgres("INSERT INTO odd SELECT n, %s FROM generate_series(1, 200) n", (NATIVES[native][0],))
    for number, text in enumerate(ODD[native], 1000):
        mover.postgres("INSERT INTO odd VALUES (%s, %s)", (number, text))
    moved = mover.move("public.odd", override=True, fields=[{"source": "v", "type": "FLOAT_VECTOR"}])
    assert moved.count() == 200
    assert [row["locator"] for row in moved.rejected] == [str(1000 + n) for n in range(len(ODD[native]))]
    assert {row["code"] for row in moved.rejected} <= {"not_a_vector", "array_dimensions"}


def test_raw_bytes_become_hex_or_base64_text(mover):
    mover.postgres("DROP TABLE IF EXISTS raw; CREATE TABLE raw (k bytea PRIMARY KEY, v vector(2), b bytea)")
    for value in BYTES:
        mover.postgres("INSERT INTO raw VALUES (%s, '[1,2]', %s)", (value, value))
    moved = mover.move("public.raw", override=True, fields=[{"source": "b", "encoding": "base64"}])
    rows = moved.rows()
    assert {key: row["b"] for key, row in rows.items()} == {
        value.hex(): base64.b64encode(value).decode() for value in BYTES
    }
    assert moved.counts["verified"] is True
    plain = mover.move("public.raw")
    assert "b" not in plain.rows()[BYTES[0].hex()]
    note = "public.raw: “b” is left out: Milvus has no type for raw bytes: choose VARCHAR"
    assert any(line.startswith(note) and "{source: b, type: VARCHAR}" in line for line in plain.log)
