"""Django settings. All values come from the environment (see .env.example); an invalid value stops the start
with a message that names it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dj_database_url
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from console import environment, static_files
from migrations_app.secret_keys import read_or_generate

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = BASE_DIR / environment.text("VECTORFERRY_DATA_DIR", "data")
DEBUG = environment.flag("DEBUG", default=False)

# --- Databases and secrets ----------------------------------------------------------------------------------

DATABASE_URL = environment.text("DATABASE_URL")


def _secret(name: str, make: Callable[[], str]) -> str:
    """Return a secret from the environment; without it (one host, with SQLite), from the data folder."""
    given = environment.text(name)
    if not given and DATABASE_URL:
        raise ImproperlyConfigured(
            f"{name} must be set if DATABASE_URL is set: all hosts of one database need the same value."
        )
    return given or read_or_generate(DATA_DIR / name.lower(), make)


def _postgresql(url: str) -> dict[str, Any]:
    if not url.startswith(("postgres://", "postgresql://")):
        scheme = url.partition(":")[0]
        raise ImproperlyConfigured(
            f"DATABASE_URL must begin with postgresql:// (empty: SQLite), but begins with {scheme!r}."
        )
    try:
        return {**dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True)}
    except ValueError:
        # No “from error” and no part of the value, because it contains a password.
        raise ImproperlyConfigured(
            "DATABASE_URL is not an address like postgresql://user:password@host:5432/database. Special "
            "characters in user and password must be percent-encoded (its value is not shown)."
        ) from None


def _sqlite(folder: Path) -> dict[str, Any]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"VECTORFERRY_DATA_DIR: the folder {str(folder)!r} cannot be created: {error.strerror}."
        ) from error
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": folder / "vectorferry.sqlite3",
        "OPTIONS": {
            # A transaction takes the write lock at its start. If it takes it later, after a read, SQLite can
            # refuse immediately and ignores the timeout.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


DATABASES = {"default": _postgresql(DATABASE_URL) if DATABASE_URL else _sqlite(DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = _secret("SECRET_KEY", get_random_secret_key)
VECTORFERRY_SECRETS_KEYS = environment.encryption_keys(
    "VECTORFERRY_SECRETS_KEYS", _secret("VECTORFERRY_SECRETS_KEYS", lambda: Fernet.generate_key().decode())
)

# --- Vectorferry settings -----------------------------------------------------------------------------------

VECTORFERRY_ADMIN_USER = environment.text("VECTORFERRY_ADMIN_USER")
VECTORFERRY_ADMIN_PASSWORD = environment.text("VECTORFERRY_ADMIN_PASSWORD")
VECTORFERRY_WORKERS = environment.whole_number("VECTORFERRY_WORKERS", 2, least=1, most=64)
VECTORFERRY_LEASE_SECONDS = environment.whole_number("VECTORFERRY_LEASE_SECONDS", 30, least=2, most=3600)
VECTORFERRY_SLICE_SECONDS = environment.whole_number("VECTORFERRY_SLICE_SECONDS", 300, least=1, most=3600)
VECTORFERRY_STALL_SECONDS = environment.whole_number("VECTORFERRY_STALL_SECONDS", 900, least=10, most=86_400)
VECTORFERRY_MEMORY_MB = environment.whole_number("VECTORFERRY_MEMORY_MB", 160, least=32, most=65_536)
VECTORFERRY_ALLOW_PRIVATE_ADDRESSES = environment.flag("VECTORFERRY_ALLOW_PRIVATE_ADDRESSES", default=True)
VECTORFERRY_MAX_COLLECTIONS = environment.whole_number("VECTORFERRY_MAX_COLLECTIONS", 10, least=1, most=1000)
VECTORFERRY_JOBS_AT_ONCE = environment.whole_number("VECTORFERRY_JOBS_AT_ONCE", 4, least=1, most=1000)
VECTORFERRY_COMMAND = environment.text("VECTORFERRY_COMMAND")
VECTORFERRY_KEEP_LOG_DAYS = environment.days("VECTORFERRY_KEEP_LOG_DAYS")
VECTORFERRY_KEEP_REJECTED_DAYS = environment.days("VECTORFERRY_KEEP_REJECTED_DAYS")
VECTORFERRY_KEEP_JOB_DAYS = environment.days("VECTORFERRY_KEEP_JOB_DAYS")

if bool(VECTORFERRY_ADMIN_USER) != bool(VECTORFERRY_ADMIN_PASSWORD):
    raise ImproperlyConfigured(
        "VECTORFERRY_ADMIN_USER and VECTORFERRY_ADMIN_PASSWORD must both be set, or neither."
    )

# --- The queue: wake-ups for workers, in the same database --------------------------------------------------

DAY_SECONDS = 86_400
Q_CLUSTER = {
    "name": "vectorferry",
    "cluster_name": "data",
    # Control tasks (prepare, finish, connection tests) have a separate queue and process.
    "ALT_CLUSTERS": {"data": {}, "control": {}},
    "orm": "default",
    "poll": 0.5,
    "workers": 1,
    # Take one task at a time; never deliver a task again after a timeout or a failure. Our leases do that.
    "queue_limit": 1,
    "bulk": 1,
    "retry": DAY_SECONDS,
    "timeout": DAY_SECONDS - 600,
    "ack_failures": True,
    "max_attempts": 1,
    "catch_up": False,
    "scheduler": False,
    "save_limit": 100,
}

# --- Web ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "migrations_app",
    "console",
    "django.forms",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "csp",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_q",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Adds random bytes to each answer, so that its length does not reveal secrets (BREACH).
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "console.middleware.replace_nul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
# It uses the templates of this project for widgets, but renders the most frequent widgets without any.
FORM_RENDERER = "console.model_forms.renderer.ConsoleRenderer"
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# The mapping table sends up to nine controls per field, and PostgreSQL tables have up to 1,600 columns.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

# The pictures of the documents are shown on the help pages.
STATICFILES_DIRS = [BASE_DIR / "static", ("help", BASE_DIR / "docs" / "pictures")]
# The address of static files changes with their contents, so browsers may keep them for good.
STATIC_VERSION = static_files.version(BASE_DIR / "static", BASE_DIR / "docs" / "pictures")
STATIC_URL = f"/static/{STATIC_VERSION}/"
WHITENOISE_IMMUTABLE_FILE_TEST = static_files.is_immutable
# Files are served from the checkout, unless the web server could make compressed copies when it started.
WHITENOISE_USE_FINDERS = True

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
SESSION_COOKIE_NAME = "vectorferry_session"
CSRF_COOKIE_NAME = "vectorferry_csrf"
CSRF_COOKIE_HTTPONLY = True

# --- Security -----------------------------------------------------------------------------------------------

ALLOWED_HOSTS = environment.listing("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.origins("CSRF_TRUSTED_ORIGINS")

# If all origins are https, the console is reached only through TLS, and the proxy sets X-Forwarded-Proto.
BEHIND_TLS = bool(CSRF_TRUSTED_ORIGINS) and all(
    origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
# HSTS for subdomains and the browsers' preload list are decided by the owner of the domain, not by this
# program.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

# --- Time and logs ------------------------------------------------------------------------------------------

USE_TZ = True
TIME_ZONE = environment.time_zone("TIME_ZONE")
LANGUAGE_CODE = "en"
USE_I18N = False

LOG_LEVEL = environment.choice("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")
LOG_FORMAT = environment.choice("LOG_FORMAT", "text", "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "console.log_format.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Django's own handlers would print everything twice, because the root logger prints it too.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # At INFO it logs each step of each wake-up; the run log of a job has the important events.
        "django-q": {"level": "WARNING" if LOG_LEVEL == "INFO" else LOG_LEVEL},
    },
}
