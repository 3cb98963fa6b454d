"""Fixtures of the engine tests: moves of 200 books."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.pipeline.moving import Move, books_on_the_move


@pytest.fixture
def move() -> Iterator[Move]:
    """A move of 200 books that keeps their keys."""
    with books_on_the_move() as move:
        yield move


@pytest.fixture
def auto_move() -> Iterator[Move]:
    """A move of 200 books that get new keys by Auto ID."""
    with books_on_the_move(auto_id=True) as move:
        yield move


@pytest.fixture(params=["key kept", "auto id"])
def any_move(request: pytest.FixtureRequest) -> Iterator[Move]:
    """A move of 200 books, once with kept keys and once with Auto ID."""
    with books_on_the_move(auto_id=request.param == "auto id") as move:
        yield move
