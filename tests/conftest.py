"""Fixtures for every test, and the rule that a real engine or browser may be missing at home but not under
CI.
"""

import os
import shutil
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.kit.source_case", "tests.kit.source_contract")

pytest_plugins = [
    "tests.engines.browser",
    "tests.engines.milvus_lite",
    "tests.engines.milvus_standalone",
    "tests.engines.postgres",
    "tests.engines.postgres_contrib",
]

MARKERS = {
    "engine": {"postgres_server", "milvus_lite_uri", "milvus_235_uri", "milvus_uri"},
    "browser": {"browser"},
}


@pytest.fixture(params=["milvus-lite", "milvus-2.3.5"], scope="session")
def milvus_uri(request: pytest.FixtureRequest) -> str:
    """Each Milvus in turn: a test that asks for it runs on both."""
    fixture = {"milvus-lite": "milvus_lite_uri", "milvus-2.3.5": "milvus_235_uri"}[request.param]
    uri: str = request.getfixturevalue(fixture)
    return uri


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker, fixtures in MARKERS.items():
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and any(map(item.get_closest_marker, MARKERS)):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"Under CI=true nothing real may be skipped. {reason}"
    return report


def pytest_unconfigure() -> None:
    from tests.settings import DATA_DIR, IS_OURS

    if IS_OURS:
        shutil.rmtree(DATA_DIR, ignore_errors=True)
