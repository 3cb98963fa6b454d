"""Milvus target: collections are created, filled, counted, indexed and loaded on both servers, and read with
pymilvus.
"""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from time import sleep

import grpc
import pytest
from pymilvus import MilvusClient
from pymilvus.grpc_gen import milvus_pb2
from pymilvus.grpc_gen.common_pb2 import Status

from migrations_app.engine.errors import (
    Canceled,
    DatabaseMissing,
    RowsRefused,
    TargetBusy,
    TargetChanged,
    TargetError,
    TargetUnavailable,
    UnknownOutcome,
)
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.model.target_schema import IndexSpec, TargetField, TargetSchema
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.stop_token import Deadline, StopToken
from migrations_app.engine.targets.milvus import counting
from migrations_app.engine.targets.milvus.comparing import differences
from migrations_app.engine.targets.milvus.target import MilvusTarget
from migrations_app.engine.verification.row_count import RowCount
from tests.emulators.milvus import MilvusEmulator, aborting
from tests.engine.milvus.rows import batch_of
from tests.engines.milvus_client import plain_client

SECONDS = 20
DIM = 4
KEY = TargetField("id", TypeSpec(MilvusType.INT64), is_key=True)
VECTOR = TargetField("v", TypeSpec(MilvusType.FLOAT_VECTOR, dim=DIM))
TITLE = TargetField("title", TypeSpec(MilvusType.VARCHAR, max_length=10))


@pytest.fixture
def milvus(milvus_uri) -> Iterator[MilvusTarget]:
    with MilvusTarget(MilvusSettings(uri=milvus_uri)) as target:
        yield target


@pytest.fixture
def standalone(milvus_235_uri) -> Iterator[MilvusTarget]:
    """Milvus 2.3.5 only, for features that Milvus Lite lacks."""
    with MilvusTarget(MilvusSettings(uri=milvus_235_uri)) as target:
        yield target


@pytest.fixture
def client(milvus_uri) -> Iterator[MilvusClient]:
    client = plain_client(milvus_uri)
    yield client
    client.close()


@pytest.fixture
def name(request) -> Iterator[str]:
    """An unused name; the collection is dropped at the end."""
    name = f"vf_{uuid.uuid4().hex[:12]}"
    yield name
    target = "standalone" if "standalone" in request.fixturenames else "milvus"
    request.getfixturevalue(target).drop(name)


def rows_from(first, count):
    return [{"id": i, "v": [i, 1, 2, 3], "title": f"row {i}"} for i in range(first, first + count)]


def schema_of(name, *fields, **more) -> TargetSchema:
    return TargetSchema(name, (KEY, VECTOR, *(fields or (TITLE,))), **more)


def send(target, schema, rows, *, upsert=True) -> int:
    channel = target.channel(schema, upsert=upsert)
    return channel.send(channel.encode(batch_of(schema, rows)), SECONDS)


def load_and_wait(target, name) -> None:
    """Index and load a collection, and wait until it is loaded, as a job does."""
    target.create_index(name, IndexSpec("v", metric="L2"))
    target.load(name)
    for _ in range(200):
        if target.load_state(name).is_loaded:
            return
        threading.Event().wait(0.1)
    pytest.fail(f"{name} was not loaded")


def read_back(client, name, fields):
    rows = client.query(name, "id >= -9223372036854775807", output_fields=fields, consistency_level="Strong")
    return sorted(rows, key=lambda row: row["id"])


