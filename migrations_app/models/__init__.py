"""The database of the console and its workers."""

from migrations_app.models.connections import Connection, Draft
from migrations_app.models.hosts import Installation, Worker
from migrations_app.models.jobs import Job, JobCollection, JobSlice, Leased, SliceState, TargetState, Wish
from migrations_app.models.records import LogEntry, RateSample, RejectedRow

__all__ = [
    "Connection",
    "Draft",
    "Installation",
    "Job",
    "JobCollection",
    "JobSlice",
    "Leased",
    "LogEntry",
    "RateSample",
    "RejectedRow",
    "SliceState",
    "TargetState",
    "Wish",
    "Worker",
]
