"""Fixtures of the engine tests: moves of 200 books."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.pipeline.moves import Move, move_of_books


@pytest.fixture
def move() -> Iterator[Move]:
    """A move of 200 books that keeps their keys."""
    with move_of_books() as move:
        yield move


@pytest.fixture
def auto_move() -> Iterator[Move]:
    """A move of 200 books that get new keys by Auto ID."""
    with move_of_books(auto_id=True) as move:
        yield move


@pytest.fixture(params=["key kept", "auto id"])
def any_move(request: pytest.FixtureRequest) -> Iterator[Move]:
    """A move of 200 books, once with kept keys and once with Auto ID."""
    with move_of_books(auto_id=request.param == "auto id") as move:
        yield move
