"""Every page's address; each view module lists its own."""

from importlib.util import find_spec

from django.urls import include, path

VIEWS = ["wizard", "connections", "jobs", "accounts", "system"]

urlpatterns = [path("", include(name)) for view in VIEWS if find_spec(name := f"console.views.{view}")]
