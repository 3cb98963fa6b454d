"""What commands that ask the console's database have in common."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, ProgrammingError

NOT_SET_UP = (
    "The console's database is not set up.\n  Run “manage.py migrate”, or name the folder of the console "
    "that you mean: VECTORFERRY_DATA_DIR (of the demo: .demo/console).\n  [database_not_set_up]"
)
# What SQLite and PostgreSQL say of a table that is not there.
MISSING = ("no such table", "does not exist")


class ConsoleCommand(BaseCommand):
    """Says in a sentence where the database was never set up; exit code 2."""

    def execute(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(*args, **options)
        except (OperationalError, ProgrammingError) as error:
            if not any(words in str(error) for words in MISSING):
                raise
            self.stderr.write(NOT_SET_UP)
            sys.exit(2)
