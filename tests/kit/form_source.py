"""Form source: a source in memory whose models use every kind of control.

Its rows are the same in every process, and their field ``received`` holds the settings, the selection and the
options with which they were read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from enum import Enum
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, SecretStr

from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.errors import SourceError, SourceUnavailable
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.setting_types import PemSecret, PemText, SourceValues
from migrations_app.engine.sources.base import Choice, CollectionInfo, Source, VectorInfo
from tests.kit.memory_source import MemoryCollection, MemorySource, MemoryStore, memory_collection

NAMES = ("articles", "letters")
NAMESPACES = {"": 40, " padded ": 7, **{f"ns_{number:03}": 1 + number % 9 for number in range(180)}}
FILE: dict[str, Any] = {"widget": "file", "advanced": True}
SPECS = {
    "id": TypeSpec(MilvusType.INT64),
    "embedding": TypeSpec(MilvusType.FLOAT_VECTOR, dim=2),
    "namespace": TypeSpec(MilvusType.VARCHAR, max_length=64),
    "received": TypeSpec(MilvusType.VARCHAR, max_length=4096),
    "score": TypeSpec(MilvusType.DOUBLE),
}


class Region(Enum):
    EUROPE = "eu"
    ASIA = "as"


class FormSettings(SettingsModel):
    address: str = Field(title="Address", examples=["archive.example"])
    port: int = Field(6000, title="Port", ge=1, le=65535)
    timeout: float = Field(2.5, title="Timeout in seconds", gt=0)
    token: SecretStr = Field(SecretStr(""), title="Token")
    region: Region = Field(
        Region.EUROPE, title="Region", json_schema_extra={"labels": {"eu": "Europe", "as": "Asia"}}
    )
    verify_tls: bool = Field(True, title="Verify the certificate")
    protocols: list[Literal["http", "grpc"]] = Field(
        default_factory=list,
        title="Protocols",
        description="Nothing chosen: the fastest one.",
        json_schema_extra={"labels": {"http": "HTTP", "grpc": "gRPC"}},
    )
    mirrors: list[str] = Field(default_factory=list, title="Mirrors")
    ca_cert: PemText = Field("", title="CA certificate", json_schema_extra=FILE)
    client_key: PemSecret = Field(SecretStr(""), title="Client key", json_schema_extra=FILE)


class FormSelection(SettingsModel):
    namespaces: SourceValues = Field(
        default_factory=list, title="Namespaces", description="Nothing chosen: all namespaces."
    )
    condition: str = Field("", title="Condition", json_schema_extra={"widget": "textarea"})
    order: Literal["oldest", "newest"] = Field("oldest", title="Order")
    at_least: int | None = Field(None, title="Least score", ge=0, le=100)
    with_drafts: bool = Field(False, title="With drafts")


class FormOptions(SettingsModel):
    dates: Literal["written", "iso"] = Field(
        "written",
        title="Dates",
        json_schema_extra={"labels": {"written": "as written", "iso": "as ISO 8601"}},
    )
    with_scores: bool = Field(False, title="With scores")
    factor: float = Field(1.0, title="Factor", ge=0, le=10)
    languages: list[Literal["de", "en", "fr"]] = Field(default_factory=list, title="Languages")
    stop_words: list[str] = Field(default_factory=list, title="Stop words")
    script: str = Field("", title="Script", json_schema_extra={"widget": "textarea"})


class FormSource(MemorySource):
    kind: ClassVar[str] = "forms"
    title: ClassVar[str] = "Archive"
    Settings: ClassVar[type[SettingsModel]] = FormSettings
    address_field = "address"
    Selection: ClassVar[type[SettingsModel]] = FormSelection
    Options: ClassVar[type[SettingsModel]] = FormOptions
    # A test may change what the source lists, or let the list fail once for each entry of ``failures``.
    # After a namespace with less than 0 rows the list does not end.
    namespaces: ClassVar[dict[str, int]] = NAMESPACES
    failures: ClassVar[list[str]] = []

    identity = Source.identity

    settings: FormSettings  # type: ignore[assignment]

    def _open(self) -> MemoryStore:
        return MemoryStore()

    def hosts(self) -> tuple[str, ...]:
        return (self.settings.address,)

    def check(self, ctx: ReadContext) -> ServerInfo:
        return ServerInfo("Archive", "1")

    def collections(self, ctx: ReadContext) -> Iterator[CollectionInfo]:
        rows = sum(self.namespaces.values())
        for name in NAMES:
            vectors = (VectorInfo("embedding", "list", 2),)
            yield CollectionInfo(name, name, rows=rows, rows_exact=True, vectors=vectors)

    def choices(self, ref: CollectionRef, name: str, ctx: ReadContext) -> Iterator[Choice]:
        if self.failures:
            raise SourceUnavailable(self.failures.pop(), "Try again.")
        for value, rows in self.namespaces.items():
            if rows < 0:  # the archive does not answer any more
                while True:
                    ctx.stop.check()
                    time.sleep(0.01)
            yield Choice(value, "" if value else "default namespace", rows)

    def _collection(self, ref: CollectionRef) -> MemoryCollection:
        selection = FormSelection.model_validate(ref.selection)
        options = FormOptions.model_validate(ref.options)
        if options.script == "fail":
            raise SourceError("The script fails in line 1.", "Change it.", path="source_options.script")
        wanted = {n: r for n, r in self.namespaces.items() if n in (selection.namespaces or self.namespaces)}
        settings = {k: v for k, v in self.settings.model_dump(mode="json").items() if k != "token"}
        settings["token"] = len(self.settings.token.get_secret_value())
        received = {"settings": settings, "select": ref.selection, "source_options": ref.options}
        names = [name for name, rows in wanted.items() for _ in range(rows)]
        number = len(names)
        columns: dict[str, pa.Array] = {
            "id": pa.array(range(number), pa.int64()),
            "embedding": pa.array([[n, 1.0] for n in range(number)], pa.list_(pa.float32(), 2)),
            "namespace": pa.array(names, pa.string()),
            "received": pa.array([json.dumps(received, sort_keys=True)] * number, pa.string()),
        }
        if options.with_scores:
            columns["score"] = pa.array([float(n) for n in range(number)], pa.float64())
        return memory_collection(pa.record_batch(columns), SPECS, key="id")
