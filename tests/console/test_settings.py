"""Console settings: read when a process starts, so each test starts one."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).parents[2]
KEY = Fernet.generate_key().decode()
DATABASE = "postgresql://ferry:p%40ss@db.example:5433/ferry"
PRODUCTION = {
    "DATABASE_URL": DATABASE,
    "SECRET_KEY": "production-secret-" + "k3Y9x" * 10,
    "VECTORFERRY_SECRETS_KEYS": KEY,
    "ALLOWED_HOSTS": "ferry.example",
    "CSRF_TRUSTED_ORIGINS": "https://ferry.example",
}


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    clean |= {
        "VECTORFERRY_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "console.settings",
        **environment,
    }
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60
    )


def setting(folder: Path, expression: str, **environment: str) -> object:
    code = f"import json; from console import settings; print(json.dumps({expression}, default=str))"
    done = run(folder, "-c", code, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DEBUG", "maybe", "DEBUG must be on or off, but is 'maybe'."),
        ("TIME_ZONE", "Mars/Base", "TIME_ZONE must be a time zone like Europe/Berlin, but is 'Mars/Base'."),
        (
            "LOG_LEVEL",
            "loud",
            "LOG_LEVEL must be one of INFO, DEBUG, WARNING, ERROR, CRITICAL, but is 'loud'.",
        ),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be one of text, json, but is 'xml'."),
        ("VECTORFERRY_WORKERS", "0", "VECTORFERRY_WORKERS must be a whole number from 1 to 64, but is '0'."),
        (
            "VECTORFERRY_MEMORY_MB",
            "lots",
            "VECTORFERRY_MEMORY_MB must be a whole number from 32 to 65536, but is 'lots'.",
        ),
        (
            "CSRF_TRUSTED_ORIGINS",
            "ferry.example",
            "CSRF_TRUSTED_ORIGINS must hold origins like https://host, but holds 'ferry.example'.",
        ),
        (
            "VECTORFERRY_ADMIN_USER",
            "ada",
            "VECTORFERRY_ADMIN_USER and VECTORFERRY_ADMIN_PASSWORD must both be set, or neither.",
        ),
        ("DATABASE_URL", "mysql://db/ferry", "DATABASE_URL must begin with postgresql:// (empty: SQLite)"),
        ("VECTORFERRY_SECRETS_KEYS", ",", "VECTORFERRY_SECRETS_KEYS must hold at least one key."),
        ("VECTORFERRY_DATA_DIR", "/proc/none", "the folder '/proc/none' cannot be created"),
    ],
)
def test_a_wrong_value_stops_the_start_with_a_sentence_that_names_it(tmp_path, name, value, sentence):
    done = run(tmp_path, "manage.py", "check", **{name: value})
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("missing", ["SECRET_KEY", "VECTORFERRY_SECRETS_KEYS"])
def test_with_a_shared_database_the_secrets_must_be_given(tmp_path, missing):
    given = {name: value for name, value in PRODUCTION.items() if name != missing}
    done = run(tmp_path, "manage.py", "check", **given)
    assert done.returncode == 1
    assert f"{missing} must be set if DATABASE_URL is set" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url", ["postgresql://ferry:hun/ter2@db:5432/ferry", "postgresql://ferry:hunter2@db:x/f"]
)
def test_a_wrong_database_address_is_refused_without_being_shown(tmp_path, url):
    done = run(tmp_path, "manage.py", "check", **PRODUCTION | {"DATABASE_URL": url})
    assert done.returncode == 1
    assert "DATABASE_URL is not an address like postgresql://" in done.stderr
    assert "ter2" not in done.stderr


def test_a_wrong_encryption_key_is_refused_without_being_shown(tmp_path):
    done = run(tmp_path, "manage.py", "check", VECTORFERRY_SECRETS_KEYS=f"{KEY},hunter2hunter2")
    assert done.returncode == 1
    assert "key 2 of 2" in done.stderr
    assert "hunter2" not in done.stderr


def test_the_first_start_creates_secrets_that_only_their_owner_can_read(tmp_path):
    folder = tmp_path / "data"
    first = setting(folder, "[settings.SECRET_KEY, settings.VECTORFERRY_SECRETS_KEYS]")
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "secret_key": 0o600,
        "vectorferry_secrets_keys": 0o600,
    }
    assert folder.stat().st_mode & 0o777 == 0o700
    assert setting(folder, "[settings.SECRET_KEY, settings.VECTORFERRY_SECRETS_KEYS]") == first


def test_processes_that_start_at_the_same_time_use_the_same_secrets(tmp_path):
    expression = "[settings.SECRET_KEY, settings.VECTORFERRY_SECRETS_KEYS]"
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: setting(tmp_path / "data", expression), range(4)))
    assert seen.count(seen[0]) == 4


def test_an_empty_variable_means_the_default(tmp_path):
    assert setting(tmp_path, "settings.VECTORFERRY_LEASE_SECONDS", VECTORFERRY_LEASE_SECONDS="") == 30


def test_a_database_url_is_split_and_unquoted(tmp_path):
    database = setting(tmp_path, "settings.DATABASES['default']", **PRODUCTION)
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["PASSWORD"]) == ("db.example", 5433, "p@ss")


def test_the_documented_production_settings_pass_djangos_deployment_check(tmp_path):
    done = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "INFO", **PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_cookies_require_tls_only_if_every_origin_is_https(tmp_path):
    expression = "[settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_SSL_REDIRECT]"
    assert setting(tmp_path, expression, CSRF_TRUSTED_ORIGINS="https://ferry.example") == [True, True, True]
    mixed = "https://ferry.example,http://ferry.local"
    assert setting(tmp_path, expression, CSRF_TRUSTED_ORIGINS=mixed) == [False, False, False]


def test_logs_can_be_json_with_one_object_per_line(tmp_path):
    code = "import django, logging; django.setup(); logging.getLogger('x').warning('rows: %d', 3)"
    done = run(tmp_path, "-c", code, LOG_FORMAT="json")
    entry = json.loads(done.stderr)
    assert (entry["level"], entry["logger"], entry["message"]) == ("WARNING", "x", "rows: 3")


def test_every_setting_has_a_line_in_the_example():
    source = (ROOT / "console" / "settings.py").read_text()
    names = set(re.findall(r'(?:environment\.\w+|_secret)\(\s*"([A-Z_]+)"', source))
    assert len(names) > 20
    example = (ROOT / ".env.example").read_text()
    assert sorted(name for name in names if f"\n{name}=" not in example) == []
