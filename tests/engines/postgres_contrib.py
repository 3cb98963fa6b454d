"""PostgreSQL of the Linux distribution, if it is installed with its contrib modules. It has hstore, citext
and xml, which the wheel lacks, but no pgvector.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from migrations_app.demo.engines import EmbeddedPostgres
from tests.engines.postgres import FAST_BUT_UNSAFE, Database

# Debian installs each version here.
_ROOT = Path("/usr/lib/postgresql")


class SystemPostgres(EmbeddedPostgres):
    @cached_property
    def _programs(self) -> Path:
        return installed_programs()[-1]


def installed_programs() -> list[Path]:
    """The program folder of each installed version with contrib modules, oldest first."""
    found = [bin_ for bin_ in _ROOT.glob("*/bin") if (bin_.parent / "lib" / "hstore.so").exists()]
    return sorted(found, key=lambda bin_: int(bin_.parent.name))


@pytest.fixture(scope="session")
def postgres_contrib() -> Iterator[Database]:
    if not installed_programs():
        pytest.skip("the distribution's PostgreSQL with its contrib modules is not installed")
    with TemporaryDirectory(prefix="vectorferry-postgres-", ignore_cleanup_errors=True) as folder:
        server = SystemPostgres(Path(folder), FAST_BUT_UNSAFE)
        server.start()
        database = Database(server.url())
        database.execute("CREATE SCHEMA contrib; CREATE EXTENSION hstore SCHEMA contrib")
        database.execute("CREATE EXTENSION citext")
        yield database
        server.stop()
