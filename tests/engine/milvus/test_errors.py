"""Milvus errors: each status here was seen on Milvus 2.3.5 or Milvus Lite 3.2.2, or is in merr/errors.go."""

from typing import Any

import grpc
import pytest
from pymilvus.grpc_gen.common_pb2 import Status

from migrations_app.engine import errors as e
from migrations_app.engine.milvus.errors import COLLECTION_MISSING, INDEX_MISSING, from_rpc, from_status

WHAT = "insert rows into “items”"


def status(code: int, legacy: int, reason: str = "") -> Status:
    return Status(code=code, error_code=legacy, reason=reason)


ROW_FAULTS = [
    status(1100, 5, "the length (6) of 0th string exceeds max length (3): invalid parameter"),
    status(65535, 1, "the length(3) of float data should divide the dim(4)"),
    status(65535, 1, "value 'NaN' is not a number or infinity"),
    status(1001, 1, "IO failed: invalid character 'o' looking for beginning of object key string"),
    status(65535, 1, "json: cannot unmarshal number into Go value of type map[string]interface {}"),
    status(6, 6, "VARCHAR field 't' value length 6 exceeds max_length=3"),
    status(1, 1, "'utf-8' codec can't encode character '\\ud800' in position 7: surrogates not allowed"),
    status(1, 0, "maximum recursion depth exceeded while decoding a JSON object from a unicode string"),
    status(0, 5, "illegal argument"),
    status(1804, 1, "fail to deal the insert data"),
]


@pytest.mark.parametrize("seen", ROW_FAULTS, ids=lambda s: s.reason[:40])
def test_rows_that_milvus_never_accepts_are_refused_with_its_reason(seen):
    problem = from_status(seen, WHAT, sending=True)

    assert type(problem) is e.RowsRefused
    assert seen.reason in problem.message
    assert not problem.retryable


@pytest.mark.parametrize("seen", ROW_FAULTS, ids=lambda s: s.reason[:40])
def test_the_same_status_without_rows_is_a_server_error(seen):
    assert type(from_status(seen, "create “items”")) is e.ServerError


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (status(8, 49, "rate limit exceeded[rate=0.1]"), e.ServerBusy),
        (status(0, 49, "rate limit exceeded"), e.ServerBusy),
        (status(9, 48, "quota exceeded[reason=memory quota exceeded, please allocate more]"), e.ServerBusy),
        (status(0, 53, "memory quota exhausted"), e.ServerBusy),
        (status(3, 52, "memory limit exceeded"), e.ServerBusy),
        (status(4, 1, "request limit exceeded"), e.ServerBusy),
        (status(11, 1, "time tick long delay"), e.ServerBusy),
        (status(1, 56, "service not ready"), e.ServerUnavailable),
        (status(2, 1, "service unavailable"), e.UnknownOutcome),
        (status(10001, 1, "context deadline exceeded"), e.UnknownOutcome),
        (status(100, 4, "collection not found[collection=items]"), e.ServerChanged),
        (status(109, 62, "collection schema mismatch"), e.ServerChanged),
        (status(200, 15, "partition not found[partition=p]"), e.ServerChanged),
        (status(200, 200, "p"), e.ServerChanged),
        (status(1401, 3, "privilege not permitted"), e.PrivilegeMissing),
        (status(1, 0, "'NoneType' object is not iterable"), e.ServerError),
        (status(65535, 1, "message queue internal error"), e.ServerError),
    ],
)
def test_each_answer_of_milvus_to_rows_has_its_own_error(seen, kind):
    problem = from_status(seen, WHAT, sending=True)

    assert type(problem) is kind
    assert problem.message == f"Milvus did not {WHAT}: {seen.reason}."


def test_success_is_not_an_error():
    assert from_status(status(0, 0), WHAT) is None


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        ("rate limit exceeded[rate=0.1]", 10),
        ("rate limit exceeded[rate=1]", 1),
        ("rate limit exceeded[rate=8.388608e+06]", None),
        ("rate limit exceeded", None),
    ],
)
def test_the_rate_in_the_reason_gives_the_time_to_wait(reason, seconds):
    assert from_status(status(8, 49, reason), WHAT).retry_after_seconds == seconds


@pytest.mark.parametrize(
    "seen",
    [
        status(800, 1, "database not found[database=nope]"),
        status(1, 0, "database 'nope' does not exist"),
        status(6, 6, "database 'nope' does not exist"),
    ],
)
def test_a_missing_database_is_reported_on_the_field_database(seen):
    problem = from_status(seen, "list the collections of “nope”")

    assert isinstance(problem, e.DatabaseMissing)
    assert problem.field == "database"


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (status(100, 4, "collection not found"), COLLECTION_MISSING),
        (status(0, 4, "can't find collection"), COLLECTION_MISSING),
        (status(700, 25, "index not found"), INDEX_MISSING),
        (status(700, 11, "no index on collection"), INDEX_MISSING),
    ],
)
def test_a_missing_collection_or_index_has_its_own_code(seen, code):
    assert from_status(seen, WHAT).code == code


class Failed(grpc.RpcError):
    """A failed call as grpc raises it."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details


REFUSED = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Connection refused"
CODES = grpc.StatusCode


@pytest.mark.parametrize(
    ("code", "details", "sending", "calling"),
    [
        (CODES.UNAVAILABLE, REFUSED, e.ServerUnavailable, e.ServerUnavailable),
        (CODES.UNAVAILABLE, "DNS resolution failed for x", e.ServerUnavailable, e.ServerUnavailable),
        (CODES.UNAVAILABLE, "Stream removed (Socket closed)", e.UnknownOutcome, e.ServerUnavailable),
        (CODES.UNAVAILABLE, "recvmsg:Connection reset by peer", e.UnknownOutcome, e.ServerUnavailable),
        (CODES.DEADLINE_EXCEEDED, "Deadline Exceeded", e.UnknownOutcome, e.ServerUnavailable),
        (CODES.CANCELLED, "Channel closed!", e.UnknownOutcome, e.ServerError),
        (CODES.INTERNAL, "Received RST_STREAM", e.UnknownOutcome, e.ServerError),
        (CODES.UNAUTHENTICATED, "auth check failure", e.AuthRefused, e.AuthRefused),
        (CODES.PERMISSION_DENIED, "PrivilegeInsert", e.PrivilegeMissing, e.PrivilegeMissing),
        (CODES.RESOURCE_EXHAUSTED, "too many requests", e.ServerBusy, e.ServerBusy),
        (
            CODES.RESOURCE_EXHAUSTED,
            "grpc: received message larger than max (70000154 vs. 67108864)",
            e.RowsRefused,
            e.ServerBusy,
        ),
        (CODES.UNIMPLEMENTED, "unknown method", e.VersionUnsupported, e.VersionUnsupported),
    ],
)
def test_the_error_of_a_failed_call_shows_if_the_rows_may_have_arrived(code, details, sending, calling):
    assert type(from_rpc(Failed(code, details), WHAT, sending=True)) is sending
    assert type(from_rpc(Failed(code, details), WHAT)) is calling