EVERY_SCALAR = {
    "flag": (TypeSpec(MilvusType.BOOL), [True, False, True]),
    "i8": (TypeSpec(MilvusType.INT8), [-128, 0, 127]),
    "i16": (TypeSpec(MilvusType.INT16), [-(2**15), 0, 2**15 - 1]),
    "i32": (TypeSpec(MilvusType.INT32), [-(2**31), 0, 2**31 - 1]),
    "i64": (TypeSpec(MilvusType.INT64), [-(2**63), 0, 2**63 - 1]),
    "f32": (TypeSpec(MilvusType.FLOAT), [-0.5, 0.0, 3.5]),
    "f64": (TypeSpec(MilvusType.DOUBLE), [1e-300, 0.1, -1e300]),
    "text": (TypeSpec(MilvusType.VARCHAR, max_length=100), ["", "żółć 🦆", 'a"b\\c\n']),
    "doc": (TypeSpec(MilvusType.JSON), [{"a": [1, None]}, {}, {"ü": {"x": "🦆"}}]),
    "numbers": (TypeSpec(MilvusType.ARRAY, None, None, MilvusType.INT64, 5), [[], [-1, 2**62], [0]]),
    "words": (TypeSpec(MilvusType.ARRAY, None, 20, MilvusType.VARCHAR, 5), [["é", ""], [], ["x"]]),
    "flags": (TypeSpec(MilvusType.ARRAY, None, None, MilvusType.BOOL, 5), [[True], [False, True], []]),
    "floats": (TypeSpec(MilvusType.ARRAY, None, None, MilvusType.FLOAT, 5), [[0.5], [], [1.5, -2.0]]),
    "bytes": (TypeSpec(MilvusType.ARRAY, None, None, MilvusType.INT8, 5), [[-1], [127], []]),
}


def test_every_scalar_type_arrives_unchanged(milvus, client, name):
    fields = tuple(TargetField(field, spec) for field, (spec, _) in EVERY_SCALAR.items())
    schema = schema_of(name, *fields)
    rows = [
        {"id": i - 1, "v": [i, 0.5, -1, 2]}
        | {field: values[i] for field, (_, values) in EVERY_SCALAR.items()}
        for i in range(3)
    ]
    milvus.create(schema)

    assert differences(milvus.describe(name), schema) == ()
    assert send(milvus, schema, rows) == 3
    load_and_wait(milvus, name)
    found = read_back(client, name, ["v", *EVERY_SCALAR])
    assert [{key: as_list(value) for key, value in row.items()} for row in found] == rows


def as_list(value):
    """pymilvus returns some lists as its own type or as a numpy array."""
    return list(value) if not isinstance(value, (str, dict)) and hasattr(value, "__iter__") else value


def test_extra_keys_go_into_the_dynamic_field(milvus, client, name):
    schema = schema_of(name)
    extras = [{"colour": "grün", "sizes": [1, 2], "none": None}, {}]
    milvus.create(schema)
    send(milvus, schema, [row | extra for row, extra in zip(rows_from(0, 2), extras, strict=True)])

    load_and_wait(milvus, name)
    first, second = read_back(client, name, ["colour", "sizes", "none"])

    assert (first["colour"], list(first["sizes"]), first["none"]) == ("grün", [1, 2], None)
    assert "colour" not in second


def test_a_collection_can_be_created_without_a_dynamic_field(milvus, client, name):
    schema = schema_of(name, dynamic=False)
    milvus.create(schema)
    send(milvus, schema, rows_from(0, 1))

    assert milvus.describe(name).dynamic is False


@pytest.mark.parametrize("key", ["plain", 'quo"te', "back\\slash", " space ", "żółć 🦆", "new\nline"])
def test_a_text_key_is_stored_unchanged(milvus, client, name, key):
    text_key = TargetField("id", TypeSpec(MilvusType.VARCHAR, max_length=100), is_key=True)
    schema = TargetSchema(name, (text_key, VECTOR), dynamic=False)
    milvus.create(schema)
    send(milvus, schema, [{"id": key, "v": [1, 2, 3, 4]}])
    send(milvus, schema, [{"id": key, "v": [5, 6, 7, 8]}])

    load_and_wait(milvus, name)
    found = client.query(name, 'id != "no such key"', output_fields=["id", "v"], consistency_level="Strong")

    assert [(row["id"], as_list(row["v"])) for row in found] == [(key, [5, 6, 7, 8])]


