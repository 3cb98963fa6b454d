"""WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
application = get_wsgi_application()

from migrations_app.models.keys_check import ensure_keys_fit_database  # noqa: E402  needs the settings above

ensure_keys_fit_database()
