"""Rows that cannot be moved: the check before the move names the field and counts exactly those rows that the
job then rejects or skips."""

from collections import Counter

import pytest

from tests.roundtrip.mover import Mover

# Each column has hostile values in some rows of its own, so that each rejected row has one reason.
HOSTILE = {
    "short": ("text", "repeat('é', 40)", "'ok'"),
    "padded": ("char(20)", "repeat('x', 20)", "'ok'"),
    "number_text": ("numeric", "1e30 + 0.5", "1"),
    "big_number": ("numeric", "('1' || repeat('0', 400))::numeric", "1"),
    "when_known": ("timestamptz", "'infinity'", "now()"),
    "tags": ("text[]", "ARRAY['a', NULL]", "ARRAY['a']"),
    "many": ("integer[]", "array_fill(1, ARRAY[20])", "ARRAY[1]"),
    "square": ("integer[]", "'{{1,2},{3,4}}'", "ARRAY[1]"),
    "long_tags": ("text[]", "ARRAY[repeat('x', 99)]", "ARRAY['a']"),
    "payload": ("jsonb", "jsonb_build_object('a', repeat('x', 70000))", "'{}'"),
    "spaced": ("json", "('{\"a\":' || repeat(' ', 70000) || '1}')::json", "'{}'"),
    "bare": ("jsonb", "'7'", "'[]'"),
    "must": ("text", "NULL", "'ok'"),
    "rate": ("real", "'NaN'", "1"),
    "words": ("sparsevec(9)", "'{1:-1}/9'", "'{1:1}/9'"),
    "skipped": ("vector(2)", "NULL", "'[1,2]'"),
    "pair": ("composite_pair", "NULL", "ROW(NULL, NULL)"),
    "extra": ("text", "repeat('\"', 40000)", "'ok'"),
    "rest": ("jsonb", "jsonb_build_object('b', repeat('x', 65525))", "'{\"a\": [1, 2, 3]}'"),
    "opened": ("jsonb", "'[1]'", "'{\"c\": 1}'"),
    "lacks": ("jsonb", "'{}'", '\'{"d": "x"}\''),
    "longer": ("jsonb", "jsonb_build_object('e', repeat('é', 40))", '\'{"e": "x"}\''),
}
OPEN = ["rest", "opened", "lacks", "longer"]
KEYS = [
    {"source": "lacks.d", "type": "VARCHAR", "max_length": 64, "nullable": False, "misfit": "reject"},
    {"source": "longer.e", "type": "VARCHAR", "max_length": 64, "nullable": False, "misfit": "reject"},
]
LIMITS = {
    "short": {"max_length": 64},
    "padded": {"max_length": 16},
    "number_text": {"max_length": 30},
    "big_number": {"type": "DOUBLE"},
    "when_known": {"type": "INT64"},
    "tags": {"type": "ARRAY", "element_type": "VARCHAR"},
    "many": {"max_capacity": 16},
    "square": {"type": "ARRAY", "element_type": "INT32"},
    "long_tags": {"max_length": 64},
}
EACH = 3
REASONS = {
    "short": "“short” is longer than 64 bytes",
    "padded": "“padded” is longer than 16 bytes",
    "number_text": "“number_text” is longer than 30 bytes",
    "big_number": "“big_number” cannot be read as DOUBLE",
    "when_known": "“when_known” cannot be read as INT64",
    "tags": "“tags” has an element that is NULL",
    "many": "“many” has more than 16 elements",
    "square": "“square” cannot be read as ARRAY<INT32>",
    "long_tags": "an element of “long_tags” is longer than 64 bytes",
    "payload": "“payload” is more than 65,536 bytes of JSON",
    "spaced": "“spaced” is more than 65,536 bytes of JSON",
    "bare": "“bare” is a bare JSON value, and Milvus stores only objects and lists",
    "must": "“must” is NULL",
    "words": "“words” has a negative value",
    "pair": "“pair” is NULL",
    "$meta": "the dynamic field would hold more than 65,536 bytes of JSON",
    "opened": "“opened” is not a JSON object, so it has no keys",
    "lacks.d": "“lacks.d” is NULL",
    "longer.e": "“longer.e” is longer than 64 bytes",
}


@pytest.mark.parametrize("milvus_uri", ["milvus-lite"], indirect=True)
def test_the_check_counts_exactly_the_rows_that_the_job_rejects(mover: Mover) -> None:
    mover.postgres(
        "DROP TABLE IF EXISTS hostile; DROP TYPE IF EXISTS composite_pair;"
        "CREATE TYPE composite_pair AS (a integer, b integer)"
    )
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in HOSTILE.items())
    mover.postgres(f"CREATE TABLE hostile (id bigint PRIMARY KEY, {columns})")
    values = ", ".join(
        f"CASE WHEN n % 100 = {place} THEN ({bad})::{kind} ELSE ({good})::{kind} END"
        for place, (kind, bad, good) in enumerate(HOSTILE.values())
    )
    mover.postgres(f"INSERT INTO hostile SELECT n, {values} FROM generate_series(0, {100 * EACH - 1}) n")
    fields = [{"source": "id"}, {"source": "extra", "dynamic": True}, *KEYS]
    for name in HOSTILE.keys() - {"extra", *OPEN}:
        nullable = None if name in ("words", "skipped") else False
        fields.append({"source": name, "nullable": nullable, **LIMITS.get(name, {})})
    plan = {"fields": fields, "open": OPEN}

    found = mover.checked("public.hostile", **plan)
    moved = mover.move("public.hostile", options={"max_rejected": None}, **plan)

    (counts,) = found["collections"]
    rejected = Counter(row["field"] for row in moved.rejected)
    numbers = dict.fromkeys(REASONS, EACH) | {"$meta": 2 * EACH}
    assert rejected == numbers
    said = [f"{numbers[name]} of {100 * EACH} rows would be rejected: {REASONS[name]}." for name in rejected]
    for text in said:
        assert any(note.startswith(f"public.hostile: {text}") for note in found["notes"]), text
    assert counts["rows_rejected"] == moved.counts["rows_rejected"] == sum(rejected.values())
    assert counts["rows_skipped"] == moved.counts["rows_skipped"] == EACH
