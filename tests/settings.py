"""The console's settings for the tests: a data folder of their own, and a database that may be thrown away.

Processes that a test starts (a worker, say) inherit the environment, and so meet the same folder and
database.
"""

import os
import tempfile

IS_OURS = "VECTORFERRY_TEST_DATA_DIR" not in os.environ
if IS_OURS:
    os.environ["VECTORFERRY_TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="vectorferry-tests-")
os.environ["VECTORFERRY_DATA_DIR"] = os.environ["VECTORFERRY_TEST_DATA_DIR"]

from console.settings import *  # noqa: E402, F403
from console.settings import DATABASES  # noqa: E402

# Django makes the test database beside the named one. Here it is the named one itself, so that other
# processes find it, and so it must be one that nobody misses.
_database = DATABASES["default"]
if "postgresql" in _database["ENGINE"] and not _database["NAME"].startswith("test_"):
    raise RuntimeError(
        f"DATABASE_URL names the database {_database['NAME']!r}: the tests drop theirs, so its name must "
        "begin with test_."
    )
_database["TEST"] = {"NAME": _database["NAME"]}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
