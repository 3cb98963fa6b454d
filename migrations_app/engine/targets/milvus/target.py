"""Milvus and Zilliz Cloud as a target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pyarrow as pa
from pymilvus.grpc_gen import milvus_pb2 as m

from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.errors import (
    AuthRefused,
    DatabaseMissing,
    PrivilegeMissing,
    TargetChanged,
    TargetError,
    VersionUnsupported,
)
from migrations_app.engine.milvus import server
from migrations_app.engine.milvus.capabilities import Capabilities, capabilities_of
from migrations_app.engine.milvus.diagnose import explain
from migrations_app.engine.milvus.errors import COLLECTION_MISSING, TRANSPORT_CODES
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.schema import create_request, from_message
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.model.target_schema import IndexSpec, TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.stop_token import StopToken
from migrations_app.engine.targets.base import Channel, IndexState, LoadState, Target
from migrations_app.engine.targets.milvus import counting, indexing
from migrations_app.engine.targets.milvus.channel import MilvusChannel
from migrations_app.engine.targets.milvus.comparing import differences

CONNECT_SECONDS = 5.0
LITE_WARNING = "Milvus Lite is one process that takes one writer: right for trying out and for small data."
VERSION_WARNING = "The server does not say its version: it is taken for the newest Milvus."


class MilvusTarget(Target):
    """One database of a Milvus server. It connects when first asked; threads may share it."""

    kind: ClassVar[str] = "milvus"
    title: ClassVar[str] = "Milvus"
    Settings: ClassVar[type[SettingsModel]] = MilvusSettings
    before_you_start: ClassVar[tuple[str, ...]] = (
        "The machine Vectorferry runs on must reach the server's port: 19530, or 443 for Zilliz Cloud. "
        "Add it to the allow list where there is one.",
        "The user or API key needs the right to create collections, indexes and rows in the database.",
        "Milvus 2.3 or later, Milvus Lite as a server, or Zilliz Cloud.",
    )

    def __init__(self, settings: SettingsModel, database: str = "default") -> None:
        assert isinstance(settings, MilvusSettings)
        super().__init__(settings, database or "default")
        if not (self.database.isascii() and self.database.isprintable()):
            # It could not even be asked for: it travels in a header.
            raise DatabaseMissing(
                f"There is no database {self.database[:40]!r}.",
                "Milvus names databases with letters, digits and _.",
                field="database",
            )
        self._login = settings
        self._rpc = Rpc(settings, self.database)
        self._server: server.Server | None = None

    def close(self) -> None:
        self._rpc.close()

    def hosts(self) -> tuple[str, ...]:
        return (self._login.address.host,)

    def address(self) -> str:
        return str(self._login.address)

    def check(self) -> ServerInfo:
        found = self._connect()
        warnings: tuple[str, ...] = (LITE_WARNING,) if found.flavour == "lite" else ()
        if not found.numbers:
            warnings += (VERSION_WARNING,)
        return ServerInfo(found.product, found.version, warnings=warnings)

    def capabilities(self) -> Capabilities:
        return capabilities_of(self._server or self._connect())

    def _connect(self) -> server.Server:
        """Who answers, with the login and the database proven."""
        try:
            self._server = server.ask(self._rpc, CONNECT_SECONDS)
            self.collections()
        except AuthRefused as error:
            field = self._login.secret_field
            raise AuthRefused(f"{self._login.address} refuses the login.", error.hint, field=field) from None
        except TargetError as error:
            if error.code not in TRANSPORT_CODES:
                raise
            raise explain(self._login.address, self._login.ca_cert, error.message) from None
        return self._server

    def databases(self) -> tuple[str, ...]:
        """Their names; only the one asked for where the server does not let itself be asked."""
        try:
            answer = self._rpc.call("ListDatabases", m.ListDatabasesRequest(), "list the databases")
        except (PrivilegeMissing, VersionUnsupported):
            return (self.database,)
        return tuple(sorted(answer.db_names))

    def collections(self) -> tuple[str, ...]:
        request = m.ShowCollectionsRequest(db_name=self.database)
        what = f"list the collections of “{self.database}”"
        return tuple(sorted(self._rpc.call("ShowCollections", request, what).collection_names))

    def aliases(self, name: str) -> tuple[str, ...]:
        """None where the server does not know, or does not tell, of aliases."""
        request = m.ListAliasesRequest(db_name=self.database, collection_name=name)
        try:
            answer = self._rpc.call("ListAliases", request, f"list the aliases of “{name}”")
        except (PrivilegeMissing, VersionUnsupported):
            return ()
        return tuple(sorted(answer.aliases))

    def describe(self, name: str) -> TargetSchema | None:
        try:
            return from_message(self._description(name))
        except TargetChanged as error:
            if error.code != COLLECTION_MISSING:
                raise
            return None

    def _description(self, name: str) -> Any:
        request = m.DescribeCollectionRequest(db_name=self.database, collection_name=name)
        return self._rpc.call("DescribeCollection", request, f"describe “{name}”")

    def create(self, schema: TargetSchema) -> None:
        self._rpc.call("CreateCollection", create_request(schema, self.database), f"create “{schema.name}”")

    def drop(self, name: str) -> None:
        request = m.DropCollectionRequest(db_name=self.database, collection_name=name)
        try:
            self._rpc.call("DropCollection", request, f"drop “{name}”")
        except TargetChanged as error:
            if error.code != COLLECTION_MISSING:
                raise

    def partitions(self, name: str) -> tuple[str, ...]:
        request = m.ShowPartitionsRequest(db_name=self.database, collection_name=name)
        what = f"list the partitions of “{name}”"
        return tuple(self._rpc.call("ShowPartitions", request, what).partition_names)

    def create_partition(self, name: str, partition: str) -> None:
        request = m.CreatePartitionRequest(
            db_name=self.database, collection_name=name, partition_name=partition
        )
        self._rpc.call("CreatePartition", request, f"create the partition “{partition}” of “{name}”")

    def channel(self, schema: TargetSchema, *, upsert: bool, may_replace: bool = True) -> Channel:
        """Raises ``TargetChanged`` where the collection is gone or is not ``schema``.

        Milvus Lite's upsert leaves those keys of the dynamic field there that the new row does not have:
        where rows may replace others, the old ones are deleted first.
        """
        description = self._description(schema.name)
        if names := differences(from_message(description), schema):
            raise TargetChanged(
                f"“{schema.name}” is not what this job made: {', '.join(names)} differ.",
                "Choose another name, or drop that collection and start over.",
            )
        capabilities = self.capabilities()
        merges = upsert and may_replace and schema.dynamic and capabilities.flavour == "lite"
        return MilvusChannel(
            self._rpc,
            schema,
            upsert=upsert,
            timestamp=description.update_timestamp,
            single_writer=capabilities.single_writer,
            deletes_first=merges,
        )

    def flush(self, name: str, stop: StopToken | None = None) -> None:
        counting.flush(self._rpc, name, stop or StopToken())

    def row_statistics(self, name: str, partition: str = "") -> int:
        return counting.row_statistics(self._rpc, name, partition)

    def count(self, name: str, partition: str = "") -> int:
        if partition and self.capabilities().flavour == "lite":
            # Its count(*) does not look at the partition; its statistics are of the rows that are there.
            return counting.row_statistics(self._rpc, name, partition)
        return counting.count(self._rpc, name, partition=partition)

    def count_keys(self, name: str, field: str, keys: pa.Array) -> int:
        return counting.count(self._rpc, name, counting.among(field, keys))

    def indexes(self, name: str) -> tuple[IndexState, ...]:
        return indexing.indexes(self._rpc, name)

    def create_index(self, name: str, index: IndexSpec) -> None:
        indexing.create_index(self._rpc, name, self._on_lite(name, index))

    def _on_lite(self, name: str, index: IndexSpec) -> IndexSpec:
        """Milvus Lite's AUTOINDEX does not know sparse vectors."""
        if index.type != "AUTOINDEX" or self.capabilities().flavour != "lite":
            return index
        fields = (self.describe(name) or TargetSchema(name, ())).fields
        kind = next((field.spec.type for field in fields if field.name == index.field), None)
        is_sparse = kind is MilvusType.SPARSE_FLOAT_VECTOR
        return replace(index, type="SPARSE_INVERTED_INDEX") if is_sparse else index

    def drop_index(self, name: str, field: str) -> None:
        indexing.drop_index(self._rpc, name, field)

    def load_state(self, name: str) -> LoadState:
        return indexing.load_state(self._rpc, name)

    def load(self, name: str) -> None:
        indexing.load(self._rpc, name)

    def release(self, name: str) -> None:
        indexing.release(self._rpc, name)
