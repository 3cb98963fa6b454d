"""URLs of all pages; each view module defines its own."""

from django.urls import include, path

VIEWS = (
    "wizard.views",
    "schema.views",
    "connections.views",
    "jobs.views",
    "accounts.views",
    "help.views",
    "health",
)

urlpatterns = [path("", include(f"console.{views}")) for views in VIEWS]
