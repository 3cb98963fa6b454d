"""Base class of the commands that use the console's database."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, ProgrammingError

NOT_SET_UP = (
    "The console's database is not set up.\n  Run “manage.py migrate”, or set VECTORFERRY_DATA_DIR to the "
    "folder of your console (for the demo: .demo/console).\n  [database_not_set_up]"
)
# Parts of the SQLite and PostgreSQL messages for a missing table.
MISSING = ("no such table", "does not exist")


class ConsoleCommand(BaseCommand):
    """Command that prints a clear message if the database is not set up, and exits with code 2."""

    def execute(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(*args, **options)
        except (OperationalError, ProgrammingError) as error:
            if not any(words in str(error) for words in MISSING):
                raise
            self.stderr.write(NOT_SET_UP)
            sys.exit(2)
