from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.pipeline.moving import Move, books_on_the_move


@pytest.fixture
def move() -> Iterator[Move]:
    """200 books on their way, keys kept."""
    with books_on_the_move() as move:
        yield move


@pytest.fixture
def auto_move() -> Iterator[Move]:
    """200 books on their way to new keys."""
    with books_on_the_move(auto_id=True) as move:
        yield move


@pytest.fixture(params=["key kept", "auto id"])
def any_move(request: pytest.FixtureRequest) -> Iterator[Move]:
    with books_on_the_move(auto_id=request.param == "auto id") as move:
        yield move
