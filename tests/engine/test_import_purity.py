"""Imports of the engine: a worker, a script or a notebook can load it without Django."""

import subprocess
import sys
from pathlib import Path

LOAD_ENGINE = """
import importlib, pathlib, sys

for path in sorted(pathlib.Path("migrations_app/engine").rglob("*.py")):
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    if not name.startswith("tests.kit"):
        importlib.import_module(name)
        print(name)
banned = sorted({name.split(".")[0] for name in sys.modules} & {"django", "django_q", "pytest", "console"})
assert not banned, banned
"""
ROOT = Path(__file__).parents[2]


def loaded_by(code: str) -> list[str]:
    """Run code in a new process and return the names that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_engine_loads_neither_django_nor_pytest() -> None:
    loaded = loaded_by(LOAD_ENGINE)
    assert "migrations_app.engine.pipeline.pipeline" in loaded
    assert "migrations_app.engine.sources.base" in loaded


def test_the_registry_of_sources_loads_no_driver() -> None:
    """Every page of the console loads the registry, so it must not import the client of each vendor."""
    loaded = loaded_by("import sys, migrations_app.engine.sources.registry; print(*sys.modules)")
    assert "pyarrow" in loaded
    assert not {"psycopg", "adbc_driver_postgresql", "pymilvus", "grpc"} & set(loaded)
