"""Migrations page and Connect step, with a source and a target in memory."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from migrations_app.engine.endpoint import NoSettings
from migrations_app.models import Connection, Draft
from tests.console.wizard_helpers import page, url
from tests.kit import MemorySource, MemoryStore

# --- Migrations -------------------------------------------------------------------------------------------


def test_a_page_speaks_of_secrets_only_if_the_source_has_some(
    web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Secrets are encrypted" in web.get(reverse("wizard_new", args=["memory"])).content.decode()
    monkeypatch.setattr(MemorySource, "Settings", NoSettings)
    text = web.get(reverse("wizard_new", args=["memory"])).content.decode()
    assert ("It is saved for later use." in text, "Secrets" in text) == (True, False)


def test_every_source_has_a_tile(web: Client) -> None:
    text = web.get(reverse("migrations")).content.decode()
    assert reverse("wizard_new", args=["memory"]) in text
    assert reverse("wizard_new", args=["postgresql"]) in text


def test_a_draft_can_be_continued_at_its_current_step(web: Client, selected: Draft) -> None:
    (draft,) = web.get(reverse("migrations")).context["drafts"]
    assert draft["name"] == "shelf → vault"
    assert draft["step_title"] == "Configure Schema"
    assert draft["detail"] == "1 collection selected"
    assert web.get(reverse("migrations")).context["drafts"][0]["source_title"] == "Memory"
    assert draft["created_by"] == "ada"
    assert web.get(draft["url"]).status_code == 200


def test_another_administrator_may_continue_a_draft(selected: Draft, client: Client) -> None:
    client.force_login(User.objects.create_user("bob", is_staff=True))
    assert page(client, selected).status_code == 200


def test_a_draft_can_be_discarded(web: Client, selected: Draft) -> None:
    assert web.get(url("discard", selected)).status_code == 405
    web.post(url("discard", selected))
    assert not Draft.objects.exists()
    assert page(web, selected).status_code == 404


def test_viewers_see_no_draft_and_no_step(viewer_web: Client, selected: Draft) -> None:
    migrations = viewer_web.get(reverse("migrations"))
    assert migrations.status_code == 200
    assert migrations.context["drafts"] == []
    for step in ("connect", "select", "schema", "migrate", "plan"):
        assert viewer_web.get(url(step, selected)).status_code == 403
        assert viewer_web.post(url(step, selected)).status_code == 403
    assert viewer_web.post(url("discard", selected)).status_code == 403
    assert Draft.objects.exists()


# --- Connect ----------------------------------------------------------------------------------------------


def test_next_tests_and_saves_the_connection(web: Client, connected: Draft) -> None:
    connection = Connection.objects.get()
    assert connected.source_connection == connection
    assert connection.server_info.startswith("Memory 1")
    assert connection.tested_at is not None


def test_a_failed_connection_makes_no_draft(web: Client, source_store: MemoryStore) -> None:
    filled = {"name": "shelf", "store": source_store.name, "password": "wrong", "connection": "new"}
    answer = web.post(reverse("wizard_new", args=["memory"]), filled | {"action": "next"})
    assert answer.context["form"].errors["password"] == ["The store refused the password. Type it again."]
    assert not Draft.objects.exists()
    assert not Connection.objects.exists()


def test_a_test_shows_the_server_and_saves_nothing(web: Client, source_store: MemoryStore) -> None:
    filled = {"name": "shelf", "store": source_store.name, "password": "opensesame", "connection": "new"}
    answer = web.post(reverse("wizard_new", args=["memory"]), filled | {"action": "test"})
    assert answer.context["server"]["title"] == "Memory 1"
    assert "opensesame" not in answer.content.decode()
    assert not Connection.objects.exists()


def test_a_saved_connection_can_be_chosen_instead(
    web: Client, connected: Draft, source_store: MemoryStore
) -> None:
    saved = Connection.objects.get()
    new = reverse("wizard_new", args=["memory"])
    assert [choice["name"] for choice in web.get(new).context["saved"]] == ["shelf"]
    answer = web.post(new, {"connection": str(saved.pk), "action": "next"})
    assert answer.status_code == 302
    assert Connection.objects.count() == 1
    source_store.password = "changed"
    refused = web.post(new, {"connection": str(saved.pk), "action": "next"})
    assert refused.context["error"].code == "auth_refused"


def test_a_connection_that_was_deleted_meanwhile_is_reported(web: Client, connected: Draft) -> None:
    answer = web.post(url("connect", connected), {"connection": "4242", "action": "next"})
    assert "This connection no longer exists." in answer.content.decode()


def test_another_source_clears_the_selection_and_keeps_the_target(
    web: Client, selected: Draft, source_store: MemoryStore
) -> None:
    filled = {"name": "other", "store": source_store.name, "password": "opensesame", "connection": "new"}
    web.post(url("connect", selected), filled | {"action": "next"})
    selected.refresh_from_db()
    assert "collections" not in selected.plan
    assert selected.target_connection is not None
    assert web.get(url("schema", selected))["Location"] == url("select", selected)


def test_going_back_with_the_same_source_loses_nothing(web: Client, selected: Draft) -> None:
    before = selected.plan
    source = str(selected.source_connection_id)
    web.post(url("connect", selected), {"connection": source, "action": "next"})
    selected.refresh_from_db()
    assert selected.plan == before
