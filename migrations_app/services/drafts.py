"""Drafts: plans on their way through the wizard."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from migrations_app.engine.errors import SettingsError
from migrations_app.models import Connection, Draft


def draft_create(*, kind: str, user: User | None, source_connection: Connection | None = None) -> Draft:
    return Draft.objects.create(kind=kind, owner=user, source_connection=source_connection)


def draft_save(
    *,
    draft: Draft,
    plan: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    source_connection: Connection | None = None,
    target_connection: Connection | None = None,
) -> Draft:
    """Store what is given, and leave the rest as it was. Raises ``SettingsError`` once it became a job."""
    given = {
        "plan": plan,
        "state": state,
        "source_connection": source_connection,
        "target_connection": target_connection,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    found = Draft.objects.filter(pk=draft.pk, job=None)
    changes["updated_at"] = timezone.now()
    if not found.update(**changes):
        raise gone(draft)
    for name, value in changes.items():
        setattr(draft, name, value)
    return draft


def draft_discard(*, draft: Draft) -> None:
    """Gone after this, also where it was not there. What became a job stays."""
    Draft.objects.filter(pk=draft.pk, job=None).delete()


def gone(draft: Draft) -> SettingsError:
    """Why ``draft`` cannot be changed any more."""
    if Draft.objects.filter(pk=draft.pk).exists():
        return SettingsError(
            "This draft became a job; it cannot be changed any more.",
            "Find the job on the Jobs page, or begin a new migration.",
            code="draft_started",
        )
    return SettingsError("This draft is not there any more.", "Begin a new migration.", code="draft_missing")
