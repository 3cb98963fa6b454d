"""Connections and drafts: saved endpoints, and plans that are not finished."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import User
from django.db import models

from migrations_app.models.encrypted_json import EncryptedJSONField


class Connection(models.Model):
    """A saved source or target: its address and credentials.

    ``address`` and ``server_info`` are shown to people and contain no secret. ``test_error`` is the error
    message of the last test, or empty if that test passed.
    """

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=40)
    is_target = models.BooleanField()
    settings = EncryptedJSONField(default=dict)
    address = models.CharField(max_length=500, blank=True, default="")
    server_info = models.CharField(max_length=500, blank=True, default="")
    tested_at = models.DateTimeField(null=True, blank=True)
    test_error = models.TextField(blank=True, default="")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def role(self) -> str:
        return "target" if self.is_target else "source"


class Draft(models.Model):
    """A plan that is being made in the wizard.

    ``plan`` contains the choices so far, in the format of a plan file; ``state`` belongs to the wizard
    (values as typed, the current step). ``job`` is the job that was started from this draft; a draft starts
    one job only.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    owner = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="drafts")
    plan = models.JSONField(default=dict, blank=True)
    state = models.JSONField(default=dict, blank=True)
    source_connection = models.ForeignKey(
        Connection, models.SET_NULL, null=True, blank=True, related_name="source_drafts"
    )
    target_connection = models.ForeignKey(
        Connection, models.SET_NULL, null=True, blank=True, related_name="target_drafts"
    )
    job = models.ForeignKey("Job", models.SET_NULL, null=True, blank=True, related_name="drafts")
    # Counts the changes by pages, and the page that made the last one, so that an older page is noticed.
    version = models.PositiveIntegerField(default=0)
    changed_by_page = models.CharField(max_length=32, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-updated_at",)

    def __str__(self) -> str:
        return f"draft {self.pk}"
