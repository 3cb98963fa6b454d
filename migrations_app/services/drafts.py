"""Draft services: create, save and discard the plans that are being made in the wizard."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, Q
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
    kind: str | None = None,
) -> Draft:
    """Store the given values, leave the others unchanged. Raises ``SettingsError`` if it became a job."""
    given = {
        "plan": plan,
        "state": state,
        "source_connection": source_connection,
        "target_connection": target_connection,
        "kind": kind,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    changes["updated_at"] = timezone.now()
    if not Draft.objects.filter(pk=draft.pk, job=None).update(**changes):
        raise draft_error(draft)
    for name, value in changes.items():
        setattr(draft, name, value)
    return draft


def draft_claim(*, draft: Draft, version: int, page: str) -> bool:
    """Count a change by an open page. False if the page shows an older ``version``, unless the same page has
    made the change since then."""
    is_current = Q(version=version) | Q(changed_by_page=page)
    drafts = Draft.objects.filter(is_current, pk=draft.pk)
    if not page or not drafts.update(version=F("version") + 1, changed_by_page=page):
        return False
    draft.refresh_from_db(fields=["version", "changed_by_page"])
    return True


def draft_discard(*, draft: Draft) -> None:
    """Delete the draft if it still exists. A draft that became a job stays."""
    Draft.objects.filter(pk=draft.pk, job=None).delete()


def draft_error(draft: Draft) -> SettingsError:
    """Return the error for a draft that can no longer be changed."""
    if Draft.objects.filter(pk=draft.pk).exists():
        return SettingsError(
            "This draft became a job and can no longer be changed.",
            "Find the job on the Jobs page, or start a new migration.",
            code="draft_started",
        )
    return SettingsError("This draft no longer exists.", "Start a new migration.", code="draft_missing")
