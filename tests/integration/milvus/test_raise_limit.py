"""Raising a limit of a collection with rows: the request on the wire, compared with that of pymilvus, and the
answer of Milvus Lite, which cannot do it."""

import pytest
from pymilvus import MilvusClient
from pymilvus.grpc_gen.common_pb2 import Status

from migrations_app.engine.errors import VersionUnsupported
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.targets.milvus.target import MilvusTarget
from tests.emulators.milvus import MilvusEmulator

pytest.importorskip("milvus_lite")


@pytest.fixture
def emulator(tmp_path):
    with MilvusEmulator(tmp_path).running() as running:
        yield running


@pytest.mark.parametrize(("limit", "value"), [("max_length", 65_535), ("max_capacity", 4_096)])
def test_the_request_is_that_of_pymilvus(emulator, limit, value):
    requests = []

    def answer(request, context):
        requests.append(request)
        return Status()

    emulator.answer("AlterCollectionField", answer, answer)
    client = MilvusClient(emulator.uri)
    client.alter_collection_field("books", "title", {limit: value})
    client.close()
    with MilvusTarget(MilvusSettings(uri=emulator.uri)) as target:
        target.raise_limit("books", "title", limit, value)
    theirs, ours = requests
    assert ours.db_name == "default"
    ours.db_name = theirs.db_name  # pymilvus sends the database in a header only
    assert ours == theirs


def test_milvus_lite_says_in_words_that_it_cannot_do_it(emulator):
    with MilvusTarget(MilvusSettings(uri=emulator.uri)) as target:
        assert target.capabilities().raisable == frozenset()
        with pytest.raises(VersionUnsupported) as raised:
            target.raise_limit("books", "title", "max_length", 65_535)
    assert "raise “max_length” of “books.title” to 65,535" in raised.value.message
