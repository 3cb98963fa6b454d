"""The error tree: every error that a user can see, with its code::

    FerryError                        internal
    ├── SettingsError                 settings_invalid      a value that a user typed
    ├── ConnectionFailed              connection_failed     the server cannot be used
    │   ├── HostUnknown               host_unknown
    │   ├── ConnectionRefused         connection_refused
    │   ├── ConnectTimeout            connect_timeout       retryable
    │   ├── TlsFailed                 tls_failed
    │   ├── AuthRefused               auth_refused
    │   ├── DatabaseMissing           database_missing
    │   ├── ExtensionMissing          extension_missing
    │   ├── PrivilegeMissing          privilege_missing
    │   └── VersionUnsupported        version_unsupported
    ├── PlanRefused                   plan_refused          holds all faults of the plan
    ├── ServerError                   server_failed         of a source or a target: translated to its error
    │   ├── ServerUnavailable         server_unavailable    retryable
    │   ├── ServerBusy                server_busy           retryable
    │   └── ServerChanged             server_changed
    ├── SourceError                   source_failed
    │   ├── SourceUnavailable         source_unavailable    retryable
    │   │   └── SourceBusy            source_busy           retryable; a rate limit: a pause, not a failure
    │   ├── SourceChanged             source_changed        a table or column no longer exists
    │   ├── SourceDataError           source_data           the server cannot send these rows
    │   ├── AnswerTooLarge            answer_too_large      ask for fewer rows at once
    │   ├── CursorLost                cursor_lost           the slice has to be read from its beginning
    │   └── BoundsLost                bounds_lost           the collection has to be divided into slices again
    ├── TargetError                   target_failed
    │   ├── TargetUnavailable         target_unavailable    retryable; nothing was sent
    │   ├── TargetBusy                target_busy           retryable; rate limit, resource exhausted
    │   ├── UnknownOutcome            unknown_outcome       retryable; timeout or lost connection
    │   ├── RowsRefused               rows_refused          the target never accepts these rows: bisected
    │   └── TargetChanged             target_changed        the collection is gone or differs
    ├── JobFailed                     job_failed            a rule of the plan stopped the job
    │   ├── TooManyRejected           too_many_rejected
    │   ├── UncleanStop               auto_id_unclean_stop
    │   ├── Stalled                   stalled
    │   └── VerifyMismatch            verify_mismatch
    └── Interrupted                   never shown as a failure
        ├── Canceled                  canceled
        ├── LeaseLost                 lease_lost
        ├── TimeIsUp                  time_is_up
        └── Draining                  draining

An error has a sentence (what failed, on what, with which value), a hint (what to do next) and a stable
code. ``field`` is the setting or mapping field it belongs to, ``path`` its place in a plan file. Each
connector converts vendor exceptions to these errors, so they never leave the connector. Code that a source
and a target share raises ``ServerError``s; each of the two translates them to its own errors.

``details`` is what a library reported, for experts: pages fold it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from migrations_app.engine.faults import Fault


class FerryError(Exception):
    """Base of the tree. ``str(error)`` is the sentence; it never contains a secret."""

    default_code: ClassVar[str] = "internal"
    default_hint: ClassVar[str] = ""
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        code: str = "",
        field: str = "",
        path: str = "",
        retryable: bool | None = None,
        retry_after_seconds: float | None = None,
        details: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.code = code or self.default_code
        self.field = field
        self.path = path
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after_seconds = retry_after_seconds
        self.details = details

    def as_dict(self) -> dict[str, str]:
        """The part that a job stores and a report shows."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class SettingsError(FerryError):
    default_code = "settings_invalid"


class ConnectionFailed(FerryError):
    default_code = "connection_failed"


class HostUnknown(ConnectionFailed):
    default_code = "host_unknown"


class ConnectionRefused(ConnectionFailed):
    default_code = "connection_refused"


class ConnectTimeout(ConnectionFailed):
    default_code = "connect_timeout"
    default_retryable = True


class TlsFailed(ConnectionFailed):
    default_code = "tls_failed"


class AuthRefused(ConnectionFailed):
    default_code = "auth_refused"


class DatabaseMissing(ConnectionFailed):
    default_code = "database_missing"


