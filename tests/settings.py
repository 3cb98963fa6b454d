"""Settings of the console for the tests: a data folder and a database that may be deleted.

Processes that a test starts (a worker, for example) inherit the environment, so they use the same folder and
the same database. Each process of pytest-xdist has its own folder and its own database.
"""

import os
import tempfile
from pathlib import Path

# True if this process creates the folder and so must delete it.
IS_OURS = "VECTORFERRY_TEST_DATA_DIR" not in os.environ
if IS_OURS:
    os.environ["VECTORFERRY_TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="vectorferry-tests-")
_process = os.environ.get("PYTEST_XDIST_WORKER", "")
os.environ["VECTORFERRY_DATA_DIR"] = str(Path(os.environ["VECTORFERRY_TEST_DATA_DIR"]) / _process)

from console.settings import *  # noqa: E402, F403
from console.settings import DATABASES  # noqa: E402

# Django normally creates the test database next to the configured one. Here both are the same, so that other
# processes find it. The tests drop it, so it must not hold data that is still needed.
_database = DATABASES["default"]
if "postgresql" in _database["ENGINE"]:
    if not _database["NAME"].startswith("test_"):
        raise RuntimeError(
            f"DATABASE_URL names the database {_database['NAME']!r}. The tests drop their database, so its "
            "name must begin with test_."
        )
    if _process:
        _database["NAME"] += f"_{_process}"
_database["TEST"] = {"NAME": _database["NAME"]}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# A test may add a source to the registry, also of the processes that it starts: kind=module:Class.
if _source := os.environ.get("VECTORFERRY_TEST_SOURCE"):
    from migrations_app.engine.sources.registry import SOURCES, SourceEntry

    _kind, _, _dotted = _source.partition("=")
    SOURCES[_kind] = SourceEntry(_kind, "Archive", "Articles in the memory of the process.", _dotted)
