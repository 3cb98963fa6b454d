"""The engine stands alone: a worker, a script or a notebook can load it without Django."""

import subprocess
import sys

LOAD = """
import importlib, pkgutil, sys
import migrations_app.engine as engine

for found in pkgutil.walk_packages(engine.__path__, engine.__name__ + "."):
    if not found.name.startswith("migrations_app.engine.testing"):
        importlib.import_module(found.name)
        print(found.name)
banned = sorted({name.split(".")[0] for name in sys.modules} & {"django", "django_q", "pytest", "console"})
assert not banned, banned
"""


def test_the_engine_loads_neither_django_nor_pytest() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "migrations_app.engine.pipeline" in loaded
    assert "migrations_app.engine.connectors.base" in loaded


def test_the_contracts_load_no_driver() -> None:
    """What the console asks for on every page must not cost the import of every vendor's client."""
    code = "import sys, migrations_app.engine.connectors.registry; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    drivers = {"psycopg", "adbc_driver_postgresql", "pymilvus", "grpc"}
    assert not drivers & set(done.stdout.split())
