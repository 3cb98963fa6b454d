"""The contract of HTTP sources, proven on the smallest one: the memory source, a request a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
from pydantic import Field

from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.errors import AuthRefused, HostUnknown
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadPlan, Slice
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.http import HttpClient, HttpSettings
from tests.emulators.http_faults import HttpServer, forward, http_faults
from tests.engine.pipeline.moves import SPECS, books
from tests.kit import (
    BadSettings,
    HttpSourceContract,
    MemorySettings,
    MemorySource,
    MemoryStore,
    SourceCase,
    memory_collection,
    memory_store,
)

ROWS = 120


class PagedSettings(MemorySettings):
    url: str = Field(default="", title="URL")


class PagedSource(MemorySource):
    kind: ClassVar[str] = "paged"
    Settings: ClassVar[type[SettingsModel]] = PagedSettings
    address_field = "url"

    settings: PagedSettings

    def __init__(self, settings: SettingsModel) -> None:
        super().__init__(settings)
        self._client = HttpClient(HttpSettings(self.settings.url), self.resolve)

    def check(self, ctx: ReadContext) -> ServerInfo:
        self._client.request("GET", "/", stop=ctx.stop)
        return super().check(ctx)

    def read(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        for batch in super().read(ref, part, after, plan, ctx):
            self._client.request("GET", "/page", params={"end": batch.after}, stop=ctx.stop)
            yield batch

    def close(self) -> None:
        self._client.close()


class TestPagedSource(HttpSourceContract):
    @pytest.fixture
    def faults(self) -> Iterator[HttpServer]:
        with http_faults() as server, http_faults() as faults:
            faults.usual = forward(server.port)
            yield faults

    @pytest.fixture
    def case(self, faults: HttpServer) -> Iterator[SourceCase]:
        full, empty = memory_collection(books(ROWS), SPECS, "id"), memory_collection(books(0), SPECS, "id")
        with memory_store(MemoryStore({"books": full, "empty": empty}, password="s3cret-word")) as settings:
            yield SourceCase(
                PagedSource,
                {"store": settings.store, "password": "s3cret-word", "url": faults.url},
                full=CollectionRef("books"),
                rows=ROWS,
                empty=CollectionRef("empty"),
                missing=CollectionRef("gone"),
                bad=(
                    BadSettings({"store": "nowhere"}, HostUnknown, "store"),
                    BadSettings({"password": "wr0ng-word"}, AuthRefused, "password"),
                ),
                expected={"3": {"title": "Book 3"}},
                secrets=("s3cret-word",),
                batch_bytes=1024,
                not_selectable=frozenset({"empty"}),
            )
