"""REST port of the server."""

import re
import threading
import time
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import orjson

from migrations_app.demo.processes import LOOPBACK
from migrations_app.demo.qdrant.engine import points
from migrations_app.demo.qdrant.engine.collection import Found
from migrations_app.demo.qdrant.refusals import Kind, Refusal, bad_format

if TYPE_CHECKING:
    from migrations_app.demo.qdrant.server import Server

Json = Any

ROUTES = [
    ("GET", "/collections", "collections"),
    ("GET", "/aliases", "aliases"),
    ("POST", "/collections/aliases", "change_aliases"),
    ("GET", "/collections/NAME", "info"),
    ("PUT", "/collections/NAME", "create"),
    ("PATCH", "/collections/NAME", "change"),
    ("DELETE", "/collections/NAME", "drop"),
    ("GET", "/collections/NAME/exists", "exists"),
    ("GET", "/collections/NAME/aliases", "collection_aliases"),
    ("GET", "/collections/NAME/cluster", "cluster"),
    ("GET", "/collections/NAME/shards", "shard_keys"),
    ("PUT", "/collections/NAME/shards", "create_shard_key"),
    ("POST", "/collections/NAME/shards/delete", "delete_shard_key"),
    ("PUT", "/collections/NAME/index", "create_index"),
    ("DELETE", "/collections/NAME/index/NAME", "delete_index"),
    ("PUT", "/collections/NAME/points", "upsert"),
    ("POST", "/collections/NAME/points", "retrieve"),
    ("GET", "/collections/NAME/points/NAME", "retrieve_one"),
    ("POST", "/collections/NAME/points/delete", "delete"),
    ("PUT", "/collections/NAME/points/vectors", "update_vectors"),
    ("POST", "/collections/NAME/points/vectors/delete", "delete_vectors"),
    ("POST", "/collections/NAME/points/payload", "set_payload"),
    ("PUT", "/collections/NAME/points/payload", "overwrite_payload"),
    ("POST", "/collections/NAME/points/payload/delete", "delete_payload"),
    ("POST", "/collections/NAME/points/payload/clear", "clear_payload"),
    ("POST", "/collections/NAME/points/scroll", "scroll"),
    ("POST", "/collections/NAME/points/count", "count"),
    ("POST", "/collections/NAME/points/query", "query"),
]
PATTERNS = [
    (method, re.compile(path.replace("NAME", "([^/]+)")), operation) for method, path, operation in ROUTES
]
HEALTH = {"/healthz", "/readyz", "/livez"}
JSON = "application/json"


class RestPort:
    def __init__(self, server: "Server") -> None:
        handler = type("Handler", (_Handler,), {"server_": server})
        self._http = _Http((LOOPBACK, server.options.rest_port), handler)
        tls = server.options.tls()
        if tls is not None:
            # The handshake belongs to the thread of the connection, not to the one that accepts.
            self._http.socket = tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no fault of the server."""


class _Handler(BaseHTTPRequestHandler):
    server_: "Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        started = time.perf_counter()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path.rstrip("/")
        try:
            if path in HEALTH:
                self._send(200, f"{path[1:]} check passed".encode(), "text/plain")
            elif path == "":
                self._send(200, orjson.dumps(self.server_.release.title()), JSON)
            else:
                self._send(200, self._answer(path, body, started), JSON)
        except Refusal as refusal:
            self._refuse(refusal, started)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

    def _answer(self, path: str, body: bytes, started: float) -> bytes:
        from migrations_app.demo.qdrant.server import Call

        operation, names = self._route(path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        collection = names[0] if names else None
        access = self.server_.admit(Call("rest", operation, collection, headers, self.client_address[1]))
        run = getattr(self.server_.operations, operation, None)
        if operation in ("collections", "aliases"):
            return _wrapped(run(access), started)
        if operation == "retrieve_one":
            return self._one(names, started)
        if self.command in ("GET", "DELETE"):
            return _wrapped(run(*names), started)
        asked = _parsed(body)
        try:
            if operation == "scroll":
                return self._scroll(names[0], asked, started)
            result = run(*names, asked)
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            raise bad_format(f"missing or invalid field {fault}") from fault
        if operation == "retrieve":
            result = [self._record(each, asked) for each in result]
        elif operation == "query":
            result = {"points": [self._scored(each, asked) for each in result]}
        return _wrapped(result, started)

    def _route(self, path: str) -> tuple[str, list[str]]:
        for method, pattern, operation in PATTERNS:
            if method == self.command and (found := pattern.fullmatch(path)):
                return operation, [unquote(name) for name in found.groups()]
        raise Refusal(Kind.NO_ROUTE, "")

    def _scroll(self, name: str, asked: Json, started: float) -> bytes:
        def answer() -> bytes:
            found, following = self.server_.operations.scroll(name, asked)
            page = [self._record(each, asked) for each in found]
            return _wrapped({"points": page, "next_page_offset": points.id_json(following)}, started)

        request = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        return self.server_.scroll_answer("rest", name, request, answer)

    def _record(self, found: Found, asked: Json, *, has_payload: bool = True) -> Json:
        """``has_payload``: whether there is a payload if the request does not say it."""
        selected = asked.get("with_payload")
        json = points.record_json(
            found.record,
            found.shard_key,
            with_payload=has_payload if selected is None else selected is not False,
            with_vector=bool(asked.get("with_vector")),
        )
        if not self.server_.release.omits_what_was_not_asked:
            json = {"payload": None, "vector": None} | json
        return json

    def _scored(self, found: Found, asked: Json) -> Json:
        scored = {"version": found.record.version, "score": found.record.score}
        return self._record(found, asked, has_payload=False) | scored

    def _one(self, names: list[str], started: float) -> bytes:
        asked = int(names[1]) if names[1].isdigit() else names[1]
        found = self.server_.operations.retrieve(names[0], {"ids": [asked], "with_vector": True})
        if not found:
            raise Refusal(Kind.NOT_FOUND, f"Point with id {names[1]} does not exists!")
        return _wrapped(self._record(found[0], {"with_vector": True}), started)

    def _refuse(self, refusal: Refusal, started: float) -> None:
        headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
        if refusal.body is not None:
            self._send(refusal.kind.status, refusal.body, "text/html", headers)
        elif refusal.kind is Kind.NO_ROUTE:
            self._send(404, b"", "text/plain")
        elif refusal.kind in (Kind.UNAUTHORIZED, Kind.NO_ACCESS):
            self._send(refusal.kind.status, refusal.message.encode(), "text/plain")
        else:
            seconds = time.perf_counter() - started
            answer = {"status": {"error": refusal.message}, "time": seconds}
            self._send(refusal.kind.status, orjson.dumps(answer), JSON, headers)

    def _send(
        self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        lines = [
            f"HTTP/1.1 {status} {responses[status]}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)


def _parsed(body: bytes) -> Json:
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise bad_format(str(fault)) from fault
    if not isinstance(asked, dict):
        raise bad_format("invalid type: expected an object")
    return asked


def _wrapped(result: Json, started: float) -> bytes:
    answer = {"result": result, "status": "ok", "time": time.perf_counter() - started}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
