"""Fixtures of the console tests: users with roles, endpoints in memory, and drafts at each wizard step."""

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from console.schema import defaults as table_defaults
from console.schema.table import MappingTable
from migrations_app import endpoints
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources import registry
from migrations_app.models import Connection, Draft
from tests.console.schema.tables import SCHEMA
from tests.console.wizard_helpers import change, select
from tests.kit import (
    MemoryDatabase,
    MemoryStore,
    MemoryTarget,
    memory_collection,
    memory_database,
    memory_store,
)
from tests.kit.memory_target import EVERYTHING

PASSWORD = "a long enough secret"


@pytest.fixture
def administrator(db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD, is_staff=True)


@pytest.fixture
def viewer(db: None) -> User:
    return User.objects.create_user("vic", password=PASSWORD)


@pytest.fixture
def web(administrator: User) -> Client:
    """A browser in which an administrator is logged in."""
    client = Client()
    client.force_login(administrator)
    return client


@pytest.fixture
def viewer_web(viewer: User) -> Client:
    client = Client()
    client.force_login(viewer)
    return client


@pytest.fixture(autouse=True)
def memory_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the source and the target in memory to the registries."""
    entry = registry.SourceEntry(
        "memory", "Memory", "Rows in this process.", "tests.console.selecting_source:ChoosingSource"
    )
    forms = registry.SourceEntry("forms", "Archive", "Every control.", "tests.kit.form_source:FormSource")
    monkeypatch.setitem(registry.SOURCES, "memory", entry)
    monkeypatch.setitem(registry.SOURCES, "forms", forms)
    monkeypatch.setitem(endpoints.TARGETS, "memory", MemoryTarget)


@pytest.fixture
def use_source(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that replaces the source in memory by another class, named by its path."""

    def use(path: str) -> None:
        monkeypatch.setitem(registry.SOURCES, "memory", registry.SourceEntry("memory", "Memory", "", path))

    return use


def books(rows: int = 12) -> pa.RecordBatch:
    """A key, a vector, a text with nulls, a whole number, a flag, and a column whose type Milvus lacks."""
    return pa.record_batch(
        {
            "id": pa.array(range(rows), pa.int64()),
            "embedding": pa.array([[float(n), 0.5, -1.0] for n in range(rows)], pa.list_(pa.float32(), 3)),
            "title": pa.array([None if n % 4 == 3 else f"Book {n}" for n in range(rows)], pa.string()),
            "pages": pa.array([100 + n for n in range(rows)], pa.int32()),
            "like": pa.array([n % 2 == 0 for n in range(rows)], pa.bool_()),
            "raw": pa.array([b"\0"] * rows, pa.binary()),
        }
    )


BOOK_SPECS = {
    "id": TypeSpec(MilvusType.INT64),
    "embedding": TypeSpec(MilvusType.FLOAT_VECTOR, dim=3),
    "title": TypeSpec(MilvusType.VARCHAR, max_length=256),
    "pages": TypeSpec(MilvusType.INT32),
    "like": TypeSpec(MilvusType.BOOL),
}


@pytest.fixture
def source_store() -> Iterator[MemoryStore]:
    """A source with two collections of books, and two that cannot be selected."""
    without_vectors = memory_collection(books().select(["id", "title"]), BOOK_SPECS, key="id")
    store = MemoryStore(
        {
            "books": memory_collection(books(), BOOK_SPECS, key="id"),
            "reviews": memory_collection(books(5), BOOK_SPECS, key="id"),
            "authors": without_vectors,
            "empty": memory_collection(books(0), BOOK_SPECS, key="id"),
        },
        password="opensesame",
    )
    with memory_store(store) as settings:
        store.name = settings.store
        yield store


@pytest.fixture
def target_store() -> Iterator[MemoryDatabase]:
    """A target that has every capability."""
    with memory_database(MemoryDatabase(token="letmein")) as settings:
        store_name = settings.store
        MemoryTarget.stores[store_name].name = store_name
        yield MemoryTarget.stores[store_name]


@pytest.fixture
def proposed() -> MappingTable:
    """The mapping table of ``tables.SCHEMA`` as first proposed."""
    return table_defaults.default_table(SCHEMA, EVERYTHING)


@pytest.fixture
def target(target_store: MemoryDatabase) -> Connection:
    return Connection.objects.create(
        name="vault", kind="memory", is_target=True, settings={"store": target_store.name, "token": "letmein"}
    )


@pytest.fixture
def connected(web: Client, source_store: MemoryStore) -> Draft:
    """A draft after step 1, created by the page itself."""
    filled = {"name": "shelf", "store": source_store.name, "password": "opensesame"}
    web.post(reverse("wizard_new", args=["memory"]), filled | {"connection": "new", "action": "next"})
    return Draft.objects.get()


@pytest.fixture
def archive(web: Client, administrator: User) -> Draft:
    """A draft after step 1, of the source that has every kind of control."""
    web.post(
        reverse("wizard_new", args=["forms"]),
        {"name": "archive", "connection": "new", "action": "next", "address": "archive.example"}
        | {"port": "6000", "timeout": "2.5", "region": "eu", "verify_tls": "on"},
    )
    return Draft.objects.get(kind="forms")


@pytest.fixture
def selected(web: Client, connected: Draft, target: Connection, db: None) -> Draft:
    """A draft after step 2, with one collection."""
    answer = select(web, connected, target, "books")
    assert answer.status_code == 302, answer.context["error"] or answer.context["target_error"]
    connected.refresh_from_db()
    return connected


@pytest.fixture
def ready(web: Client, selected: Draft) -> Draft:
    change(web, selected, like__target="liked")
    return selected
