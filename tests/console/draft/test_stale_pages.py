"""A page that shows an older version of a draft: its changes are refused in words, never lost silently."""

from __future__ import annotations

from typing import Any

from django.test import Client

from migrations_app.models import Connection, Draft
from tests.console.wizard_helpers import HTMX, collection, page, select, url


def opened(web: Client, draft: Draft, step: str = "schema") -> dict[str, Any]:
    """Open a page; return what identifies it and its version."""
    shown = web.get(url(step, draft)).context["draft"]
    return {"version": str(shown["version"]), "page": shown["page"]}


def test_the_second_of_two_tabs_is_told_that_the_draft_was_changed(web: Client, selected: Draft) -> None:
    first, second = opened(web, selected), opened(web, selected)
    for name in ("one", "two"):  # the same page may change it again and again
        sent = first | {"target": name, "action": "check"}
        assert web.post(url("schema", selected), sent, headers=HTMX).status_code == 200
    answer = web.post(url("schema", selected), second | {"target": "three", "action": "check"}, headers=HTMX)
    assert answer.status_code == 409
    assert "changed in another tab" in answer.content.decode()
    assert collection(selected)["target"] == "two"
    answer = web.post(url("schema", selected), second | {"target": "three", "action": "next"})
    assert answer.status_code == 409
    assert f'href="{url("schema", selected)}">Reload' in answer.content.decode()
    third = opened(web, selected)
    assert web.post(url("schema", selected), third | {"target": "three"}).status_code == 302
    assert collection(selected)["target"] == "three"
    assert web.post(url("schema", selected), first | {"target": "four"}).status_code == 409


def test_every_step_notices_it_and_questions_to_servers_change_nothing(
    web: Client, selected: Draft, target: Connection
) -> None:
    on_select, on_schema = opened(web, selected, "select"), opened(web, selected)
    asked = on_select | {"action": "target", "target": str(target.pk)}
    assert web.post(url("select", selected), asked, headers=HTMX).status_code == 200
    assert web.post(url("schema", selected), on_schema | {"like": "liked"}).status_code == 302
    assert web.post(url("select", selected), on_select | {"action": "next"}).status_code == 409
    for forged in ({"version": "x", "page": "y"}, {"version": "9" * 99, "page": ""}):
        assert web.post(url("select", selected), forged).status_code == 409


def test_going_back_in_the_browser_never_shows_an_older_version(web: Client, selected: Draft) -> None:
    assert "no-store" in page(web, selected)["Cache-Control"]
    assert select(web, selected, selected.target_connection, "books").status_code == 302
