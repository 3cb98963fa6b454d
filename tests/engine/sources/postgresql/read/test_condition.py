"""Condition on the rows of a table: checks of its text ensure that it is one expression."""

import pytest
from pydantic import ValidationError

from migrations_app.engine.sources.postgresql.read.condition import MAX_CHARACTERS, refusal_of
from migrations_app.engine.sources.postgresql.read.selection import PostgresSelection

EXPRESSIONS = (
    "price > 0",
    "price > 0 AND (category = 'books' OR stock IN (1, 2))",
    "title LIKE '100%' OR title LIKE '%s' OR title = '{c} {} $1 ; -- /* ('",
    "title = 'O''Neil)' AND note = E'a\\'b;' AND note <> E'a' \n 'b\\'c)'",
    "body = $$it's; -- all ) text$$ OR body = $tag$ $$ ; $tag$",
    '"a;b" = 1 AND "quote""d)" IS NOT NULL AND "selected" AND selected_at > now()',
    "tags[1] = 'a' AND tags @> ARRAY['select']::text[]",
    "metadata->>'select' = 'table' AND (values > 3 OR a$b = 1)",
    "created AT TIME ZONE 'UTC' > '2024-01-01'::timestamp with time zone",
    "U&'d\\0061t' = title AND b'1' = flag",
    "имя = 'ö'",
    "5 - -3 > price",
    # Outside of E'…', a backslash is an ordinary character.
    "title = 'it\\' OR true",
)
REFUSED = {
    "price > 0; DROP TABLE items": "semicolon",
    "price > 0) OR (true": "not open",
    "price > 0) UNION (SELECT 1": "SELECT",
    "(price > 0": "open",
    "(price > tags[1)]": "not open",
    "price > 0 -- and stock": "comment",
    "price > /* */ 0": "comment",
    "title = 'it": "quote",
    "title = E'it\\' OR (true": "quote",
    "note = E'a' \n 'b\\' OR (true": "quote",
    '"title = 1': "double quote",
    "price > $1": "parameter",
    "title = $tag$ open": "dollar",
    "id IN (SELECT id FROM secrets)": "SELECT",
    "id IN (sElEcT 1)": "SELECT",
    "id = (TABLE secrets)": "TABLE",
    "id IN (VALUES (1))": "VALUES",
    "id IN (values\n(1))": "VALUES",
    "price > 0\0": "NUL",
    "x" * (MAX_CHARACTERS + 1): "longer",
}


@pytest.mark.parametrize("condition", EXPRESSIONS)
def test_a_condition_that_may_be_one_expression_is_accepted(condition: str) -> None:
    assert refusal_of(condition) == ""
    assert PostgresSelection(where=condition).where == condition


@pytest.mark.parametrize(("condition", "word"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_condition_that_is_more_than_one_expression_is_refused_with_the_reason(
    condition: str, word: str
) -> None:
    assert word in refusal_of(condition)
    with pytest.raises(ValidationError, match="the condition"):
        PostgresSelection(where=condition)


def test_without_a_condition_all_rows_are_selected_and_a_blank_one_is_refused() -> None:
    """A blank condition may come from a variable that is set but empty."""
    assert PostgresSelection().where == ""
    for blank in ("", "  \n "):
        with pytest.raises(ValidationError, match="leave it out to move all rows"):
            PostgresSelection(where=blank)
