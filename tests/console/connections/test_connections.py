"""Saved connections: added, changed, tested and deleted, and their secrets are never sent back."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from console.connections.list import default_name
from migrations_app.models import Connection, Draft, Job
from tests.kit import MemoryDatabase, MemoryStore

pytestmark = pytest.mark.database

SECRET = "opensesame"


@pytest.fixture
def saved(source_store: MemoryStore, administrator: User) -> Connection:
    return Connection.objects.create(
        name="shelf",
        kind="memory",
        is_target=False,
        settings={"store": source_store.name, "password": SECRET},
        address=source_store.name,
        created_by=administrator,
    )


def new(web: Client, source_store: MemoryStore, **data: str) -> Any:
    """Save a new source connection to ``source_store``, with ``data`` in its form."""
    url = reverse("connection_new", args=["memory"]) + "?role=source"
    filled = {"name": "shelf", "store": source_store.name, "password": SECRET, "action": "save"}
    return web.post(url, filled | data)


def edit(web: Client, connection: Connection, **data: str) -> Any:
    filled = {
        "name": connection.name,
        "store": connection.settings["store"],
        "password": "",
        "action": "save",
    }
    return web.post(reverse("connection_edit", args=[connection.pk]), filled | data)


def test_a_connection_is_saved_and_listed_under_its_role(web: Client, source_store: MemoryStore) -> None:
    assert new(web, source_store)["Location"] == reverse("connections")
    page = web.get(reverse("connections")).content.decode()
    assert "The connection “shelf” was saved." in page
    assert source_store.name in page
    connection = Connection.objects.get()
    assert not connection.is_target
    assert connection.settings == {"store": source_store.name, "password": SECRET}


def test_an_unused_name_is_proposed(web: Client, saved: Connection) -> None:
    assert default_name("Memory") == "Memory"
    Connection.objects.create(name="Memory", kind="memory", is_target=True)
    assert default_name("Memory") == "Memory 2"
    url = reverse("connection_new", args=["memory"]) + "?role=source"
    assert web.get(url).context["form"]["name"].value() == "Memory 2"


def test_a_name_that_is_taken_is_refused_on_its_field(
    web: Client, source_store: MemoryStore, saved: Connection
) -> None:
    page = new(web, source_store)
    assert page.status_code == 422
    assert "named “shelf” already" in page.context["form"].errors["name"][0]


def test_a_test_shows_the_server_and_saves_nothing(web: Client, source_store: MemoryStore) -> None:
    page = new(web, source_store, action="test")
    assert page.status_code == 200
    assert "Connected to Memory 1." in page.content.decode()
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("data", "field"),
    [({"password": "wrong"}, "password"), ({"store": "nowhere"}, "store"), ({"store": ""}, "store")],
)
def test_a_failure_is_reported_on_its_field(
    web: Client, source_store: MemoryStore, data: dict[str, str], field: str
) -> None:
    page = new(web, source_store, action="test", **data)
    assert list(page.context["form"].errors) == [field]
    assert page.status_code == 422


def test_no_page_sends_a_secret_back(web: Client, source_store: MemoryStore, saved: Connection) -> None:
    pages = [
        new(web, source_store, action="test"),
        new(web, source_store, action="test", store="nowhere"),
        web.get(reverse("connections")),
        web.get(reverse("connection_edit", args=[saved.pk])),
        edit(web, saved, action="test"),
        web.post(reverse("connection_test", args=[saved.pk]), follow=True),
        web.get(reverse("connection_delete", args=[saved.pk])),
    ]
    assert all(SECRET not in page.content.decode() for page in pages)


def test_the_page_says_that_a_secret_is_stored_and_a_blank_field_keeps_it(
    web: Client, saved: Connection
) -> None:
    page = web.get(reverse("connection_edit", args=[saved.pk])).content.decode()
    assert "stored; leave empty to keep it" in page
    edit(web, saved, name="library")
    saved.refresh_from_db()
    assert (saved.name, saved.settings["password"]) == ("library", SECRET)


def test_a_test_uses_the_stored_secret_if_none_is_typed(web: Client, saved: Connection) -> None:
    assert "Connected to Memory 1." in edit(web, saved, action="test").content.decode()


def test_a_new_secret_replaces_the_stored_one(web: Client, saved: Connection) -> None:
    edit(web, saved, password="another")
    saved.refresh_from_db()
    assert saved.settings["password"] == "another"


def test_a_stored_secret_can_be_forgotten(web: Client, saved: Connection, source_store: MemoryStore) -> None:
    source_store.password = ""
    assert edit(web, saved, action="test").status_code == 422
    assert edit(web, saved, action="test", forget_password="on").status_code == 200
    edit(web, saved, forget_password="on")
    saved.refresh_from_db()
    assert saved.settings["password"] == ""


def test_testing_a_row_shows_and_stores_the_result(
    web: Client, saved: Connection, source_store: MemoryStore
) -> None:
    row = web.post(reverse("connection_test", args=[saved.pk]), headers={"HX-Request": "true"})
    assert "Memory 1" in row.content.decode()
    assert "<html" not in row.content.decode()
    source_store.password = "changed"
    page = web.post(reverse("connection_test", args=[saved.pk]), follow=True).content.decode()
    assert "The store refused the password." in page
    saved.refresh_from_db()
    assert saved.test_error == "The store refused the password."


def test_a_connection_is_deleted_after_a_confirmation(web: Client, saved: Connection) -> None:
    asked = web.get(reverse("connection_delete", args=[saved.pk]))
    assert "Delete the connection “shelf”?" in asked.content.decode()
    assert web.post(reverse("connection_delete", args=[saved.pk])).status_code == 302
    assert not Connection.objects.exists()


def test_a_connection_in_use_by_a_running_job_is_not_deleted(web: Client, saved: Connection) -> None:
    job = Job.objects.create(kind="memory", plan={}, source_connection=saved)
    page = web.post(reverse("connection_delete", args=[saved.pk]))
    assert page.status_code == 409
    assert job.public_id in page.content.decode()
    assert Connection.objects.exists()


def test_a_draft_whose_connection_is_deleted_stays_and_asks_for_another(
    web: Client, saved: Connection, administrator: User
) -> None:
    draft = Draft.objects.create(kind="memory", owner=administrator, source_connection=saved)
    asked = web.get(reverse("connection_delete", args=[saved.pk])).content.decode()
    assert "1 draft" in asked
    web.post(reverse("connection_delete", args=[saved.pk]))
    page = web.get(reverse("wizard_select", args=[draft.pk]))
    assert page["Location"] == reverse("wizard_connect", args=[draft.pk])


def test_after_saving_the_page_redirects_only_within_the_console(
    web: Client, source_store: MemoryStore
) -> None:
    assert new(web, source_store, next="/jobs/")["Location"] == "/jobs/"
    for number, hostile in enumerate(
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"]
    ):
        answer = new(web, source_store, name=f"shelf {number}", next=hostile)
        assert answer["Location"] == reverse("connections"), hostile


@pytest.mark.parametrize("hostile", ["\0", "a\0b", "x" * 100_000, "\ud800", "<script>alert(1)</script>"])
@pytest.mark.parametrize("field", ["name", "store", "password", "way", "action"])
def test_hostile_values_do_not_crash_the_page(
    web: Client, source_store: MemoryStore, field: str, hostile: str
) -> None:
    hostile = hostile.encode("utf-8", "replace").decode()
    page = new(web, source_store, **{"action": "test", field: hostile})
    assert page.status_code in (200, 302, 422)
    assert "<script>alert(1)</script>" not in page.content.decode()


@pytest.mark.parametrize("pk", ["0", "99", str(2**63), "9" * 400])
def test_an_unknown_connection_is_not_found(web: Client, pk: str) -> None:
    for page in ("", "test/", "delete/"):
        assert web.post(f"/connections/{pk}/{page}").status_code == 404


@pytest.mark.parametrize("kind", ["nothing", "milvus?role=source"])
def test_an_unknown_kind_is_not_found(web: Client, kind: str) -> None:
    kind, _, query = kind.partition("?")
    assert web.get(reverse("connection_new", args=[kind]) + f"?{query}").status_code == 404


def test_viewers_cannot_see_or_change_connections(viewer_web: Client, saved: Connection) -> None:
    urls = [
        reverse("connections"),
        reverse("connection_new", args=["memory"]),
        *(reverse(name, args=[saved.pk]) for name in ("connection_edit", "connection_delete")),
    ]
    assert {viewer_web.get(url).status_code for url in urls} == {403}
    assert viewer_web.post(reverse("connection_test", args=[saved.pk])).status_code == 403
    assert viewer_web.post(urls[-1]).status_code == 403
    assert Connection.objects.exists()


def test_a_target_is_saved_as_a_target(web: Client, target_store: MemoryDatabase) -> None:
    url = reverse("connection_new", args=["memory"]) + "?role=target"
    web.post(url, {"name": "vault", "store": target_store.name, "token": "letmein", "action": "save"})
    assert Connection.objects.get().is_target
