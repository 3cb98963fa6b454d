"""Milvus target: Milvus, Milvus Lite and Zilliz Cloud."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pyarrow as pa
from pymilvus.grpc_gen import milvus_pb2 as m

from migrations_app.engine.endpoint import ServerInfo, SettingsModel
from migrations_app.engine.errors import (
    DatabaseMissing,
    PrivilegeMissing,
    ServerError,
    TargetChanged,
    TargetError,
    VersionUnsupported,
)
from migrations_app.engine.identity import CollectionIdentity
from migrations_app.engine.milvus import server
from migrations_app.engine.milvus.capabilities import Capabilities, capabilities_of
from migrations_app.engine.milvus.errors import COLLECTION_MISSING
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.schema import create_request, from_message, pairs
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.model.target_schema import IndexSpec, TargetSchema
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.targets.base import Channel, IndexState, LoadState, Target, target_error
from migrations_app.engine.targets.milvus import counting, indexing
from migrations_app.engine.targets.milvus.channel import MilvusChannel
from migrations_app.engine.targets.milvus.comparing import differences

LITE_WARNING = (
    "Milvus Lite is a single process that takes one writer at a time. Use it for trials and small data sets."
)
VERSION_WARNING = "The server does not report its version. Vectorferry treats it as the newest Milvus."


class MilvusTarget(Target):
    """One database of a Milvus server. It connects on the first request. Threads may share its channels."""

    kind: ClassVar[str] = "milvus"
    title: ClassVar[str] = "Milvus"
    Settings: ClassVar[type[SettingsModel]] = MilvusSettings
    before_you_start: ClassVar[tuple[str, ...]] = (
        "The machine that runs Vectorferry must be able to connect to the server's port: 19530, or 443 for "
        "Zilliz Cloud. If the server has an allow list, add the machine to it.",
        "The user or API key needs the privileges to create collections and indexes and to write rows.",
        "Milvus 2.3 or later, Milvus Lite as a server, or Zilliz Cloud.",
    )
    address_field: str = "uri"

    def __init__(self, settings: SettingsModel, database: str = "default") -> None:
        assert isinstance(settings, MilvusSettings)
        super().__init__(settings, database or "default")
        if not (self.database.isascii() and self.database.isprintable()):
            # The name is sent in a gRPC header, which cannot contain other characters.
            raise DatabaseMissing(
                f"There is no database {self.database[:40]!r}.",
                "Names of Milvus databases contain only letters, digits and _.",
                field="database",
            )
        self._milvus_settings = settings
        self._rpc = Rpc(settings, self.database, self.resolve, target_error, lambda: self.stop)
        self._server: server.Server | None = None

    def close(self) -> None:
        self._rpc.close()

    def hosts(self) -> tuple[str, ...]:
        return (self._milvus_settings.address.host,)

    def address(self) -> str:
        return str(self._milvus_settings.address)

    def check(self, ctx: ReadContext) -> ServerInfo:
        with self.obeying(ctx.stop):
            server_info = self._connect()
        warnings: tuple[str, ...] = (LITE_WARNING,) if server_info.flavour == "lite" else ()
        if not server_info.numbers:
            warnings += (VERSION_WARNING,)
        return ServerInfo(server_info.product, server_info.version, warnings=warnings)

    def capabilities(self) -> Capabilities:
        return capabilities_of(self._server or self._connect())

    def _connect(self) -> server.Server:
        self._server = server.connect(self._rpc, self._milvus_settings, self.resolve)
        return self._server

    def identity(self, collection: str, ctx: ReadContext) -> CollectionIdentity | None:
        with self.obeying(ctx.stop):
            return server.identity_of(self._rpc, collection, self.resolve)

    def databases(self) -> tuple[str, ...]:
        """Return the names of the databases. If the server does not support or allow listing them, return
        only the one of this connection."""
        try:
            answer = self._rpc.call("ListDatabases", m.ListDatabasesRequest(), "list the databases")
        except (PrivilegeMissing, VersionUnsupported):
            return (self.database,)
        return tuple(sorted(answer.db_names))

    def create_database(self) -> bool:
        with self.in_default_database() as other:
            if self.database in other.databases():
                return False
            request = m.CreateDatabaseRequest(db_name=self.database)
            try:
                other._rpc.call("CreateDatabase", request, f"create the database “{self.database}”")
            except TargetError:
                if self.database not in other.databases():  # another job has not created it meanwhile
                    raise
                return False
        return True

    def collections(self) -> tuple[str, ...]:
        return server.collections(self._rpc)

    def aliases(self, name: str) -> tuple[str, ...]:
        """Return the aliases. Empty if the server does not support or allow listing them."""
        request = m.ListAliasesRequest(db_name=self.database, collection_name=name)
        try:
            answer = self._rpc.call("ListAliases", request, f"list the aliases of “{name}”")
        except (PrivilegeMissing, VersionUnsupported):
            return ()
        return tuple(sorted(answer.aliases))

    def describe(self, name: str) -> TargetSchema | None:
        try:
            return _schema(self._description(name))
        except TargetChanged as error:
            if error.code != COLLECTION_MISSING:
                raise
            return None

    def _description(self, name: str) -> Any:
        request = m.DescribeCollectionRequest(db_name=self.database, collection_name=name)
        return self._rpc.call("DescribeCollection", request, f"describe “{name}”")

    def create(self, schema: TargetSchema) -> None:
        self._rpc.call("CreateCollection", create_request(schema, self.database), f"create “{schema.name}”")

    def raise_limit(self, name: str, field: str, limit: str, value: int) -> None:
        request = m.AlterCollectionFieldRequest(
            db_name=self.database,
            collection_name=name,
            field_name=field,
            properties=pairs({limit: str(value)}),
        )
        self._rpc.call("AlterCollectionField", request, f"raise “{limit}” of “{name}.{field}” to {value:,}")

    def drop(self, name: str) -> None:
        request = m.DropCollectionRequest(db_name=self.database, collection_name=name)
        try:
            self._rpc.call("DropCollection", request, f"drop “{name}”")
        except TargetChanged as error:
            if error.code != COLLECTION_MISSING:
                raise

    def partitions(self, name: str) -> tuple[str, ...]:
        request = m.ShowPartitionsRequest(db_name=self.database, collection_name=name)
        action = f"list the partitions of “{name}”"
        return tuple(self._rpc.call("ShowPartitions", request, action).partition_names)

    def create_partition(self, name: str, partition: str) -> None:
        request = m.CreatePartitionRequest(
            db_name=self.database, collection_name=name, partition_name=partition
        )
        self._rpc.call("CreatePartition", request, f"create the partition “{partition}” of “{name}”")

    def channel(self, schema: TargetSchema, *, upsert: bool, may_replace: bool = True) -> Channel:
        """Return a channel. Raises ``TargetChanged`` if the collection is missing or differs from ``schema``.

        Milvus Lite's upsert keeps the keys of the dynamic field that the new row does not have. So if rows
        may replace others, the old rows are deleted first.
        """
        description = self._description(schema.name)
        if names := differences(_schema(description), schema):
            raise TargetChanged(
                f"“{schema.name}” is not the collection that this job created: {', '.join(names)} differ.",
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

    def flush(self, name: str) -> None:
        counting.flush(self._rpc, name)

    def row_statistics(self, name: str, partition: str = "") -> int:
        return counting.row_statistics(self._rpc, name, partition)

    def count(self, name: str, partition: str = "") -> int:
        if partition and self.capabilities().flavour == "lite":
            # The count(*) of Milvus Lite ignores the partition. Its statistics are the exact number of rows.
            return counting.row_statistics(self._rpc, name, partition)
        return counting.count(self._rpc, name, partition=partition)

    def count_keys(self, name: str, field: str, keys: pa.Array) -> int:
        return counting.count(self._rpc, name, counting.key_filter(field, keys))

    def indexes(self, name: str) -> tuple[IndexState, ...]:
        return indexing.indexes(self._rpc, name)

    def create_index(self, name: str, index: IndexSpec) -> None:
        indexing.create_index(self._rpc, name, self._index_for_server(name, index))

    def _index_for_server(self, name: str, index: IndexSpec) -> IndexSpec:
        """Replace AUTOINDEX on sparse vectors if the server is Milvus Lite, which does not support it."""
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


def _schema(description: Any) -> TargetSchema:
    try:
        return from_message(description)
    except ServerError as error:
        raise target_error(error) from None
