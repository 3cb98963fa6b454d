"""Keys with ICU collations and of the type citext, which the wheel's PostgreSQL lacks: these tests need a
PostgreSQL that is installed on the machine.
"""

import pytest

from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.joined_key_text import PART
from migrations_app.engine.model.source_schema import SourceKey
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import KeyRows, MeasureRequest
from tests.engines.postgres import Database
from tests.integration.postgresql.database import batches_of, locators_of, opened
from tests.integration.postgresql.test_keys import KEYED, MIXED_CASE, TEXTS, assert_resumes


@pytest.fixture(scope="module")
def database(postgres_contrib: Database) -> Database:
    postgres_contrib.execute(
        "CREATE COLLATION numbered (provider = icu, locale = 'en-u-kn-true');"
        "CREATE COLLATION shouting (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "CREATE DOMAIN slug AS citext"
    )
    return postgres_contrib


@pytest.fixture
def keyed(database):
    def make(native, key):
        database.execute("DROP TABLE IF EXISTS keyed")
        database.execute(f"CREATE TABLE keyed (k {native}, filler text)")
        database.execute(f"INSERT INTO keyed SELECT {key}, repeat('x', 60) FROM generate_series(0, 199) g")
        return database

    return make


@pytest.mark.parametrize("collation", ['"und-x-icu"', '"de-x-icu"', "numbered"])
def test_texts_are_read_in_the_order_of_their_collation(keyed, collation):
    assert_resumes(keyed(f"text COLLATE {collation} PRIMARY KEY", TEXTS))


@pytest.mark.parametrize("native", ["text COLLATE shouting", "citext", "slug", "citext COLLATE shouting"])
def test_case_insensitive_texts_are_read_in_their_order(keyed, native):
    assert_resumes(keyed(f"{native} PRIMARY KEY", MIXED_CASE))


def test_an_index_that_distinguishes_more_values_than_its_column_gives_no_order(keyed):
    """A read after “a” would skip “A” by the collation of the column."""
    database = keyed("text COLLATE shouting NOT NULL", TEXTS)
    database.execute('CREATE UNIQUE INDEX ON keyed (k COLLATE "C")')
    with opened(database) as source:
        (part,) = source.slices(KEYED, 1, ReadContext())
        assert (part.resumable, source.describe(KEYED, 100, ReadContext()).key) == (False, SourceKey(("k",)))
        assert len(set(locators_of(list(batches_of(source, KEYED.name))))) == 200


def test_citext_outside_the_search_path_gives_no_order(keyed):
    """It would be compared as text."""
    database = keyed("citext PRIMARY KEY", MIXED_CASE)
    database.execute("ALTER ROLE postgres SET search_path = pg_catalog")
    with opened(database) as source:
        (part,) = source.slices(KEYED, 1, ReadContext())
        assert not part.resumable
    database.execute("ALTER ROLE postgres RESET search_path")


def test_keys_that_only_a_collation_makes_equal_are_counted_as_different(keyed):
    """Milvus distinguishes them."""
    database = keyed("text COLLATE shouting", "CASE WHEN g % 2 = 0 THEN 'a' ELSE 'A' END")
    rows = KeyRows((ReadColumn("k", PART),), ("k",))
    with opened(database) as source:
        assert source.measure(KEYED, MeasureRequest(duplicates_of=rows), ReadContext()).duplicates == 198
