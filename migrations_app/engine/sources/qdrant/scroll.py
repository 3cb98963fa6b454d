"""Scroll: the points of a slice, page by page, in the order of their ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.errors import AnswerTooLarge, SourceBusy, SourceDataError, SourceUnavailable
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.json_rows import JsonRows
from migrations_app.engine.sources.qdrant import grpc_points, rest_points
from migrations_app.engine.sources.qdrant.collection import Collection
from migrations_app.engine.sources.qdrant.connect.grpc_calls import GET, SCROLL
from migrations_app.engine.sources.qdrant.connect.rest import RestCall, collection_path
from migrations_app.engine.sources.qdrant.server import Server
from migrations_app.engine.sources.qdrant.wanted import Wanted
from migrations_app.engine.sources.qdrant.wire.fields import Malformed
from migrations_app.engine.sources.qdrant.wire.page import GOT, SCROLLED, Page

PointId = int | str
MOST_POINTS = 10_000
# The first page shows how large the points are. Later ones grow at most by this factor each.
FIRST_POINTS, GROWTH = 256, 8


@dataclass(frozen=True, slots=True)
class Bounds:
    """The points of a slice: those with ids from ``start`` to before ``end``, or a part by the
    server's filter.
    """

    start: PointId | None = None
    end: PointId | None = None
    part: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Points:
    """Rows of a page, the ids of all its points, and the id of the first point of the next page."""

    rows: JsonRows
    ids: list[PointId]
    next_id: PointId | None

    def between(self, start: int, end: int, wanted: Wanted) -> Points:
        """Return some of the points, with the id of the first one after them."""
        ids = self.ids[start:end]
        next_id = self.ids[end] if end < len(self.ids) else self.next_id
        if len(ids) == len(self.ids):
            return self
        if not self.rows.rejected:
            rows = JsonRows(self.rows.rows.slice(start, len(ids)), self.rows.locators.slice(start, len(ids)))
            return Points(rows, ids, next_id)
        names = wanted.locators(pa.array(map(str, ids), pa.string()))
        inside = pc.is_in(self.rows.locators, value_set=names)
        known = set(names.to_pylist())
        rows = JsonRows(
            self.rows.rows.filter(inside),
            self.rows.locators.filter(inside),
            tuple(row for row in self.rows.rejected if row.locator in known),
        )
        return Points(rows, ids, next_id)


def order_of(point_id: PointId) -> tuple[bool, int]:
    """Return the place of an id in Qdrant's order: numbers before UUIDs."""
    if isinstance(point_id, int):
        return False, point_id
    return True, int(point_id.replace("-", ""), 16)


def page_limit(collection: Collection, limit: int) -> int:
    return max(1, min(limit, MOST_POINTS, collection.page_limit or MOST_POINTS))


