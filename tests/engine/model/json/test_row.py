"""Row excerpt: a rejected row as JSON."""

import json
from datetime import date

import pyarrow as pa

from migrations_app.engine.model.json.row import MAX_ROW_BYTES, row_json


def test_a_row_is_shown_as_json_with_its_own_names() -> None:
    rows = pa.RecordBatch.from_pydict({"id": [1, 2], "title": ["a", "naïve “🦊”"], "note": ["x", None]})
    assert json.loads(row_json(rows, 1)) == {"id": 2, "title": "naïve “🦊”", "note": None}


def test_a_vector_is_shown_completely() -> None:
    rows = pa.RecordBatch.from_pydict({"embedding": [[0.5] * 768]})
    assert json.loads(row_json(rows)) == {"embedding": [0.5] * 768}


def test_long_vectors_and_texts_of_a_very_large_row_are_shortened_with_a_note() -> None:
    rows = pa.RecordBatch.from_pydict({"embedding": [[0.5] * 16_000], "text": ["x" * 1_000_000]})
    shown = json.loads(row_json(rows))
    assert shown["embedding"] == [0.5] * 500 + ["… (16,000 items)"]
    assert shown["text"] == "x" * 1000 + "… (1,000,000 characters)"
    assert len(row_json(rows)) < MAX_ROW_BYTES


def test_values_without_a_json_form_are_shown_as_text() -> None:
    columns = {
        "raw": [b"\x00\xff"],
        "day": [date(2026, 2, 28)],
        "odd": [float("nan")],
        "far": [[float("inf")]],
    }
    shown = json.loads(row_json(pa.RecordBatch.from_pydict(columns)))
    assert shown == {"raw": "00ff", "day": "2026-02-28", "odd": "nan", "far": ["inf"]}