class ExtensionMissing(ConnectionFailed):
    default_code = "extension_missing"


class PrivilegeMissing(ConnectionFailed):
    default_code = "privilege_missing"


class VersionUnsupported(ConnectionFailed):
    default_code = "version_unsupported"


class PlanRefused(FerryError):
    """A plan that cannot work, with all its faults. Raised before anything is written."""

    default_code = "plan_refused"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(first.message + more, first.advice, code=first.code, path=first.path)
        self.faults = faults


class ServerError(FerryError):
    default_code = "server_failed"

    def translated(self, kinds: Mapping[type[ServerError], type[FerryError]]) -> FerryError:
        """Return the error of a source or a target for this one. ``kinds`` has an entry for each class.

        Code and hint stay the same; instead of the defaults of its class, it gets those of the new one.
        """
        return kinds[type(self)](
            self.message,
            self.hint,
            code="" if self.code == self.default_code else self.code,
            field=self.field,
            path=self.path,
            retryable=self.retryable,
            retry_after_seconds=self.retry_after_seconds,
            details=self.details,
        )


class ServerUnavailable(ServerError):
    default_code = "server_unavailable"
    default_retryable = True


class ServerBusy(ServerError):
    default_code = "server_busy"
    default_retryable = True


class ServerChanged(ServerError):
    default_code = "server_changed"


class SourceError(FerryError):
    default_code = "source_failed"
    default_hint = "See the server's log for details. Nothing was changed there."


class SourceUnavailable(SourceError):
    default_code = "source_unavailable"
    default_hint = "Check that the source is running and reachable, then resume the job."
    default_retryable = True


class SourceBusy(SourceUnavailable):
    """The source asks to slow down. Waiting ``retry_after_seconds`` helps, and costs no try."""

    default_code = "source_busy"
    default_hint = "Wait a minute, or raise the rate limit of the source."


class SourceChanged(SourceError):
    default_code = "source_changed"


class SourceDataError(SourceError):
    default_code = "source_data"


class AnswerTooLarge(SourceError):
    """An answer exceeds a limit of the server or of its reader. Fewer rows at once may fit.

    ``retry_after_seconds``: how long the server asks to wait before the smaller request.
    """

    default_code = "answer_too_large"
    default_hint = "Move fewer fields, or leave out the rows with very large values."


class CursorLost(SourceError):
    """The source does not know the cursor any longer, such as a page token that expired."""

    default_code = "cursor_lost"
    default_hint = "Migrate the collection again from its beginning."


class BoundsLost(SourceError):
    """The slices of a collection no longer contain its rows: they have to be planned again."""

    default_code = "bounds_lost"


class TargetError(FerryError):
    default_code = "target_failed"
    default_hint = "See the target's log for details. Nothing was dropped."


class TargetUnavailable(TargetError):
    default_code = "target_unavailable"
    default_hint = "Check that the target is running and reachable, then resume the job."
    default_retryable = True


class TargetBusy(TargetError):
    default_code = "target_busy"
    default_retryable = True


class UnknownOutcome(TargetError):
    default_code = "unknown_outcome"
    default_retryable = True


class RowsRefused(TargetError):
    default_code = "rows_refused"


class TargetChanged(TargetError):
    default_code = "target_changed"


class JobFailed(FerryError):
    default_code = "job_failed"


class TooManyRejected(JobFailed):
    default_code = "too_many_rejected"


class UncleanStop(JobFailed):
    default_code = "auto_id_unclean_stop"
    default_hint = (
        "The target generates the keys (Auto ID), so sending these rows again could duplicate them. Nothing "
        "was dropped. Migrate again into an empty collection, or use a key of the source."
    )


class Stalled(JobFailed):
    default_code = "stalled"


class VerifyMismatch(JobFailed):
    default_code = "verify_mismatch"


class Interrupted(FerryError):
    """A stop between two batches. This is control flow, not a failure."""

    default_code = "interrupted"


class Canceled(Interrupted):
    default_code = "canceled"


class LeaseLost(Interrupted):
    default_code = "lease_lost"


class TimeIsUp(Interrupted):
    """The time limit of a question is over."""

    default_code = "time_is_up"


class Draining(Interrupted):
    default_code = "draining"
