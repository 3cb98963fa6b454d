"""Beyond the sample: a plan with the defaults rejects no row, though the last rows are unlike all others."""

ROWS, LONGER = 20_000, 500
TABLE = f"""
    CREATE TABLE grown (code text PRIMARY KEY, v vector(2) NOT NULL, title text NOT NULL,
        note varchar(90) NOT NULL, tags text[] NOT NULL, marks integer[] NOT NULL, odd text[] NOT NULL);
    INSERT INTO grown SELECT
        'code ' || lpad(g::text, 6, '0') || CASE WHEN is_long THEN repeat('k', 900) ELSE '' END,
        ARRAY[g, 1]::vector,
        CASE WHEN is_long THEN repeat('ä', 500) ELSE 'title' END,
        CASE WHEN is_long THEN repeat('€', 90) ELSE 'note' END,
        CASE WHEN is_long THEN array_fill(repeat('t', 300), ARRAY[3]) ELSE ARRAY['a', 'b'] END,
        CASE WHEN is_long THEN array_fill(g, ARRAY[100]) ELSE ARRAY[g] END,
        CASE WHEN g = {ROWS} THEN ARRAY[['a'], [NULL]] ELSE ARRAY['a'] END
    FROM generate_series(1, {ROWS}) g, LATERAL (SELECT g > {ROWS - LONGER} AS is_long) l;
    CREATE VIEW grown_view AS SELECT * FROM grown
"""


def test_no_row_is_rejected_for_what_the_sample_did_not_show(isolated):
    isolated.postgres(TABLE)
    of_table, of_view = isolated.move_all([{"source": f"public.{name}"} for name in ("grown", "grown_view")])
    for moved in (of_table, of_view):
        assert moved.report["status"] == "Successful", moved.log
        counts = moved.counts
        assert (counts["rows_written"], counts["rows_rejected"]) == (ROWS, 0), moved.rejected[:3]
    params = {name: field["params"] for name, field in of_table.fields.items()}
    lengths = {name: params[name]["max_length"] for name in ("code", "title", "note")}
    assert lengths == {"code": 65_535, "title": 65_535, "note": 360}
    assert params["marks"]["max_capacity"] == 4096
