"""Data set of the demo: definitions and examples read from Python source files."""

from datetime import date
from pathlib import Path

import pytest

from migrations_app.demo.dataset import DocKind, Library, read_library

SOURCE = '''"""A module.

>>> 1 + 1
2
"""


class Boat(Base):
    """Floats."""

    async def sail(self, wind: int = 3) -> str:
        """Goes.\\0 Deprecated."""


def _quiet(a, *, b):
    return a
'''


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "boats.py").write_text(SOURCE)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_boats.py").write_text(SOURCE)
    (tmp_path / "site.txt").write_text("no Python")
    return read_library(tmp_path)


def test_each_definition_becomes_a_row_and_tests_are_left_out(library):
    assert [(doc.name, doc.kind) for doc in library.docs] == [
        ("json.boats", DocKind.MODULE),
        ("json.boats.Boat", DocKind.CLASS),
        ("json.boats._quiet", DocKind.FUNCTION),
        ("json.boats.Boat.sail", DocKind.METHOD),
    ]


def test_only_functions_and_methods_have_a_signature(library):
    assert [doc.signature for doc in library.docs] == [
        None,
        None,
        "_quiet(a, *, b)",
        "sail(self, wind: int=3) -> str",
    ]


def test_without_a_docstring_the_first_lines_of_the_source_are_the_text(library):
    assert library.docs[2].text == "def _quiet(a, *, b):\n    return a"
    assert library.docs[2].tags == ["private", "undocumented"]


def test_characters_that_postgresql_cannot_store_are_removed(library):
    assert library.docs[3].text == "Goes. Deprecated."
    assert library.docs[3].tags == ["async", "deprecated", "public"]


def test_examples_have_their_line_and_answer(library):
    example = library.examples[0]
    assert (example.module, example.line, example.typed, example.answer) == ("json.boats", 3, "1 + 1", "2")


def test_nothing_is_imported_while_reading(tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    assert [doc.name for doc in read_library(tmp_path).docs] == ["json"]


def test_the_installed_library_gives_at_least_ten_thousand_rows():
    library = read_library()
    assert len(library.docs) >= 10_000
    assert {doc.kind for doc in library.docs} == set(DocKind)
    assert all(doc.text and isinstance(doc.changed_on, date) for doc in library.docs)
    assert len(library.examples) >= 500
