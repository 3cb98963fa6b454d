"""Help topics: which part of the user guide explains which page."""

from __future__ import annotations

from django.urls import reverse

# URL name of a page, or the beginning of it -> anchor in docs/guide.md. The first one that fits counts.
TOPICS = {
    "migrations": "choose-a-source",
    "wizard_new": "connect-to-data-source",
    "wizard_connect": "connect-to-data-source",
    "wizard_select": "select-source-and-target",
    "wizard_schema": "configure-schema",
    "wizard_open": "choose-a-source",
    "wizard_": "migrate",
    "jobs": "jobs",
    "job_rejected": "rows-that-did-not-arrive",
    "job": "the-page-of-a-job",
    "connection": "connections",
    "account": "access",
    "password_change": "access",
}


def topic(url_name: str) -> str:
    """Return the anchor for a page; "" if the guide has no part about it."""
    return next((anchor for beginning, anchor in TOPICS.items() if url_name.startswith(beginning)), "")


def url(url_name: str) -> str:
    """Return the address of the part of the guide that explains a page."""
    anchor = topic(url_name)
    return reverse("help") + (f"#{anchor}" if anchor else "")
