"""WSGI application that gunicorn serves."""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from console import static_files  # noqa: E402  needs the settings above
from migrations_app.models.keys_check import ensure_keys_fit_database  # noqa: E402

if compressed := static_files.compress(settings.DATA_DIR / "compressed_static", settings.STATIC_VERSION):
    settings.STATIC_ROOT = compressed
    settings.WHITENOISE_USE_FINDERS = False
application = get_wsgi_application()
ensure_keys_fit_database()
