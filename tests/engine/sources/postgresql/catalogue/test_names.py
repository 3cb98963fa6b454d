"""Table names: `schema.table` as plans write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engine.sources.postgresql.catalogue.names import TableName, parse_name

PARTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=63)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("public.items", ("public", "items")),
        ("Public. Items ", ("Public", " Items ")),
        ("""public.t'q""", ("public", "t'q")),
        ('"Odd ""Schema"."t\'q"', ('Odd "Schema', "t'q")),
        ('"public"."items"', ("public", "items")),
        ('"a.b".c', ("a.b", "c")),
        ('a."b.c"', ("a", "b.c")),
        ("public.x; DROP TABLE y; --", ("public", "x; DROP TABLE y; --")),
    ],
)
def test_a_name_is_split_into_schema_and_table(text: str, parts: tuple[str, str]) -> None:
    assert parse_name(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", "items", "a.b.c", ".items", "public.", '"".x', 'a."b', 'a."b"c', 'a.b"c', "a.b\0", "a.\ud800"],
)
def test_a_text_that_is_not_a_table_name_gives_none(text: str) -> None:
    assert parse_name(text) is None


def test_only_parts_with_dots_or_double_quotes_are_quoted() -> None:
    assert str(TableName("My Schema", "t'q")) == "My Schema.t'q"
    assert str(TableName("a.b", 'c"d')) == '"a.b"."c""d"'


@given(PARTS, PARTS)
def test_every_name_is_read_back_as_it_was_written(schema: str, table: str) -> None:
    name = TableName(schema, table)
    assert parse_name(str(name)) == name


@given(PARTS, PARTS)
def test_double_quotes_in_a_name_are_escaped(schema: str, table: str) -> None:
    text = TableName(schema, table).identifier.as_string()
    quoted_schema, quoted_table = (part.replace('"', '""') for part in (schema, table))
    assert text == f'"{quoted_schema}"."{quoted_table}"'
