"""Saved connections: added, changed, tested, deleted; their secrets never come back."""

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
def saved(shelf: MemoryStore, administrator: User) -> Connection:
    return Connection.objects.create(
        name="shelf",
        kind="memory",
        is_target=False,
        settings={"store": shelf.name, "password": SECRET},
        address=shelf.name,
        created_by=administrator,
    )


def new(web: Client, shelf: MemoryStore, **data: str) -> Any:
    """Save a new source connection to ``shelf``, with ``data`` in its form."""
    url = reverse("connection_new", args=["memory"]) + "?role=source"
    filled = {"name": "shelf", "store": shelf.name, "password": SECRET, "action": "save"}
    return web.post(url, filled | data)


def edit(web: Client, connection: Connection, **data: str) -> Any:
    filled = {
        "name": connection.name,
        "store": connection.settings["store"],
        "password": "",
        "action": "save",
    }
    return web.post(reverse("connection_edit", args=[connection.pk]), filled | data)


def test_a_connection_is_saved_and_listed_under_its_role(web: Client, shelf: MemoryStore) -> None:
    assert new(web, shelf)["Location"] == reverse("connections")
    page = web.get(reverse("connections")).content.decode()
    assert "The connection “shelf” was saved." in page
    assert shelf.name in page
    connection = Connection.objects.get()
    assert not connection.is_target
    assert connection.settings == {"store": shelf.name, "password": SECRET}


def test_a_name_is_proposed_that_is_free(web: Client, saved: Connection) -> None:
    assert default_name("Memory") == "Memory"
    Connection.objects.create(name="Memory", kind="memory", is_target=True)
    assert default_name("Memory") == "Memory 2"
    url = reverse("connection_new", args=["memory"]) + "?role=source"
    assert web.get(url).context["form"]["name"].value() == "Memory 2"


def test_a_name_that_is_taken_is_refused_on_its_field(
    web: Client, shelf: MemoryStore, saved: Connection
) -> None:
    page = new(web, shelf)
    assert page.status_code == 422
    assert "named “shelf” already" in page.context["form"].errors["name"][0]


def test_a_test_shows_the_server_and_saves_nothing(web: Client, shelf: MemoryStore) -> None:
    page = new(web, shelf, action="test")
    assert page.status_code == 200
    assert "Connected to Memory 1." in page.content.decode()
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("data", "field"),
    [({"password": "wrong"}, "password"), ({"store": "nowhere"}, "store"), ({"store": ""}, "store")],
)
def test_a_failure_stands_on_its_field(
    web: Client, shelf: MemoryStore, data: dict[str, str], field: str
) -> None:
    page = new(web, shelf, action="test", **data)
    assert list(page.context["form"].errors) == [field]
    assert page.status_code == 422


def test_no_page_sends_a_secret_back(web: Client, shelf: MemoryStore, saved: Connection) -> None:
    pages = [
        new(web, shelf, action="test"),
        new(web, shelf, action="test", store="nowhere"),
        web.get(reverse("connections")),
        web.get(reverse("connection_edit", args=[saved.pk])),
        edit(web, saved, action="test"),
        web.post(reverse("connection_test", args=[saved.pk]), follow=True),
        web.get(reverse("connection_delete", args=[saved.pk])),
    ]
    assert all(SECRET not in page.content.decode() for page in pages)


def test_a_stored_secret_is_said_to_be_there_and_stays_when_left_blank(
    web: Client, saved: Connection
) -> None:
    page = web.get(reverse("connection_edit", args=[saved.pk])).content.decode()
    assert "stored; leave empty to keep it" in page
    edit(web, saved, name="library")
    saved.refresh_from_db()
    assert (saved.name, saved.settings["password"]) == ("library", SECRET)


def test_a_stored_secret_serves_a_test_where_none_is_typed(web: Client, saved: Connection) -> None:
    assert "Connected to Memory 1." in edit(web, saved, action="test").content.decode()


def test_a_new_secret_replaces_the_stored_one(web: Client, saved: Connection) -> None:
    edit(web, saved, password="another")
    saved.refresh_from_db()
    assert saved.settings["password"] == "another"


def test_a_stored_secret_can_be_forgotten(web: Client, saved: Connection, shelf: MemoryStore) -> None:
    shelf.password = ""
    assert edit(web, saved, action="test").status_code == 422
    assert edit(web, saved, action="test", forget_password="on").status_code == 200
    edit(web, saved, forget_password="on")
    saved.refresh_from_db()
    assert saved.settings["password"] == ""


def test_testing_a_row_shows_what_came_of_it(web: Client, saved: Connection, shelf: MemoryStore) -> None:
    row = web.post(reverse("connection_test", args=[saved.pk]), headers={"HX-Request": "true"})
    assert "Memory 1" in row.content.decode()
    assert "<html" not in row.content.decode()
    shelf.password = "changed"
    page = web.post(reverse("connection_test", args=[saved.pk]), follow=True).content.decode()
    assert "The store refused the password." in page
    saved.refresh_from_db()
    assert saved.test_error == "The store refused the password."


def test_a_connection_is_deleted_after_asking(web: Client, saved: Connection) -> None:
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


def test_after_saving_the_page_goes_on_only_within_the_console(web: Client, shelf: MemoryStore) -> None:
    assert new(web, shelf, next="/jobs/")["Location"] == "/jobs/"
    for number, hostile in enumerate(
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"]
    ):
        answer = new(web, shelf, name=f"shelf {number}", next=hostile)
        assert answer["Location"] == reverse("connections"), hostile


@pytest.mark.parametrize("hostile", ["\0", "a\0b", "x" * 100_000, "\ud800", "<script>alert(1)</script>"])
@pytest.mark.parametrize("field", ["name", "store", "password", "way", "action"])
def test_hostile_values_meet_a_sentence(web: Client, shelf: MemoryStore, field: str, hostile: str) -> None:
    hostile = hostile.encode("utf-8", "replace").decode()
    page = new(web, shelf, **{"action": "test", field: hostile})
    assert page.status_code in (200, 302, 422)
    assert "<script>alert(1)</script>" not in page.content.decode()


@pytest.mark.parametrize("pk", ["0", "99", str(2**63), "9" * 400])
def test_a_connection_that_is_not_there_is_not_found(web: Client, pk: str) -> None:
    for page in ("", "test/", "delete/"):
        assert web.post(f"/connections/{pk}/{page}").status_code == 404


@pytest.mark.parametrize("kind", ["nothing", "milvus?role=source"])
def test_a_kind_that_is_not_there_is_not_found(web: Client, kind: str) -> None:
    kind, _, query = kind.partition("?")
    assert web.get(reverse("connection_new", args=[kind]) + f"?{query}").status_code == 404


def test_viewers_see_and_change_no_connection(viewer_web: Client, saved: Connection) -> None:
    urls = [
        reverse("connections"),
        reverse("connection_new", args=["memory"]),
        *(reverse(name, args=[saved.pk]) for name in ("connection_edit", "connection_delete")),
    ]
    assert {viewer_web.get(url).status_code for url in urls} == {403}
    assert viewer_web.post(reverse("connection_test", args=[saved.pk])).status_code == 403
    assert viewer_web.post(urls[-1]).status_code == 403
    assert Connection.objects.exists()


def test_a_target_is_saved_as_one(web: Client, vault: MemoryDatabase) -> None:
    url = reverse("connection_new", args=["memory"]) + "?role=target"
    web.post(url, {"name": "vault", "store": vault.name, "token": "letmein", "action": "save"})
    assert Connection.objects.get().is_target
