"""Values of the source on Select: chosen from those that the source lists for a collection."""

from typing import Any

import pytest
from django.test import Client

from console.html_anchors import anchor
from migrations_app import endpoints
from migrations_app.models import Connection, Draft
from tests.console.wizard_helpers import HTMX, change, collection, start, url
from tests.kit.form_source import NAMESPACES, FormSource

CONTROL = f"{anchor('articles')}-namespaces"


def sent(to: Connection, action: str, *namespaces: str, **data: Any) -> dict[str, Any]:
    target = {"target": str(to.pk), "database": "default"}
    return {"collections": ["articles"], CONTROL: list(namespaces), "action": action, **target, **data}


def test_the_values_are_listed_when_they_are_asked_for(
    web: Client, archive: Draft, target: Connection
) -> None:
    page = web.get(url("select", archive)).content.decode()
    assert "ns_001" not in page
    fragment = web.post(
        url("select", archive), sent(target, "values", "ns_001", control=CONTROL), headers=HTMX
    )
    text = fragment.content.decode()
    assert "<html" not in text
    assert text.count("<li") == len(NAMESPACES)
    assert 'value="ns_001" checked' in text
    whole = web.post(url("select", archive), sent(target, "values", "ns_001")).content.decode()
    assert "<html" in whole
    assert 'value="ns_001" checked' in whole
    assert "default namespace" in whole


def test_an_error_of_the_source_is_shown_in_the_control_and_the_choice_stays(
    web: Client, archive: Draft, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FormSource, "failures", ["The archive is busy."])
    text = web.post(
        url("select", archive), sent(target, "values", "ns_001", control=CONTROL)
    ).content.decode()
    assert "The archive is busy." in text
    assert "Try again" in text
    assert 'value="ns_001" checked' in text


def test_a_source_that_does_not_answer_holds_the_page_for_a_limited_time(
    web: Client, archive: Draft, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FormSource, "namespaces", {"ns_001": 1, "ns_002": -1})
    monkeypatch.setattr(endpoints, "LOOK_SECONDS", 0.1)
    asked = sent(target, "values", control=CONTROL)
    text = web.post(url("select", archive), asked).content.decode()
    assert "did not answer within 0.1 seconds." in text


def test_a_chosen_value_that_vanished_is_refused_on_its_control(
    web: Client, archive: Draft, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = web.post(url("select", archive), sent(target, "next", "ns_001", "ns_999"))
    row = answer.context["collections"][0]["row_selection"]
    assert "“ns_999” is not among the namespaces of “articles”." in row.errors["namespaces"][0]
    web.post(url("select", archive), sent(target, "next", "ns_001", "ns_002"))
    assert collection(archive)["select"] == {"namespaces": ["ns_001", "ns_002"]}
    monkeypatch.setattr(FormSource, "namespaces", {"ns_001": 2})
    (problem,) = web.get(url("migrate", archive)).context["problems"]
    assert problem["message"] == "“ns_002” is not among the namespaces of “articles”."
    assert problem["url"] == url("select", archive)
    assert start(web, archive).status_code == 422


def test_another_choice_keeps_what_was_configured(web: Client, archive: Draft, target: Connection) -> None:
    web.post(url("select", archive), sent(target, "next", "ns_001"))
    change(web, archive, received__target="got", **{"source_options-with_scores": "on"})
    web.post(url("select", archive), sent(target, "next", "ns_002"))
    stored = collection(archive)
    assert stored["select"] == {"namespaces": ["ns_002"]}
    assert stored["source_options"] == {"with_scores": True}
    assert [f["target"] for f in stored["fields"]] == ["id", "embedding", "namespace", "got", "score"]
