"""The same collection as source and target: it is recognized however its server and its name are written."""

import uuid
from collections.abc import Iterator
from typing import ClassVar

import pytest

from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.identity import CollectionIdentity
from migrations_app.engine.milvus import server
from migrations_app.engine.milvus.rpc import Rpc
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.model.target_schema import TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.preflight import check_plan
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.sources.base import source_error
from migrations_app.engine.targets.milvus.target import MilvusTarget
from tests.engines.milvus_client import plain_client
from tests.integration.relays import as_a_relay, listening
from tests.kit import MemorySource, MemoryStore, memory_store
from tests.migrations_app.conftest import books


class ProbeSettings(MilvusSettings):
    store: str


class MilvusProbe(MemorySource):
    """A source whose rows are in memory, and whose collections are those of a Milvus server."""

    Settings: ClassVar[type[SettingsModel]] = ProbeSettings
    address_field = "uri"

    def _open(self) -> MemoryStore:
        return self.stores[self.settings.store]

    def identity(self, collection: str, ctx: ReadContext) -> CollectionIdentity | None:
        rpc = Rpc(self.settings, "default", self.resolve, source_error)
        try:
            return server.identity_of(rpc, collection, self.resolve)
        finally:
            rpc.close()


@pytest.fixture
def name(milvus_uri: str) -> Iterator[str]:
    """A collection on the server with an alias that ends in “_alias”."""
    name = f"vf_{uuid.uuid4().hex[:12]}"
    schema = TargetSchema(
        name,
        (
            TargetField("id", TypeSpec(MilvusType.INT64), is_key=True),
            TargetField("embedding", TypeSpec(MilvusType.FLOAT_VECTOR, dim=3)),
            TargetField("title", TypeSpec(MilvusType.VARCHAR, max_length=64)),
        ),
    )
    client = plain_client(milvus_uri)
    with MilvusTarget(MilvusSettings(uri=milvus_uri)) as target:
        target.create(schema)
        client.create_alias(name, f"{name}_alias")
        yield name
        client.drop_alias(f"{name}_alias")
        target.drop(name)
    client.close()


def codes(source_uri: str, source_name: str, target_uri: str, target_name: str, if_exists: str) -> set[str]:
    """Return the codes of the faults of a plan that writes into an existing collection."""
    plan = Plan.model_validate(
        {
            "version": 1,
            "source": {"kind": "probe"},
            "target": {"kind": "milvus"},
            "collections": [{"source": source_name, "target": target_name, "if_exists": if_exists}],
        }
    )
    with (
        memory_store(MemoryStore({source_name: books(3)})) as store,
        MilvusProbe(ProbeSettings(uri=source_uri, store=store.store)) as source,
        MilvusTarget(MilvusSettings(uri=target_uri)) as target,
    ):
        return {fault.code for fault in check_plan(plan, source, target, ReadContext()).faults}


@pytest.mark.parametrize("if_exists", ["append", "replace"])
@pytest.mark.parametrize("spelling", ["localhost", "127.0.0.1", "127.1", "0.0.0.0"])
@pytest.mark.parametrize("alias", ["", "_alias"])
def test_a_plan_that_writes_into_its_source_is_refused(
    milvus_uri: str, name: str, spelling: str, alias: str, if_exists: str
) -> None:
    other = milvus_uri.replace("127.0.0.1", spelling)
    assert "target_is_source" in codes(other, name + alias, milvus_uri, name, if_exists)
    assert "target_is_source" in codes(milvus_uri, name + alias, other, name, if_exists)


def test_another_collection_of_the_same_server_may_be_replaced(milvus_uri: str, name: str) -> None:
    assert "target_is_source" not in codes(milvus_uri, f"{name}_2", milvus_uri, name, "replace")


def test_a_proxy_does_not_hide_the_server(milvus_235_uri: str) -> None:
    """Milvus Lite does not number its collections, so only a complete Milvus can be recognized behind one."""
    name, port = f"vf_{uuid.uuid4().hex[:12]}", int(milvus_235_uri.rpartition(":")[2])
    key = TargetField("id", TypeSpec(MilvusType.INT64), is_key=True)
    vector = TargetField("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=3))
    with (
        listening(as_a_relay(port)) as proxy,
        MilvusTarget(MilvusSettings(uri=milvus_235_uri)) as target,
        MilvusTarget(MilvusSettings(uri=f"http://127.0.0.1:{proxy}")) as proxied,
    ):
        target.create(TargetSchema(name, (key, vector)))
        one, other = target.identity(name, ReadContext()), proxied.identity(name, ReadContext())
        assert one is not None
        assert other is not None
        assert one.is_same(other)
        target.drop(name)
        target.create(TargetSchema(name, (key, vector)))
        newer = target.identity(name, ReadContext())
        assert newer is not None
        assert not newer.is_same(other)
        target.drop(name)
