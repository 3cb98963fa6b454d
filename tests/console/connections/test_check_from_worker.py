"""A failed test of a connection can be made again from the worker's host, if that is another one."""

import socket
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from migrations_app.models import Connection, ConnectionCheck, Worker
from migrations_app.worker import tasks
from tests.kit import MemoryStore

pytestmark = pytest.mark.database

BUTTON = "Test from the worker&#x27;s host"
SECRET = "opensesame"


@pytest.fixture
def worker_elsewhere(db: None) -> Worker:
    return Worker.objects.create(host="worker-1", pid=1, slots=1, last_seen=Now())


def sent(web: Client, store: str, action: str, **more: str) -> Any:
    url = reverse("connection_new", args=["memory"]) + "?role=source"
    return web.post(url, {"name": "shelf", "store": store, "password": SECRET, "action": action} | more)


def shown(page: Any) -> str:
    text: str = page.content.decode().replace("'", "&#x27;")
    return text


def asked(web: Client) -> str:
    check = ConnectionCheck.objects.get()
    return shown(web.get(reverse("connection_check", args=[check.pk]), headers={"HX-Request": "true"}))


def run_waiting() -> None:
    row = OrmQ.objects.get()
    assert row.task["func"] == "migrations_app.worker.tasks.check_connection"
    assert SECRET not in str(row.task)
    tasks.check_connection(*row.task["args"])


def test_it_is_offered_only_after_a_failure_and_if_a_worker_runs_elsewhere(
    web: Client, source_store: MemoryStore, worker_elsewhere: Worker
) -> None:
    assert BUTTON in shown(sent(web, "nowhere", "test"))
    assert BUTTON not in shown(sent(web, source_store.name, "test"))
    Worker.objects.update(host=socket.gethostname())
    assert BUTTON not in shown(sent(web, "nowhere", "test"))
    Worker.objects.all().delete()
    assert BUTTON not in shown(sent(web, "nowhere", "test"))


def test_the_worker_tests_and_the_page_shows_what_it_found(
    web: Client, source_store: MemoryStore, worker_elsewhere: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = shown(sent(web, source_store.name, "test_from_worker"))
    assert "Testing from the worker&#x27;s host" in page
    assert SECRET not in page
    assert "hx-trigger" in asked(web)
    monkeypatch.setattr("migrations_app.services.connection_checks.socket.gethostname", lambda: "worker-1")
    run_waiting()
    result = asked(web)
    assert "The worker on worker-1 is connected to Memory 1." in result
    assert "hx-trigger" not in result
    assert ConnectionCheck.objects.get().settings == {}


def test_a_failure_there_is_shown_with_its_hint(
    web: Client, source_store: MemoryStore, worker_elsewhere: Worker
) -> None:
    sent(web, source_store.name, "test_from_worker", password="wrong")
    run_waiting()
    assert "The store refused the password." in asked(web)


def test_a_saved_connection_stores_the_result(
    web: Client, source_store: MemoryStore, worker_elsewhere: Worker, administrator: User
) -> None:
    saved = Connection.objects.create(
        name="shelf",
        kind="memory",
        is_target=False,
        settings={"store": source_store.name, "password": SECRET},
        test_error="It cannot be reached.",
        tested_at=Now(),
    )
    assert BUTTON in shown(web.get(reverse("connections")))
    page = web.post(reverse("connection_check_new", args=[saved.pk]), follow=True)
    assert "Testing from the worker&#x27;s host" in shown(page)
    run_waiting()
    saved.refresh_from_db()
    assert (saved.test_error, saved.server_info) == ("", "Memory 1, 4 collections")
    OrmQ.objects.all().delete()
    web.post(reverse("connection_check_new", args=[saved.pk]))
    changed = {"store": "nowhere", "password": SECRET}
    Connection.objects.update(settings=changed, server_info="")  # while the worker tests the old settings
    run_waiting()
    saved.refresh_from_db()
    assert saved.server_info == ""


def test_only_the_administrator_who_asked_sees_the_result(
    web: Client, viewer_web: Client, source_store: MemoryStore, worker_elsewhere: Worker
) -> None:
    sent(web, source_store.name, "test_from_worker")
    url = reverse("connection_check", args=[ConnectionCheck.objects.get().pk])
    assert viewer_web.get(url).status_code == 403
    other = Client()
    other.force_login(User.objects.create_user("eve", is_staff=True))
    assert other.get(url).status_code == 404


def test_a_new_migration_says_where_the_connection_can_be_tested(
    web: Client, source_store: MemoryStore, worker_elsewhere: Worker
) -> None:
    form = {"name": "shelf", "connection": "new", "store": "nowhere", "password": SECRET, "action": "test"}
    page = shown(web.post(reverse("wizard_new", args=["memory"]), form))
    assert "Jobs run on worker-1" in page
