"""Faults of one server, in the order in which they were given."""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from migrations_app.demo.qdrant.refusals import Kind, Refusal
from migrations_app.demo.qdrant.server import Call, Interference

if TYPE_CHECKING:
    from migrations_app.demo.qdrant.server import Server
    from tests.emulators.qdrant.relay import Relay

MOST_CALLS = 10_000


@dataclass
class Fault:
    """What happens to the next ``times`` calls of ``operation``, after ``after`` of them went well.

    ``operation`` has the name that ``migrations_app/demo/qdrant/wire/rest_port.py`` gives it, or is ``*``.
    ``protocol`` is ``rest``, ``grpc`` or empty: both. The other fields depend on ``kind``: the functions
    below fill them in.
    """

    kind: Literal["refuse", "cut", "stall", "delay", "write"]
    operation: str
    after: int = 0
    times: int = 1
    protocol: str = ""
    refusal: str = ""
    message: str = ""
    retry_after: float | None = None
    body: str | None = None
    sent: int = 0
    seconds: float = 0
    collection: str = ""
    body_json: dict[str, Any] = field(default_factory=dict)

    def takes(self, call: Call) -> bool:
        """Whether this call has the fault. Counts it."""
        if self.operation not in ("*", call.operation) or self.protocol not in ("", call.protocol):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


def busy(operation: str, *, retry_after: float | None = 1, **given: Any) -> Fault:
    """429, gRPC's RESOURCE_EXHAUSTED, as of a collection with a read limit in its strict mode."""
    message = (
        "Read rate limit exceeded: Operation requires 1 tokens but only 0.0 were available. "
        f"Retry after {retry_after or 1:.0f}s"
    )
    return Fault("refuse", operation, refusal="BUSY", message=message, retry_after=retry_after, **given)


def failing(operation: str, refusal: str = "INTERNAL", message: str = "task panicked", **given: Any) -> Fault:
    """An error of the service; ``refusal`` is the name of a ``Kind``: INTERNAL is 500, UNAVAILABLE 503."""
    return Fault("refuse", operation, refusal=refusal, message=message, **given)


def proxy_error(operation: str, refusal: str = "BAD_GATEWAY", **given: Any) -> Fault:
    """The answer of a proxy whose service is away: a page of HTML."""
    body = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    return Fault("refuse", operation, refusal=refusal, message="Bad Gateway", body=body, **given)


def cut(operation: str, *, sent: int = 1000, **given: Any) -> Fault:
    """The first bytes of the answer, then the end of the connection."""
    return Fault("cut", operation, sent=sent, **given)


def stall(operation: str, *, sent: int = 0, **given: Any) -> Fault:
    """The first bytes of the answer, then nothing more, on an open connection."""
    return Fault("stall", operation, sent=sent, **given)


def delay(operation: str, seconds: float, **given: Any) -> Fault:
    return Fault("delay", operation, seconds=seconds, **given)


def write(operation: str, collection: str, points: list[dict[str, Any]], **given: Any) -> Fault:
    """Another client upserts these points just before the answer."""
    return Fault("write", operation, collection=collection, body_json={"points": points}, **given)


class Faults(Interference):
    """The faults of a server that are still to come, and the calls so far. ``lag``: that many of the last
    points are missing in approximate counts. ``closing`` ends every delay."""

    def __init__(self) -> None:
        self.lag = 0
        self.server: Server | None = None
        self.relays: dict[str, Relay] = {}
        self.closing = threading.Event()
        self._waiting: deque[Fault] = deque()
        self._calls: deque[Call] = deque(maxlen=MOST_CALLS)
        self._lock = threading.Lock()

    def add(self, faults: list[Fault]) -> None:
        with self._lock:
            self._waiting.extend(faults)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def calls(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{**call._asdict(), "headers": dict(call.headers)} for call in self._calls]

    def approximate(self, count: int) -> int:
        return max(0, count - self.lag)

    def before(self, call: Call) -> None:
        fault = self._next(call)
        if fault is None:
            return
        if fault.kind in ("cut", "stall"):
            self.relays[call.protocol].limit(call.port, fault.sent, is_stall=fault.kind == "stall")
        elif fault.kind == "delay":
            self.closing.wait(fault.seconds)
        elif fault.kind == "write":
            assert self.server is not None
            self.server.operations.upsert(fault.collection, fault.body_json)
        else:
            body = None if fault.body is None else fault.body.encode()
            raise Refusal(Kind[fault.refusal], fault.message, fault.retry_after, body)

    def _next(self, call: Call) -> Fault | None:
        with self._lock:
            self._calls.append(call)
            # Each fault counts the calls by itself, until one of them has it.
            found = next((fault for fault in self._waiting if fault.takes(call)), None)
            if found is not None and found.times <= 0:
                self._waiting.remove(found)
            return found
