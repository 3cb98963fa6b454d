"""Values of document keys that do not fit their field: PostgreSQL counts what the mapping finds."""

from typing import Any

import pytest

from migrations_app.engine.model.plan import Plan
from migrations_app.engine.preflight import check_plan
from migrations_app.engine.preflight.scans import all_rows
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.postgresql import PostgresSource
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened
from tests.kit import MemoryDatabase, MemoryTarget, memory_database

# Numbers at the ends of the types, as JSON texts, and values of other kinds.
VALUES = [
    *("null", "true", '"text"', '"ééé"', "[]", "[1]", '["a"]', "[1, null]", '[1, "a"]', "{}", '{"a": 1}'),
    *("0", "1.0", "1.5", "-0.0", "1e3", "1e308", "127", "128", "2147483648", "9007199254740993"),
    *(str(2**60), str(2**60 + 1), str(2**63 - 1024), str(2**63 - 1), str(2**63), str(-(2**63))),
    *(str(-(2**63) - 1), str(2**63 + 2048), str(2**63 + 1), "1e22", "0.1", "1e-400"),
]
KEY = "doc.$.a b"
TYPES: list[dict[str, Any]] = [
    *({"type": name} for name in ("VARCHAR", "BOOL", "INT8", "INT32", "INT64", "DOUBLE", "JSON")),
    {"type": "VARCHAR", "max_length": 4},
    *({"type": "ARRAY", "element_type": name, "max_capacity": 9} for name in ("INT64", "VARCHAR", "BOOL")),
]


def counted(pg: Database, kind: str, misfit: str) -> tuple[int, dict[tuple[str, str], int]]:
    """Return the number of rejected rows, and the numbers of values that do not fit. Each type has a key."""
    keys = [{"source": f"{KEY}.t{n}", "target": f"t{n}", "misfit": misfit} for n in range(len(TYPES))]
    fields = [
        {"source": "id"},
        {"source": "v"},
        *({**key, **of} for key, of in zip(keys, TYPES, strict=True)),
    ]
    plan = {
        "version": 1,
        "source": {"kind": "postgresql"},
        "target": {"kind": "memory"},
        "collections": [{"source": f"public.misfits_{kind}", "open": ["doc"], "fields": fields}],
        "options": {"max_skipped": 1.0},
    }
    with opened(pg) as source, memory_database(MemoryDatabase()) as settings:
        target = MemoryTarget(settings, "default")
        (found,) = check_plan(Plan.model_validate(plan), source, target, ReadContext()).collections
    counts = found.losses
    assert counts is not None
    return counts.rejected, {(t.field, t.code): number for t, number in counts.by_test.items() if t.path}


@pytest.fixture(scope="module")
def tables(pg: Database) -> Database:
    for kind in ("json", "jsonb"):
        pg.execute(f"CREATE TABLE misfits_{kind} (id bigint PRIMARY KEY, v vector(2), doc {kind})")
        for number, value in enumerate([*VALUES, None]):
            members = [] if value is None else [f'"t{n}": {value}' for n in range(len(TYPES))]
            document = f'{{"$": {{"a b": {{{", ".join(members)}}}}}}}'
            pg.execute(f"INSERT INTO misfits_{kind} VALUES (%s, '[1,2]', %s)", (number, document))
    return pg


@pytest.mark.parametrize("kind", ["json", "jsonb"])
@pytest.mark.parametrize("misfit", ["reject", "dynamic"])
def test_postgresql_counts_the_values_that_the_mapping_finds(
    tables: Database, kind: str, misfit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_rows, "FEW_ROWS", 0)  # nothing is read
    by_sql = counted(tables, kind, misfit)
    assert len(by_sql[1]) >= len(TYPES)
    # Only null fits all types.
    assert by_sql[0] == (len(VALUES) - 1 if misfit == "reject" else 0)
    read = frozenset(PostgresSource.can_measure) - {"row_tests"}
    monkeypatch.setattr(PostgresSource, "can_measure", read)
    assert counted(tables, kind, misfit) == by_sql
