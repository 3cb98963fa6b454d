"""Refusals with the words, HTTP statuses and gRPC codes of Qdrant.

The texts are those of Qdrant's own sources: ``lib/storage/src/content_manager/errors.rs``, its
``conversions.rs`` for gRPC, and ``src/actix/helpers.rs`` for HTTP.
"""

from dataclasses import dataclass
from enum import Enum

import grpc


class Kind(Enum):
    """The prefix of the message, the HTTP status and the gRPC code."""

    BAD_INPUT = ("Wrong input: ", 400, grpc.StatusCode.INVALID_ARGUMENT)
    BAD_REQUEST = ("Bad request: ", 400, grpc.StatusCode.INVALID_ARGUMENT)
    FORMAT = ("Format error in JSON body: ", 400, grpc.StatusCode.INVALID_ARGUMENT)
    VALIDATION = ("Validation error in JSON body: ", 422, grpc.StatusCode.INVALID_ARGUMENT)
    NOT_FOUND = ("Not found: ", 404, grpc.StatusCode.NOT_FOUND)
    EXISTS = ("Wrong input: ", 409, grpc.StatusCode.ALREADY_EXISTS)
    FORBIDDEN = ("Forbidden: ", 403, grpc.StatusCode.PERMISSION_DENIED)
    UNAUTHORIZED = ("", 401, grpc.StatusCode.UNAUTHENTICATED)
    NO_ACCESS = ("", 403, grpc.StatusCode.PERMISSION_DENIED)
    INTERNAL = ("Service internal error: ", 500, grpc.StatusCode.INTERNAL)
    BUSY = ("Rate limiting exceeded: ", 429, grpc.StatusCode.RESOURCE_EXHAUSTED)
    BAD_GATEWAY = ("", 502, grpc.StatusCode.UNAVAILABLE)
    GATEWAY_TIMEOUT = ("", 504, grpc.StatusCode.UNAVAILABLE)
    UNAVAILABLE = ("Shard temporarily unavailable: ", 503, grpc.StatusCode.UNAVAILABLE)
    NO_ROUTE = ("", 404, grpc.StatusCode.UNIMPLEMENTED)

    @property
    def prefix(self) -> str:
        return self.value[0]

    @property
    def status(self) -> int:
        return self.value[1]

    @property
    def code(self) -> grpc.StatusCode:
        return self.value[2]


@dataclass
class Refusal(Exception):
    """``body`` is an answer of its own for REST, as that of a proxy in front of the service."""

    kind: Kind
    description: str
    retry_after: float | None = None
    body: bytes | None = None

    @property
    def message(self) -> str:
        return self.kind.prefix + self.description

    @property
    def grpc_message(self) -> str:
        """gRPC reads no JSON: format and validation errors have other words there."""
        if self.kind is Kind.VALIDATION:
            return f"Validation error in body: {self.description}"
        return self.description if self.kind is Kind.FORMAT else self.message


def bad_input(description: str) -> Refusal:
    return Refusal(Kind.BAD_INPUT, description)


def bad_request(description: str) -> Refusal:
    return Refusal(Kind.BAD_REQUEST, description)


def bad_format(description: str) -> Refusal:
    return Refusal(Kind.FORMAT, description)


def invalid(field: str, description: str) -> Refusal:
    return Refusal(Kind.VALIDATION, f"[{field}: {description}]")


def not_found(description: str) -> Refusal:
    return Refusal(Kind.NOT_FOUND, description)


def strict(error: str, solution: str) -> Refusal:
    """What a collection in strict mode does not allow."""
    return Refusal(Kind.BAD_REQUEST, f"{error}. Help: {solution}")
