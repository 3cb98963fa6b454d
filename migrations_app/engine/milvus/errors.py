"""Errors of Milvus and gRPC: the only module that knows their codes; it turns them into Vectorferry's errors.

A Milvus may be the source or the target, so these are ``ServerError``s. Only rows that are sent have errors
of a target: ``RowsRefused`` and ``UnknownOutcome``.

A Milvus status carries two numbers: ``code`` (since 2.3; names in Milvus's ``pkg/util/merr/errors.go``) and
``error_code``, the older enum (``ErrorCode`` in milvus-proto's ``common.proto``). Milvus Lite writes the
older number into both, and 1 with an older number of 0 for unexpected errors. ``status_code`` combines both
numbers into one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import grpc
from pymilvus.grpc_gen.common_pb2 import Status

from migrations_app.engine.errors import (
    AuthRefused,
    DatabaseMissing,
    FerryError,
    PrivilegeMissing,
    RowsRefused,
    ServerBusy,
    ServerChanged,
    ServerError,
    ServerUnavailable,
    UnknownOutcome,
    VersionUnsupported,
)

UNEXPECTED = 65535

# The newer number for each number of the older enum. Lite uses 6, and the numbers from 35 on.
FROM_LEGACY = {
    **dict.fromkeys((5, 6, 7, 9, 11), 1100),
    **{3: 1401, 4: 100, 28: 100, 25: 700, 35: 702, 48: 9, 49: 8, 53: 9, 54: 9, 55: 11, 56: 1, 57: 1, 62: 109},
    **{101: 101, 200: 200},
}

BUSY = "Vectorferry slows down and retries automatically; the server's quotas or size limit the rate."
RETRY = "Vectorferry retries automatically."
LOGIN = "Check the token, or the user and password."
PRIVILEGE = "Ask the server's administrator for this privilege."
CHANGED = "Undo the change and resume the job, or start over."


class StatusMeaning(NamedTuple):
    """The meaning of a status. ``code`` replaces the error code of ``kind`` if it is more precise."""

    kind: type[FerryError]
    hint: str = ""
    code: str = ""


COLLECTION_MISSING = "collection_missing"
INDEX_MISSING = "index_missing"
# Codes of errors that come from gRPC, not from Milvus. Checking host, port and TLS may show the reason.
UNREACHABLE, TIMED_OUT, BROKEN = "server_unreachable", "server_timeout", "server_call_broken"
TRANSPORT_CODES = frozenset({UNREACHABLE, TIMED_OUT, BROKEN})
BY_CODE: dict[int, StatusMeaning] = {
    1: StatusMeaning(ServerUnavailable, RETRY),
    2: StatusMeaning(ServerUnavailable, RETRY),
    **dict.fromkeys((3, 4, 8, 9, 11, 12, 1807), StatusMeaning(ServerBusy, BUSY)),
    7: StatusMeaning(ServerError, "The server's disk is full: free some space, then resume."),
    10: StatusMeaning(
        VersionUnsupported, "This server does not have this feature. A newer Milvus may have it."
    ),
    100: StatusMeaning(ServerChanged, CHANGED, COLLECTION_MISSING),
    106: StatusMeaning(ServerUnavailable, RETRY),
    109: StatusMeaning(ServerChanged, "Resume the job: the collection is checked again."),
    200: StatusMeaning(ServerChanged, CHANGED),
    700: StatusMeaning(ServerError, "Create an index first.", INDEX_MISSING),
    800: StatusMeaning(DatabaseMissing, "Choose a database that exists there."),
    1400: StatusMeaning(AuthRefused, LOGIN),
    1401: StatusMeaning(PrivilegeMissing, PRIVILEGE),
}
# After one of these, it is unknown if the rows were written.
UNKNOWN_WHEN_SENDING = frozenset({2, 10000, 10001})
# Invalid, missing or too large parameter; unknown field; bad insert data; bad key.
REFUSES_ROWS = frozenset({1100, 1101, 1102, 1700, 1804, 1806})
# Milvus 2.3 sends these with the code UNEXPECTED or "IO failed" (seen on 2.3.5). The last two are Python
# errors of Lite.
REFUSES_ROWS_TEXT = re.compile(
    r"should divide the dim|not a number or infinity|json: |invalid character|JSON input|exceeds max"
    r"|codec can't encode|recursion depth",
    re.I,
)
NO_DATABASE_TEXT = re.compile(r"database .*(not found|does not exist)", re.I)
RATE_TEXT = re.compile(r"\[rate=([0-9.e+-]+)\]")


def status_code(status: Status) -> int:
    """Return the newer number of a status, 0 for success."""
    code, legacy = int(status.code), int(status.error_code)
    if code == 0 and legacy == 0:
        return 0
    if code == legacy or code == 0:
        return FROM_LEGACY.get(legacy, UNEXPECTED)
    return UNEXPECTED if legacy == 0 else code


def from_status(status: Status, action: str, *, sending: bool = False) -> FerryError | None:
    """Return the error for a status, None for success. ``action`` is what Milvus was asked to do ("create
    “items”"). ``sending``: the request contained rows."""
    code = status_code(status)
    if code == 0:
        return None
    reason = (status.reason or f"code {code}")[:500].rstrip(".")
    message = f"Milvus did not {action}: {reason}."
    if NO_DATABASE_TEXT.search(reason):
        return DatabaseMissing(message, BY_CODE[800].hint, field="database")
    if sending and (code in REFUSES_ROWS or REFUSES_ROWS_TEXT.search(reason)):
        return RowsRefused(message)
    if sending and code in UNKNOWN_WHEN_SENDING:
        return UnknownOutcome(message, RETRY)
    kind, hint, precise = BY_CODE.get(code, StatusMeaning(ServerError))
    wait = _retry_after(reason) if kind is ServerBusy else None
    return kind(message, hint, code=precise, retry_after_seconds=wait)


def _retry_after(reason: str) -> float | None:
    """Return the seconds until the next request if Milvus reports a request rate (0.1 = one in ten seconds).

    Rates of rows are in bytes per second. They are much higher and not a reason to wait.
    """
    match = RATE_TEXT.search(reason)
    rate = float(match[1]) if match else 0.0
    return 1 / rate if 0 < rate < 10 else None


BY_GRPC_CODE: dict[grpc.StatusCode, StatusMeaning] = {
    grpc.StatusCode.UNAUTHENTICATED: StatusMeaning(AuthRefused, LOGIN),
    grpc.StatusCode.PERMISSION_DENIED: StatusMeaning(PrivilegeMissing, PRIVILEGE),
    grpc.StatusCode.UNIMPLEMENTED: StatusMeaning(VersionUnsupported, "A newer Milvus may support this call."),
    grpc.StatusCode.RESOURCE_EXHAUSTED: StatusMeaning(ServerBusy, BUSY),
    grpc.StatusCode.UNAVAILABLE: StatusMeaning(ServerUnavailable, RETRY, UNREACHABLE),
    grpc.StatusCode.DEADLINE_EXCEEDED: StatusMeaning(ServerUnavailable, RETRY, TIMED_OUT),
}
# Instead of the words of gRPC, which are long and name its internals.
TRANSPORT_TEXTS = {
    grpc.StatusCode.UNAVAILABLE: "the server cannot be reached",
    grpc.StatusCode.DEADLINE_EXCEEDED: "it did not answer in time",
}
NEVER_CONNECTED_TEXT = re.compile(r"failed to connect|DNS resolution failed|connection refused", re.I)
TOO_LARGE_TEXT = re.compile(r"larger than max", re.I)


def from_rpc(error: grpc.RpcError, action: str, *, sending: bool = False) -> FerryError:
    """Return the error for a failed gRPC call."""
    code, details = error.code(), (error.details() or "")[:300].rstrip(".")
    why = TRANSPORT_TEXTS.get(code) or " ".join(details.split())[:120] or code.name
    message = f"Milvus did not {action}: {why}."
    if sending and TOO_LARGE_TEXT.search(details):
        return RowsRefused(message, code="request_too_large", details=details)
    kind, hint, precise = BY_GRPC_CODE.get(
        code, StatusMeaning(UnknownOutcome if sending else ServerError, "", BROKEN)
    )
    if sending and kind is ServerUnavailable and not NEVER_CONNECTED_TEXT.search(details):
        return UnknownOutcome(message, RETRY, details=details)
    return kind(message, hint, code=precise, details=details)
