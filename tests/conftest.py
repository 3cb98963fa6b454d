"""Fixtures of all tests. Under CI a missing engine or browser is a failure; elsewhere the test is skipped."""

import os
import shutil
from collections.abc import Iterator

import hypothesis
import pytest

# `make test-long` uses the long profile. There is no deadline: on a busy machine correct code is late too.
hypothesis.settings.register_profile("default", max_examples=100, deadline=None)
hypothesis.settings.register_profile("long", max_examples=2_000, deadline=None)
hypothesis.settings.load_profile("default")

pytest.register_assert_rewrite(
    "tests.kit.http_source_contract",
    "tests.kit.slice_contract",
    "tests.kit.source_case",
    "tests.kit.source_contract",
)

pytest_plugins = [
    "tests.engines.browser",
    "tests.engines.milvus_lite",
    "tests.engines.milvus_standalone",
    "tests.engines.postgres",
    "tests.engines.postgres_contrib",
    "tests.engines.qdrant",
]

MARKERS = {
    "engine": {"postgres_server", "milvus_lite_uri", "milvus_235_uri", "milvus_uri", "qdrant_process"},
    "browser": {"browser"},
}


# Folders with slow tests, the slowest first.
SLOW_FIRST = {folder: rank for rank, folder in enumerate(("faults", "e2e", "roundtrip", "integration"))}


@pytest.fixture(params=["milvus-lite", "milvus-2.3.5"], scope="session")
def milvus_uri(request: pytest.FixtureRequest) -> str:
    """The URI of each Milvus in turn: a test with this fixture runs on both."""
    fixture = {"milvus-lite": "milvus_lite_uri", "milvus-2.3.5": "milvus_235_uri"}[request.param]
    uri: str = request.getfixturevalue(fixture)
    return uri


@pytest.fixture(scope="session")
def django_db_modify_db_settings_xdist_suffix() -> None:
    """Do nothing: ``tests.settings`` already gives each process its own database."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker, fixtures in MARKERS.items():
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)
    # Slow files first, so that no process of pytest-xdist starts one of them at the end.
    items.sort(key=lambda item: SLOW_FIRST.get(item.path.relative_to(item.config.rootpath).parts[1], 9))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and any(map(item.get_closest_marker, MARKERS)):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"Under CI=true nothing real may be skipped. {reason}"
    return report


def pytest_unconfigure() -> None:
    from tests.settings import IS_OURS

    if IS_OURS:
        shutil.rmtree(os.environ["VECTORFERRY_TEST_DATA_DIR"], ignore_errors=True)