class Scroll:
    """Reads points with the columns of ``wanted``, by gRPC or REST.

    gRPC has no unsigned integers: one of 2^63 or more arrives as a double. A page that may contain one is
    asked for again by REST, and the rest of the slice is read by REST.
    """

    def __init__(self, server: Server, wanted: Wanted, ctx: ReadContext) -> None:
        self._server = server
        self._wanted = wanted
        self._ctx = ctx
        self._by_grpc = server.uses_grpc(ctx)
        self._path = collection_path(wanted.collection.name, "points")
        self._limit = self._capped(min(wanted.plan.batch_bytes // wanted.row_bytes, FIRST_POINTS))
        self._bounds = Bounds()
        # The next page: its request, and the call that is on its way.
        self._ahead: tuple[Any, Any] | None = None
        # The size of rows in comparison with their JSON, by the last page.
        self._text_share: float | None = None

    def _capped(self, limit: int) -> int:
        return page_limit(self._wanted.collection, limit)

    # ------------------------------------------------------------ pages

    def pages(self, bounds: Bounds, offset: PointId | None, most: int | None) -> Iterator[Points]:
        """Yield the pages from the id ``offset`` on (None: all), at most ``most`` points."""
        self._bounds, offset = bounds, bounds.start if offset is None else offset
        try:
            while most is None or most > 0:
                page = self._before(bounds.end, self._page(offset, most))
                if most is not None:
                    most -= len(page.ids)
                if page.ids:
                    yield page
                if page.next_id is None:
                    return
                offset = page.next_id
        finally:
            self._cancel()

    def _page(self, offset: PointId | None, most: int | None) -> Points:
        while True:
            limit = self._limit if most is None else min(self._limit, most)
            try:
                return self._asked(offset, limit, most)
            except AnswerTooLarge as error:
                if limit == 1:
                    raise
                self._limit = limit // 2
                self._ctx.stop.wait(error.retry_after_seconds or 0.0)

    def _asked(self, offset: PointId | None, limit: int, most: int | None) -> Points:
        if self._by_grpc:
            page = self._by_rpc(SCROLL, self._rpc_request(offset, limit))
            left = None if most is None else most - len(page)
            self._adapt(len(page), page.size_bytes)
            self._ask_ahead(page.next_id, left)
            if (points := self._decoded(page)) is not None:
                return points
            self._cancel()
            self._by_grpc = False
        answer = self._http_answer(f"{self._path}/scroll", self._http_request(offset, limit))
        next_id = rest_points.next_id_of(answer)
        if next_id is not None and self._text_share is not None:
            self._adapt(limit, int(len(answer) * self._text_share))
            self._ask_ahead(next_id, None if most is None else most - limit)
        points = self._by_http(answer)
        self._text_share = points.rows.rows.nbytes / len(answer)
        return points

    def _adapt(self, points: int, size_bytes: int) -> None:
        """Ask for as many points as fit a batch, by the size of those of the last page."""
        if points:
            fitting = int(self._wanted.plan.batch_bytes * points / max(1, size_bytes))
            self._limit = self._capped(min(fitting, GROWTH * self._limit))

    def _rpc_request(self, offset: PointId | None, limit: int) -> bytes:
        return grpc_points.scroll_request(self._wanted, limit, offset, self._bounds.part)

    def _http_request(self, offset: PointId | None, limit: int) -> dict[str, Any]:
        return rest_points.scroll_request(self._wanted, limit, offset, self._bounds.part)

    def _ask_ahead(self, offset: PointId | None, most: int | None) -> None:
        """Ask for the next page, so that the server prepares it while this one is converted."""
        if offset is None or (most is not None and most <= 0):
            return
        if self._bounds.end is not None and order_of(offset) >= order_of(self._bounds.end):
            return
        limit = self._limit if most is None else min(self._limit, most)
        if self._by_grpc:
            request = self._rpc_request(offset, limit)
            self._ahead = request, self._server.grpc.begin(SCROLL, request, self._ctx)
        else:
            body = self._http_request(offset, limit)
            self._ahead = body, RestCall(self._server.rest, f"{self._path}/scroll", body, self._ctx)

    def _cancel(self) -> None:
        if self._ahead is not None:
            self._ahead[1].cancel()
            self._ahead = None

    def _before(self, end: PointId | None, page: Points) -> Points:
        """Return the page without the points that belong to the next slice."""
        if end is None or (page.next_id is not None and order_of(page.next_id) <= order_of(end)):
            return page
        inside = sum(order_of(point) < order_of(end) for point in page.ids)
        return replace(page.between(0, inside, self._wanted), next_id=None)

    # ------------------------------------------------------------ by ids

    def of_ids(self, ids: list[PointId]) -> Iterator[Points]:
        """Yield the points with these ids."""
        at = 0
        while at < len(ids):
            some = ids[at : at + self._limit]
            try:
                yield self._got(some)
            except AnswerTooLarge:
                if len(some) == 1:
                    raise
                self._limit = len(some) // 2
                continue
            at += len(some)

    def _got(self, ids: list[PointId]) -> Points:
        if self._by_grpc:
            points = self._decoded(self._by_rpc(GET, grpc_points.get_request(self._wanted, ids)))
            if points is not None:
                return points
            self._by_grpc = False
        return self._by_http(self._http_answer(self._path, rest_points.get_request(self._wanted, ids)))

    # ------------------------------------------------------------ answers

    def _by_rpc(self, method: str, request: bytes) -> Page:
        grpc = self._server.grpc
        ahead, self._ahead = self._ahead, None
        is_ahead = ahead is not None and ahead[0] == request
        if ahead is not None and not is_ahead:
            ahead[1].cancel()
        call = ahead[1] if is_ahead and ahead else grpc.begin(method, request, self._ctx)
        try:
            answer = grpc.result(call, self._ctx)
        except SourceUnavailable as error:
            if not isinstance(error, SourceBusy):
                self._server.forget_grpc()
            raise
        with self._readable("gRPC"):
            return Page(answer, GOT if method == GET else SCROLLED)

    def _decoded(self, page: Page) -> Points | None:
        """Return the points of a page, or None if an integer in them may have been rounded."""
        with self._readable("gRPC"):
            if self._wanted.payload and page.has_rounded_integers:
                return None
            return Points(grpc_points.rows_of(page, self._wanted), page.id_list(), page.next_id)

    def _http_answer(self, path: str, body: dict[str, Any]) -> bytes:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == body:
            answer: bytes = ahead[1].result()
            return answer
        if ahead is not None:
            ahead[1].cancel()
        return self._server.rest.answer("POST", path, self._ctx, body)

    def _by_http(self, answer: bytes) -> Points:
        with self._readable("REST"):
            page = rest_points.page_of(answer, self._wanted.collection.vectors)
            ids = [point["id"] for point in page.points]
            return Points(rest_points.rows_of(page, self._wanted), ids, page.next_id)

    @contextmanager
    def _readable(self, protocol: str) -> Iterator[None]:
        try:
            yield
        except (Malformed, IndexError, KeyError, TypeError, ValueError) as error:
            raise SourceDataError(
                f"Qdrant ({self._server.rest.server}) answered by {protocol} in a form that Vectorferry does "
                "not know.",
                "Check that nothing between the two changes the answers, such as a proxy.",
                details=repr(error),
            ) from error
