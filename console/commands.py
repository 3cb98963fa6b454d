"""Commands that pages show: they run as printed in the folder of this installation."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from django.conf import settings


def manage_command(arguments: str) -> str:
    """Return the command line that runs ``manage.py`` with ``arguments``.

    The installation can say how it begins (``VECTORFERRY_COMMAND``). Otherwise it is built for the checkout:
    with its Python, and with its data folder if this is not the default.
    """
    return f"{settings.VECTORFERRY_COMMAND or _of_checkout()} {arguments}"


def _of_checkout() -> str:
    folder, python = _relative_path(settings.DATA_DIR), _relative_path(Path(sys.prefix))
    command = f"{shlex.quote(python)}/bin/python manage.py" if python else "python manage.py"
    if settings.DATABASE_URL or folder in ("", "data"):
        return command
    return f"VECTORFERRY_DATA_DIR={shlex.quote(folder)} {command}"


def _relative_path(folder: Path) -> str:
    """Return the path relative to the checkout; empty if it is outside, because the page must not show it."""
    folder = folder.absolute()
    return str(folder.relative_to(settings.BASE_DIR)) if folder.is_relative_to(settings.BASE_DIR) else ""
