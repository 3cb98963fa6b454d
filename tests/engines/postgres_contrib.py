"""The distribution's own PostgreSQL, where it is installed with its contrib modules: hstore, citext and xml,
which the wheel's does not have. It has no pgvector.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from migrations_app.demo.engines import EmbeddedPostgres
from tests.engines.postgres import CARELESS, Database

# Where Debian keeps each version.
_ROOT = Path("/usr/lib/postgresql")


class SystemPostgres(EmbeddedPostgres):
    @cached_property
    def _programs(self) -> Path:
        return found_programs()[-1]


def found_programs() -> list[Path]:
    """Of each version with contrib modules, oldest first."""
    found = [bin_ for bin_ in _ROOT.glob("*/bin") if (bin_.parent / "lib" / "hstore.so").exists()]
    return sorted(found, key=lambda bin_: int(bin_.parent.name))


@pytest.fixture(scope="session")
def postgres_contrib() -> Iterator[Database]:
    if not found_programs():
        pytest.skip("the distribution's PostgreSQL with its contrib modules is not installed")
    with TemporaryDirectory(prefix="vectorferry-postgres-", ignore_cleanup_errors=True) as folder:
        server = SystemPostgres(Path(folder), CARELESS)
        server.start()
        database = Database(server.url())
        database.execute("CREATE SCHEMA contrib; CREATE EXTENSION hstore SCHEMA contrib")
        database.execute("CREATE EXTENSION citext")
        yield database
        server.stop()
