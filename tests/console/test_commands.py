"""Commands on the pages: they run as printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from console.commands import manage_command


def test_a_command_names_the_data_folder_of_a_demo(settings):
    settings.VECTORFERRY_COMMAND = settings.DATABASE_URL = ""
    settings.DATA_DIR = settings.BASE_DIR / ".demo" / "console"
    python = Path(sys.prefix).absolute().relative_to(settings.BASE_DIR)
    expected = f"VECTORFERRY_DATA_DIR=.demo/console {python}/bin/python manage.py worker"
    assert manage_command("worker") == expected
    settings.DATA_DIR = settings.BASE_DIR / "data"
    assert manage_command("worker") == f"{python}/bin/python manage.py worker"


@pytest.mark.parametrize("written", ["", "VECTORFERRY_COMMAND=\n"])
def test_make_run_prints_commands_that_read_its_settings(settings, tmp_path, written):
    file = tmp_path / "env"
    file.write_text(f"{written}VECTORFERRY_DATA_DIR={tmp_path}/data\n")
    # Instead of the programs of `make run`, one that prints the setting.
    (tmp_path / "python").write_text('#!/bin/sh\necho "$VECTORFERRY_COMMAND"; exit 1\n')
    (tmp_path / "python").chmod(0o755)
    make = ["make", "-s", "-o", ".venv/.requirements-installed", "run"]
    made = subprocess.run(
        [*make, f"ENV_FILE={file}", f"BIN={tmp_path}"], cwd=settings.BASE_DIR, capture_output=True, text=True
    )
    settings.VECTORFERRY_COMMAND = made.stdout.strip()
    # The same program stands in for Python: here it prints the folder that the command uses.
    (tmp_path / "python").write_text('#!/bin/sh\necho "$VECTORFERRY_DATA_DIR" $*\n')
    command = manage_command("jobs list")
    printed = subprocess.check_output(command, shell=True, cwd=settings.BASE_DIR, text=True)
    assert printed == f"{tmp_path}/data manage.py jobs list\n"
