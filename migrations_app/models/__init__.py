"""Models: the database tables of the console and its workers."""

from migrations_app.models.collection import JobCollection
from migrations_app.models.connection_check import ConnectionCheck
from migrations_app.models.connections import Connection, Draft
from migrations_app.models.installation import Installation, Worker
from migrations_app.models.job import Job
from migrations_app.models.job_records import LogEntry, RateSample, RejectedRow
from migrations_app.models.leased import Leased
from migrations_app.models.slice import JobSlice
from migrations_app.models.status import SliceState, StepKind, StepState, TargetState
from migrations_app.models.step import JobStep

__all__ = [
    "Connection",
    "ConnectionCheck",
    "Draft",
    "Installation",
    "Job",
    "JobCollection",
    "JobSlice",
    "JobStep",
    "Leased",
    "LogEntry",
    "RateSample",
    "RejectedRow",
    "SliceState",
    "StepKind",
    "StepState",
    "TargetState",
    "Worker",
]
