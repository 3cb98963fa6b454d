"""Connection check: a test of a connection that a worker makes, for a server that only its host can reach."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now

from migrations_app.models.connections import Connection
from migrations_app.models.encrypted_json import EncryptedJSONField

# After this time, nobody waits for the result any longer.
KEPT = timedelta(minutes=10)


class ConnectionCheck(models.Model):
    """One test. ``settings`` are removed when it is done.

    ``result`` is None until then; afterwards it has ``title`` and ``details`` of the server, or ``error``.
    ``host`` is the host of the worker that made the test. ``connection`` is the saved connection that is
    tested, None for settings that are not saved.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    is_target = models.BooleanField()
    connection = models.ForeignKey(Connection, models.CASCADE, null=True, blank=True, related_name="checks")
    settings = EncryptedJSONField(default=dict)
    result = models.JSONField(null=True, blank=True)
    host = models.CharField(max_length=255, blank=True, default="")
    created_by = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"check {self.pk}"

    @staticmethod
    def forget_old() -> None:
        ConnectionCheck.objects.filter(created_at__lt=Now() - KEPT).delete()
