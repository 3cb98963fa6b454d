"""Row-level security of a real PostgreSQL: whoever reads a relation is told if rows may be hidden."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql

from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.source_schema import HiddenRows
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import CollectionInfo
from tests.engines.postgres import Database
from tests.integration.postgresql.database import opened

ROWS = 30
MINE = "tenant = 'a'"  # 10 of the 30 rows

# name: the statements that make it, of the table {t}. Its owner is rls_owner; rls_reader may read everything.
ON = "ALTER TABLE {t} ENABLE ROW LEVEL SECURITY;"
RELATIONS: dict[str, str] = {
    "plain": "",
    "off_with_policy": f"CREATE POLICY p ON {{t}} USING ({MINE});",
    "filtered": f"{ON} CREATE POLICY p ON {{t}} USING ({MINE});",
    "forced": f"{ON} ALTER TABLE {{t}} FORCE ROW LEVEL SECURITY; CREATE POLICY p ON {{t}} USING ({MINE});",
    "without_policy": ON,
    "for_others": f"{ON} CREATE POLICY p ON {{t}} TO rls_other USING (true);",
    "for_writing": f"{ON} CREATE POLICY p ON {{t}} FOR INSERT WITH CHECK (true);",
    "open": f"{ON} CREATE POLICY p ON {{t}} FOR SELECT USING (true);",
    "open_by_role": f"{ON} CREATE POLICY p ON {{t}} TO rls_group USING (true);",
    "restricted": f"{ON} CREATE POLICY p ON {{t}} USING (true);"
    f" CREATE POLICY r ON {{t}} AS RESTRICTIVE USING ({MINE});",
    "closed": f"{ON} CREATE POLICY p ON {{t}} USING (false);",
}
VIEWS = """
    SET ROLE rls_owner;
    CREATE VIEW view_of_owner AS SELECT * FROM filtered;
    CREATE VIEW view_of_owner_forced AS SELECT * FROM forced;
    CREATE VIEW invoker WITH (security_invoker = on) AS SELECT * FROM filtered;
    CREATE VIEW invoker_of_nothing WITH (security_invoker) AS SELECT * FROM without_policy;
    CREATE VIEW over_invoker AS SELECT * FROM invoker;
    CREATE VIEW in_condition AS SELECT * FROM plain WHERE id IN (SELECT id FROM forced);
    CREATE VIEW not_invoker WITH (security_invoker = false) AS SELECT * FROM filtered;
    CREATE MATERIALIZED VIEW stored AS SELECT * FROM filtered;
    CREATE MATERIALIZED VIEW stored_forced AS SELECT * FROM forced;
    CREATE MATERIALIZED VIEW stored_invoker AS SELECT * FROM invoker;
    CREATE VIEW over_stored AS SELECT * FROM stored_forced;
    RESET ROLE;
    SET ROLE rls_other;
    CREATE VIEW view_of_other AS SELECT * FROM filtered;
    CREATE VIEW view_of_other_all AS SELECT * FROM for_others;
    RESET ROLE;
    CREATE VIEW view_of_superuser AS SELECT * FROM forced;
    CREATE TABLE parts (id int, tenant text, v vector(2), PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
    INSERT INTO parts SELECT * FROM plain;
    ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON parts USING (tenant = 'a');
    CREATE TABLE open_parts (LIKE plain) PARTITION BY RANGE (id);
    CREATE TABLE closed_part PARTITION OF open_parts FOR VALUES FROM (0) TO (100);
    INSERT INTO open_parts SELECT * FROM plain;
    ALTER TABLE closed_part ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO rls_reader, rls_bypass, rls_owner;
"""
HIDDEN = {
    "filtered", "forced", "without_policy", "for_others", "for_writing", "restricted", "closed",
    "view_of_owner_forced", "invoker", "invoker_of_nothing", "over_invoker", "in_condition",
    "stored_forced", "over_stored", "view_of_other", "parts",
}  # fmt: skip
ALL_HIDDEN = {"without_policy", "for_others", "for_writing", "closed", "invoker_of_nothing"}


@pytest.fixture(scope="module")
def database(pg: Database) -> Iterator[Database]:
    roles = ("rls_reader", "rls_owner", "rls_other", "rls_bypass", "rls_group")
    for role in roles:
        options = sql.SQL("BYPASSRLS" if role == "rls_bypass" else "NOBYPASSRLS")
        with pg.connect() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x' {}").format(sql.Identifier(role), options)
            )
            connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(sql.Identifier(role)))
    with pg.connect() as connection:
        connection.execute("GRANT rls_group TO rls_reader")
        for name, statements in RELATIONS.items():
            table = sql.Identifier(name)
            connection.execute(
                sql.SQL("CREATE TABLE {} (id int PRIMARY KEY, tenant text, v vector(2))").format(table)
            )
            connection.execute(
                sql.SQL(
                    "INSERT INTO {} SELECT g, substr('abc', g % 3 + 1, 1), '[1,2]'"
                    " FROM generate_series(1, 30) g"
                ).format(table)
            )
            connection.execute(sql.SQL("ALTER TABLE {} OWNER TO rls_owner").format(table))
            connection.execute(sql.SQL("GRANT SELECT ON {} TO rls_other").format(table))
            connection.execute(sql.SQL(statements).format(t=table))
        connection.execute(VIEWS)
    yield pg
    with pg.connect() as connection:
        for role in roles:
            connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(role)))
        for role in roles:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def as_user(database: Database, user: str) -> dict[str, Any]:
    return {"user": user, "password": "x"} if user else {}


def listing(database: Database, user: str) -> dict[str, CollectionInfo]:
    with opened(database, **as_user(database, user)) as source:
        return {info.label: info for info in source.collections(ReadContext())}


def test_hidden_rows_are_said_for_exactly_the_relations_that_hide_some(database: Database) -> None:
    listed = listing(database, "rls_reader")
    assert {name for name, info in listed.items() if info.note} == HIDDEN
    with database.connect(user="rls_reader", password="x") as connection:
        for name in listed:
            (row,) = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))
            assert (row[0] < ROWS) == (name in HIDDEN), name
            assert (row[0] == 0) == (name in ALL_HIDDEN), name


@pytest.mark.parametrize("user", ["", "rls_bypass"])
def test_a_user_who_bypasses_the_policies_is_told_only_of_views_that_read_as_their_owner(
    database: Database, user: str
) -> None:
    views = {"stored_forced", "over_stored", "view_of_owner_forced", "in_condition", "view_of_other"}
    assert {name for name, info in listing(database, user).items() if info.note} == views


def test_an_owner_is_told_only_of_forced_policies(database: Database) -> None:
    noted = {name for name, info in listing(database, "rls_owner").items() if info.note}
    assert noted >= {"forced", "view_of_owner_forced", "stored_forced"}
    assert not noted & {"filtered", "without_policy", "invoker", "stored", "view_of_owner"}


def test_a_table_that_shows_nothing_cannot_be_selected_and_says_what_to_ask_for(database: Database) -> None:
    listed = listing(database, "rls_reader")
    for name in ALL_HIDDEN:
        reason = listed[name].not_selectable
        assert reason.startswith("It shows no rows. Row-level security of"), reason
        assert "ALTER ROLE rls_reader BYPASSRLS" in reason
        assert "because no policy lets this role read" in reason
    assert "CREATE POLICY vectorferry ON public.closed FOR SELECT TO rls_reader USING (true)" in (
        listed["closed"].not_selectable
    )
    assert not listed["filtered"].not_selectable


def described(database: Database, name: str) -> HiddenRows:
    with opened(database, **as_user(database, "rls_reader")) as source:
        schema = source.describe(CollectionRef(f"public.{name}"), 10, ReadContext())
    assert schema.hidden_rows is not None
    assert str(schema.hidden_rows) in schema.notes
    return schema.hidden_rows


def test_the_sentence_names_the_table_and_the_role_that_reads_it(database: Database) -> None:
    own = described(database, "invoker")
    assert "“public.filtered” may hide rows from user “rls_reader”" in own.sentence
    assert "CREATE POLICY vectorferry ON public.filtered" in own.hint
    restricted = described(database, "restricted")
    assert "CREATE POLICY" not in restricted.hint
    other = described(database, "view_of_other")
    assert "“rls_other”, the owner of the view" in other.sentence
    assert "security_invoker = true" in other.hint
    assert "TO rls_other" not in other.hint
    stored = described(database, "stored_forced")
    assert "The materialized view may lack rows: it holds what “rls_owner”" in stored.sentence
