"""Demo command: `make demo EXIT=1` as a process in its own folder, with real engines."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from migrations_app.demo.stack import Stack

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[3]


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "manage.py", "demo", *arguments],
        cwd=ROOT,
        env={**environment, "VECTORFERRY_DATA_DIR": str(folder / "console")},
        capture_output=True,
        text=True,
        timeout=400,
    )


def test_the_demo_refuses_a_folder_that_is_not_its_own(tmp_path):
    done = demo(tmp_path)
    assert done.returncode == 1
    assert "Start it with: make demo" in done.stderr


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / ".demo"
    Stack(tmp_path / ".demo", ROOT).stop()


def test_the_sample_job_succeeds_and_a_stopped_demo_still_has_it_when_started_again(folder):
    done = demo(folder, "--exit")
    assert done.returncode == 0, done.stderr
    assert "Successful" in done.stdout
    assert Stack(folder, ROOT).alive() == []
    with sqlite3.connect(folder / "console" / "vectorferry.sqlite3") as database:
        jobs = database.execute("SELECT public_id, status FROM migrations_app_job").fetchall()
        tested = database.execute(
            "SELECT name, test_error FROM migrations_app_connection ORDER BY name"
        ).fetchall()
    database.close()
    assert [status for _, status in jobs] == ["successful"]
    assert tested == [("demo-milvus", ""), ("demo-postgres", ""), ("demo-qdrant", "")]

    again = demo(folder)
    assert again.returncode == 0, again.stderr
    stack = Stack(folder, ROOT)
    assert stack.alive() == list(stack.parts)
    assert demo(folder, "--stop").returncode == 0
    assert Stack(folder, ROOT).alive() == []
    with sqlite3.connect(folder / "console" / "vectorferry.sqlite3") as database:
        assert database.execute("SELECT public_id, status FROM migrations_app_job").fetchall() == jobs
    database.close()
