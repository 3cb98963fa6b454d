"""Test runner with PostgreSQL as the database of Django: `python -m tests.engines.on_postgres [pytest
arguments]`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from migrations_app.demo.engines import EmbeddedPostgres
from tests.engines.postgres import FAST_BUT_UNSAFE


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="vectorferry-postgres-") as folder:
        server = EmbeddedPostgres(Path(folder), FAST_BUT_UNSAFE)
        server.start()
        try:
            return subprocess.run(
                [sys.executable, "-m", "pytest", *arguments], env=_environment(server)
            ).returncode
        finally:
            server.stop()


def _environment(server: EmbeddedPostgres) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": server.url("test_vectorferry"),
        "SECRET_KEY": "a key for the tests on PostgreSQL, of no use elsewhere",
        "VECTORFERRY_SECRETS_KEYS": Fernet.generate_key().decode(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
