"""The console's settings for the tests: a data folder and a database that may be thrown away.

Processes that a test starts (a worker, for example) inherit the environment, so they use the same folder and
the same database. Each process of pytest-xdist has a folder and a database of its own.
"""

import os
import tempfile
from pathlib import Path

IS_OURS = "VECTORFERRY_TEST_DATA_DIR" not in os.environ
if IS_OURS:
    os.environ["VECTORFERRY_TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="vectorferry-tests-")
_process = os.environ.get("PYTEST_XDIST_WORKER", "")
os.environ["VECTORFERRY_DATA_DIR"] = str(Path(os.environ["VECTORFERRY_TEST_DATA_DIR"]) / _process)

from console.settings import *  # noqa: E402, F403
from console.settings import DATABASES  # noqa: E402

# Django creates the test database next to the named one. Here it is the named one, so that other processes
# find it; so it must be one that nobody needs.
_database = DATABASES["default"]
if "postgresql" in _database["ENGINE"]:
    if not _database["NAME"].startswith("test_"):
        raise RuntimeError(
            f"DATABASE_URL names the database {_database['NAME']!r}: the tests drop theirs, so its name must "
            "begin with test_."
        )
    if _process:
        _database["NAME"] += f"_{_process}"
_database["TEST"] = {"NAME": _database["NAME"]}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
