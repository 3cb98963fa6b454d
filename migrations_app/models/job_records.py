"""Records of a job: the run log, the rejected rows and the samples of the rate curve."""

from __future__ import annotations

from django.db import models

from migrations_app.models.job import Job
from migrations_app.models.slice import JobSlice


class LogEntry(models.Model):
    """A line of the run log. ``details`` is a traceback, or the facts of the message, one per line."""

    class Level(models.TextChoices):
        DEBUG = "debug", "DEBUG"
        INFO = "info", "INFO"
        WARNING = "warning", "WARN"
        ERROR = "error", "ERROR"

    job = models.ForeignKey(Job, models.CASCADE, related_name="log")
    at = models.DateTimeField()
    level = models.CharField(max_length=10, choices=Level.choices)
    message = models.TextField()
    details = models.TextField(blank=True, default="")

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("job", "level", "id"), name="log_by_level"),)

    def __str__(self) -> str:
        return self.message


class RejectedRow(models.Model):
    """A row that could not be moved, with the reason. If its slice is read again, it is not stored twice.

    The unique constraint uses ``locator_hash`` because ``locator`` may be too long for an index entry.
    ``is_beyond`` means that the row came after the checkpoint of its slice (see ``JobSlice.beyond``). Such
    rows are deleted when the slice continues.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="rejected_rows")
    slice = models.ForeignKey(JobSlice, models.CASCADE, related_name="rejected")
    at = models.DateTimeField(auto_now_add=True)
    locator = models.TextField()
    locator_hash = models.CharField(max_length=64, editable=False)
    field = models.CharField(max_length=255, blank=True)
    code = models.CharField(max_length=60)
    reason = models.TextField()
    row = models.TextField(blank=True, default="")
    is_beyond = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("slice", "locator_hash"), name="one_rejected_row_a_locator"),
        )
        indexes = (models.Index(fields=("job", "code"), name="rejected_by_code"),)

    def __str__(self) -> str:
        return self.locator


class RateSample(models.Model):
    """The rows and bytes that a slice moved since its last sample. The rate curve adds up all slices."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="rate_samples")
    at = models.DateTimeField()
    rows = models.PositiveBigIntegerField()
    size_bytes = models.PositiveBigIntegerField()

    class Meta:
        ordering = ("at",)
        indexes = (models.Index(fields=("job", "at"), name="samples_in_time"),)

    def __str__(self) -> str:
        return f"{self.rows} rows"
