"""Every page's address; each view module lists its own."""

from django.urls import include, path

VIEWS = ("wizard", "schema", "connections", "jobs", "accounts", "system")

urlpatterns = [path("", include(f"console.views.{view}")) for view in VIEWS]
