"""URLs of all pages; each view module defines its own."""

from django.urls import include, path

VIEWS = (
    "wizard.views",
    "open_plan.views",
    "schema.views",
    "connections.views",
    "connections.check_views",
    "jobs.views",
    "jobs.again_views",
    "accounts.views",
    "help.views",
    "health",
)

urlpatterns = [path("", include(f"console.{views}")) for views in VIEWS]
