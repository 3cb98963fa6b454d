"""Server: one store, with a REST port and a gRPC port."""

import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from migrations_app.demo.processes import LOOPBACK
from migrations_app.demo.qdrant.access import Access, Keys
from migrations_app.demo.qdrant.engine.store import Store
from migrations_app.demo.qdrant.operations import Operations, need
from migrations_app.demo.qdrant.releases import Release


class Call(NamedTuple):
    """A request. ``port`` is the client's."""

    protocol: str
    operation: str
    collection: str | None
    headers: Mapping[str, str]
    port: int = 0


class Interference:
    """A hook between a request and its answer. It does nothing here; tests use it for faults."""

    def before(self, call: Call) -> None:
        """Called before each request; a refusal that it raises is the answer."""

    def approximate(self, count: int) -> int:
        """Return the count for an answer that the service calls approximate."""
        return count


@dataclass
class Options:
    """``key_pem`` and ``certificate_pem`` turn TLS on. Ports of 0 are any free ports. ``cache_mb`` limits the
    cache of answers."""

    version: str = Release.version
    keys: Keys = field(default_factory=Keys)
    certificate_pem: str = ""
    key_pem: str = ""
    rest_port: int = 0
    grpc_port: int = 0
    cache_mb: int = 128

    def tls(self) -> ssl.SSLContext | None:
        """The context of the REST port; OpenSSL reads certificates only from files."""
        if not self.key_pem:
            return None
        from tempfile import NamedTemporaryFile

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(self.certificate_pem + self.key_pem)
            file.flush()
            context.load_cert_chain(file.name)
        return context


@dataclass
class Answers:
    """The last answers to scrolls, as bytes; the oldest are dropped beyond ``limit`` bytes."""

    limit: int
    kept: OrderedDict[object, bytes] = field(default_factory=OrderedDict)
    size: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: object) -> bytes | None:
        with self.lock:
            return self.kept.get(key)

    def keep(self, key: object, answer: bytes) -> bytes:
        with self.lock:
            if key not in self.kept:
                self.kept[key] = answer
                self.size += len(answer)
            while self.size > self.limit:
                self.size -= len(self.kept.popitem(last=False)[1])
        return answer


class Server:
    def __init__(self, folder: Path, options: Options, interference: Interference | None = None) -> None:
        from migrations_app.demo.qdrant.wire.grpc_port import GrpcPort
        from migrations_app.demo.qdrant.wire.rest_port import RestPort

        self.options = options
        self.release = Release(options.version)
        self.interference = interference or Interference()
        self.store = Store(folder)
        self.operations = Operations(self.store, self.release, self.interference.approximate)
        self.answers = Answers(options.cache_mb << 20)
        self._rest = RestPort(self)
        self._grpc = GrpcPort(self)
        self.rest_port, self.grpc_port = self._rest.port, self._grpc.port

    @property
    def url(self) -> str:
        return f"{'https' if self.options.key_pem else 'http'}://{LOOPBACK}:{self.rest_port}"

    def admit(self, call: Call) -> Access:
        """The access of a request. Raises the refusal if it has too little."""
        access = self.options.keys.access(call.headers)
        self.interference.before(call)
        access.check(need(call.operation), call.collection)
        return access

    def scroll_answer(self, protocol: str, name: str, asked: object, make: Callable[[], bytes]) -> bytes:
        """Return an answer to a scroll: a kept one if nothing was written since, unless strict mode counts
        the reads."""
        collection = self.store.get(name)
        key = (protocol, collection.revision, asked)
        kept = None if collection.is_strict else self.answers.get(key)
        return self.answers.keep(key, make()) if kept is None else kept

    def close(self) -> None:
        self._rest.close()
        self._grpc.close()
        self.store.close()