def test_rows_that_are_sent_again_are_stored_once(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    for _ in range(3):
        send(milvus, schema, rows_from(0, 50))

    load_and_wait(milvus, name)

    assert milvus.count(name) == 50


def test_each_row_inserted_with_auto_id_gets_a_new_key(milvus, client, name):
    schema = TargetSchema(name, (replace(KEY, auto_id=True), VECTOR), dynamic=False)
    milvus.create(schema)
    assert milvus.describe(name).key.auto_id
    for _ in range(2):
        assert send(milvus, schema, [{"v": [1, 2, 3, 4]}] * 5, upsert=False) == 5

    load_and_wait(milvus, name)

    assert len({row["id"] for row in read_back(client, name, ["id"])}) == 10


def test_a_partition_key_is_created(milvus, name):
    kind = TargetField("kind", TypeSpec(MilvusType.VARCHAR, max_length=20), is_partition_key=True)
    schema = schema_of(name, kind)
    milvus.create(schema)
    rows = [{"id": i, "v": [i] * DIM, "kind": f"k{i % 3}"} for i in range(30)]

    assert send(milvus, schema, rows) == 30
    assert differences(milvus.describe(name), schema) == ()
    load_and_wait(milvus, name)
    assert milvus.count(name) == 30


def test_description_and_shards_are_stored(standalone, name):
    fields = (KEY, replace(VECTOR, description="what it means"))
    schema = TargetSchema(name, fields, description="Things, “in quotes”", shards=2)
    standalone.create(schema)

    assert standalone.describe(name) == schema


def test_a_name_that_is_taken_is_refused(milvus, name):
    milvus.create(schema_of(name))

    with pytest.raises(TargetError, match=name):
        milvus.create(schema_of(name, TargetField("other", TypeSpec(MilvusType.BOOL))))


def test_a_missing_collection_is_described_as_none_and_can_be_dropped(milvus, name):
    assert milvus.describe(name) is None
    milvus.drop(name)
    milvus.create(schema_of(name))
    assert name in milvus.collections()
    milvus.drop(name)
    assert name not in milvus.collections()


def test_databases_are_separate(milvus_uri, client):
    database, name = f"db_{uuid.uuid4().hex[:8]}", "items"
    with MilvusTarget(MilvusSettings(uri=milvus_uri), database) as other:
        with pytest.raises(DatabaseMissing):
            other.collections()
        assert other.create_database()
        assert not other.create_database()
        try:
            other.check(ReadContext())
            schema = schema_of(name)
            other.create(schema)
            send(other, schema, rows_from(0, 7))
            load_and_wait(other, name)

            assert database in other.databases()
            assert other.collections() == (name,)
            assert other.count(name) == 7
            with MilvusTarget(MilvusSettings(uri=milvus_uri)) as default:
                assert name not in default.collections()
        finally:
            other.release(name)
            other.drop(name)
            client.drop_database(database)


# ---------------------------------------------------------------- sending


def test_several_threads_send_at_once(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    channel = milvus.channel(schema, upsert=True)
    requests = [channel.encode(batch_of(schema, rows_from(100 * i, 100))) for i in range(12)]

    with ThreadPoolExecutor(4) as pool:
        accepted = list(pool.map(lambda request: channel.send(request, SECONDS), requests))

    assert accepted == [100] * 12
    load_and_wait(milvus, name)
    assert milvus.count(name) == 1200


def test_a_row_that_is_too_long_is_refused_with_the_reason_of_milvus(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)

    with pytest.raises(RowsRefused, match="length") as caught:
        send(milvus, schema, [row | {"title": "x" * 11} for row in rows_from(0, 1)])

    assert name in caught.value.message
    assert not caught.value.retryable


def test_a_refused_request_leaves_nothing_behind(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    with pytest.raises(RowsRefused):
        send(milvus, schema, [*rows_from(0, 5), {"id": 9, "v": [0] * DIM, "title": "x" * 11}])
    send(milvus, schema, rows_from(0, 2))

    load_and_wait(milvus, name)

    assert milvus.count(name) == 2


def test_a_request_larger_than_the_server_allows_is_refused(standalone, name):
    """Milvus accepts 64 MB in a request, Milvus Lite 256 MB."""
    text = TargetField("text", TypeSpec(MilvusType.VARCHAR, max_length=65535))
    schema = schema_of(name, text)
    standalone.create(schema)
    rows = [{"id": i, "v": [0] * DIM, "text": "x" * 65535} for i in range(1100)]

    with pytest.raises(RowsRefused, match="larger than max") as caught:
        send(standalone, schema, rows)

    assert caught.value.code == "request_too_large"


def test_sending_to_a_dropped_collection_fails(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    channel = milvus.channel(schema, upsert=True)
    request = channel.encode(batch_of(schema, rows_from(0, 1)))
    milvus.drop(name)

    with pytest.raises(TargetChanged):
        channel.send(request, SECONDS)
    with pytest.raises(TargetChanged):
        milvus.channel(schema, upsert=True)


def test_a_collection_whose_schema_changed_is_not_written_to(milvus, name):
    milvus.create(schema_of(name))

    with pytest.raises(TargetChanged, match="price"):
        milvus.channel(schema_of(name, TITLE, TargetField("price", TypeSpec(MilvusType.FLOAT))), upsert=True)


# ---------------------------------------------------------------- counting, indexing, loading


def test_statistics_are_exact_after_a_flush_if_no_key_was_sent_twice(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    for first in (0, 100):
        send(milvus, schema, rows_from(first, 100))

    milvus.flush(name)

    assert milvus.row_statistics(name) == 200


def test_a_flush_can_be_stopped(standalone, name):
    schema = schema_of(name)
    standalone.create(schema)
    send(standalone, schema, rows_from(0, 10))
    stop = StopToken()
    stop.stop(Canceled("canceled"))

    with standalone.obeying(stop), pytest.raises(Canceled):
        standalone.flush(name)


def test_counting_without_a_load_is_refused_if_the_server_needs_one(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    send(milvus, schema, rows_from(0, 3))

    if milvus.capabilities().count_needs_load:
        with pytest.raises(TargetError, match="load"):
            milvus.count(name)
    else:
        assert milvus.count(name) == 3


def test_rows_are_counted_right_after_they_were_sent(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    load_and_wait(milvus, name)
    for expected in range(100, 600, 100):
        send(milvus, schema, rows_from(expected, 100))
        assert milvus.count(name) == expected


def test_an_index_is_created_listed_and_dropped(milvus, name):
    milvus.create(schema_of(name))
    assert milvus.indexes(name) == ()

    milvus.create_index(name, IndexSpec("v", "HNSW", "IP", {"M": 8, "efConstruction": 64}))
    (index,) = milvus.indexes(name)
    assert (index.spec.field, index.spec.type, index.spec.metric) == ("v", "HNSW", "IP")
    assert int(index.spec.params["M"]) == 8
    assert index.failed == ""

    milvus.release(name)
    milvus.drop_index(name, "v")
    milvus.drop_index(name, "v")
    assert milvus.indexes(name) == ()


def test_an_index_covers_all_rows_in_the_end(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    send(milvus, schema, rows_from(0, 2000))
    milvus.flush(name)
    milvus.create_index(name, IndexSpec("v"))
    for _ in range(200):
        (index,) = milvus.indexes(name)
        if index.is_finished and index.rows_indexed == 2000:
            break
        threading.Event().wait(0.1)

    assert (index.is_finished, index.rows_indexed, index.rows_total) == (True, 2000, 2000)


def test_an_unknown_index_type_is_refused(milvus, name):
    """Milvus refuses it when it is requested, Milvus Lite when it is built."""
    schema = schema_of(name)
    milvus.create(schema)
    send(milvus, schema, rows_from(0, 10))
    milvus.flush(name)
    milvus.release(name)

    def index_and_load():
        milvus.create_index(name, IndexSpec("v", "NO_SUCH_INDEX", "L2"))
        milvus.load(name)

    with pytest.raises(TargetError, match=name):
        index_and_load()


def test_a_collection_is_loaded_and_released(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    send(milvus, schema, rows_from(0, 10))

    load_and_wait(milvus, name)
    assert milvus.load_state(name).percent == 100
    milvus.release(name)
    milvus.release(name)

    assert milvus.load_state(name).state == "not_loaded"


def test_requests_about_a_missing_collection_fail(milvus, name):
    for ask in (milvus.load_state, milvus.row_statistics, milvus.indexes, milvus.load):
        with pytest.raises(TargetChanged):
            ask(name)


def test_a_count_of_rows_sent_twice_changes_neither_index_nor_load_state(milvus, name):
    schema = schema_of(name)
    milvus.create(schema)
    before = milvus.load_state(name)
    for _ in range(2):
        send(milvus, schema, rows_from(0, 100))

    count = RowCount(milvus, name)
    while not (found := count.run(StopToken(), Deadline())).is_done:
        sleep(0.2)

    assert (found.rows, found.method) == (100, "count(*)")
    assert milvus.indexes(name) == ()
    assert milvus.load_state(name) == before


def test_a_count_by_statistics_needs_no_load(standalone, name):
    schema = schema_of(name)
    standalone.create(schema)
    send(standalone, schema, rows_from(0, 100))

    found = RowCount(standalone, name, statistics_are_exact=True).run(StopToken(), Deadline())

    assert (found.rows, found.method, found.is_prepared) == (100, "statistics", False)


def test_undoing_a_count_canceled_while_loading_leaves_no_index_behind(standalone, name):
    schema = schema_of(name)
    standalone.create(schema)
    send(standalone, schema, rows_from(0, 100))
    stop = StopToken()

    def cancel_once_requested(state):
        if state.asks:
            stop.stop(Canceled("canceled"))

    count = RowCount(standalone, name, save=cancel_once_requested)
    with pytest.raises(Canceled):
        count.run(stop, Deadline())
    count.undo()

    assert standalone.indexes(name) == ()
    assert standalone.load_state(name).state == "not_loaded"


# ---------------------------------------------------------------- behavior that only the emulator shows


@pytest.fixture
def emulator(tmp_path):
    with MilvusEmulator(tmp_path).running() as running:
        yield running


@pytest.fixture
def filled(emulator):
    """A target with one collection, and a request for it."""
    schema = schema_of("items")
    with MilvusTarget(MilvusSettings(uri=emulator.uri)) as target:
        target.create(schema)
        channel = target.channel(schema, upsert=True)
        yield target, channel, channel.encode(batch_of(schema, rows_from(0, 5)))


def rate_limited(rate="[rate=9]"):
    status = Status(code=8, error_code=49, reason=f"rate limit exceeded{rate}")
    return lambda request, context: milvus_pb2.MutationResult(status=status)


def test_a_rate_limit_asks_to_slow_down(emulator, filled):
    _, channel, request = filled
    emulator.answer("Upsert", rate_limited("[rate=0.5]"))

    with pytest.raises(TargetBusy) as caught:
        channel.send(request, SECONDS)

    assert caught.value.retry_after_seconds == 2
    assert channel.send(request, SECONDS) == 5


def test_no_answer_in_time_leaves_the_outcome_unknown(emulator, filled):
    _, channel, request = filled
    release = threading.Event()

    def slow(request, context):
        release.wait(10)
        return milvus_pb2.MutationResult()

    emulator.answer("Upsert", slow)
    with pytest.raises(UnknownOutcome):
        channel.send(request, 0.2)
    release.set()


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
def test_a_connection_lost_during_a_request_leaves_the_outcome_unknown(emulator, filled, code):
    _, channel, request = filled
    emulator.answer("Upsert", aborting(code, "recvmsg:Connection reset by peer"))

    with pytest.raises(UnknownOutcome):
        channel.send(request, SECONDS)


def test_sending_to_a_stopped_server_fails_as_unavailable(tmp_path):
    schema = schema_of("items")
    emulator = MilvusEmulator(tmp_path)
    with ExitStack() as stack, emulator.running():
        target = stack.enter_context(MilvusTarget(MilvusSettings(uri=emulator.uri)))
        target.create(schema)
        channel = target.channel(schema, upsert=True)
        request = channel.encode(batch_of(schema, rows_from(0, 5)))
        open_target = stack.pop_all()

    with open_target, pytest.raises(TargetUnavailable):
        channel.send(request, SECONDS)


def test_nothing_is_sent_through_a_closed_target(filled):
    target, channel, request = filled
    target.close()

    with pytest.raises(TargetUnavailable, match="closed"):
        channel.send(request, SECONDS)


def test_the_number_of_accepted_rows_is_the_one_the_server_reports(emulator, filled):
    """The writer compares the number with the number of rows sent."""
    _, channel, request = filled
    emulator.answer("Upsert", lambda request, context: milvus_pb2.MutationResult(upsert_cnt=4))

    assert channel.send(request, SECONDS) == 4


def test_milvus_lite_is_marked_as_a_target_with_a_single_writer(filled):
    """With two writers, Milvus Lite could give two rows the same number: the pipeline sends one by one."""
    _, channel, _ = filled

    assert channel.single_writer


def test_a_refused_flush_is_repeated(emulator, filled):
    target, channel, request = filled
    channel.send(request, SECONDS)
    limited = Status(code=8, error_code=49, reason="rate limit exceeded[rate=9]")
    refusal = lambda request, context: milvus_pb2.FlushResponse(status=limited)  # noqa: E731
    emulator.answer("Flush", refusal, refusal)

    target.flush("items")

    assert [method for method, _ in emulator.calls].count("Flush") == 3


def test_a_flush_that_never_ends_is_given_up(emulator, filled, monkeypatch):
    target, _, _ = filled
    monkeypatch.setattr(counting, "FLUSH_SECONDS", 0.3)
    never = lambda request, context: milvus_pb2.GetFlushStateResponse(flushed=False)  # noqa: E731
    emulator.answer("GetFlushState", *[never] * 100)

    with pytest.raises(TargetBusy, match="was not flushed"):
        target.flush("items")


def test_a_slow_load_is_requested_without_waiting_for_it(emulator, filled, monkeypatch):
    target, _, _ = filled
    monkeypatch.setattr("migrations_app.engine.targets.milvus.indexing.START_SECONDS", 0.2)
    release, answered = threading.Event(), threading.Event()

    def slow(request, context):
        release.wait(10)
        answered.set()
        return Status()

    emulator.answer("LoadCollection", slow)
    target.load("items")
    was_answered = answered.is_set()
    release.set()

    assert not was_answered


def test_a_changed_schema_is_noticed_by_its_timestamp(emulator, filled):
    """Milvus 2.6 compares the timestamp that a request carries."""
    target, _, _ = filled
    described = milvus_pb2.DescribeCollectionResponse(update_timestamp=42)
    described.schema.CopyFrom(target._description("items").schema)
    emulator.answer("DescribeCollection", lambda request, context: described)
    seen = []

    def answer(request, context):
        seen.append(request.schema_timestamp)
        mismatch = Status(code=109, error_code=62, reason="collection schema mismatch")
        return milvus_pb2.MutationResult(status=mismatch)

    emulator.answer("Upsert", answer)
    with pytest.raises(TargetChanged):
        send(target, schema_of("items"), rows_from(0, 1))
    assert seen == [42]
