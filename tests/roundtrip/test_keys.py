"""Keys of every possible type: they are moved and read back exactly, each once."""

from __future__ import annotations

import pytest

BIG = 2**63
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
ODD_TEXTS = ["", " ", "a", "A", "ä", "it's", 'say "hi"', "back\\slash", "\\n", "new\nline", "\t", "\x01", "%",
             "_", "'; DROP TABLE x; --", "漢字", "\U0001f600", "x" * 500, "10", "NULL", "$meta"]  # fmt: skip

# The keys to move, by native type.
INTEGERS = {
    "smallint": [-(2**15), -1, 0, 1, 2**15 - 1],
    "integer": [-(2**31), -1, 0, 1, 2**31 - 1],
    # The very smallest and largest values are in test_appending.
    "bigint": [-BIG + 1, -1, 0, 1, BIG - 2],
}
TEXTS = {
    "text": ODD_TEXTS,
    'text COLLATE "C.utf8"': ODD_TEXTS,
    "varchar(500)": ODD_TEXTS,
    "uuid": [UUID, "0" * 8 + "-0000-0000-0000-" + "0" * 12],
    "odd_key": ["", "a b", "it's", 'say "hi"', "漢"],
    "numeric": ["-1", "0.10", "1", "123456789012345678901234567890.5", "NaN", "Infinity"],
    "date": ["2024-02-29", "0044-03-15 BC", "infinity", "20000-01-01"],
    "time": ["00:00:00", "23:59:59.999999", "24:00:00"],
    "timestamp": ["2024-01-02 03:04:05.000006", "0044-03-15 00:00:00 BC", "infinity"],
}
SHOWN = {
    "2024-01-02 03:04:05.000006": "2024-01-02T03:04:05.000006",
}


@pytest.fixture
def keyed(mover):
    """Create a table for each type, with rows numbered in ``n``, and move all tables in one job."""

    def move(tables):
        mover.postgres(f"CREATE TYPE odd_key AS ENUM ({', '.join(map(quoted, TEXTS['odd_key']))})")
        for number, (native, keys) in enumerate(tables.items()):
            mover.postgres(
                f"CREATE TABLE keys_{number} (k {native} PRIMARY KEY, v vector(2), n int NOT NULL)"
            )
            cast = native.split(" COLLATE")[0]
            for n, key in enumerate(keys):
                mover.postgres(f"INSERT INTO keys_{number} VALUES (%s::text::{cast}, '[1,2]', %s)", (key, n))
        return mover.move_all([{"source": f"public.keys_{number}"} for number in range(len(tables))])

    yield move
    for number in range(len(TEXTS)):
        mover.postgres(f"DROP TABLE IF EXISTS keys_{number}")
    mover.postgres("DROP TYPE odd_key")


def numbers(moved):
    return {key: row["n"] for key, row in moved.rows().items()}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def test_integers_can_be_keys_up_to_their_limits(keyed):
    for moved, (native, keys) in zip(keyed(INTEGERS), INTEGERS.items(), strict=True):
        assert moved.report["status"] == "Successful", moved.log
        assert numbers(moved) == dict(zip(keys, range(9), strict=False)), native
        assert moved.fields["k"]["type"].name == "INT64"


def test_texts_and_types_with_an_exact_text_can_be_keys(keyed):
    for moved, (native, keys) in zip(keyed(TEXTS), TEXTS.items(), strict=True):
        assert moved.report["status"] == "Successful", moved.log
        shown = {SHOWN.get(key, key): n for n, key in enumerate(keys)}
        assert numbers(moved) == shown, native
        assert moved.fields["k"]["type"].name == "VARCHAR"
        assert moved.counts["verified"] is True


@pytest.mark.parametrize("native", ["double precision", "boolean", "jsonb", "inet", "timestamptz"])
def test_keys_of_other_types_are_replaced_by_new_keys(mover, native):
    values = {"boolean": "true", "inet": "10.0.0.1", "jsonb": "{}", "timestamptz": "now"}
    value = values.get(native, "1.5")
    mover.postgres(f"CREATE TABLE others (k {native} PRIMARY KEY, v vector(2))")
    mover.postgres(f"INSERT INTO others VALUES (%s::text::{native}, '[1,2]')", (value,))
    faults = mover.refused("public.others", key="k")
    moved = mover.move("public.others")
    mover.postgres("DROP TABLE others")

    assert "key_type" in {fault["code"] for fault in faults}
    assert moved.report["status"] == "Successful", moved.log
    (row,) = moved.rows().values()
    assert moved.fields[moved.key]["auto_id"] is True
    assert "k" in row


def test_joined_keys_never_collide(mover):
    """These parts would collide if they were joined without escaping."""
    parts = [
        ("a", "b/c"),
        ("a/b", "c"),
        ("a%2Fb", "c"),
        ("a%", "2Fb/c"),
        ("", "/"),
        ("/", ""),
        ("", ""),
        ("é", "漢"),
    ]
    mover.postgres("CREATE TABLE pairs (a text, b text, v vector(2), n int, PRIMARY KEY (a, b))")
    for n, (a, b) in enumerate(parts):
        mover.postgres("INSERT INTO pairs VALUES (%s, %s, '[1,2]', %s)", (a, b, n))
    moved = mover.move("public.pairs", key=["a", "b"])
    mover.postgres("DROP TABLE pairs")

    assert moved.report["status"] == "Successful", moved.log
    escaped = [a.replace("%", "%25").replace("/", "%2F") + "/" + b for a, b in parts]
    assert numbers(moved) == {key: n for n, key in enumerate(escaped)}
