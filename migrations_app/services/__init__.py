"""Services: the actions of users (pages and command line), and the changes workers make to a job's state."""

from migrations_app.services.again import job_again, trial_drop
from migrations_app.services.connection_checks import check_request, check_run, other_worker_hosts
from migrations_app.services.connections import (
    connection_delete,
    connection_save,
    connection_settings,
    connection_test,
    secrets_to_repeat,
)
from migrations_app.services.drafts import draft_claim, draft_create, draft_discard, draft_save
from migrations_app.services.jobs import job_cancel, job_create, job_index, job_load, job_release
from migrations_app.services.lifecycle import (
    job_enter_stage,
    job_is_held,
    job_is_moved,
    job_is_planned,
    job_note_failure,
    job_settle,
    job_start,
    job_succeed,
)
from migrations_app.services.resume import job_resume, resume_refusal
from migrations_app.services.written_target import identity_of, target_refusal

__all__ = [
    "check_request",
    "check_run",
    "connection_delete",
    "connection_save",
    "connection_settings",
    "connection_test",
    "draft_claim",
    "draft_create",
    "draft_discard",
    "draft_save",
    "identity_of",
    "job_again",
    "job_cancel",
    "job_create",
    "job_enter_stage",
    "job_index",
    "job_is_held",
    "job_is_moved",
    "job_is_planned",
    "job_load",
    "job_note_failure",
    "job_release",
    "job_resume",
    "job_settle",
    "job_start",
    "job_succeed",
    "other_worker_hosts",
    "resume_refusal",
    "secrets_to_repeat",
    "target_refusal",
    "trial_drop",
]
